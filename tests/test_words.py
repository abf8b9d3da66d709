"""Numbers with nouns, lists and hints, as messages and reports write them."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from src.words import counted, did_you_mean, first_of, listed, near, runnable, shortened


def test_a_noun_follows_its_number():
    assert [counted(number, "row") for number in (0, 1, 2, 1000)] == ["0 rows", "1 row", "2 rows", "1,000 rows"]


def test_a_list_in_a_sentence():
    assert [listed("abc"[:length]) for length in (1, 2, 3)] == ["a", "a and b", "a, b and c"]


def test_a_long_text_is_cut():
    assert [shortened("x" * length) for length in (60, 61)] == ["x" * 60, "x" * 57 + "..."]


def test_a_long_list_is_cut():
    assert first_of([1, 2, 3], 3) == "1, 2, 3"
    assert first_of(range(12)) == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more"


@pytest.mark.parametrize(
    "word, choices, meant",
    [
        ("sigmod", ["tanh", "sigmoid"], ["sigmoid"]),
        ("SIGMOID", ["sigmoid"], ["sigmoid"]),
        ("log-loss", ["log_loss"], ["log_loss"]),
        ("acc", ["f1", "balanced_accuracy", "accuracy"], ["accuracy"]),  # its beginning
        ("zzz", ["sigmoid"], []),
        ("", ["sigmoid"], []),
    ],
)
def test_what_a_word_may_stand_for(word: str, choices: list[str], meant: list[str]):
    assert near(word, choices) == meant
    assert did_you_mean(word, choices) == "".join(f" Did you mean '{each}'?" for each in meant)


def test_several_words_may_be_meant():
    assert near("data.csv", ["data1.csv", "data2.csv", "other.txt"], most=3) == ["data2.csv", "data1.csv"]


@pytest.mark.parametrize("place", [".", "..", "elsewhere"])
def test_a_command_is_printed_as_it_can_be_typed(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = Path(sys.executable).parent
    monkeypatch.chdir({".": folder, "..": folder.parent, "elsewhere": tmp_path}[place])
    assert runnable("python -m src.compare") == "python -m src.compare", "activated"
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    typed = runnable("python -c 'import sys; print(sys.prefix)'")
    printed = subprocess.run(["sh", "-c", typed], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == sys.prefix
    # All of the environment: `mlflow models serve` starts other programs of it.
    assert runnable("mlflow gc") == f"PATH={shlex.quote(str(folder))}:$PATH mlflow gc"
