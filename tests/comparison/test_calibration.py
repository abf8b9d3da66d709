from csv import DictReader
from dataclasses import replace

import numpy as np
import pytest

from src.comparison import calibration
from src.comparison.calibration import Rates, measured, sentence
from src.comparison.outcome import Outcome, compare_jobs
from src.report.answer import answer
from tests.simulation.learners import Scores
from tests.simulation.procedures import OPTIONS, Procedure, Scheme, Study, recorded
from tests.simulation.rates import SCHEMES, SEEDS
from tests.sweeps import model, outcome_of

FIVE = Scheme(5)
HEADER = "procedure,size,rows,folds,repeats,seeds,learnable,tests,rate,low,high,simulations"


@pytest.fixture
def rates(tmp_path, monkeypatch):
    """Rates of a test's own, instead of those that were measured."""

    def write(*rows: str) -> None:
        table = tmp_path / "error_rates.csv"
        table.write_text("\n".join([HEADER, *rows, ""]), encoding="utf-8")
        monkeypatch.setattr(calibration, "TABLE", table)
        calibration._table.cache_clear()

    yield write
    calibration._table.cache_clear()


def row(procedure: str, folds: int, repeats: int, rate: float, *, seeds: int = 1, learnable: bool = True) -> str:
    return f"{procedure},1,200,{folds},{repeats},{seeds},{str(learnable).lower()},1,{rate},0,1,2000"


def outcome(procedure: Procedure, size: int = 1, scheme: Scheme = FIVE, **changes: object) -> Outcome:
    """An outcome whose settings and yardstick were found in that way."""
    study = Study(procedure, size)
    random = np.random.default_rng(0)
    shape = study.learners, scheme.folds * scheme.repeats * scheme.seeds
    scores, within = (Scores(random.random(shape), random.random(shape)) for _ in range(2))
    jobs = recorded(study, scheme, scores, within if procedure == "nested" else None)
    return compare_jobs(jobs, OPTIONS.model_copy(update=changes))


def test_leave_one_out_is_like_nothing_that_was_measured(rates):
    rates(row("fixed", 10, 1, 0.01))
    assert measured("fixed", 150, 1) is None


def test_the_range_is_over_learnable_data_and_noise(rates):
    rates(row("fixed", 5, 1, 0.01), row("fixed", 5, 1, 0.047, learnable=False), row("nested", 5, 1, 0.2))
    assert measured("fixed", 5, 1) == Rates(5, 1, 1, 0.01, 0.047)


@pytest.mark.parametrize(
    "folds, repeats, nearest",
    [
        (5, 1, (5, 1)),
        (2, 1, (5, 1)),
        (7, 1, (5, 1)),
        (8, 1, (10, 1)),
        (20, 1, (10, 1)),
        (5, 2, (5, 3)),
        (5, 3, (5, 3)),
        (5, 5, (5, 5)),
        (3, 100, (5, 5)),
        (10, 2, (10, 10)),
    ],
)
def test_the_nearest_scheme_is_named(rates, folds, repeats, nearest):
    schemes = [(5, 1), (5, 3), (5, 5), (10, 1), (10, 10)]
    rates(*(row("fixed", *scheme, number / 100) for number, scheme in enumerate(schemes)))
    share = schemes.index(nearest) / 100
    assert measured("fixed", folds, repeats) == Rates(*nearest, 1, share, share)


def test_what_was_not_measured_is_not_known(rates):
    rates(row("fixed", 5, 1, 0.01))
    assert measured("nested", 5, 1) is None
    assert measured("fixed", 5, 4) is None
    assert sentence(outcome("nested", 3)) is None


def test_a_rate_far_from_five_percent_is_told(rates):
    rates(row("fixed", 5, 1, 0.012), row("fixed", 5, 1, 0.047, learnable=False))
    assert sentence(outcome("fixed")) == (
        "The nearest comparisons that were simulated (5 folds; accuracy) show a difference where there is none in "
        "1.2% to 4.7% of cases, not in 5% (experiments/statistics.md)."
    )


def test_repeats_are_counted_over_all_seeds(rates):
    rates(row("fixed", 5, 1, 0.05), row("fixed", 5, 1, 0.08, seeds=3))
    told = sentence(outcome("fixed", scheme=Scheme(5, seeds=3)))
    assert told is not None
    assert "(5 folds, 3 seeds; accuracy)" in told
    assert "in 8.0% of cases" in told
    told = sentence(outcome("fixed", scheme=Scheme(5, repeats=2)))
    assert told is not None
    assert "(5 folds, 3 seeds; accuracy)" in told


