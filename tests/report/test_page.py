import base64
import csv
import io
import json
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from src.comparison.outcome import Outcome
from src.evaluation.results import Curve
from src.report.figures.curves import learning_curve
from src.report.page import ComparisonReport, Picture, files, to_html, to_json, to_markdown
from src.report.tables import leaderboard_cells
from src.report.terminal import Cells
from src.report.words import plain
from tests.sweeps import Given, model, outcome_of

FIVE = (0.78, 0.79, 0.80, 0.81, 0.82)
PUBLISHED = Cells.of_rows(
    ("data", "model", "metric", "published", "here", "verdict", "published where, and how"),
    [("ex4", "bp", "accuracy", "0.812", "0.812", "reproduced", "a book")],
    numbers=(3, 4),
    about=("Reproduced.",),
)
VOID = {"meta", "img", "br", "link", "hr", "input"}


class Page(HTMLParser):
    """Reads a page back; fails on tags that do not close in order."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str]]] = []
        self.tables: list[list[list[str]]] = []
        self.text: dict[str, list[str]] = {}
        self.feed(source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names))
        self.seen.append((tag, {name: value or "" for name, value in attrs}))
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("th", "td"):
            self.tables[-1][-1].append("")
        elif tag in ("p", "h1", "code", "dt", "dd", "title", "figcaption"):
            self.text.setdefault(self.kind(tag), []).append("")
        if tag not in VOID:
            self.open.append(tag)

    def kind(self, tag: str) -> str:
        return self.seen[-1][1].get("class", tag) if tag == "p" else tag

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if any(tag in self.open for tag in ("th", "td")) and self.open[-1] != "span":
            self.tables[-1][-1][-1] += data.rstrip(" ") if data.endswith(" ") else data
        elif self.open and self.text:
            for tag in reversed(self.open):
                kind = next((one for one in (self.last_class(tag), tag) if one in self.text), None)
                if kind:
                    self.text[kind][-1] += data
                    break

    def last_class(self, tag: str) -> str:
        return next((attrs.get("class", "") for name, attrs in reversed(self.seen) if name == tag), "")

    def attributes(self, tag: str) -> list[dict[str, str]]:
        return [attrs for name, attrs in self.seen if name == tag]


def picture(name: str = "learning-curves", title: str = "Loss by epoch") -> Picture:
    curve = Curve(np.array([1, 2]), np.array([2.0, 1.0]), np.array([2.0, 1.5]))
    return Picture(name, title, "Loss on both parts.", learning_curve({title: [curve, curve]}))


@pytest.fixture(scope="module")
def report(grid: list[Given]) -> ComparisonReport:
    """Of a sweep in which a job diverged and another failed."""
    return ComparisonReport(
        title="homework5",
        question="Does a network beat logistic regression?",
        outcome=outcome_of([*grid, model("logistic", FIVE)]),
        pictures=(picture(), picture("roc", "ROC")),
        method={"data": "ex4, 80 rows", "folds": "10, stratified"},
        commands=("git checkout abc", "python -m src.run experiments=homework5  'a  b'"),
        notes=("1 job failed and is left out.",),
        published=PUBLISHED,
    )


@pytest.fixture(scope="module")
def source(report: ComparisonReport) -> str:
    return to_html(report)


def estimators(*names: str, **more: Any) -> list[Given]:
    """Jobs of an estimator of scikit-learn with a parameter that may be any text."""
    made = [
        Given({"model.name": "sklearn", "model.estimator": "sklearn.svm.SVC", "model.params": {"kernel": name}}, FIVE)
        for name in names
    ]
    return [replace(job, **more) for job in made]


@pytest.fixture
def hostile_report(hostile: str) -> ComparisonReport:
    outcome = outcome_of([*estimators(hostile, "linear"), *estimators(f"lost {hostile}", scores=(np.nan,) * 5)])
    return ComparisonReport(
        hostile,
        hostile,
        outcome,
        pictures=(picture(title=hostile),),
        method={hostile: hostile},
        commands=(hostile,),
        notes=(hostile,),
    )


def test_the_page_shows_the_report(report: ComparisonReport, source: str) -> None:
    page = Page(source)
    board = leaderboard_cells(report.outcome)
    tables = list(report.tables())
    assert [heading for heading, _, _ in tables] == ["Models", "Comparisons", "Published scores"]
    assert page.tables[:-1] == [[list(cells.headers), *map(list, cells.rows)] for _, _, cells in tables]
    assert page.tables[-1] == [list(board.headers), *map(list, board.rows)]
    assert page.text["h1"] == page.text["title"] == ["homework5"]
    assert page.text["question"] == [report.question]
    assert page.text["answer"] == [report.answer]
    assert page.text["caveat"] == list(report.caveats)
    assert page.text["warning"] == list(board.warnings)
    assert page.text["dt"] == ["data", "folds"]
    assert page.text["dd"] == ["ex4, 80 rows", "10, stratified"]
    assert page.text["code"] == ["git checkout abc\npython -m src.run experiments=homework5  'a  b'\n"]


def test_what_qualifies_the_numbers_stands_with_the_answer(report: ComparisonReport) -> None:
    assert report.caveats == (*report.notes, *report.outcome.left_out, *report.outcome.cautions)
    assert "softmax is left out: none of its jobs has a result." in report.caveats
    assert any("learning_rate of bp is 0.1, the smallest tried" in caveat for caveat in report.caveats)


def test_the_page_is_whole_and_fetches_nothing(source: str) -> None:
    page = Page(source)
    assert source.startswith("<!DOCTYPE html>")
    assert "http" not in re.sub(r"base64,[A-Za-z0-9+/=]+", "", source)
    assert "@import" not in source
    assert "url(" not in source
    assert not page.attributes("script")
    assert not page.attributes("link")
    for image in page.attributes("img"):
        kind, data = image["src"].split(",", 1)
        assert kind == "data:image/svg+xml;base64"
        svg = ElementTree.fromstring(base64.b64decode(data))
        links = [value for item in svg.iter() for name, value in item.attrib.items() if name.endswith("href")]
        assert all(link.startswith(("#", "data:")) for link in links)


def test_the_page_is_accessible(source: str) -> None:
    page = Page(source)
    assert page.attributes("html") == [{"lang": "en"}]
    assert [image["alt"] for image in page.attributes("img")] == [
        "Loss by epoch. Loss on both parts.",
        "ROC. Loss on both parts.",
    ]
    assert {header.get("scope") for header in page.attributes("th")} == {"col", "row"}
    assert len(page.attributes("caption")) == len(page.tables)
    identities = [attrs["id"] for _, attrs in page.seen if "id" in attrs]
    assert len(identities) == len(set(identities))
    for _, attrs in page.seen:
        if "aria-labelledby" in attrs:
            assert attrs["aria-labelledby"] in identities
    assert "prefers-color-scheme: dark" in source
    assert "@media print" in source
    assert 'name="viewport"' in source


def test_a_long_leaderboard_is_folded_but_whole() -> None:
    outcome = outcome_of([model("bp", np.subtract(FIVE, rate / 100), {"l2": rate}) for rate in range(60)])
    page = Page(to_html(ComparisonReport("t", "q", outcome)))
    first, rest = page.tables[-2:]
    assert [len(first), len(rest)] == [26, 36]
    assert first[1:] + rest[1:] == list(map(list, leaderboard_cells(outcome).rows))
    assert len(page.attributes("details")) == 1


@pytest.mark.parametrize(
    "jobs, start, tables",
    [([model("bp", FIVE)], "bp reaches accuracy", 2), ([model("bp", FIVE, fate="FAILED")], "Nothing is compared", 1)],
)
def test_a_report_without_a_comparison_says_so(jobs: list[Given], start: str, tables: int) -> None:
    report = ComparisonReport("t", "q", outcome_of(jobs))
    page = Page(to_html(report))
    assert page.text["answer"][0].startswith(start)
    assert len(page.tables) == tables
    assert set(files(report)) == {"comparison.html", "comparison.md", "comparison.json", "leaderboard.csv"}


def test_hostile_text_stays_text_on_the_page_and_in_markdown(hostile_report: ComparisonReport, hostile: str) -> None:
    page = Page(to_html(hostile_report))
    shown = plain(hostile)
    assert page.text["h1"] == [shown]
    assert page.text["dt"] == page.text["dd"] == [shown]
    assert any(shown in row[0] for row in page.tables[0][1:])
    assert any(shown in row[1] for row in page.tables[-1][1:])
    assert shown in page.text["caveat"]
    assert page.attributes("img")[0]["alt"].startswith(f"{shown}. ")
    allowed = {"html", "head", "meta", "title", "style", "body", "header", "main", "section", "h1", "h2", "h3", "p"}
    allowed |= {"div", "table", "caption", "thead", "tbody", "tr", "th", "td", "span", "figure", "img", "figcaption"}
    allowed |= {"dl", "dt", "dd", "pre", "code"}
    assert {tag for tag, _ in page.seen} <= allowed
    assert not any(name.startswith("on") for _, attrs in page.seen for name in attrs)

    tokens = MarkdownIt("commonmark").enable("table").parse(to_markdown(hostile_report))
    kinds = {child.type for token in tokens for child in token.children or []} | {token.type for token in tokens}
    assert not kinds & {"html_inline", "html_block", "link_open", "code_inline", "em_open", "fence"}
    headings = [markdown_text(tokens[place + 1]) for place, token in enumerate(tokens) if token.type == "heading_open"]
    assert headings[0] == plain(hostile)
    assert headings[1:] == ["Models", "Comparisons", "Leaderboard", "Figures", plain(hostile), "How it was done"]
    rows = sum(token.type == "tr_open" for token in tokens)
    assert rows == 3 + 2 + 4


ONE_JOB = outcome_of([model("bp", FIVE)])


@settings(max_examples=8)
@given(st.text())
def test_any_text_stays_text_on_the_page(text: str) -> None:
    report = ComparisonReport(text, f"q {text}", ONE_JOB, method={"a": text}, commands=(f"run {text}",))
    page = Page(to_html(report))
    assert page.text["title"][0].strip() == plain(text)
    assert page.text["question"] == [plain(f"q {text}")]
    assert page.text["dd"] == [plain(text)]
    (code,) = page.text["code"]
    assert len(code.splitlines()) == 1


def markdown_text(token: Any) -> str:
    return "".join(child.content for child in token.children or [])


def test_markdown_reads_back(report: ComparisonReport) -> None:
    tokens = MarkdownIt("commonmark").enable("table").parse(to_markdown(report))
    inline = [token for token in tokens if token.type == "inline"]
    shown = [markdown_text(token) for token in inline]
    assert shown[:3] == ["homework5", report.question, report.answer]
    cells = leaderboard_cells(report.outcome)
    start = shown.index("Leaderboard") + 1
    flat = [*cells.headers, *(text for row in cells.rows for text in row)]
    assert shown[start : start + len(flat)] == flat
    images = [child for token in inline for child in token.children or [] if child.type == "image"]
    assert [image.attrs["src"] for image in images] == ["figures/learning-curves.svg", "figures/roc.svg"]
    (code,) = [token for token in tokens if token.type == "code_block"]
    assert code.content == "git checkout abc\npython -m src.run experiments=homework5  'a  b'\n"


def test_json_holds_every_digit_and_no_nan(report: ComparisonReport) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    content = json.loads(to_json(report), parse_constant=refuse)
    outcome = report.outcome
    assert (content["answer"], content["metric"]) == (report.answer, "test/accuracy")
    scores = [setting.score("test/accuracy") for setting in outcome.settings]
    assert [one["test/accuracy"] for one in content["settings"]] == [
        None if np.isnan(score) else score for score in scores
    ]
    assert None in [one["test/accuracy"] for one in content["settings"]]
    (compared,) = content["comparisons"]
    (comparison,) = outcome.comparisons
    for name in ("difference", "low", "high", "p_holm", "p_better", "verdict", "rope", "tests", "detectable"):
        assert compared[name] == getattr(comparison, name)
    assert compared["on_folds"] == comparison.on_folds.tolist()
    for model_, candidate in zip(content["models"], outcome.candidates, strict=True):
        assert (model_["name"], model_["selection"]) == (candidate.name, candidate.selection)
        assert (model_["mean"], model_["fold_scores"]) == (candidate.mean, candidate.scores.tolist())
        assert model_["best_setting_score"] == candidate.best.score("test/accuracy")
    assert content["caveats"] == list(report.caveats)
    assert content["across"] is None


def test_json_holds_no_infinity_and_what_several_data_sets_say() -> None:
    jobs = [model(name, FIVE, dataset=data, data=data * 64) for data in ("a", "b", "c") for name in ("bp", "softmax")]
    outcome: Outcome = outcome_of(jobs, metric="log_loss")  # identical predictions have no interval
    content = json.loads(to_json(ComparisonReport("t", "q", outcome)))
    assert [(one["low"], one["verdict"]) for one in content["comparisons"]] == [(None, "identical")] * 3
    assert content["across"]["ranks"] == [1.5, 1.5]
    assert content["across"]["pairs"][0]["p"] is None


def test_all_files_come_from_the_one_report_and_repeat(report: ComparisonReport) -> None:
    made = files(report)
    assert set(made) == {
        "comparison.html",
        "comparison.md",
        "comparison.json",
        "comparison.csv",
        "leaderboard.csv",
        "figures/learning-curves.svg",
        "figures/roc.svg",
    }
    assert made == files(report)
    rows = list(csv.DictReader(io.StringIO(made["comparison.csv"].decode())))
    assert [float(row["difference"]) for row in rows] == [one.difference for one in report.outcome.comparisons]
    assert [float(row["low"]) for row in rows] == [one.low for one in report.outcome.comparisons]


@pytest.mark.parametrize("name", ["../x", "a b", "", "Ä", "a.png", 'x"onload="'])
def test_a_picture_has_a_plain_file_name(name: str) -> None:
    with pytest.raises(ValueError, match=re.escape(repr(name))):
        picture(name)
