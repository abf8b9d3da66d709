import io
import math
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from src.comparison.families import Comparison
from src.comparison.outcome import Outcome
from src.report.across import across_cells, across_sentence, pair_cells
from src.report.answer import answer
from src.report.verdicts import comparison_cells, comparison_csv, signed
from tests.printed import plain_text
from tests.sweeps import Given, model, outcome_of

Tell = Callable[[Sequence[Comparison]], Outcome]
BP, WORSE = (0.80, 0.85, 0.90, 0.75, 0.80), (0.78, 0.80, 0.86, 0.75, 0.79)


def says(text: str, *parts: str) -> bool:
    """Whether a text has some parts, in this order."""
    place = 0
    for part in parts:
        place = text.find(part, place) + len(part)
        if place < len(part):
            return False
    return True


# The answer to one comparison


def test_an_interval_over_zero_is_no_difference_and_what_could_have_been_seen_is_told(
    one: Comparison, tell: Tell
) -> None:
    said = answer(tell([one]))
    assert says(
        said,
        *("No difference can be told between bp and logistic", "accuracy +0.012", "95% interval −0.021 to +0.045"),
        *("p = 0.430", "0.055 or more"),
    )
    assert "0.031 at best" in said  # with ever more repeats
    assert "corrected for" not in said  # one comparison needs no correction
    assert "corrected for 4 comparisons" in answer(tell([replace(one, tests=4)]))


def test_what_more_repeats_could_show_is_told_of_each_pair(one: Comparison, tell: Tell) -> None:
    """A pair with noisier folds says nothing of the others, and less than their folds show already may be its best."""
    noisy = replace(one, baseline="softmax", detectable=0.09, detectable_at_best=0.06)
    assert "could show at best 0.031 for bp against logistic and 0.060 for bp against softmax." in answer(
        tell([noisy, one])
    )
    assert "could show differences of 0.031 at best." in answer(tell([one, replace(one, baseline="softmax")]))
    many = [noisy, *(replace(one, model=f"m{n}") for n in range(3))]
    assert "could show differences of 0.031 to 0.060 at best, depending on the pair." in answer(tell(many))
    beyond = replace(noisy, detectable=1.9, detectable_at_best=1.2)  # more than accuracy can differ
    assert "could show at best 0.031 for bp against logistic." in answer(tell([one, beyond]))
    assert "repeats" not in answer(tell([beyond]))


@pytest.mark.parametrize("verdict", ["better", "worse"])
def test_a_difference_is_told_with_its_evidence(one: Comparison, tell: Tell, verdict: Any) -> None:
    sure = replace(one, verdict=verdict, low=0.004, high=0.02, p_holm=0.0007)
    said = answer(tell([sure]))
    assert said.startswith(f"bp is {verdict} than logistic (")
    assert says(said, "95% interval +0.004 to +0.020", "p < 0.001")
    assert "or more" not in said
    assert "repeats" not in said


def test_a_difference_of_no_consequence_says_so(one: Comparison, tell: Tell) -> None:
    small = replace(one, verdict="better", low=0.002, high=0.008, difference=0.005, p_holm=0.001, within_rope=True)
    assert answer(tell([small])).startswith("bp is better than logistic by less than 0.01 (")
    assert comparison_cells(tell([small])).rows[0][2] == "better, by less than 0.01"


def test_equal_in_practice_is_told_with_its_probability(one: Comparison, tell: Tell) -> None:
    equal = replace(one, verdict="equal", difference=0.001, low=-0.004, high=0.006, p_equal=0.972)
    said = answer(tell([equal]))
    assert says(said, "bp is equal in practice to logistic", "+0.0010", "−0.0040 to +0.0060", "±0.01", "97%")
    assert "more than 99%" in answer(tell([replace(equal, p_equal=0.9999)]))