def test_what_was_measured_with_repeats_is_not_called_seeds(rates):
    rates(row("fixed", 5, 3, 0.08))
    told = sentence(outcome("fixed", scheme=Scheme(5, seeds=3)))
    assert told is not None
    assert "(5 folds, 3 repeats; accuracy)" in told


def test_the_table_tells_seeds_from_repeats_as_the_simulation_has_them():
    with calibration.TABLE.open(encoding="utf-8") as file:
        measured_schemes = {tuple(int(row[name]) for name in ("folds", "repeats", "seeds")) for row in DictReader(file)}
    assert measured_schemes == {(each.folds, each.repeats, each.seeds) for each in (*SCHEMES, SEEDS)}


@pytest.mark.parametrize("rate, told", [(0.0299, True), (0.03, False), (0.07, False), (0.0701, True)])
def test_a_rate_within_three_to_seven_percent_is_not_told(rates, rate, told):
    rates(row("fixed", 5, 1, rate))
    assert (sentence(outcome("fixed")) is not None) is told


@pytest.mark.parametrize(
    "procedure, size, told",
    [
        ("fixed", 1, "1.0%"),
        ("named", 2, "1.0%"),
        ("other folds", 3, "2.0%"),
        ("nested", 3, "1.5%"),
        ("best", 2, "1.0%"),  # of two the best is no choice: there is but one pair
        ("best", 3, "9.0%"),
    ],
)
def test_the_procedure_is_that_of_the_choice_and_of_the_yardstick(rates, procedure, size, told):
    shares = {"fixed": 0.01, "other folds": 0.02, "nested": 0.015, "best": 0.09}
    rates(*(row(name, 5, 1, share) for name, share in shares.items()))
    found = sentence(outcome(procedure, size))
    assert found is not None
    assert f"in {told} of cases" in found


def test_of_several_procedures_the_worst_counts(rates):
    """Three candidates without a named baseline, each with two settings: the best of the chosen."""
    rates(row("best", 5, 1, 0.04), row("other folds", 5, 1, 0.02), row("fixed", 5, 1, 0.2))
    random = np.random.default_rng(0)
    jobs = []
    for activation in ("relu", "tanh", "elu"):
        made = recorded(Study("other folds", 2), Scheme(5), Scores(*random.random((2, 3, 5))), None)[1:]
        jobs += [
            replace(
                job,
                config=job.config.model_copy(
                    update={"model": job.config.model.model_copy(update={"activation": activation})}
                ),
            )
            for job in made
        ]
    found = compare_jobs(jobs, OPTIONS)
    assert {one.selection for one in found.candidates} == {"other folds"}
    assert found.families[0].tests == 3
    assert "in 2.0% to 4.0% of cases" in str(sentence(found))


def test_a_correction_for_several_baselines_counts_beside_the_choice(rates):
    """A choice was simulated for one comparison, several named ones where nothing was chosen."""
    rates(row("fixed", 5, 1, 0.01), row("other folds", 5, 1, 0.02), row("nested", 5, 1, 0.2))
    scores = np.random.default_rng(0).random((4, 5))
    jobs = [model("bp", scores[0], {"l2": 0.1}), model("bp", scores[1], {"l2": 0.2})]
    found = outcome_of([*jobs, model("softmax", scores[2]), model("logistic", scores[3])])
    assert {one.selection for one in found.candidates} == {"only", "other folds"}
    assert "in 1.0% to 2.0% of cases" in str(sentence(found))


def test_nothing_is_said_of_another_confidence_of_a_search_or_of_no_comparison(rates):
    rates(*(row(name, 5, 1, 0.2) for name in ("fixed", "other folds")))
    assert sentence(outcome("fixed")) is not None
    assert sentence(outcome("fixed", confidence=0.9)) is None
    chosen = outcome("other folds", 3)
    jobs = [job for setting in chosen.settings for job in setting.jobs]
    assert sentence(chosen) is not None
    assert sentence(compare_jobs(jobs, OPTIONS, searched=True)) is None
    assert sentence(compare_jobs(jobs[:1], OPTIONS)) is None


def test_the_answer_ends_with_it(rates):
    rates(row("fixed", 5, 1, 0.012))
    found = outcome("fixed")
    assert answer(found).endswith(f" {sentence(found)}")
    rates(row("fixed", 5, 1, 0.05))
    assert "simulated" not in answer(found)


@pytest.mark.parametrize("procedure", ["fixed", "other folds", "nested", "best"])
@pytest.mark.parametrize("folds, repeats", [(5, 1), (10, 1), (5, 5), (10, 10)])
def test_every_procedure_is_measured(procedure, folds, repeats):
    found = measured(procedure, folds, repeats)
    assert found is not None
    assert (found.folds, found.repeats) == (folds, repeats)
    assert 0 <= found.low <= found.high < 0.25
