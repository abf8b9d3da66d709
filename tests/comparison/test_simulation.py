import csv
from itertools import pairwise

import numpy as np
import pytest
from scipy.special import softmax
from scipy.stats import ttest_rel
from sklearn.neighbors import NearestCentroid

from src.comparison.calibration import TABLE
from src.comparison.candidates import find
from src.comparison.families import compare
from src.comparison.outcome import compare_jobs
from src.evaluation.folds import make_folds
from src.evaluation.metrics import score
from tests.simulation import rates
from tests.simulation.__main__ import PAGE, write
from tests.simulation.learners import (
    FEATURES,
    Parts,
    Scores,
    draw,
    expected_accuracy,
    nearest_centroid,
    separation_of,
)
from tests.simulation.procedures import METRIC, OPTIONS, Scheme, Study, Trial, recorded, simulate, trial_of
from tests.simulation.rates import Measured, Rate, Scenario, measure, prove

pytestmark = pytest.mark.slow

REPEATED = Scheme(5, repeats=5)
STUDIES = [
    Study("fixed"),
    Study("named", 3),
    Study("other folds", 9),
    Study("nested", 9),
    Study("best", 5),
    Study("best", 9),
]


def measured(scheme: Scheme, separation: float, *studies: Study, simulations: int) -> list[Measured]:
    learners = max(study.learners for study in studies)
    scenario = Scenario("test", scheme, (separation,) * learners, studies)
    return measure("test", [scenario], simulations, n_jobs=1)


def made_scores(learners: int, folds: int, seed: int = 0) -> Scores:
    random = np.random.default_rng(seed)
    return Scores(random.integers(20, 40, (learners, folds)) / 40, random.random((learners, folds)))


@pytest.mark.parametrize("folds", [5, 7])
def test_all_folds_at_once_score_what_scikit_learn_scores_one_by_one(folds):
    target = np.arange(60) % 2
    features = draw("test", 0, (0.5, 2.0), 60)
    splits = make_folds(target, folds=folds, repeats=2)
    found = nearest_centroid(features, target, Parts.of(target, splits))
    for learner, rows in enumerate(features):
        for place, fold in enumerate(splits):
            model = NearestCentroid().fit(rows[fold.train], target[fold.train])
            distances = ((rows[fold.test][:, None] - model.centroids_) ** 2).sum(axis=2)
            expected = score(target[fold.test], softmax(-distances / 2, axis=1))
            assert found.accuracy[learner, place] == model.score(rows[fold.test], target[fold.test])
            assert found.log_loss[learner, place] == pytest.approx(expected["log_loss"])


def test_the_true_accuracy_is_that_on_new_rows():
    per_class, separation = 16, 1.5
    target = np.arange(4000) % 2
    shares = []
    for number in range(200):
        train, test = (
            draw(f"train {number}", 0, [separation], 2 * per_class),
            draw(f"new {number}", 0, [separation], 4000),
        )
        model = NearestCentroid().fit(train[0], np.arange(2 * per_class) % 2)
        shares.append(model.score(test[0], target))
    error = np.std(shares) / np.sqrt(len(shares))
    assert expected_accuracy(separation, per_class) == pytest.approx(np.mean(shares), abs=3 * error)
    assert error < 0.003


def test_nothing_is_learned_from_noise_and_more_rows_teach_more():
    assert expected_accuracy(0.0, 80) == pytest.approx(0.5)
    accuracies = [expected_accuracy(1.0, rows) for rows in (8, 32, 80, 100_000)]
    assert all(fewer < more for fewer, more in pairwise(accuracies))
    assert accuracies[-1] == pytest.approx(0.6915, abs=1e-3)  # Φ(1/2), the best that there can be
    assert expected_accuracy(separation_of(0.8, 80), 80) == pytest.approx(0.8, abs=1e-6)


def test_learners_see_features_of_their_own_whose_centers_are_apart():
    features = draw("test", 3, (0.0, 2.0), 20_000)
    assert features.shape == (2, 20_000, FEATURES)
    centers = features[:, 1::2].mean(axis=1) - features[:, ::2].mean(axis=1)
    np.testing.assert_allclose(np.linalg.norm(centers, axis=1), [0, 2], atol=0.06)
    assert abs(np.corrcoef(features[:, ::2, 0])[0, 1]) < 0.04