def test_a_probability_below_its_threshold_never_looks_like_it(one: Comparison, tell: Tell) -> None:
    row = comparison_cells(tell([replace(one, p_equal=0.9497, p_better=0.02, p_worse=0.0303)])).rows[0]
    assert "94.97%" in row
    assert "95.0%" not in row


def test_identical_predictions_are_told_as_nothing_else(tell: Tell) -> None:
    made = outcome_of([model("bp", BP), model("softmax", BP)], metric="log_loss")
    said = answer(made)
    assert says(said, "bp and softmax", "identical predictions")
    assert not any(word in said for word in ("interval", "p =", "or more", "inf", "nan"))
    cells = comparison_cells(made)
    row = dict(zip(cells.headers, cells.rows[0], strict=True))
    assert row["verdict"] == "identical predictions"
    assert row["95% interval"] == "not known"
    assert "P(equal)" not in row  # log loss has no region of equivalence
    assert "P(worse), P(better): probabilities of the Bayesian test." in cells.notes


# The answer to several


def test_baselines_share_a_clause(one: Comparison, tell: Tell) -> None:
    said = answer(tell([one, replace(one, baseline="softmax", difference=-0.002)]))
    assert says(said, "between bp and logistic (", "or between bp and softmax (accuracy −0.002")
    assert said.count("o difference") == 1
    better = replace(one, verdict="better", low=0.004, p_holm=0.01)
    said = answer(tell([better, replace(better, baseline="softmax")]))
    assert says(said, "bp is better than logistic and softmax (accuracy +0.012")
    other = replace(better, baseline="softmax", difference=0.013)
    assert says(answer(tell([better, other])), "bp is better than logistic (", "and than softmax (accuracy +0.013")
    said = answer(tell([one, replace(one, baseline="softmax")]))
    assert says(said, "No difference can be told between bp and each of logistic and softmax (accuracy +0.012")
    assert said.count("95% interval") == 1


def test_of_many_comparisons_the_differences_are_told_and_the_rest_counted(one: Comparison, tell: Tell) -> None:
    sure = [replace(one, model=f"m{n}", verdict="better", low=0.01, p_holm=0.001 * (n + 1)) for n in range(5)]
    said = answer(tell([*reversed(sure), one, replace(one, model="c")]))
    assert [f"m{n} is better than logistic" in said for n in range(5)] == [True, True, True, False, False]
    assert "2 more comparisons show one" in said
    assert "in the other 2 of 7 comparisons no difference can be told" in said


def test_of_many_comparisons_without_a_difference_the_largest_is_told(one: Comparison, tell: Tell) -> None:
    many = [replace(one, model=f"m{n}", difference=0.001 * n) for n in range(-5, 4)]
    said = answer(tell(many))
    assert says(said, "No difference can be told in any of 9 comparisons", "m-5 against logistic (accuracy −0.005, ")


def test_of_many_comparisons_those_that_are_equal_in_practice_are_named(one: Comparison, tell: Tell) -> None:
    equal = [replace(one, model=name, verdict="equal", difference=0.001, p_equal=0.97) for name in ("a", "b", "c")]
    undecided = [replace(one, model="d"), replace(one, model="e")]
    said = answer(tell([*undecided, *equal]))
    assert says(said, "No difference can be told in 2 of 5 comparisons", "d ", "a, b and c are equal in practice to")
    sure = replace(one, model="m", verdict="better", low=0.01, p_holm=0.001)
    said = answer(tell([*undecided, sure, *equal]))
    assert says(said, "m is better", "a, b and c are equal in practice to logistic", "the other 2 of 6 comparisons")
    against = [replace(one, baseline=name, verdict="equal") for name in ("x", "y")]
    assert "bp is equal in practice to x and y" in answer(tell([*undecided, *against]))
    assert "9 comparisons" in answer(tell([replace(equal[0], model=f"m{n}") for n in range(9)]))


