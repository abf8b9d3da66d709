import functools
import io
import math
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from rich.console import Console

from src.comparison.outcome import Outcome
from src.report.across import across_tables
from src.report.page import ComparisonReport
from src.report.summary import print_end, print_report, print_summary
from src.report.tables import (
    best_line,
    candidate_cells,
    leaderboard,
    leaderboard_cells,
    leaderboard_csv,
    setting_rows,
)
from src.report.terminal import Cells, cells_markdown
from src.report.verdicts import comparison_cells
from src.report.words import plain
from tests.printed import plain_text
from tests.sweeps import Given, model, outcome_of

ADDRESS = "http://127.0.0.1:5000/#/experiments/1234567890/runs?workflowType=machine_learning&orderByKey=metrics.test"
FIVE = (0.78, 0.79, 0.80, 0.81, 0.82)


def tried(scores: Sequence[float], key: str = "training.l2", **more: Any) -> list[Given]:
    """Jobs of bp, one for each score, that differ in a key."""
    return [
        Given({"model.name": "bp", key: place + 1}, np.add(FIVE, score - 0.8), **more)
        for place, score in enumerate(scores)
    ]


def estimators(names: Sequence[str]) -> list[Given]:
    """Jobs of an estimator of scikit-learn with a parameter that may be any text."""
    return [
        Given({"model.name": "sklearn", "model.estimator": "sklearn.svm.SVC", "model.params": {"kernel": name}}, FIVE)
        for name in names
    ]


def markdown_cells(source: str) -> list[list[str]]:
    tokens = MarkdownIt("commonmark").enable("table").parse(source)
    rows: list[list[str]] = []
    for place, token in enumerate(tokens):
        if token.type == "tr_open":
            rows.append([])
        if token.type in ("th_open", "td_open"):
            children = tokens[place + 1].children or []
            assert {child.type for child in children} <= {"text", "text_special", "strong_open", "strong_close"}
            rows[-1].append("".join(child.content for child in children))
    return rows


# The leaderboard


def test_shown_numbers_are_the_given_ones(three_models: Outcome) -> None:
    cells = leaderboard_cells(three_models)
    assert cells.headers == ("model", "accuracy", "log loss", "macro F1", "ROC AUC", "time")
    assert cells.rows[0] == ("logistic", "0.812 ± 0.032", "0.188", "0.812", "0.812", "0.05 s")
    assert [row[0] for row in cells.rows] == ["logistic", "bp", "softmax"]
    assert cells.best == 0
    assert cells.notes == ("Test scores, mean ± standard deviation over 5 folds; best accuracy first.",)
    assert leaderboard_cells(three_models, 2).notes[1] == "Reused from the record: 2 of 3 jobs."


@pytest.mark.parametrize(
    "metric, place, best", [("balanced_accuracy", 1, "0.820 ± 0.016"), ("log_loss", 2, "0.180 ± 0.016")]
)
def test_the_metric_that_ranks_is_shown_with_its_spread(metric: str, place: int, best: str) -> None:
    cells = leaderboard_cells(outcome_of(tried([0.8, 0.82, 0.7]), metric=metric))
    assert cells.headers[place + 1] == metric.replace("_", " ")
    assert cells.rows[0][place + 1] == best
    assert [row[0] for row in cells.rows] == ["bp"] * 3
    assert [row[1] for row in cells.rows] == ["2", "1", "3"]


def test_a_column_for_each_key_that_varies(grid: list[Given]) -> None:
    cells = leaderboard_cells(outcome_of(grid))
    assert cells.headers[:3] == ("model", "learning_rate", "l2")
    assert [row[:3] for row in cells.rows[:2]] == [("bp", "0.1", "0.001"), ("bp", "1", "0")]
    joined = leaderboard_cells(outcome_of(grid), join_settings=True)
    assert joined.headers[:2] == ("model", "settings")
    assert joined.rows[0][1] == "learning_rate=0.1, l2=0.001"


def test_diverged_and_failed_jobs_are_told(grid: list[Given]) -> None:
    cells = leaderboard_cells(outcome_of(grid))
    shown = {row[:3]: row[3:] for row in cells.rows}
    assert shown["bp", "30", "0"][:2] == ("diverged", "–")
    assert shown["softmax", "0.1", "0.1"][0] == "failed"
    assert cells.warnings == (
        "failed: softmax (learning_rate=0.1, l2=0.1): no luck",
        "diverged: bp (learning_rate=30, l2=0), in 2 folds",
    )


