import io
import math
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from rich.console import Console

from src.evaluation.errors import EvaluationError
from src.report.tables import (
    best_job,
    best_line,
    job_label,
    leaderboard,
    leaderboard_cells,
    leaderboard_csv,
    leaderboard_markdown,
    leaderboard_text,
    model_name,
    print_summary,
    ranked,
    varying,
)
from src.report.terminal import plain_text
from src.report.words import plain

ADDRESS = "http://127.0.0.1:5000/#/experiments/1234567890/runs?workflowType=machine_learning&orderByKey=metrics.test"

Make = Callable[..., dict[str, Any]]


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


def test_what_varies_comes_model_first_then_most_values_first(sweep: pd.DataFrame) -> None:
    assert varying(sweep) == ["model.name", "training.learning_rate", "training.l2"]


def test_a_key_that_follows_from_the_model_does_not_vary(jobs: pd.DataFrame) -> None:
    assert jobs["model.hidden_layer_sizes"].map(str).nunique() == 2
    assert varying(jobs) == ["model.name"]


def test_a_key_of_the_model_varies_when_one_model_takes_two_values(make_job: Make) -> None:
    one, two = (make_job("bp", 0.8, **{"model.hidden_layer_sizes": sizes}) for sizes in ([4], [4, 4]))
    assert varying(pd.DataFrame([one, two, make_job("softmax", 0.8)])) == ["model.name", "model.hidden_layer_sizes"]


def test_where_a_job_is_run_and_what_it_scored_never_vary(make_job: Make) -> None:
    table = pd.DataFrame([make_job("bp", 0.8, **{"sweep.n_jobs": n, "tracking.uri": str(n)}) for n in (1, 2)])
    assert varying(table.assign(**{"test/accuracy": [0.1, 0.2]})) == []


def test_a_missing_value_does_not_make_a_key_vary(make_job: Make) -> None:
    table = pd.DataFrame([make_job("bp", 0.8), make_job("bp", 0.8, **{"training.l2": None})])
    assert varying(table) == []


def test_texts_of_mlflow_and_python_values_give_the_same_table(sweep: pd.DataFrame) -> None:
    texts = sweep.copy()
    for key in [column for column in sweep.columns if "." in column]:
        texts[key] = [str(value) for value in sweep[key]]
    assert leaderboard_cells(texts) == leaderboard_cells(sweep)


@pytest.mark.parametrize(
    "metric, order", [("test/accuracy", ["logistic", "bp", "softmax"]), ("time/fit", None), ("test/log_loss", None)]
)
def test_ranking(jobs: pd.DataFrame, metric: str, order: list[str] | None) -> None:
    if metric == "time/fit":
        with pytest.raises(EvaluationError, match="not a metric"):
            ranked(jobs, metric)
        return
    expected = order or list(jobs.sort_values(metric)["model.name"])
    assert list(ranked(jobs, metric)["model.name"]) == expected


def test_ranking_needs_the_part_of_the_metric(jobs: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="test/accuracy"):
        ranked(jobs, "accuracy")


def test_equal_scores_are_ranked_by_log_loss_then_by_order(make_job: Make) -> None:
    table = pd.DataFrame(
        [make_job(name, 0.8, **{"test/log_loss": loss}) for name, loss in (("a", 0.5), ("b", 0.4), ("c", 0.5))]
    )
    assert list(ranked(table)["model.name"]) == ["b", "a", "c"]


def test_a_job_without_a_result_never_is_the_best(make_job: Make, make_lost: Make) -> None:
    failed = make_job("failed", 0.99, status="FAILED")
    table = pd.DataFrame([make_lost("diverged", diverged=1.0), failed, make_job("good", 0.5)])
    best = best_job(table)
    assert best is not None
    assert best["model.name"] == "good"
    assert best_job(table[:2]) is None
    assert best_line(table[:2]) == "No job has a result."
    assert leaderboard_cells(table[:2]).best is None


def test_shown_numbers_are_the_given_ones(jobs: pd.DataFrame) -> None:
    cells = leaderboard_cells(jobs)
    assert cells.headers == ("model", "accuracy", "log loss", "macro F1", "ROC AUC", "time")
    assert cells.rows[0] == ("logistic", "0.812 ± 0.044", "0.388", "0.802", "0.862", "0.42 s")
    assert cells.best == 0
    assert cells.notes == ("Test scores, mean ± standard deviation over 5 folds; best accuracy first.",)


def test_the_metric_that_ranks_is_shown_with_its_spread(jobs: pd.DataFrame) -> None:
    jobs["test/balanced_accuracy"], jobs["std/balanced_accuracy"] = [0.1, 0.2, 0.3], [0.01, 0.02, 0.03]
    cells = leaderboard_cells(jobs, "test/balanced_accuracy")
    assert cells.headers[1] == "balanced accuracy"
    assert [row[1] for row in cells.rows] == ["0.300 ± 0.030", "0.200 ± 0.020", "0.100 ± 0.010"]
    assert leaderboard_cells(jobs, "test/log_loss").rows[0][2] == "0.388 ± 0.021"


