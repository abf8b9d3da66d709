"""The one ranking and its ties."""

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.comparison.jobs import Setting, settings_of
from src.comparison.outcome import compare_jobs
from src.comparison.ranking import order, ranked
from src.config.schema import ComparisonConfig
from tests.sweeps import Given, job_of, model

FIVE = (0.7, 0.8, 0.9, 0.8, 0.7)
TURNED = (0.9, 0.7, 0.7, 0.8, 0.8)
LOST = (0.99, math.nan, 0.99, 0.99, 0.99)


def setting(given: Given) -> Setting:
    return Setting((job_of(given),))


def loss(value: float) -> dict[str, list[float]]:
    return {"log_loss": [value] * 5}


@pytest.mark.parametrize(
    "first, second",
    [
        pytest.param(model("bp", FIVE), model("bp", (0.7, 0.8, 0.9, 0.8, 0.6), {"l2": 1}), id="the better score"),
        pytest.param(
            model("bp", FIVE, other_scores=loss(0.4)),
            model("bp", TURNED, {"l2": 1}, other_scores=loss(0.5), parameters=1),
            id="the same five accuracies in another order are equal: lower log loss",
        ),
        pytest.param(
            model("bp", FIVE, {"l2": 1}, other_scores=loss(0.4)),
            model("bp", np.array(FIVE) + 1e-11, {"l2": 2}, other_scores=loss(0.5)),
            id="scores that differ by less than 1e-9 are equal",
        ),
        pytest.param(
            model("softmax", FIVE, other_scores=loss(0.4), parameters=6),
            model("bp", FIVE, {"l2": 1}, other_scores=loss(0.4), parameters=9),
            id="fewer parameters",
        ),
        pytest.param(
            model("bp", FIVE, parameters=9_000), model("bp", FIVE, {"l2": 1}, parameters=None), id="a known number"
        ),
        pytest.param(model("bp", FIVE, {"l2": 0.1}), model("bp", FIVE, {"l2": 0.0}), id="larger lambda"),
        pytest.param(
            model("bp", FIVE, {"epochs": 200}), model("bp", FIVE, {"epochs": 300}), id="the configuration's text"
        ),
        pytest.param(model("bp", (0.1,) * 5), model("bp", LOST, {"l2": 1}), id="a diverged one comes last"),
        pytest.param(model("bp", (0.1,) * 5), model("bp", FIVE, {"l2": 1}, fate="FAILED"), id="a failed one too"),
    ],
)
def test_what_ranks_first(first: Given, second: Given) -> None:
    one, other = setting(first), setting(second)
    for pair in ([one, other], [other, one]):
        assert ranked(pair, "test/accuracy") == [one, other]


def test_lower_log_loss_is_better_and_nan_is_not() -> None:
    settings = [setting(model("bp", (score,) * 5, {"l2": score})) for score in (0.6, 0.9, 0.3)]
    lost = setting(model("bp", LOST))
    assert ranked([lost, *settings], "test/log_loss") == [settings[1], settings[0], settings[2], lost]
    assert ranked([], "test/log_loss") == []


JOBS = [
    job_of(model(name, scores, {"l2": l2, "learning_rate": rate, "epochs": epochs}, parameters=count))
    for name, count in (("bp", 9), ("softmax", 6))
    for epochs, scores in enumerate((FIVE, TURNED, LOST), 1)
    for l2 in (0.0, 0.1)
    for rate in (0.1, 0.3)
]


@given(st.permutations(range(len(JOBS))))
def test_the_order_in_which_jobs_were_typed_never_matters(typed: list[int]) -> None:
    first, again = (
        [one.first.setting for one in ranked(settings_of([JOBS[place] for place in places]), "test/accuracy")]
        for places in (range(len(JOBS)), typed)
    )
    assert again == first
    assert len(first) == len(JOBS)


SCORE = st.sampled_from([0.0, 0.5, 0.5 + 1e-12, 1.0, math.nan])


@given(st.data(), st.sampled_from(["test/accuracy", "test/brier_score"]))
def test_each_column_is_ranked_by_itself(data: st.DataObject, metric: str) -> None:
    rows, columns = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 4))
    scores, losses = (
        np.array(data.draw(st.lists(st.lists(SCORE, min_size=columns, max_size=columns), min_size=rows, max_size=rows)))
        for _ in range(2)
    )
    simplicity = [
        (float(count), 0.0, str(place)) for place, count in enumerate(data.draw(st.permutations(range(rows))))
    ]
    found = order(scores, losses, simplicity, metric)
    sign = -1 if metric == "test/accuracy" else 1

    def key(row: int, column: int) -> tuple[float | tuple[float, float, str], ...]:
        values = round(sign * scores[row, column], 9), round(losses[row, column], 9)
        return *(math.inf if math.isnan(value) else value for value in values), simplicity[row]

    for column in range(columns):
        expected = sorted(range(rows), key=lambda row: key(row, column))
        assert found[:, column].tolist() == order(scores[:, column], losses[:, column], simplicity, metric).tolist()
        assert found[:, column].tolist() == expected


def test_data_sets_are_never_ranked_against_each_other() -> None:
    sets = {"iris": 0.9, "wine": 0.5, "digits": 0.7}
    jobs = [
        job_of(model(name, (score - less,) * 5, dataset=data, data=data * 8))
        for data, score in sets.items()
        for name, less in (("bp", 0.2), ("softmax", 0.1))
    ]
    for asked in (jobs, jobs[::-1]):
        outcome = compare_jobs(asked, ComparisonConfig())
        assert outcome.best is None
        assert {data: [one.first.config.model.name for one in board] for data, board in outcome.boards.items()} == {
            data: ["softmax", "bp"] for data in sets
        }
        for one, other in combinations(outcome.families, 2):
            assert not {each.data for each in one.comparisons} & {each.data for each in other.comparisons}
