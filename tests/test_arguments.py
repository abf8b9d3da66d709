"""What commands with arguments of their own have in common."""

import importlib

import pytest

from tests.commandline import command


@pytest.mark.parametrize("name", ["compare", "predict", "rerun", "ui", "server"])
def test_a_misspelt_flag_is_told_before_anything_else(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        importlib.import_module(f"src.{name}").main(["--hlep"])
    assert ended.value.code == 2
    (told,) = capsys.readouterr().err.splitlines()
    assert told.startswith("error: --hlep: there is no such flag. Did you mean '--help'? (--")


@pytest.mark.parametrize("typed", [("--lang", "zh"), ("--lang=zh",)])
def test_a_key_with_dashes_is_told_as_it_is_typed(typed: tuple[str, ...]) -> None:
    ended = command("--help", *typed)
    assert (ended.status, ended.out) == (2, "")
    assert ended.err == "error: --lang: there is no such flag. A key has no dashes: write lang=zh.\n"


@pytest.mark.parametrize("name", ["ui", "server"])
@pytest.mark.parametrize("number", ["0", "65536", "-1", "http"])
def test_a_port_that_is_none_is_told(name: str, number: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        importlib.import_module(f"src.{name}").main([f"--port={number}"])
    assert ended.value.code == 2
    told = capsys.readouterr().err.splitlines()[-1]
    assert told == f"error: argument --port: '{number}' is no whole number from 1 to 65535."


def test_what_follows_a_double_dash_is_no_flag(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        importlib.import_module("src.predict").main(["--", "--model"])
    assert "the following arguments are required: ROWS.csv" in capsys.readouterr().err