def test_of_several_data_sets_each_is_told_by_itself(one: Comparison, tell: Tell) -> None:
    on = {data: replace(one, data=data) for data in ("iris", "wine")}
    said = answer(tell([on["iris"], replace(on["wine"], difference=0.001)]))
    assert says(said, "On iris and wine no difference can be told", "bp against logistic on iris (accuracy +0.012")
    equal = replace(on["wine"], baseline="softmax", verdict="equal", difference=0.001, p_equal=0.97)
    said = answer(tell([on["iris"], on["wine"], equal]))
    assert says(said, "On iris no difference", "on wine bp is equal in practice to softmax", "in the other comparison")
    sure = replace(on["wine"], verdict="better", low=0.004, p_holm=0.0007)
    said = answer(tell([on["iris"], sure, equal]))
    assert says(
        said, "On wine bp is better than logistic (", "p < 0.001", "softmax", "on iris no difference can be told"
    )
    assert "for the comparisons of each data set by itself, not for all 3 together" in said
    many = [replace(sure, data=data, baseline=name) for data in ("iris", "wine") for name in ("a", "b")]
    said = answer(tell(many))
    assert says(said, "On iris bp is better than a and b", "on wine bp is better than a and b")


def test_the_verdicts_of_real_scores(verdicts: Outcome) -> None:
    said = answer(verdicts)
    assert says(said, "bp is better than logistic (", "corrected for 3 comparisons")
    assert "equal in practice to softmax (" in said
    assert "o difference can be told between bp and sklearn_logistic (" in said
    assert {row[1]: row[2] for row in comparison_cells(verdicts).rows} == {
        "logistic": "better",
        "softmax": "equal in practice",
        "sklearn_logistic": "undecided",
    }


def tuned(**more: Any) -> list[Given]:
    return [
        *(model("bp", scores, {"l2": l2}, **more) for l2, scores in ((0.1, BP), (0.2, WORSE))),
        model("softmax", WORSE, **more),
    ]


def test_how_settings_were_chosen_and_what_flatters_them_stands_in_the_answer() -> None:
    by_folds, nested = answer(outcome_of(tuned())), answer(outcome_of(tuned(inner=BP)))
    assert "the other folds" in by_folds
    assert "inside its training part" in nested
    searched = answer(outcome_of(tuned(), searched=True))
    assert says(searched, "the search saw the folds", "bp", "flatters")
    assert "flatters" not in by_folds + nested


@pytest.mark.parametrize(
    "jobs, searched, said",
    [
        ([model("bp", BP)], False, ["bp reaches accuracy 0.820 (95% interval ", "no other model"]),
        (
            [model("bp", np.subtract(BP, n / 100), {"learning_rate": n + 1}) for n in range(25)],
            False,
            ["bp reaches accuracy", "of 25", "other folds", "no other model", "learning_rate=1."],
        ),
        (
            [model("bp", np.subtract(BP, n / 100), {"learning_rate": n + 1}) for n in range(3)],
            True,
            ["bp reaches accuracy", "3 settings", "search", "flatters"],
        ),
    ],
)
def test_one_model_alone_is_told_with_its_interval(jobs: list[Given], searched: bool, said: list[str]) -> None:
    assert says(answer(outcome_of(jobs, searched=searched)), *said)


@pytest.mark.parametrize(
    "made, reason",
    [
        (outcome_of([]), "no job has a result."),
        (outcome_of([model("bp", BP, fate="FAILED")]), "none of its jobs has a result."),
        (outcome_of([model("bp", BP), model("softmax", BP)], incomplete="1 of 3 jobs is missing."), "1 of 3 jobs is"),
        (outcome_of([model("bp", BP), model("softmax", BP, folds="others")]), "were scored on different folds"),
        (
            outcome_of(
                [model("bp", BP, dataset="iris", data="a" * 64), model("bp", BP, dataset="wine", data="b" * 64)]
            ),
            "no data set has two models",
        ),
    ],
)
def test_where_nothing_is_compared_the_reason_is_told(made: Outcome, reason: str) -> None:
    said = answer(made)
    assert says(said, "Nothing is compared: ", reason)
    assert comparison_cells(made).rows == ()