def test_many_diverged_jobs_are_counted_and_all_failures_told() -> None:
    diverged = [replace(job, scores=[math.nan, *FIVE[1:]]) for job in tried([0.8] * 25, "training.epochs")]
    failed = tried([0.8] * 15, "training.decay_every", fate="FAILED")
    failed = [replace(job, params={**job.params, "training.schedule": "step"}) for job in failed]
    warnings = leaderboard_cells(outcome_of(diverged + failed)).warnings
    assert sum(line.startswith("failed: bp") for line in warnings) == 15
    assert sum(line.startswith("diverged: bp") for line in warnings) == 10
    assert warnings[-1] == "diverged: 15 more jobs"


@pytest.mark.parametrize(
    "params, count, words",
    [
        ([{"cv.repeats": 2}], 10, "over 5 folds × 2 repeats;"),
        ([{"seed": 0}, {"seed": 1}, {"seed": 2}], 5, "over 5 folds × 3 seeds;"),
        ([{}, {"cv.folds": 5, "training.l2": 1}], 5, "over 5 folds;"),
        ([{"cv.repeats": 2}, {"training.l2": 1}], 10, "over folds;"),
        ([{"data.name": "csv", "data.path": "made.csv", "data.fold": "site"}], 5, "over given folds;"),
    ],
)
def test_how_often_a_setting_was_scored_is_told(params: list[dict[str, Any]], count: int, words: str) -> None:
    jobs = [Given(each, (0.8,) * count, folds=str(each)) for each in params]
    assert words in leaderboard_cells(outcome_of(jobs)).notes[0]


def test_seeds_are_one_row() -> None:
    jobs = [replace(job, params={"seed": seed}) for seed, job in enumerate(tried([0.7, 0.8, 0.9]))]
    cells = leaderboard_cells(outcome_of(jobs))
    assert len(cells.rows) == 1
    assert cells.rows[0][1].startswith("0.800 ± 0.08")  # over all 15 folds
    assert cells.rows[0][-1] == "0.15 s"


def test_an_estimator_of_scikit_learn_is_called_by_its_class() -> None:
    jobs = [
        Given({"model.name": "sklearn", "model.estimator": f"sklearn.{path}"}, np.add(FIVE, gain))
        for path, gain in (("ensemble.RandomForestClassifier", 0.1), ("tree.DecisionTreeClassifier", 0.0))
    ]
    cells = leaderboard_cells(outcome_of(jobs))
    assert [row[0] for row in cells.rows] == ["random_forest", "DecisionTreeClassifier"]
    assert cells.headers[:2] == ("model", "accuracy")
    assert best_line(outcome_of(jobs)).startswith("Best of 2: random_forest, accuracy 0.900 ± 0.016")


def on_data_sets(places: Sequence[tuple[str, float]]) -> Outcome:
    jobs = [
        model("bp", np.add(FIVE, score - 0.8), {"l2": number}, dataset=name, data=name * 16)
        for number, (name, score) in enumerate(places)
    ]
    return outcome_of(jobs)


def test_several_data_sets_are_told_apart() -> None:
    made = on_data_sets([("iris", 0.7), ("wine", 0.9), ("iris", 0.8)])
    cells = leaderboard_cells(made)
    assert cells.headers[:2] == ("data", "model")
    assert [row[0] for row in cells.rows] == ["iris", "iris", "wine"]
    assert [row[3][:5] for row in cells.rows] == ["0.800", "0.700", "0.900"]
    assert cells.best is None
    line = best_line(made)
    assert "on iris (0.800)" in line
    assert "on wine (0.900)" in line


def test_of_many_jobs_on_several_data_sets_the_best_of_each_are_shown() -> None:
    made = on_data_sets([(data, 0.5 + n / 100) for data in ("iris", "wine") for n in range(9)])
    text = plain_text(leaderboard(made, limit=5))
    shown = [(line.split()[0], line.split()[3]) for line in text.splitlines() if line.startswith(("iris", "wine"))]
    assert shown == [("iris", "0.580"), ("iris", "0.570"), ("wine", "0.580"), ("wine", "0.570")]
    assert "and 14 more, in the full table" in text


def test_a_long_table_is_cut_on_the_terminal_only() -> None:
    made = outcome_of(tried([0.5 + place / 100 for place in range(40)]))
    text = plain_text(leaderboard(made, limit=30))
    assert "and 10 more, in the full table" in text
    assert "0.890" in text
    assert "0.500 ±" not in text
    assert leaderboard_csv(made).count("\n") == 41