@pytest.mark.parametrize("study", STUDIES, ids=lambda study: f"{study.procedure} {study.size}")
def test_the_procedure_is_the_one_that_is_run(study):
    """What the simulation calls a procedure is what the program makes of such jobs."""
    scores = made_scores(study.learners, 10)
    within = made_scores(study.learners, 10, seed=1) if study.procedure == "nested" else None
    [family] = compare_jobs(recorded(study, Scheme(10), scores, within), OPTIONS).families
    assert family.tests == study.tests
    assert family.yardstick == ("best" if study.procedure == "best" else "named")
    judged = next(one for one in family.candidates if one.model == "bp")
    assert judged.selection == (study.procedure if study.procedure in ("other folds", "nested") else "only")
    found = trial_of(study, Scheme(10), scores, within, [0.5] * study.learners)
    assert found.found == any(one.is_difference for one in family.comparisons)
    assert found.bias == judged.mean - 0.5


def test_seeds_are_jobs_of_one_setting():
    scheme = Scheme(5, repeats=2, seeds=3)
    scores = made_scores(3, 30)
    jobs = recorded(Study("other folds", 2), scheme, scores, None)
    assert len(jobs) == 9
    network = next(one for one in find("simulated", jobs, METRIC, 0.95)[0] if one.model == "bp")
    assert [len(setting.jobs) for setting in network.settings] == [3, 3]
    assert sorted(map(tuple, (setting.on_folds(METRIC) for setting in network.settings))) == sorted(
        map(tuple, scores.accuracy[1:])
    )


def test_the_contrast_of_a_fixed_pair_is_the_plain_paired_t_test():
    for seed in range(20):
        scores = made_scores(2, 10, seed)
        found = trial_of(Study("fixed"), Scheme(10), scores, None, [0.5, 0.5])
        assert found.contrast_found == (ttest_rel(*scores.accuracy).pvalue <= 0.05)


def test_a_difference_the_wrong_way_round_is_false():
    better = Scores(np.array([[0.5, 0.52, 0.51, 0.5, 0.49], [0.8, 0.79, 0.82, 0.8, 0.81]]), np.ones((2, 5)))
    right, wrong, none = (
        trial_of(Study("fixed"), Scheme(5), better, None, truth) for truth in ([0.5, 0.8], [0.6, 0.5], [0.7, 0.7])
    )
    assert (right.found, right.false, right.covered) == (1, 0, 1)
    assert (wrong.found, wrong.false, wrong.covered) == (1, 1, 0)
    assert (none.found, none.false, none.covered) == (1, 1, 0)


def test_a_fixed_pair_errs_about_as_often_as_promised_and_the_plain_test_far_more_often():
    """The full tables, 2,000 simulations a row, are in experiments/statistics.md."""
    [one] = measured(REPEATED, 1.0, Study("fixed"), simulations=200)
    assert 0.01 <= one.rate("false").share <= 0.07
    assert one.rate("contrast_found").share > 0.3
    assert one.rate("covered").share == 1 - one.rate("false").share
    assert abs(one.mean("bias")) < 0.006
    assert 0.91 <= one.rate("score_covered").share <= 0.99


def test_a_choice_on_the_scoring_folds_flatters_and_those_that_are_made_hardly_do():
    other, nested = measured(REPEATED, 0.0, Study("other folds", 9), Study("nested", 9), simulations=80)
    assert other.mean("contrast_bias") > 0.05
    assert other.mean("bias") < 0.035
    assert abs(nested.mean("bias")) < 0.01
    assert other.rate("contrast_found").share > 1.3 * other.rate("false").share
    assert nested.rate("false").share <= 0.08


def test_the_best_as_yardstick_has_to_be_corrected_for_all_pairs():
    [one] = measured(REPEATED, 0.0, Study("best", 9), simulations=100)
    assert one.rate("contrast_found").share > 0.15
    assert one.rate("false").share < 0.6 * one.rate("contrast_found").share


def test_named_baselines_have_to_be_corrected_for():
    [one] = measured(REPEATED, 1.0, Study("named", 3), simulations=100)
    assert one.rate("false").share <= 0.06
    assert one.rate("contrast_found").share > one.rate("false").share


def test_a_true_difference_of_the_printed_size_is_found_in_four_of_five_and_the_interval_holds_it():
    scheme, per_class = Scheme(10), 90
    [equal] = measured(scheme, 1.0, Study("fixed"), simulations=100)
    size = equal.mean("detectable")
    usual = expected_accuracy(1.0, per_class)
    apart = tuple(separation_of(usual + gap, per_class) for gap in (-size / 2, size / 2))
    [one] = measure("test", [Scenario("apart", scheme, apart, (Study("fixed"),))], 150, n_jobs=1)
    assert one.mean("detectable") == pytest.approx(size, rel=0.1)
    assert 0.7 <= one.rate("found").share <= 0.9
    assert one.rate("false").count == 0
    assert one.rate("covered").share >= 0.93