@settings(max_examples=30)
@given(st.text(min_size=1, max_size=30))
def test_the_answer_is_one_line_whatever_the_names(name: str) -> None:
    estimator = {"model.name": "sklearn", "model.estimator": "sklearn.svm.SVC"}
    jobs = [Given({**estimator, "model.params": {"kernel": each}}, BP, dataset=name) for each in (f"k{name}", "linear")]
    said = answer(outcome_of(jobs))
    assert len(said.splitlines()) == 1
    assert said.endswith(".")


# The table


def test_cells_hold_the_given_numbers(one: Comparison, tell: Tell) -> None:
    cells = comparison_cells(tell([one]))
    assert dict(zip(cells.headers, cells.rows[0], strict=True)) == {
        "model": "bp",
        "baseline": "logistic",
        "verdict": "undecided",
        "difference": "+0.012",
        "95% interval": "−0.021 to +0.045",
        "p (Holm)": "0.430",
        "could show": "0.055",
        "P(worse)": "10.0%",
        "P(equal)": "35.0%",
        "P(better)": "55.0%",
    }
    sure = replace(one, verdict="better", p_holm=0.0001)
    assert comparison_cells(tell([sure])).rows[0][5:7] == ("< 0.001", "–")
    assert [row[0] for row in comparison_cells(tell([one, replace(one, data="wine")])).rows] == ["made", "wine"]


def test_notes_say_what_was_corrected_for(verdicts: Outcome) -> None:
    notes = " ".join(comparison_cells(verdicts).notes)
    assert says(notes, "Nadeau and Bengio", "3 comparisons", "Holm", "±0.01", "95%", "Corani and Benavoli")
    assert "picked" not in notes
    picked = outcome_of([model("bp", np.subtract(BP, l2), {"l2": l2}) for l2 in (0.0, 0.1, 0.2)])
    assert says(" ".join(comparison_cells(picked).notes), "3 comparisons", "picked")


def test_csv_holds_every_digit(verdicts: Outcome) -> None:
    back = pd.read_csv(io.StringIO(comparison_csv(verdicts)))
    names = [field.name for field in fields(Comparison) if field.name != "on_folds"]
    expected = pd.DataFrame([{name: getattr(one, name) for name in names} for one in verdicts.comparisons])
    pd.testing.assert_frame_equal(back, expected, check_exact=True)


@pytest.mark.parametrize("width", [60, 80, 100, 120])
def test_the_table_fits_the_terminal(width: int, verdicts: Outcome) -> None:
    text = plain_text(comparison_cells(verdicts), width)
    assert max(map(len, text.splitlines())) <= width
    # Nothing is cut: a verdict folds between its words.
    assert {"equal", "in", "practice", "undecided"} <= set(text.split("Difference:")[0].split())
    # The notes explain the columns that are shown.
    explained, _, left_out = text.partition("No room here")
    assert explained.count("P(better)") == (2 if width == 120 else 0)
    assert says(left_out, "comparison.html", "P(better)") == (width < 120)
    assert ("Could show:" in explained) == (width >= 100) == ("could show" not in " ".join(left_out.split()))


def test_nothing_is_cut_off_where_several_columns_have_to_fold(one: Comparison, tell: Tell) -> None:
    names = [f"{model} on breast_cancer" for model in ("logistic", "RandomForestClassifier", "KNeighborsClassifier")]
    rows = [replace(one, model="bp on breast_cancer", baseline=name, verdict="equal", p_equal=0.97) for name in names]
    made = tell(rows)
    for width in range(80, 130, 3):
        lines = plain_text(comparison_cells(made), width).split("Difference:")[0].splitlines()
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
        (0.1, math.inf, "+0.100"),
    ],
)
def test_signed(one: Comparison, value: float, size: float, text: str) -> None:
    assert signed(value, replace(one, difference=value, low=-size, high=size)) == text