def test_without_jobs_a_table_is_a_header() -> None:
    cells = leaderboard_cells(outcome_of([]))
    assert cells.rows == ()
    assert "model" in plain_text(leaderboard(outcome_of([])))
    assert best_line(outcome_of([])) == "No job has a result."


# The best


@pytest.mark.parametrize(
    "jobs, line",
    [
        (tried([0.8]), "Result: bp, accuracy 0.800 ± 0.016."),
        (tried([0.8, 0.9]), "Best of 2: bp (l2=2), accuracy 0.900 ± 0.016 on the folds that chose it."),
        (
            [*tried([0.8]), *tried([0.9], "training.epochs", fate="FAILED")],
            "Result: bp (l2=1, epochs=500), accuracy 0.800 ± 0.016.",
        ),
        (tried([0.9], fate="FAILED"), "No job has a result."),
    ],
)
def test_the_best_in_a_sentence(jobs: list[Given], line: str) -> None:
    assert best_line(outcome_of(jobs)) == line


# CSV and Markdown


def test_csv_holds_every_digit_and_what_mlflow_holds(grid: list[Given]) -> None:
    made = outcome_of([replace(grid[0], scores=(0.1 + 0.2, 1 / 3, 0.7, 0.6, 0.5)), *grid[1:]])
    back = pd.read_csv(io.StringIO(leaderboard_csv(made)))
    settings = [setting for board in made.boards.values() for setting in board]
    for name in ("test/accuracy", "test/log_loss", "train/roc_auc", "parameters", "time/fit"):
        np.testing.assert_array_equal(back[name], [each.score(name) for each in settings])
    np.testing.assert_array_equal(back["std/accuracy"], [each.spread("test/accuracy") for each in settings])
    assert list(back["training.l2"]) == [each.flat["training.l2"] for each in settings]
    assert list(back["status"]) == ["FINISHED"] * 5 + ["FAILED"]
    assert list(back["error"])[-1] == "no luck"
    assert list(back["run_id"]) == [each.first.run_id for each in settings]
    assert [row["model.name"] for row in setting_rows(made)] == list(back["model.name"])


def test_markdown_holds_the_table(grid: list[Given]) -> None:
    cells = leaderboard_cells(outcome_of(grid))
    assert markdown_cells(cells_markdown(cells)) == [list(cells.headers), *map(list, cells.rows)]


@settings(max_examples=12)
@given(st.lists(st.text(), min_size=2, max_size=4, unique_by=plain))
def test_any_names_survive_markdown_and_the_terminal(names: list[str]) -> None:
    made = outcome_of(estimators([f"m{name}" for name in names]))
    shown = {plain(f"m{name}") for name in names}
    assert {row[1] for row in leaderboard_cells(made).rows} == shown
    assert {row[1] for row in markdown_cells(cells_markdown(leaderboard_cells(made)))[1:]} == shown
    assert not any(char < " " and char != "\n" for char in plain_text(leaderboard(made)))


def test_markup_in_names_is_not_obeyed() -> None:
    text = plain_text(leaderboard(outcome_of(estimators(["[red]x[/red]", ":smile:"]))))
    assert "[red]x[/red]" in text
    assert ":smile:" in text


# The terminal


@pytest.mark.parametrize("width", [60, 70, 80, 90, 100, 120])
def test_the_table_fits_the_terminal(grid: list[Given], width: int) -> None:
    lines = plain_text(leaderboard(outcome_of(grid)), width).splitlines()
    assert max(map(len, lines)) <= width
    assert sum("★" in line for line in lines) == 1
    assert "0.900 ± 0.032" in next(line for line in lines if "★" in line)
    if width >= 80:
        header = lines[: next(place for place, line in enumerate(lines) if "───" in line)]
        assert {"loss", "macro", "AUC", "time", "accuracy"} <= set(" ".join(header).split())


def test_settings_share_a_column_where_there_is_no_room() -> None:
    keys = [f"training.{name}" for name in ("learning_rate", "beta1", "beta2", "epsilon", "decay_every", "l2")]
    jobs = [
        Given({**dict.fromkeys(keys, value), "training.decay_every": decay}, FIVE)
        for value, decay in ((0.1, 10), (0.25, 25))
    ]
    jobs = [
        replace(job, params={**job.params, "training.optimizer": "adam", "training.schedule": "step"}) for job in jobs
    ]
    text = plain_text(leaderboard(outcome_of(jobs)), 80)
    assert "settings" in text
    assert max(map(len, text.splitlines())) <= 80
    # No setting is broken within: each stands whole on some line.
    for key in keys:
        value = 25 if key.endswith("every") else 0.25
        assert f"{key.removeprefix('training.')}={value}" in text


