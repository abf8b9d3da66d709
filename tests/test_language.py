"""The language of what is said: how it is chosen, and that the catalogue of Chinese is whole."""

import io
import re
import string
import sys
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po
from omegaconf import OmegaConf

from src import language
from src.command.search import search
from src.config import ConfigError, check
from src.errors import UserError
from tests.commandline import command
from tests.stores import Record

ROOT = Path(__file__).resolve().parents[1]
METHODS = [("**.py", "python"), ("**/templates/*.html", "jinja2.ext:babel_extract")]


def extracted() -> set[str | tuple[str, ...]]:
    """Every text in the code that is said, and every question of our studies."""
    said = {"say": None, "say_number": (1, 2)}
    messages = {message for _, _, message, _, _ in extract_from_dir(ROOT / "src", METHODS, keywords=said)}
    studies = (OmegaConf.load(file) for file in (ROOT / "experiments").glob("*.yaml"))
    return messages | {study.comparison.question for study in studies if "question" in study.get("comparison", {})}


def fields(text: str) -> set[str | None]:
    return {name for _, name, _, _ in string.Formatter().parse(text)} - {None}


def test_the_catalogue_has_every_text_and_no_other() -> None:
    for lang, path in language.CATALOGUES.items():
        with path.open("rb") as file:
            catalogue = read_po(file, locale=lang)
        told = {tuple(one.id) if one.pluralizable else one.id: one for one in catalogue if one.id}
        assert extracted() - told.keys() == set(), f"said in src, and not in {path.name}"
        assert told.keys() - extracted() == set(), f"in {path.name}, and said nowhere"
        assert not catalogue.obsolete
        for key, one in told.items():
            english = key[-1] if isinstance(key, tuple) else key
            translated = one.string[0] if isinstance(key, tuple) else one.string
            assert translated, f"not translated: {english}"
            assert not one.fuzzy, f"not certain: {english}"
            assert fields(translated) == fields(english), english


@pytest.mark.parametrize(
    "environment, lang",
    [
        ({}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh"}, "zh"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LANG": "en_US.UTF-8", "LC_MESSAGES": "zh_TW"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": ""}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "LANGUAGE": "de:en:zh"}, "en"),
        ({"LANG": "en_US.UTF-8", "LANGUAGE": "de:zh_CN"}, "zh"),
    ],
)
def test_the_environment_says_the_language(
    environment: dict[str, str], lang: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    language.choose(None)
    assert language.chosen() == lang


def test_a_terminal_without_chinese_letters_is_spoken_to_in_english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    monkeypatch.setenv("LANGUAGE", "zh_CN")
    language.choose(None)
    assert language.say("accuracy") == "accuracy"
    with pytest.raises(UserError, match=r"the output is in ascii, which has no letters for 'zh'\. Set"):
        language.choose("zh")


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^lang: 'fr' is not null or a language\. \(en, zh\)$"):
        check({"lang": "fr"})


def test_help_shows_the_same_commands_and_choices_in_chinese() -> None:
    english, chinese = (command("--help", f"lang={lang}").out.splitlines() for lang in language.LANGUAGES)
    assert len(chinese) == len(english)
    assert any("用法" in line for line in chinese)
    for one, other in zip(chinese, english, strict=True):
        for shown in (r"python -m src\.\S*( \S+=\S+)*", r"^[a-z]+: .*$", r"^  --?[\w-]+"):
            assert [found[0] for found in re.finditer(shown, one)] == [found[0] for found in re.finditer(shown, other)]


@pytest.mark.parametrize("module", ["src.compare", "src.predict", "src.rerun", "src.trace", "src.ui", "src.server"])
def test_help_of_the_other_commands_is_in_the_language_of_the_environment_or_the_one_that_is_named(
    module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    english = command("--help", module=module)
    monkeypatch.setenv("LANGUAGE", "zh_CN")
    chinese = command("--help", module=module)
    assert (english.status, chinese.status) == (0, 0)
    assert english.out.isascii()
    letters = r"[A-Za-z]{2,} [a-z]{2,} [a-z]{2,}"  # three words of a sentence
    assert re.search(letters, english.out)
    assert not re.search(letters, chinese.out), "English is left"
    for shown in (r"--[a-z-]+", r"^  \S+ -m .*$"):
        assert sorted(re.findall(shown, chinese.out, re.M)) == sorted(re.findall(shown, english.out, re.M))
    monkeypatch.setenv("LANGUAGE", "en")
    for named in (("--lang", "zh"), ("lang=zh",)):
        assert command(*named, "--help", module=module).out == chinese.out


def test_the_language_is_no_part_of_a_job_or_of_a_search(tmp_path: Path) -> None:
    record, sweep = Record.empty(tmp_path), ("model=logistic,softmax", "training.epochs=2")
    english, chinese = record.sweep(*sweep), record.sweep(*sweep, "lang=zh")
    assert (english.status, chinese.status) == (0, 0)
    assert "2 jobs of 2 reused" not in english.out
    assert "2 个任务中有 2 个取自记录" in chinese.out
    assert "2/2 个任务 | 2 个取自记录 | 0 个网络 | 最好的 test/accuracy 为" in chinese.err
    assert len(record.parents()) == 1
    with search({}, ["seed=1", "lang=zh"]) as one, search({}, ["seed=1"]) as other:
        assert one.digest == other.digest


def test_a_problem_is_told_in_english_in_both_languages(tmp_path: Path) -> None:
    told = [Record(tmp_path).single("training.l2=-1", f"lang={lang}").err for lang in language.LANGUAGES]
    assert told[0] == told[1] == "error: training.l2: -1 is not a finite number of at least 0.\n"
