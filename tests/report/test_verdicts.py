import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.evaluation.significance import Comparison
from src.report.terminal import plain_text
from src.report.verdicts import answer, comparison_cells, comparison_csv, comparison_table, selection_note, signed

MakeComparisons = Callable[..., list[Comparison]]
Scores = dict[str, np.ndarray]


@pytest.fixture
def one() -> Comparison:
    """A difference of 0.012 that may be chance."""
    return Comparison(
        model="bp",
        baseline="logistic",
        metric="accuracy",
        n_folds=5,
        difference=0.012,
        low=-0.021,
        high=0.045,
        t=0.9,
        df=4,
        p=0.41,
        p_holm=0.43,
        p_worse=0.1,
        p_equal=0.35,
        p_better=0.55,
        confidence=0.95,
        rope=0.01,
    )


def test_an_interval_over_zero_is_no_difference(one: Comparison) -> None:
    assert answer([one]) == (
        "No difference can be told between bp and logistic "
        "(accuracy +0.012, 95% interval −0.021 to +0.045, corrected p = 0.430)."
    )


@pytest.mark.parametrize("metric, word", [("accuracy", "better"), ("log_loss", "worse")])
def test_a_significant_difference_has_a_direction(one: Comparison, metric: str, word: str) -> None:
    sure = replace(one, metric=metric, low=0.004, high=0.02, p_holm=0.0007)
    assert answer([sure]).startswith(f"bp is {word} than logistic (")
    assert answer([sure]).endswith("95% interval +0.004 to +0.020, corrected p < 0.001).")


def test_equal_in_practice_is_told_with_its_probability(one: Comparison) -> None:
    equal = replace(one, difference=0.001, low=-0.004, high=0.006, p_equal=0.972)
    assert answer([equal]) == (
        "bp is equal in practice to logistic "
        "(accuracy +0.0010, 95% interval −0.0040 to +0.0060, within ±0.01 with a probability of 97%)."
    )


def test_a_low_p_that_holms_correction_lifts_is_no_difference(one: Comparison) -> None:
    lifted = replace(one, low=0.001, high=0.02, p=0.03, p_holm=0.06)
    assert answer([lifted]).startswith("No difference can be told")


def test_baselines_share_a_clause(one: Comparison) -> None:
    said = answer([one, replace(one, baseline="softmax", difference=-0.002)])
    assert said.startswith("No difference can be told between bp and logistic (")
    assert "), or between bp and softmax (accuracy −0.002, " in said
    assert said.count("No difference") == 1


def test_of_many_comparisons_the_differences_are_told_and_the_rest_counted(one: Comparison) -> None:
    sure = [replace(one, model=f"m{n}", low=0.01, high=0.02, p_holm=0.001 * (n + 1)) for n in range(5)]
    said = answer([*reversed(sure), one, replace(one, model="c")])
    assert [f"m{n} is better than logistic" in said for n in range(5)] == [True, True, True, False, False]
    assert said.endswith("2 more comparisons show one; in the other 2 of 7 comparisons no difference can be told.")


def test_of_many_comparisons_without_a_difference_the_largest_is_told(one: Comparison) -> None:
    many = [replace(one, model=f"m{n}", difference=0.001 * n) for n in range(-5, 4)]
    assert answer(many).startswith(
        "No difference can be told in any of 9 comparisons; the largest is m-5 against logistic (accuracy −0.005, "
    )


def test_of_many_comparisons_those_that_are_equal_in_practice_are_named(one: Comparison) -> None:
    equal = [replace(one, model=name, difference=0.001, p_equal=0.97) for name in ("a", "b", "c")]
    undecided = [replace(one, model="d"), replace(one, model="e")]
    assert answer([*undecided, *equal]).endswith(" p = 0.430); a, b and c are equal in practice to logistic.")
    assert answer([*undecided, *equal]).startswith("No difference can be told in 2 of 5 comparisons; the largest is d ")
    sure = replace(one, model="m", low=0.01, high=0.02, p_holm=0.001)
    assert answer([*undecided, sure, *equal]).endswith(
        "; a, b and c are equal in practice to logistic; in the other 2 of 6 comparisons no difference can be told."
    )
    against = [replace(one, baseline=name, p_equal=0.97) for name in ("x", "y")]
    assert answer([*undecided, *against]).endswith("; bp is equal in practice to x and y.")
    assert answer([replace(equal[0], model=f"m{n}") for n in range(9)]) == (
        "9 comparisons show models that are equal in practice."
    )