def test_equal_learners_rarely_differ_over_several_data_sets():
    found = rates.measure_across(80, n_jobs=1)
    assert {(one.sets, one.is_learnable) for one in found} == {(6, True), (6, False), (10, True), (10, False)}
    assert all(one.rate.share <= 0.1 for one in found)


def test_the_numbers_do_not_depend_on_the_number_of_processes(monkeypatch):
    monkeypatch.setattr(rates, "BATCH", 3)
    scenario = Scenario("test", Scheme(5), (1.0, 1.0), (Study("fixed"),))
    [alone], [together] = (measure("test", [scenario], 8, n_jobs=n_jobs) for n_jobs in (1, 2))
    assert alone.trials.shape == (8, len(Trial._fields))
    np.testing.assert_array_equal(alone.trials, together.trials)


def test_each_data_set_is_drawn_anew():
    scenario = Scenario("test", Scheme(5), (1.0, 1.0), (Study("fixed"),))
    assert len(np.unique(simulate(scenario, range(20))[0, :, Trial._fields.index("bias")])) > 10


def test_the_interval_of_a_rate_is_exact():
    # No error in 10: the upper limit solves (1 - p)^10 = 0.025.
    assert Rate(0, 10).interval == pytest.approx((0, 1 - 0.025**0.1))
    assert Rate(3, 10).share == 0.3


def test_page_and_table_hold_what_was_measured(tmp_path, monkeypatch):
    monkeypatch.setattr(rates, "SETS", (6,))
    proof = prove(simulations=2, schemes=[Scheme(5)], n_jobs=1)
    page, table = tmp_path / "statistics.md", tmp_path / "error_rates.csv"
    write(proof, page, table)
    assert_page_agrees(page.read_text(encoding="utf-8"), read_table(table))
    with table.open(encoding="utf-8") as file:
        assert len(file.readlines()) == 1 + len(proof.equal)
    assert "Each row of a table is 2 simulated data sets" in page.read_text(encoding="utf-8")


def test_the_page_and_the_table_in_the_project_are_of_one_measurement():
    assert_page_agrees(PAGE.read_text(encoding="utf-8"), read_table(TABLE))


def test_the_page_names_the_rates_outside_three_to_seven_percent():
    text = PAGE.read_text(encoding="utf-8")
    _, _, told = text.partition("outside 3% to 7%")
    told = told.partition("## ")[0]
    for row in read_table(TABLE):
        rate = float(row["rate"])
        if not 0.03 <= rate <= 0.07:
            assert f"{rate:.1%} (" in told


def read_table(path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def assert_page_agrees(page: str, table: list[dict[str, str]]) -> None:
    """Each rate of the table stands on the page, in the row of its data, rows and folds, in its procedure's section."""
    sections = dict(section.split("\n", 1) for section in page.split("\n## ")[1:])
    titles = {
        ("fixed", "1"): "No difference: one setting each",
        ("fixed", "3"): "No difference: three named baselines",
        "best": "No difference: the best as the yardstick",
        "other folds": "No difference: the best of several settings",
        "nested": "No difference: the best of several settings",
    }
    assert table
    for row in table:
        fixed = row["procedure"] == "fixed"
        title = titles[(row["procedure"], row["tests"]) if fixed else row["procedure"]]
        seeds = "" if row["seeds"] == "1" else f", {row['seeds']} seeds"
        scheme = f"{row['folds']} × {row['repeats']}{seeds}"
        data = "learnable" if row["learnable"] == "true" else "noise"
        size = "" if row["tests"] == "1" and fixed else f" {row['size']} |"
        start = f"| {data} | {row['rows']} | {scheme} |{size}"
        [line] = [line for line in sections[title].splitlines() if line.startswith(start)]
        rate, low, high = (float(row[name]) for name in ("rate", "low", "high"))
        cell = line.removeprefix(start).split(" | ")[3 if row["procedure"] == "nested" else 0]
        assert cell.strip() == f"{rate:.1%} ({low:.1%} to {high:.1%})"


def test_the_real_code_is_what_is_measured():
    """The scores that a study hands over are those the comparison tests, fold by fold."""
    scores = made_scores(2, 5)
    jobs = recorded(Study("fixed"), Scheme(5), scores, None)
    [one] = compare("simulated", find("simulated", jobs, METRIC, 0.95)[0], OPTIONS).comparisons
    np.testing.assert_array_equal(one.on_folds, scores.accuracy[1] - scores.accuracy[0])
    assert (one.model, one.baseline) == ("bp", "logistic")