def summary(made: Outcome, **console: Any) -> str:
    page = io.StringIO()
    print_summary(Console(file=page, legacy_windows=False, **console), made, title="homework5")
    print_end(Console(file=page, legacy_windows=False, **console), ADDRESS)
    return page.getvalue()


def test_the_summary_shows_the_best_and_opens_the_result(grid: list[Given]) -> None:
    lines = summary(outcome_of(grid), width=120).splitlines()
    assert lines[0] == "homework5"
    assert lines[-2:] in (["Open the result: make ui", ADDRESS], ["Open the result: python -m src.ui", ADDRESS])
    page = io.StringIO()
    print_end(Console(file=page, legacy_windows=False, width=40), ADDRESS, model_of="5a" * 16)
    assert page.getvalue().splitlines()[0] == f"New rows: python -m src.predict {'5a' * 16} rows.csv"  # to be copied
    assert lines[-3].startswith("Best of 4: bp (learning_rate=0.1, l2=0.001), accuracy 0.900 ± 0.032")


def test_the_commands_name_a_store_that_they_would_not_find() -> None:
    page = io.StringIO()
    uri = "sqlite:////a folder/store.db"
    print_end(Console(file=page, legacy_windows=False, width=40), ADDRESS, model_of="5a" * 16, uri=uri)
    rows, pages, _ = page.getvalue().splitlines()
    assert rows == f"New rows: python -m src.predict {'5a' * 16} rows.csv --uri '{uri}'"
    assert pages == f"Open the result: python -m src.ui --uri '{uri}'"


def test_a_password_is_in_no_command_and_no_command_is_told_that_could_not_connect() -> None:
    page = io.StringIO()
    uri = "postgresql://me:hunter2@127.0.0.1/runs"
    print_end(Console(file=page, legacy_windows=False, width=40), ADDRESS, model_of="5a" * 16, uri=uri)
    rows, pages, _ = page.getvalue().splitlines()
    assert rows == f"New rows: python -m src.predict {'5a' * 16} rows.csv (with MLFLOW_TRACKING_URI set)"
    assert pages == "Open the result: python -m src.ui (with MLFLOW_TRACKING_URI set)"


@pytest.mark.parametrize("width", [40, 80])
def test_the_address_is_never_broken(three_models: Outcome, width: int) -> None:
    assert ADDRESS in summary(three_models, width=width).splitlines()


def test_the_summary_is_plain_when_piped_and_marked_on_a_terminal(three_models: Outcome) -> None:
    assert "\x1b" not in summary(three_models)
    assert "\x1b[1;32m" in summary(three_models, force_terminal=True, color_system="standard", no_color=False)


def test_a_terminal_without_unicode_is_served() -> None:
    page = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    print_summary(Console(file=page, width=100, legacy_windows=False), outcome_of(estimators(["网络", "linear"])))
    page.flush()
    text = page.buffer.getvalue().decode("ascii")  # type: ignore[attr-defined]
    assert "0.800 +/- 0.016" in text
    assert "\\u7f51\\u7edc" in text


@pytest.mark.parametrize("width", [60, 100])
def test_what_several_data_sets_say_and_what_others_published_stand_on_the_terminal(width: int) -> None:
    jobs = [
        model(name, np.add(FIVE, gain), dataset=data, data=data * 16)
        for data in ("iris", "wine", "zoo")
        for name, gain in (("bp", 0.1), ("softmax", 0.0))
    ]
    published = Cells.of_rows(("data", "here"), [("iris", "0.987")], numbers=[1], about=("Reproduced.",))
    report = ComparisonReport("study", "Who?", outcome_of(jobs), published=published, notes=("Mind this.",))
    page = io.StringIO()
    console = Console(file=page, width=width, legacy_windows=False)
    print_summary(console, report.outcome, report=report)
    print_end(console, ADDRESS, published=published)
    print_report(console, report, Path("made"))
    text = page.getvalue()
    for shown in ("mean rank", "1.00", "0.987", "wins", "cannot reach", "Mind this."):
        assert " ".join(text.split()).count(shown) >= 2
    assert all(len(line) <= width for line in text.splitlines() if line not in (ADDRESS,))
    assert "Written to made/comparison.html" in text