# Several data sets together


def over(count: int, **asked: Any) -> Outcome:
    jobs = [
        model(name, np.full(5, score + place / 100), dataset=f"set {place}", data=f"{place:02}" * 32)
        for name, score in (("bp", 0.8), ("softmax", 0.7), ("logistic", 0.6))
        for place in range(count)
    ]
    return outcome_of(jobs, **asked)


def test_data_sets_are_ranked_and_tested_together() -> None:
    made = over(8)
    assert made.across is not None
    said = across_sentence(made.across)
    assert says(said, "8 data sets", "bp", "1.0", "logistic", "3.0")
    assert says(said, "bp is better than softmax (p = 0.0", "bp is better than logistic (p = 0.0")
    assert said in answer(made)
    cells = across_cells(made.across, made)
    assert cells.headers == ("model", "mean rank", *(f"set {place}" for place in range(8)))
    assert cells.rows[0] == ("bp", "1.00", *(f"{0.8 + place / 100:.3f}" for place in range(8)))
    assert "Friedman" in " ".join(cells.notes)
    pairs = pair_cells(made.across, made)
    row = dict(zip(pairs.headers, pairs.rows[0], strict=True))
    assert (row["model"], row["baseline"], row["mean difference"], row["wins"], row["losses"]) == (
        *("bp", "softmax"),
        *("+0.100", "8", "0"),
    )
    # 2 of 2^8 sign patterns, and of two such p-values twice that.
    assert row["p (Holm)"] == f"{2 * 2 / 2**8:.3f}"
    assert float(row["P(better)"].rstrip("%")) > 99


def test_candidates_that_rank_alike_are_not_called_best_and_last() -> None:
    jobs = [
        model(name, BP, dataset=f"set {place}", data=f"{place:02}" * 32)
        for name in ("bp", "softmax")
        for place in range(3)
    ]
    found = outcome_of(jobs).across
    assert found is not None
    said = across_sentence(found)
    assert "all rank alike (1.5 on average)" in said
    assert "best" not in said


def test_data_sets_too_few_for_so_many_pairs_are_told_to_show_nothing() -> None:
    made = over(6)
    assert made.across is not None
    for text in (across_sentence(made.across), " ".join(pair_cells(made.across, made).notes)):
        assert says(text, "whatever they show: with 6 data sets", "corrected for 2 pairs, is 0.0625 at least.")
    made = over(7)
    assert made.across is not None
    assert "whatever" not in across_sentence(made.across) + " ".join(pair_cells(made.across, made).notes)


@pytest.mark.parametrize("scores, told", [((0.8, 0.7, 0.6), False), ((0.8, 0.8, 0.8), True)])
def test_ranks_without_a_critical_difference_say_why(scores: Sequence[float], told: bool) -> None:
    jobs = [
        model(name, (score,) * 5, dataset=f"set {place}", data=f"{place:02}" * 32)
        for name, score in zip(("bp", "softmax", "logistic"), scores, strict=True)
        for place in range(6)
    ]
    made = outcome_of(jobs)
    assert made.across is not None
    assert ("no critical difference" in " ".join(across_cells(made.across, made).notes)) is told


@pytest.mark.parametrize("count, least", [(3, "0.25"), (5, "0.0625")])
def test_too_few_data_sets_are_told_untestable(count: int, least: str) -> None:
    made = over(count)
    assert made.across is not None
    for text in (across_sentence(made.across), " ".join(pair_cells(made.across, made).notes)):
        assert says(text, f"{count} data sets cannot reach p < 0.05", least)
    assert pair_cells(made.across, made).headers == ("model", "baseline", "mean difference", "wins", "losses")
    assert "Friedman" not in " ".join(across_cells(made.across, made).notes)
