import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from src.report.words import (
    duration,
    markdown,
    mean_and_spread,
    metric_label,
    number,
    p_value,
    percent,
    plain,
    probability,
    short_name,
)

READER = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def shown_by(source: str) -> str:
    """The text a Markdown reader shows, failing on anything but text."""
    (inline,) = [token for token in READER.parse(source) if token.type == "inline"]
    kinds = {child.type for child in inline.children or []}
    assert kinds <= {"text", "text_special"}, kinds
    return "".join(child.content for child in inline.children or [])


@given(st.text())
def test_markdown_shows_any_text_as_it_is_in_a_paragraph(text: str) -> None:
    if plain(text):
        assert shown_by(markdown(text)) == plain(text)


@pytest.mark.parametrize(
    "text", ["<!-- a", "<script src", "</p", "<?php", "---", "1. a", "+ a", "> a", "=", "a_b_ _c_"]
)
def test_markdown_shows_what_would_begin_a_block_as_it_is(text: str) -> None:
    assert shown_by(markdown(text)) == text


@given(st.text(alphabet="|\\`*_~[]()#+-=.!<>&;:$@ 0a\n\t", max_size=20))
def test_markdown_shows_any_text_as_it_is_in_a_cell(text: str) -> None:
    tokens = READER.parse(f"| {markdown(text)} | end |\n| --- | --- |\n| 1 | {markdown(text)} |\n")
    cells = [token for token in tokens if token.type == "inline"]
    assert len(cells) == 4
    for cell in (cells[0], cells[3]):
        assert {child.type for child in cell.children or []} <= {"text", "text_special"}
        assert "".join(child.content for child in cell.children or []) == plain(text)


@given(st.text(st.characters()), st.integers(1, 30))
def test_plain_is_one_line_that_xml_may_hold_within_the_limit(text: str, limit: int) -> None:
    shown = plain(text, limit)
    assert len(shown) <= limit
    assert shown.split() == shown.split(" ") or shown == ""
    assert all(char >= " " and not 0xD800 <= ord(char) <= 0xDFFF and char not in "\ufffe\uffff" for char in shown)


def test_plain_removes_marks_that_reverse_the_reading_direction() -> None:
    assert plain("abc\u202etxt.exe\u2066") == "abc txt.exe"


@pytest.mark.parametrize(
    "seconds, text",
    [
        (0.004, "0.00 s"),
        (9.994, "9.99 s"),
        (9.996, "10.0 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min 0 s"),
        (125.0, "2 min 5 s"),
        (3599.7, "1 h 0 min"),
        (7384.0, "2 h 3 min"),
        (math.nan, "–"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_numbers() -> None:
    assert number(0.81249) == "0.812"
    assert number(None) == number(math.nan) == number(math.inf) == "–"
    assert mean_and_spread(0.8, 0.0441) == "0.800 ± 0.044"
    assert mean_and_spread(0.8, math.nan) == "0.800"
    assert mean_and_spread(math.nan, 0.1) == "–"
    assert [p_value(p) for p in (0.0004, 0.0312, 1.0, math.nan)] == [
        "p < 0.001",
        "p = 0.031",
        "p = 1.000",
        "p not defined",
    ]


def test_metrics_have_the_fields_words() -> None:
    assert [metric_label(name) for name in ("test/macro_f1", "roc_auc", "std/log_loss")] == [
        "macro F1",
        "ROC AUC",
        "log loss",
    ]
    assert [short_name(name) for name in ("test/log_loss", "accuracy")] == ["log_loss", "accuracy"]


@pytest.mark.parametrize(
    "share, digits, text", [(0.95, None, "95%"), (0.975, None, "97.5%"), (0.5, 1, "50.0%"), (1, None, "100%")]
)
def test_shares_are_percentages(share: float, digits: int | None, text: str) -> None:
    assert percent(share, digits) == text


@given(st.floats(0, 1), st.sampled_from([0.8, 0.9, 0.95, 0.99]), st.integers(0, 2))
def test_a_probability_never_looks_like_a_threshold_that_it_has_not_reached(
    share: float, threshold: float, digits: int
) -> None:
    shown = probability(share, threshold, digits)
    assert abs(float(shown[:-1]) / 100 - share) <= 0.5001 * 10 ** -(digits + 2)
    if abs(share - threshold) > 1e-11:
        assert (round(float(shown[:-1]) / 100, 12) >= threshold) == (share >= threshold)
