"""A selection of what `make fuzz` tries: each ends in time, in a sentence, with a status that is right."""

import os
from collections.abc import Iterator

import pytest

from tests.fuzz import run as runner
from tests.fuzz.cases import Case, all_cases
from tests.fuzz.run import Template, run, template
from tests.fuzz.tables import FILES, all_tables
from tests.processes import Commands, Limits

CASES = {case.name: case for case in all_cases()}
NAMES = [*CASES, *(f"csv-{number}" for number in range(1, FILES + 1))]
SELECTED = NAMES[:: len(NAMES) // 60 + 1]


@pytest.fixture(scope="module")
def commands() -> Iterator[Commands]:
    with Commands(confined=True) as started:
        yield started


@pytest.fixture(scope="module")
def made() -> Iterator[Template]:
    with Commands(figures=False) as others, template(others) as made:
        yield made


@pytest.mark.parametrize("name", SELECTED)
def test_nothing_is_seen_that_must_not_be(name: str, commands: Commands, made: Template) -> None:
    case = CASES.get(name) or {case.name: case for case in all_tables()}[name]  # drawing these takes seconds
    ended, breaches = run(case, commands, made)
    assert not breaches, (case.line, ended)


def test_the_cases_are_as_many_as_are_told_and_always_the_same() -> None:
    assert len({case.line for case in all_cases()}) >= 1200
    assert len({case.files["table.csv"] for case in all_tables()}) >= 300
    assert all_cases() == all_cases()


@pytest.mark.skipif(os.geteuid() != 0, reason="file modes keep everybody else from it")
def test_nothing_can_be_written_outside_the_temporary_folder(commands: Commands, made: Template) -> None:
    case = Case("bad-1", (), frozenset({2}), "bad", {"bad.py": b"open('/written', 'w')"})
    ended, _ = run(case, commands, made)
    assert "Read-only file system" in ended.err


@pytest.mark.parametrize(
    "name, program, what",
    [
        ("a traceback", "raise ValueError('no luck')", "exception"),
        ("a hang", "while True: pass", "hang"),
        ("memory", "bytes(2 << 30)", "exception"),
        ("nonsense that passes", "pass", "status 0, not 2"),
        ("an end without a sentence", "raise SystemExit(2)", "no sentence"),
        ("a process that stays", "import os, time; os.fork() or time.sleep(60)", "outlived"),
    ],
)  # fmt: skip
def test_the_fuzzer_sees(
    name: str, program: str, what: str, commands: Commands, made: Template, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "SECONDS_TO_END", 0.5)
    case = Case("bad-1", (), frozenset({2}), "bad", {"bad.py": program.encode()})
    _, breaches = run(case, commands, made, limits=Limits(processor=0.5))
    assert what in [breach.what for breach in breaches]