def on_two_data_sets(iris: list[Comparison], wine: list[Comparison]) -> str:
    """The answer to comparisons of models that are called by their data too, as candidates are."""
    rows = [
        replace(each, model=f"{each.model} on {data}", baseline=f"{each.baseline} on {data}")
        for data, group in (("iris", iris), ("wine", wine))
        for each in group
    ]
    pairs = [(name, name.split(" on ")) for each in rows for name in (each.model, each.baseline)]
    return answer(rows, {name: (data, model) for name, (model, data) in pairs})


def test_of_several_data_sets_each_is_told_by_itself(one: Comparison) -> None:
    sure = replace(one, low=0.004, high=0.02, p_holm=0.0007)
    equal = replace(one, baseline="softmax", difference=0.001, p_equal=0.97)
    evidence = "(accuracy +0.012, 95% interval −0.021 to +0.045, corrected p = 0.430)"
    assert on_two_data_sets([one], [replace(one, difference=0.001)]) == (
        f"On iris and wine no difference can be told; the largest is bp against logistic on iris {evidence}."
    )
    assert on_two_data_sets([one], [one, equal]) == (
        f"On iris no difference can be told; the largest is bp against logistic on iris {evidence}; on wine bp is "
        "equal in practice to softmax and no difference can be told in the other comparison."
    )
    assert on_two_data_sets([one], [sure, equal]) == (
        "On wine bp is better than logistic (accuracy +0.012, 95% interval +0.004 to +0.020, corrected p < 0.001) and "
        "bp is equal in practice to softmax; on iris no difference can be told."
    )
    many = [replace(sure, baseline=name) for name in ("a", "b")]
    assert on_two_data_sets(many, many) == "On iris bp is better than a and b; on wine bp is better than a and b."


def test_nothing_to_compare_is_told() -> None:
    assert answer([]) == "Nothing is compared: there is only one model with a result."


@given(st.text(min_size=1, max_size=30))
def test_the_answer_is_one_line_whatever_the_names(name: str) -> None:
    made = Comparison(name, "base", "accuracy", 5, 0.0, 0.0, 0.0, 0.0, 4, 1.0, 1.0, 0.3, 0.4, 0.3, 0.95, 0.01)
    said = answer([made])
    assert len(said.splitlines()) == 1
    assert said.endswith(".")


def test_the_verdicts_of_real_scores(scores: Scores, make_comparisons: MakeComparisons) -> None:
    comparisons = make_comparisons(scores)
    said = answer(comparisons)
    assert said.startswith("better is better than base (")
    assert "same is equal in practice to base" in said
    assert "no difference can be told between unsure and base" in said
    cells = comparison_cells(comparisons)
    assert [row[2] for row in cells.rows] == ["better", "equal in practice", "undecided"]


def test_cells_hold_the_given_numbers(one: Comparison) -> None:
    cells = comparison_cells([one])
    assert dict(zip(cells.headers, cells.rows[0], strict=True)) == {
        "model": "bp",
        "baseline": "logistic",
        "verdict": "undecided",
        "difference": "+0.012",
        "interval": "−0.021 to +0.045",
        "p (Holm)": "0.430",
        "P(worse)": "10.0%",
        "P(equal)": "35.0%",
        "P(better)": "55.0%",
    }
    assert "5 test folds" in cells.notes[0]
    assert "1 comparison," in cells.notes[1]


