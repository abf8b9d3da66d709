"""What commands with arguments of their own have in common."""

import importlib

import pytest


@pytest.mark.parametrize("name", ["compare", "predict", "rerun", "ui", "server"])
def test_a_misspelt_flag_is_told_before_anything_else(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        importlib.import_module(f"src.{name}").main(["--hlep"])
    assert ended.value.code == 2
    (told,) = capsys.readouterr().err.splitlines()
    assert told.startswith("error: --hlep: there is no such flag. Did you mean '--help'? (--")


def test_what_follows_a_double_dash_is_no_flag(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        importlib.import_module("src.predict").main(["--", "--model"])
    assert "the following arguments are required: ROWS.csv" in capsys.readouterr().err