def test_diverged_and_failed_jobs_are_told(sweep: pd.DataFrame) -> None:
    cells = leaderboard_cells(sweep)
    shown = {row[:3]: row[3:] for row in cells.rows}
    assert shown["bp", "30", "0"][:2] == ("diverged", "–")
    assert shown["softmax", "0.1", "0.1"][0] == "failed"
    assert cells.warnings == (
        "failed: softmax (learning_rate=0.1, l2=0.1): no memory [red]",
        "diverged: bp (learning_rate=30, l2=0), in 2 folds",
    )


def test_many_diverged_jobs_are_counted_and_all_failures_told(make_lost: Make) -> None:
    diverged = [make_lost("bp", diverged=1.0, **{"training.learning_rate": rate}) for rate in range(25)]
    failed = [make_lost("bp", status="FAILED", error="x", **{"training.learning_rate": -rate}) for rate in range(1, 16)]
    warnings = leaderboard_cells(pd.DataFrame(diverged + failed)).warnings
    assert sum(line.startswith("failed: bp") for line in warnings) == 15
    assert warnings[-1] == "diverged: 15 more jobs"


def test_repeats_are_told(jobs: pd.DataFrame) -> None:
    jobs["cv.repeats"] = 3
    assert "over 5 folds × 3 repeats;" in leaderboard_cells(jobs).notes[0]
    jobs["cv.folds"] = [5, 5, 10]
    assert "deviation over folds;" in leaderboard_cells(jobs).notes[0]


def test_an_estimator_of_scikit_learn_is_called_by_its_class(make_job: Make) -> None:
    forest, tree = (
        make_job("sklearn", 0.8, **{"model.estimator": f"sklearn.{path}"})
        for path in ("ensemble.RandomForestClassifier", "tree.DecisionTreeClassifier")
    )
    table = pd.DataFrame([forest, tree])
    assert [row[0] for row in leaderboard_cells(table).rows] == ["RandomForestClassifier", "DecisionTreeClassifier"]
    assert leaderboard_cells(table).headers[:2] == ("model", "accuracy")
    assert model_name(table.iloc[0]) == job_label(table.iloc[0], varying(table)) == "RandomForestClassifier"


def test_several_data_sets_are_told_apart(make_job: Make) -> None:
    places = (("wine", 0.9), ("iris", 0.7), ("iris", 0.8))
    table = pd.DataFrame([make_job("bp", score, **{"data.name": name}) for name, score in places])
    cells = leaderboard_cells(table)
    assert cells.headers[:2] == ("data", "model")
    assert [row[0] for row in cells.rows] == ["iris", "iris", "wine"]
    assert [row[2][:5] for row in cells.rows] == ["0.800", "0.700", "0.900"]
    assert cells.best is None
    assert "bp on iris (0.800); bp on wine (0.900)" in best_line(table)


def test_csv_holds_every_digit(sweep: pd.DataFrame) -> None:
    sweep.loc[0, "test/accuracy"] = 0.1 + 0.2
    back = pd.read_csv(io.StringIO(leaderboard_csv(sweep)))
    expected = ranked(sweep)
    metrics = [column for column in sweep.columns if "/" in column]
    pd.testing.assert_frame_equal(back[metrics], expected[metrics], check_exact=True)
    assert list(back["model.name"]) == list(expected["model.name"])
    assert list(back["training.l2"]) == list(expected["training.l2"])
    assert list(back["status"]) == list(expected["status"])


def test_markdown_holds_the_table(sweep: pd.DataFrame) -> None:
    cells = leaderboard_cells(sweep)
    assert markdown_cells(leaderboard_markdown(sweep)) == [list(cells.headers), *map(list, cells.rows)]


@settings(max_examples=50)
@given(st.lists(st.text(), min_size=1, max_size=4, unique=True), st.text())
def test_any_names_survive_markdown_and_the_terminal(names: list[str], error: str) -> None:
    table = pd.DataFrame(
        [{"model.name": f"m{name}", "test/accuracy": 0.5, "status": "FAILED", "error": error} for name in names]
    )
    shown = [plain(f"m{name}") for name in names]
    assert [row[0] for row in leaderboard_cells(table).rows] == shown
    assert [row[0] for row in markdown_cells(leaderboard_markdown(table))[1:]] == shown
    assert "\x1b" not in leaderboard_text(table)