def test_data_sets_are_a_column_of_the_comparisons_where_there_are_several(one: Comparison) -> None:
    rows = [replace(one, model=f"bp on {data}", baseline=f"logistic on {data}") for data in ("iris", "wine")]
    names = {f"{model} on {data}": (data, model) for data in ("iris", "wine") for model in ("bp", "logistic")}
    cells = comparison_cells(rows, names)
    assert cells.headers[:3] == ("data", "model", "baseline")
    assert [row[:3] for row in cells.rows] == [("iris", "bp", "logistic"), ("wine", "bp", "logistic")]
    alone = comparison_cells([one], {"bp": ("", "bp"), "logistic": ("", "logistic")})
    assert alone == comparison_cells([one])


def test_csv_holds_every_digit(scores: Scores, make_comparisons: MakeComparisons) -> None:
    comparisons = make_comparisons(scores)
    back = pd.read_csv(io.StringIO(comparison_csv(comparisons)))
    given_ones = pd.DataFrame([vars(one) | {"verdict": one.verdict} for one in comparisons])
    pd.testing.assert_frame_equal(back, given_ones, check_exact=True)


@pytest.mark.parametrize("width", [60, 80, 100, 120])
def test_the_table_fits_the_terminal(width: int, scores: Scores, make_comparisons: MakeComparisons) -> None:
    scores["undecided"] = scores.pop("unsure")
    text = plain_text(comparison_table(make_comparisons(scores)), width)
    assert max(map(len, text.splitlines())) <= width
    # Nothing is cut: a verdict folds between its words.
    assert {"equal", "in", "practice", "undecided"} <= set(text.split("Difference:")[0].split())
    # The notes explain the columns that are shown.
    assert text.count("P(better)") == (2 if width == 120 else 0)


def test_a_verdict_folds_rather_than_being_cut(one: Comparison) -> None:
    named = replace(one, model="sklearn_logistic", p_equal=0.97)
    assert named.verdict == "equivalent"
    texts = [plain_text(comparison_table([named]), width) for width in range(60, 121)]
    for text in texts:
        assert {"equal", "in", "practice"} <= set(text.split("Difference:")[0].split())


def test_nothing_is_cut_off_where_several_columns_have_to_fold(one: Comparison) -> None:
    names = [f"{model} on breast_cancer" for model in ("logistic", "RandomForestClassifier", "KNeighborsClassifier")]
    rows = [replace(one, model="bp on breast_cancer", baseline=name, p_equal=0.97) for name in names]
    for width in range(80, 130):
        lines = plain_text(comparison_table(rows), width).split("Difference:")[0].splitlines()
        assert max(map(len, lines)) <= width
        words = " ".join(lines).split()
        assert words.count("practice") == words.count("0.430") == 3
        assert words.count("breast_cancer") == 6


@pytest.mark.parametrize(
    "value, size, text",
    [
        (0.0123, 0.05, "+0.012"),
        (-0.0123, 0.05, "−0.012"),
        (0.0001, 0.05, "0.000"),
        (0.00012, 0.0009, "+0.00012"),
        (-0.004, 0.0091, "−0.0040"),
        (0.0, 0.0, "0.000"),
    ],
)
def test_signed(one: Comparison, value: float, size: float, text: str) -> None:
    assert signed(value, replace(one, difference=value, low=-size, high=size)) == text


def test_selection_on_the_scoring_folds_is_admitted(make_job: Callable[..., dict[str, Any]]) -> None:
    rows = [make_job("bp", 0.8, **{"training.l2": l2}) for l2 in (0, 1, 2)] + [make_job("softmax", 0.8)]
    note = selection_note(pd.DataFrame(rows))
    assert note is not None
    assert "bp (of 3 settings)" in note
    assert "softmax" not in note
    assert selection_note(pd.DataFrame(rows[2:])) is None
    assert selection_note(pd.DataFrame(rows).assign(**{"cv.inner_folds": 3})) is None
    assert selection_note(pd.DataFrame(rows).assign(**{"cv.inner_folds": None})) == note
