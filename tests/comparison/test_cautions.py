"""What a person is warned of, and what sets no warning off."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from src.comparison.cautions import of_data
from src.comparison.record import RecordedDataset, described
from src.config import check
from src.data import load
from tests.sweeps import Given, model, outcome_of

BP = (0.80, 0.85, 0.90, 0.75, 0.80)


def cautions(jobs: Sequence[Given], metric: str = "accuracy") -> tuple[str, ...]:
    return outcome_of(jobs, metric=metric).cautions


def of_rows(facts: RecordedDataset, **config: object) -> list[str]:
    return list(of_data("mine", facts, check(config)))


# The ends of a grid


def tuned(key: str, values: Sequence[object], best: object) -> list[Given]:
    """bp with some values of a key, of which one is the best, beside softmax."""
    jobs = [
        Given({"model.name": "bp", key: value}, tuple(np.subtract(BP, 0.0 if value == best else 0.1)))
        for value in values
    ]
    return [*jobs, model("softmax", BP)]


@pytest.mark.parametrize(
    "key, values, best, said",
    [
        ("training.learning_rate", [0.1, 0.3, 1.0], 1.0, "learning_rate of bp is 1, the largest tried"),
        ("training.learning_rate", [0.3, 0.1, 1.0], 0.1, "learning_rate of bp is 0.1, the smallest tried"),
        ("training.learning_rate", [0.1, 0.3, 1.0], 0.3, None),
        ("training.l2", [0.0, 0.1, 0.2], 0.2, "l2 of bp is 0.2, the largest tried"),
        ("training.l2", [0.0, 0.1, 0.2], 0.0, None),
        ("training.l2", [0.01, 0.1, 0.2], 0.01, "l2 of bp is 0.01, the smallest tried"),
        ("training.batch_size", [1, 8, 16], 1, None),
        ("training.batch_size", [1, 8, 16], 16, "batch_size of bp is 16, the largest tried"),
        ("training.warmup", [0, 5, 9], 0, None),
        ("model.activation", ["relu", "tanh"], "relu", None),
    ],
)
def test_the_best_value_at_the_end_of_its_grid_is_told(
    key: str, values: list[object], best: object, said: str | None
) -> None:
    told = [sentence for sentence in cautions(tuned(key, values, best)) if sentence.startswith("The best")]
    assert told == ([] if said is None else [f"The best {said}: a better one may lie beyond."])


def test_candidates_at_the_same_end_share_a_sentence() -> None:
    jobs = [
        model(name, np.subtract(BP, 0.1 if rate < 1 else 0.0), {"learning_rate": rate})
        for name in ("bp", "logistic", "softmax")
        for rate in (0.1, 0.3, 1.0)
    ]
    (told,) = cautions(jobs)
    assert told.startswith("The best learning_rate of bp, logistic and softmax is 1, the largest tried")


# Unequal effort


@pytest.mark.parametrize("many, few, is_told", [(6, 2, True), (3, 1, True), (5, 2, False), (2, 2, False)])
def test_candidates_tuned_with_unequal_effort_are_told(many: int, few: int, is_told: bool) -> None:
    jobs = [
        model(name, np.subtract(BP, 0.01 * (rate - 2) ** 2), {"learning_rate": rate})
        for name, count in (("bp", many), ("softmax", few))
        for rate in range(1, count + 1)
    ]
    told = [sentence for sentence in cautions(jobs) if sentence.startswith("Tuned with unequal effort")]
    assert told == ([f"Tuned with unequal effort: {many} settings of bp, {few} of softmax."] if is_told else [])


# Folds that went badly


def far(scores: Sequence[float], metric: str = "accuracy", rows: int = 500, **more: object) -> list[str]:
    jobs = [model("bp", scores, rows=rows, **more), model("softmax", (0.5,) * len(scores), rows=rows, **more)]
    return [sentence for sentence in cautions(jobs, metric) if sentence.startswith("The mean of")]


def test_folds_far_from_the_others_are_named_with_the_median() -> None:
    (told,) = far((0.9, 0.92, 0.2, 0.91, 0.93))
    assert told.startswith("The mean of bp, 0.772, hides 1 fold far from the others: fold 3 (0.200);")
    assert "median is 0.910" in told
    (of_loss,) = far((0.9, 0.92, -1.0, 0.91, 0.93), "log_loss")  # its losses: 0.1, 0.08, 2, 0.09, 0.07
    assert "fold 3 (2.000); its median is 0.090" in of_loss


def test_folds_are_named_with_their_repeat_and_seed() -> None:
    good, bad = (0.9, 0.92, 0.91, 0.93), (0.9, 0.92, 0.91, 0.1)
    jobs = [
        Given({"model.name": name, "seed": seed, "cv.repeats": 2}, scores, folds=str(seed), rows=400)
        for seed, scores in ((3, good), (7, bad))
        for name in ("bp", "softmax")
    ]
    (first, _) = cautions(jobs)
    assert "fold 2 of repeat 2 of seed 7 (0.100)" in first


@pytest.mark.parametrize(
    "scores, rows",
    [
        ((0.9, 0.92, 0.85, 0.91, 0.93), 500),
        ((1.0, 1.0, 1.0, 1.0, 0.75), 20),  # one row of four
        ((1.0,) * 9 + (14 / 15,), 150),
        ((0.75, 0.75, 0.75, 0.75, 0.25), 20),
        (tuple(float(row % 10 > 0) for row in range(80)), 80),  # leave-one-out
        ((0.2, 0.2, 0.2, 0.9, 0.9), 500),  # good folds hide nothing
        ((0.9, 0.1, 0.9, 0.1, 0.1), 500),  # nor are most folds far from the others
    ],
)
def test_what_chance_may_do_is_not_told(scores: tuple[float, ...], rows: int) -> None:
    assert far(scores, rows=rows) == []


@pytest.mark.parametrize("worst, told", [(0.77, 1), (0.78, 0)])
def test_far_is_four_standard_errors_of_the_median_by_laplaces_rule(worst: float, told: int) -> None:
    share = (90 + 1) / (100 + 2)  # of 100 test rows, 90 are right
    assert (worst < 0.9 - 4 * (share * (1 - share) / 100) ** 0.5) == told
    assert len(far((0.9, 0.9, worst, 0.9, 0.9))) == told


def test_losses_of_twice_the_median_are_not_told() -> None:
    losses = (0.10, 0.10, 0.10, 0.10, 0.19)
    assert far(tuple(1 - loss for loss in losses), "log_loss") == []


def test_many_far_folds_are_counted() -> None:
    scores = [0.1 if 3 <= place < 8 else 0.9 + place / 1000 for place in range(30)]
    (told,) = far(scores, rows=3000)
    assert "hides 5 folds far from the others: fold 4 (0.100), fold 5 (0.100), fold 6 (0.100), fold 7 (0.100)" in told
    assert "and 1 more" in told


# Rows

PLAIN = RecordedDataset("mine", "a test's own rows", 100, 2, {}, (50, "yes"))


def test_rows_that_stand_twice_are_told_with_what_to_do() -> None:
    facts = replace(PLAIN, duplicates=6)
    (told,) = of_rows(facts)
    assert told.startswith("mine: 6 rows repeat an earlier one")
    assert of_rows(replace(PLAIN, duplicates=1))[0].startswith("mine: 1 row repeats an earlier one")
    assert "data.groups" not in told  # a bundled data set has no column to group by
    (told,) = of_rows(facts, data={"name": "csv", "path": "mine.csv"})
    assert "keep them together by data.groups" in told
    assert of_rows(facts, data={"name": "csv", "path": "mine.csv", "groups": "person"}) == []
    assert of_rows(PLAIN) == []


def test_columns_named_like_identifiers_are_told_unless_rows_are_grouped() -> None:
    facts = replace(PLAIN, identifiers=("patient_id", "user"))
    (told,) = of_rows(facts)
    assert "rows share values of patient_id and user" in told
    assert "set data.groups=patient_id; else leave it out: data.drop=[patient_id,user]." in told
    assert of_rows(facts, data={"name": "csv", "path": "mine.csv", "groups": 0}) == []


def test_columns_that_number_the_rows_are_told() -> None:
    (told,) = of_rows(replace(PLAIN, numberings=("Id", "row")))
    assert told.startswith("mine: another value in each row of Id and row, as a number of the row")
    assert told.endswith("leave it out: data.drop=[Id,row].")


@pytest.mark.parametrize(
    "column, numbers, is_one",
    [
        ("Id", [9, 3, 5, 12, 40, 2, 8, 1, 33, 21], True),  # called so
        ("sample_id", list("ckabxdzeqf"), True),
        ("code", list("ckabxdzeqf"), False),
        ("code", [f"flower number {place}" for place in range(20)], True),  # text that describes no two rows
        ("code", [f"flower number {place}" for place in range(19)], False),  # too few rows
        ("code", [f"flower number {max(place, 1)}" for place in range(30)], False),
        ("day", [f"2026-01-{30 - place:02}" for place in range(20)], True),
        ("n", [3, 1, 2, 10, 9, 8, 7, 6, 5, 4], True),  # no gap
        ("n", [1, 2, 3, 5, 8, 9, 11, 40, 41, 60], True),  # in the rows' order
        ("n", [1, 2, 3, 5, 8, 9, 11, 40, 41, 41], False),  # not another in each row
        ("n", [9, 3, 5, 12, 40, 2, 8, 1, 33, 21], False),  # whole, but in no order and with gaps
        ("n", [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95], False),  # in order, but no whole numbers
    ],
)
def test_what_numbers_rows(tmp_path: Path, column: str, numbers: list[object], is_one: bool) -> None:
    path = tmp_path / "mine.csv"
    rows = [f"{number},{place % 3},{'ab'[place % 2]}" for place, number in enumerate(numbers)]
    path.write_text("\n".join([f"{column},width,label", *rows]))
    assert described(load("csv", path=path)).numberings == ((column,) if is_one else ())
    assert described(load("csv", path=path, drop=[column])).numberings == ()


@pytest.mark.parametrize(
    "rarest, config, is_told",
    [
        (4, {}, True),
        (5, {}, False),
        (4, {"cv": {"folds": 100}}, False),  # leave-one-out has no metric over classes anyway
        (4, {"data": {"name": "csv", "path": "mine.csv", "fold": "site"}}, False),
    ],
)
def test_a_class_with_fewer_rows_than_folds_is_told(rarest: int, config: dict[str, object], is_told: bool) -> None:
    told = of_rows(replace(PLAIN, rarest=(rarest, "rare")), **config)
    assert [sentence.startswith("mine: the class rare has 4 rows, fewer than the 5 folds") for sentence in told] == (
        [True] if is_told else []
    )


def test_facts_of_a_file(tmp_path: Path) -> None:
    rows = ["p1,1,red,yes", "p1,2,red,no", "p2,1,red,yes", "p2,1,red,yes", "p2,1,red,no", "p3,,blue,no", "p3,,blue,no"]
    header = "Patient,x,valid,label"
    path = tmp_path / "mine.csv"
    path.write_text("\n".join([header, *rows, "p4,9,blue,maybe"]))
    facts = described(load("csv", path=path, missing="impute"))
    # The third and fourth row are the same, the fifth has another label; two rows lack the same value.
    assert (facts.rows, facts.duplicates, facts.identifiers, facts.rarest) == (8, 2, ("Patient",), (1, "maybe"))
    assert facts.numberings == ()
    assert facts.columns == {"Patient": "string", "x": "double", "valid": "string"}
    unique = "\n".join(f"{place},{place % 3},{'ab'[place % 2]}" for place in range(6))
    path.write_text(f"id,width,label\n{unique}\n")
    facts = described(load("csv", path=path))
    assert (facts.rows, facts.duplicates, facts.identifiers, facts.rarest) == (6, 0, (), (3, "a"))
    assert facts.numberings == ()


def test_facts_of_iris() -> None:
    facts = described(load("iris"))
    assert (facts.rows, facts.identifiers, facts.rarest) == (150, (), (50, "setosa"))
    assert facts.duplicates == 1  # in Fisher's table row 143 repeats row 102


@pytest.mark.parametrize(
    "name, penalty, scores, is_told",
    [
        ("sklearn_logistic", 0.0, (1.0, 0.9, 1.0, 0.9, 0.9), True),
        ("sklearn_logistic", 0.0, (0.9, 0.9, 0.9, 0.9, 0.9), False),
        ("sklearn_logistic", 1e-6, (1.0, 1.0, 1.0, 1.0, 1.0), False),
        ("softmax", 0.0, (1.0, 1.0, 1.0, 1.0, 1.0), False),  # trained for so many epochs, not solved
    ],
)
def test_what_is_to_be_solved_and_has_no_solution_is_told(
    name: str, penalty: float, scores: tuple[float, ...], is_told: bool
) -> None:
    told = [each for each in cautions([model(name, scores, {"l2": penalty})]) if "without a penalty" in each]
    assert [each.split(" right: ")[0] for each in told] == [
        "sklearn_logistic without a penalty (l2=0) has every row of 2 of 5 training parts"
    ] * is_told