FILES = (
    *("winequality-red", "breast-cancer-wisconsin", "glass_identification", "iris", "averyveryverylongfilename"),
    *("heart-disease-cleveland", "page-blocks"),
)


@functools.cache
def on_files(count: int, metric: str) -> Outcome:
    jobs = [
        Given(
            {"model.name": "bp"} if name == "bp" else {"model.name": "sklearn", "model.estimator": f"sklearn.{name}"},
            np.add(FIVE, place / 50 + np.array([0, 1, -1, 2, 0]) * len(data) / 1000),
            dataset=data,
            data=(data * 16)[:32],
        )
        for data in FILES[:count]
        for place, name in enumerate(("bp", "tree.DecisionTreeClassifier", "ensemble.ExtraTreesClassifier"))
    ]
    return outcome_of(jobs, metric=metric)


@pytest.mark.parametrize("width", [40, 60, 80])
@pytest.mark.parametrize("count, metric", [(6, "accuracy"), (7, "log_loss")])
def test_of_many_data_sets_a_column_is_shown_whole_or_named_as_left_out(count: int, width: int, metric: str) -> None:
    made = on_files(count, metric)
    ranks, pairs = across_tables(made)
    for cells in (leaderboard_cells(made), ranks, pairs, comparison_cells(made)):
        printed = leaderboard(made) if cells.file == "leaderboard.csv" else cells
        text = plain_text(printed, width)
        assert max(map(len, text.splitlines())) <= width
        table, below = re.split("─+\n", text, maxsplit=1)
        told = " ".join(below.split()).partition(f"No room here, but in {cells.file}")[2]
        missing = [header for header in cells.headers if plain(header) in told]
        assert "…" not in text
        for place, header in enumerate(cells.headers):
            column = [row[place] for row in cells.rows]
            if header in missing:
                continue
            if cells.columns[place].numeric:
                assert all(below.count(value) >= column.count(value) for value in column)
            letters = iter("".join(table.split()))
            assert all(letter in letters for letter in "".join(header.split()))
        if cells is pairs:
            assert ("Benavoli" in below) == ("P(better)" not in missing)
        assert ("Could show:" in below) == ("could show" in cells.headers and "could show" not in missing)


# The models


def test_models_are_shown_with_their_honest_score_and_that_of_the_best_setting(grid: list[Given]) -> None:
    made = outcome_of([*grid, model("logistic", FIVE)])
    cells = candidate_cells(made)
    rows = [dict(zip(cells.headers, row, strict=True)) for row in cells.rows]
    bp = made.candidates[0]
    assert rows[0] == {
        "model": "bp",
        "accuracy": f"{bp.mean:.3f}",
        "95% interval": f"{bp.low:.3f} to {bp.high:.3f}",
        "best setting": "learning_rate=0.1, l2=0.001",
        "on all folds": "0.900",
        "settings tried": "5",
        "chosen": "by the other folds",
    }
    assert (rows[1]["best setting"], rows[1]["settings tried"], rows[1]["chosen"]) == ("–", "1", "the only one")
    assert any("chosen without it" in note for note in cells.notes)


@pytest.mark.parametrize(
    "inner, searched, word", [((0.5,) * 5, False, "in each training part"), (None, True, "by a search")]
)
def test_how_a_setting_was_chosen_is_said(inner: tuple[float, ...] | None, searched: bool, word: str) -> None:
    jobs = [*tried([0.8, 0.9], inner=inner), model("softmax", FIVE, inner=inner)]
    cells = candidate_cells(outcome_of(jobs, searched=searched))
    assert cells.rows[0][-1].startswith(word)


def test_where_nothing_was_chosen_nothing_is_said_of_it(three_models: Outcome) -> None:
    assert candidate_cells(three_models).headers == ("model", "accuracy", "95% interval")
    assert len(candidate_cells(three_models).notes) == 1
    several = candidate_cells(on_data_sets([("iris", 0.7), ("wine", 0.9)]))
    assert [row[0] for row in several.rows] == ["iris", "wine"]


@pytest.mark.parametrize("width", [50, 80, 120])
def test_the_models_fit_the_terminal(grid: list[Given], width: int) -> None:
    text = plain_text(candidate_cells(outcome_of([*grid, model("logistic", FIVE)])), width)
    assert max(map(len, text.splitlines())) <= width
    assert "0.800" in text
