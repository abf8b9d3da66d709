import numpy as np
import pytest
from sklearn.neighbors import NearestCentroid

from src.evaluation import simulation
from src.evaluation.folds import make_folds
from src.evaluation.simulation import ErrorRate, Setting, nearest_centroid, page, simulate


def test_corrected_test_keeps_its_level_and_the_plain_one_does_not() -> None:
    """The full table, 1,000 simulations a row, is in experiments/statistics.md."""
    plain, corrected = simulate(Setting(features=20, separation=1.0, folds=10, repeats=10), simulations=200)
    assert 0.03 <= corrected.rate <= 0.07
    assert plain.rate > 0.4


def test_vectorized_nearest_centroid_is_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    target = np.arange(60) % 2
    features = rng.standard_normal((60, 4)) + 0.5 * target[:, np.newaxis]
    folds = make_folds(target, folds=5, repeats=2)
    expected = [
        NearestCentroid().fit(features[f.train], target[f.train]).score(features[f.test], target[f.test]) for f in folds
    ]
    np.testing.assert_allclose(nearest_centroid(features, target, folds), expected)


def test_simulation_is_reproducible() -> None:
    setting = Setting(features=5, separation=1.0, folds=5, repeats=1)
    assert simulate(setting, simulations=50, seed=1) == simulate(setting, simulations=50, seed=1)


def test_interval_of_a_rate_is_exact() -> None:
    # No error in 10: the upper limit solves (1 - p)^10 = 0.025.
    assert ErrorRate(0, 10).interval == pytest.approx((0, 1 - 0.025**0.1))
    assert ErrorRate(3, 10).rate == 0.3


def test_page_shows_the_rates() -> None:
    text = page([(Setting(5, 1.0, 10, 10), (ErrorRate(575, 1000), ErrorRate(48, 1000)))])
    assert "| 5 | 69% | 10 × 10-fold | 57.5% (54.4% to 60.6%) | 4.8% (3.6% to 6.3%) |" in text
    assert "1,000 times" in text


def test_command_writes_and_shows_the_page(tmp_path, monkeypatch, capsys) -> None:
    file = tmp_path / "experiments" / "statistics.md"
    monkeypatch.setattr(simulation, "PAGE", file)
    monkeypatch.setattr(simulation, "SETTINGS", (Setting(5, 0.0, 2, 1),))
    simulation.main()
    [row] = [line for line in file.read_text(encoding="utf-8").splitlines() if line.startswith("| 5 | 50% |")]
    assert row in capsys.readouterr().out