@pytest.mark.parametrize("width", [60, 70, 80, 90, 100, 120])
def test_the_table_fits_the_terminal(sweep: pd.DataFrame, width: int) -> None:
    lines = plain_text(leaderboard(sweep), width).splitlines()
    assert max(map(len, lines)) <= width
    assert sum("★" in line for line in lines) == 1
    assert "0.900 ± 0.044" in next(line for line in lines if "★" in line)
    if width >= 80:
        header = lines[: next(place for place, line in enumerate(lines) if "───" in line)]
        assert {"loss", "macro", "AUC", "time", "accuracy"} <= set(" ".join(header).split())


def test_settings_share_a_column_where_there_is_no_room(make_job: Make) -> None:
    keys = [f"training.{name}" for name in ("learning_rate", "momentum", "beta1", "epsilon", "decay_every", "power")]
    table = pd.DataFrame([make_job("bp", 0.8, **{key: value for key in keys}) for value in (0.1, 0.25)])
    text = plain_text(leaderboard(table), 80)
    assert "settings" in text
    assert max(map(len, text.splitlines())) <= 80
    # No setting is broken within: each stands whole on some line.
    for key in keys:
        assert f"{key.removeprefix('training.')}=0.25" in text


def test_a_long_table_is_cut_on_the_terminal_only(make_job: Make) -> None:
    table = pd.DataFrame([make_job("bp", 0.5 + rate / 100, **{"training.l2": rate}) for rate in range(40)])
    text = plain_text(leaderboard(table, limit=30))
    assert "and 10 more, in the full table" in text
    assert "0.890" in text
    assert "0.500 ±" not in text
    assert leaderboard_csv(table).count("\n") == 41


def summary(table: pd.DataFrame, **console: Any) -> str:
    page = io.StringIO()
    print_summary(Console(file=page, legacy_windows=False, **console), table, ADDRESS, title="homework5")
    return page.getvalue()


def test_of_many_jobs_on_several_data_sets_the_best_of_each_are_shown(make_job: Make) -> None:
    rows = [make_job("bp", 0.5 + n / 100, **{"data.name": data}) for data in ("iris", "wine") for n in range(9)]
    text = plain_text(leaderboard(pd.DataFrame(rows), limit=5))
    shown = [line.split()[:3] for line in text.splitlines() if line.startswith(("iris", "wine"))]
    assert shown == [["iris", "bp", "0.580"], ["iris", "bp", "0.570"], ["wine", "bp", "0.580"], ["wine", "bp", "0.570"]]
    assert "and 14 more, in the full table" in text


def test_the_summary_shows_the_best_and_opens_the_result(sweep: pd.DataFrame) -> None:
    lines = summary(sweep, width=120).splitlines()
    assert lines[0] == "homework5"
    assert lines[-3:] == [
        "Best of 4: bp (learning_rate=0.1, l2=0.001), accuracy 0.900 ± 0.044; chosen on the folds that score it.",
        "Open the result: make ui",
        ADDRESS,
    ]


@pytest.mark.parametrize("width", [40, 80])
def test_the_address_is_never_broken(jobs: pd.DataFrame, width: int) -> None:
    assert ADDRESS in summary(jobs, width=width).splitlines()


def test_the_summary_is_plain_when_piped_and_marked_on_a_terminal(jobs: pd.DataFrame) -> None:
    assert "\x1b" not in summary(jobs)
    assert "\x1b[1;32m" in summary(jobs, force_terminal=True, color_system="standard", no_color=False)


def test_a_terminal_without_unicode_is_served(sweep: pd.DataFrame) -> None:
    sweep.loc[0, "model.name"] = "网络"
    page = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    print_summary(Console(file=page, width=100, legacy_windows=False), sweep, ADDRESS)
    page.flush()
    text = page.buffer.getvalue().decode("ascii")  # type: ignore[attr-defined]
    assert "0.900 +/- 0.044" in text
    assert "\\u7f51\\u7edc" in text


def test_markup_in_names_is_not_obeyed(make_job: Make) -> None:
    text = plain_text(leaderboard(pd.DataFrame([make_job("[red]x[/red]", 0.5), make_job(":smile:", 0.4)])))
    assert "[red]x[/red]" in text
    assert ":smile:" in text


def test_an_empty_table_is_a_header(jobs: pd.DataFrame) -> None:
    cells = leaderboard_cells(jobs[:0])
    assert cells.rows == ()
    assert "model" in plain_text(leaderboard(jobs[:0]))
    assert best_line(jobs[:0]) == "No job has a result."


def test_one_fold_has_no_spread(make_job: Make) -> None:
    cells = leaderboard_cells(pd.DataFrame([make_job("bp", 0.8, **{"std/accuracy": math.nan})]))
    assert cells.rows[0][1] == "0.800"
    assert best_line(pd.DataFrame([make_job("bp", 0.8)])) == "Result: bp, accuracy 0.800 ± 0.044."
