from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.contour import QuadContourSet
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from statsmodels.stats.proportion import proportion_confint

from src.comparison.across import AcrossData
from src.comparison.families import Comparison
from src.comparison.jobs import Setting
from src.comparison.outcome import Outcome
from src.evaluation.results import Curve, OutOfFold, ended_curve
from src.report.figures.curves import learning_curve
from src.report.figures.predictions import (
    calibration_curves,
    confusion_matrices,
    decision_regions,
    roc_curves,
)
from src.report.figures.scores import critical_differences, differences, intervals
from src.report.figures.settings import heat_map, metric_along, scattered
from src.report.figures.weights import hidden_weights
from src.report.material import Plane, decision_grid
from src.report.style import WIDTH, model_panels, styled, to_png
from tests.sweeps import Given, model, outcome_of

MakePredictions = Callable[..., OutOfFold]
RATE, L2 = "training.learning_rate", "training.l2"
FIVE = np.array([0.78, 0.79, 0.80, 0.81, 0.82])


def settings_of(jobs: Sequence[Given], metric: str = "accuracy") -> list[Setting]:
    """Settings of one data set, best first."""
    (board,) = outcome_of(jobs, metric=metric).boards.values()
    return list(board)


def swept(scores: dict[tuple[Any, ...], float], *keys: str) -> list[Setting]:
    """Settings of bp with a score for each combination of values of some keys."""
    jobs = [Given(dict(zip(keys, values, strict=True)), FIVE + score - 0.8) for values, score in scores.items()]
    return settings_of(jobs)


def labels(axis: Any) -> list[str]:
    return list(axis.get_major_formatter().seq)


def texts(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.texts]


def line(ax: Axes, label: str) -> np.ndarray:
    (found,) = [drawn for drawn in ax.lines if drawn.get_label() == label]
    return np.asarray(found.get_xydata())


def legend(drawn: Figure) -> list[str]:
    return [
        text.get_text()
        for one in (*drawn.legends, *filter(None, (ax.get_legend() for ax in drawn.axes)))
        for text in one.get_texts()
    ]


def curve(train: Sequence[float], test: Sequence[float], epochs: Sequence[int] | None = None) -> Curve:
    return Curve(np.array(epochs or range(1, len(train) + 1)), np.array(train, float), np.array(test, float))


# Learning curves


def test_learning_curves_show_mean_and_spread_of_both_parts() -> None:
    folds = [curve([3, 1, 1], [4, 2, 3]), curve([1, 1, 0.5], [2, 4, 5])]
    drawn = learning_curve({"bp": folds, "softmax": folds[:1]}, "cross_entropy")
    first, second = drawn.axes
    assert [first.get_title(loc="left"), second.get_title(loc="left")] == ["bp", "softmax"]
    assert (first.get_xlabel(), first.get_ylabel()) == ("epoch", "cross entropy")
    np.testing.assert_allclose(line(first, "training part"), [[1, 2], [2, 1], [3, 0.75]])
    np.testing.assert_allclose(line(first, "test fold"), [[1, 3], [2, 3], [3, 4]])
    band = first.collections[1].get_paths()[0].vertices
    assert band[:, 1].max() == pytest.approx(4 + np.sqrt(2))  # the third epoch: mean 4, sample deviation √2
    assert len(first.collections) == 2
    assert len(second.collections) == 0  # one fold has no spread
    assert legend(drawn) == ["training part", "test fold"]


def test_a_fold_that_stopped_early_keeps_its_loss() -> None:
    drawn = learning_curve({"bp": [curve([4, 2], [4, 2]), curve([4, 4, 4, 4], [2, 2, 2, 2])]})
    np.testing.assert_allclose(line(drawn.axes[0], "test fold")[:, 1], [3, 2, 2, 2])


def test_points_that_only_some_folds_have_are_interpolated() -> None:
    drawn = learning_curve({"bp": [curve([4, 2], [4, 2], [1, 3]), curve([1, 1, 1], [1, 1, 1])]})
    np.testing.assert_allclose(line(drawn.axes[0], "test fold"), [[1, 2.5], [2, 2], [3, 1.5]])


def test_the_mean_ends_where_a_fold_diverged() -> None:
    drawn = learning_curve({"bp": [curve([4, 2, np.nan], [4, 2, np.nan]), curve([4, 4, 4], [2, 2, 2])]})
    np.testing.assert_allclose(line(drawn.axes[0], "test fold")[:, 1], [3, 2, np.nan])
    assert texts(drawn.axes[0]) == ["✕ 1 fold diverged"]


def test_a_job_whose_folds_all_diverged_at_once_is_drawn() -> None:
    drawn = learning_curve({"bp": [curve([np.nan], [np.nan])] * 2})
    assert texts(drawn.axes[0]) == ["✕ 2 folds diverged"]
    to_png(drawn)


def test_the_loss_axis_is_logarithmic_over_many_powers_of_ten() -> None:
    assert learning_curve({"a": [curve([900, 1], [1000, 1])]}).axes[0].get_yscale() == "log"
    assert learning_curve({"a": [curve([9, 1], [10, 1])]}).axes[0].get_yscale() == "linear"
    assert learning_curve({"a": [curve([9, 0], [1000, 0])]}).axes[0].get_yscale() == "linear"


def test_different_losses_share_no_axis() -> None:
    curves = {"a": [curve([9, 1], [10, 1])], "b": [curve([0.9, 0.1], [0.8, 0.1])]}
    one, other = learning_curve(curves, {"a": "cross_entropy", "b": "squared_error"}).axes
    assert (one.get_ylabel(), other.get_ylabel()) == ("cross entropy", "squared error")
    assert one.get_ylim() != other.get_ylim()
    one, other = learning_curve(curves, dict.fromkeys(curves, "cross_entropy")).axes
    assert one.get_ylim() == other.get_ylim()


def test_names_of_panels_that_begin_alike_are_told_apart() -> None:
    names = [f"loss=squared_error, output={output}" for output in ("sigmoid", "softmax", "tanh")]
    titles = [ax.get_title(loc="left") for ax in learning_curve({name: [curve([1], [1])] for name in names}).axes]
    assert [" ".join(title.split()) for title in titles] == names


def test_a_diverged_fold_is_not_taken_for_one_that_stopped_early() -> None:
    stopped, diverged = (ended_curve(curve([1, 1], [1, 1]), epoch) for epoch in (None, 2))
    assert list(stopped.test_loss) == [1, 1]
    assert list(diverged.epochs) == [1, 2, 3]
    np.testing.assert_array_equal(diverged.test_loss, [1, 1, np.nan])
    told = curve([1, np.nan], [1, np.nan])
    assert ended_curve(told, 2) is told


# Scores


@pytest.mark.parametrize(
    "metric, sides", [("accuracy", ["◀ worse", "better ▶"]), ("log_loss", ["◀ better", "worse ▶"])]
)
def test_differences_show_every_fold_and_the_interval_of_the_family(
    metric: str, sides: list[str], make_verdicts: Callable[..., Outcome]
) -> None:
    comparisons = make_verdicts(metric=metric).comparisons
    drawn = differences(comparisons)
    ax = drawn.axes[0]
    assert labels(ax.yaxis) == [f"bp − {one.baseline}" for one in comparisons]
    assert texts(ax) == sides
    for place, comparison in enumerate(comparisons):
        dots, interval, mean = ax.lines[3 * place : 3 * place + 3]
        np.testing.assert_array_equal(dots.get_xdata(), comparison.on_folds)
        assert list(interval.get_xdata()) == [comparison.low, comparison.high]
        assert list(mean.get_xdata()) == [comparison.difference]
        assert set(interval.get_ydata()) == set(mean.get_ydata()) == {place}
    rope = ["equal in practice (±0.01)"] if metric == "accuracy" else []
    assert legend(drawn) == ["one fold", "mean", "95% interval, corrected", *rope]


def test_differences_to_one_baseline_name_it_once(one: Comparison) -> None:
    ax = differences([one, replace(one, model="softmax")]).axes[0]
    assert labels(ax.yaxis) == ["bp", "softmax"]
    assert "model − logistic" in ax.get_xlabel()


def test_identical_predictions_are_drawn_without_an_interval(one: Comparison) -> None:
    none = replace(one, on_folds=np.zeros(5), difference=0.0, low=-np.inf, high=np.inf, verdict="identical", rope=None)
    drawn = differences([none])
    assert len(drawn.axes[0].lines) == 3  # the folds, the mean, the line at zero
    to_png(drawn)


def test_a_row_that_reaches_very_far_leaves_the_axis_to_the_others(verdicts: Outcome) -> None:
    comparisons = list(verdicts.comparisons)
    far = replace(comparisons[0], model="failed", on_folds=np.append(np.zeros(9), -9.0), low=-3.0, high=1.2)
    near, ax = (differences(rows).axes[0] for rows in (comparisons, [*comparisons, far]))
    assert ax.get_xlim() == pytest.approx(near.get_xlim(), rel=0.5)
    arrows = [drawn for drawn in ax.lines if drawn.get_marker() in ("<", ">")]
    assert [(drawn.get_marker(), drawn.get_ydata()[0]) for drawn in arrows] == [("<", 3), (">", 3)]
    assert ax.get_xlabel().endswith("arrows: beyond the axis")
    assert "arrows" not in near.get_xlabel()


def test_rows_stand_below_the_name_of_their_data_set(one: Comparison) -> None:
    rows = [one, replace(one, model="softmax"), replace(one, data="wine")]
    ax = differences([replace(row, data="iris") if row.data == "made" else row for row in rows]).axes[0]
    assert labels(ax.yaxis) == ["iris", "bp", "softmax", "wine", "bp"]
    jobs = [
        model(name, FIVE - loss, dataset=data, data=data * 16)
        for data in ("iris", "wine")
        for name, loss in (("bp", 0.0), ("softmax", 0.1))
    ]
    candidates = outcome_of(jobs).candidates
    ax = intervals(candidates, "test/accuracy", 0.95).axes[0]
    assert labels(ax.yaxis) == ["iris", "bp", "softmax", "wine", "bp", "softmax"]
    assert [(text.get_text(), text.xy[1]) for text in ax.texts] == [
        ("0.800", 1),
        ("0.700", 2),
        ("0.800", 4),
        ("0.700", 5),
    ]


def test_each_model_has_its_own_interval(verdicts: Outcome) -> None:
    ax = intervals(verdicts.candidates, "test/accuracy", 0.95).axes[0]
    for place, candidate in enumerate(verdicts.candidates):
        bar, mean = ax.lines[2 * place : 2 * place + 2]
        assert list(bar.get_xdata()) == [candidate.low, candidate.high]
        assert list(mean.get_xdata()) == [candidate.mean]
    assert "95% interval" in ax.get_xlabel()
    assert labels(ax.yaxis) == [candidate.name for candidate in verdicts.candidates]


# Mean ranks, critical difference, and the first and last place of each bar.
CLIQUES = {
    "overlapping": ([1.2, 2.0, 2.9, 3.9], 1.25, [(0, 1), (1, 2), (2, 3)]),
    "Demšar's": ([1.964, 2.000, 2.893, 3.143], 1.25, [(0, 3)]),
    "apart": ([1.0, 2.5, 4.0], 1.2, []),
    "nested": ([1.0, 1.5, 1.9, 3.5], 1.0, [(0, 2)]),
}


@pytest.mark.parametrize("ranks, critical, bars", CLIQUES.values(), ids=CLIQUES)
def test_bars_join_what_the_critical_difference_does_not_part(
    ranks: list[float], critical: float, bars: list[tuple[int, int]]
) -> None:
    names = tuple("abcd"[: len(ranks)])
    scores = np.zeros((len(ranks), 14))
    data = tuple(f"set {place}" for place in range(14))
    drawn = critical_differences(AcrossData(data, names, np.array(ranks), scores, 0.01, critical, (), 0, ()))
    ax = drawn.axes[0]
    wide = [line.get_xdata() for line in ax.lines if line.get_linewidth() == 4]
    assert [(round(x[0] + 0.03, 3), round(x[1] - 0.03, 3)) for x in wide] == [
        (ranks[first], ranks[last]) for first, last in bars
    ]
    shown = [text.strip() for text in texts(ax)]
    assert shown == [*(f"{name}  {rank:.2f}" for name, rank in zip(names, ranks, strict=True)), shown[-1]]
    assert shown[-1] == f"critical difference {critical:.2f}"
    scale = [line.get_xdata() for line in ax.lines if line.get_linewidth() == 2]
    np.testing.assert_allclose(scale, [[1, 1 + critical]])
    assert "14 data sets" in ax.get_title(loc="left")
    to_png(drawn)


def grid_texts(ax: Axes, shape: tuple[int, int]) -> np.ndarray:
    grid = np.full(shape, "", dtype=object)
    for text in ax.texts:
        x, y = text.get_position()
        grid[round(y), round(x)] = text.get_text()
    return grid


@pytest.mark.parametrize("metric", ["test/accuracy", "test/log_loss"])
def test_a_heat_map_annotates_every_cell_and_frames_the_best(grid: list[Given], metric: str) -> None:
    ax = heat_map(settings_of(grid[:-1], metric), RATE, L2, metric).axes[0]
    assert labels(ax.xaxis) == ["0.1", "1", "30"]
    assert labels(ax.yaxis) == ["0", "0.001"]
    shown = [["0.700", "0.800", "diverged"], ["0.900", "0.600", "not run"]]
    if metric == "test/log_loss":
        shown = [["0.300", "0.200", "diverged"], ["0.100", "0.400", "not run"]]
    assert grid_texts(ax, (2, 3)).tolist() == shown
    (frame,) = [patch for patch in ax.patches if isinstance(patch, Rectangle) and not patch.get_fill()]
    assert frame.get_xy() == (-0.5, 0.5)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("learning_rate", "l2")
    # Darker is better, whichever way the metric points.
    image = ax.images[0]
    better, worse = (0.9, 0.6) if metric == "test/accuracy" else (0.1, 0.4)
    lightness = {value: sum(image.cmap(image.norm(value))[:3]) for value in (better, worse)}
    assert lightness[better] < lightness[worse]


def test_a_heat_map_tells_that_a_job_failed_and_that_it_shows_the_best(grid: list[Given]) -> None:
    ax = heat_map(settings_of(grid), RATE, L2).axes[0]
    assert grid_texts(ax, (3, 3))[2, 0] == "failed"
    assert "best over model" in ax.get_title(loc="left")


def test_a_cell_shows_the_best_of_its_settings() -> None:
    scores = {(0.1, 0.0, 1): 0.4, (0.1, 0.0, 2): 0.6, (0.1, 0.0, 3): 0.5}
    ax = heat_map(swept(scores, RATE, L2, "training.epochs"), RATE, L2).axes[0]
    assert texts(ax) == ["0.600"]
    assert "best over epochs" in ax.get_title(loc="left")


def test_values_are_ordered_by_size_and_lists_by_length() -> None:
    sizes = [[16, 4], [8], [4, 4], [], [16]]
    rates = [10.0, 1e-5, 0.3, 2.0, 0.5]
    jobs = [Given({RATE: rate, "model.hidden_layer_sizes": size}, FIVE) for rate in rates for size in sizes]
    ax = heat_map(settings_of(jobs), RATE, "model.hidden_layer_sizes").axes[0]
    assert labels(ax.xaxis) == ["1e-05", "0.3", "0.5", "2", "10"]
    assert labels(ax.yaxis) == ["[]", "[8]", "[16]", "[4, 4]", "[16, 4]"]


def test_a_heat_map_without_any_score_is_drawn() -> None:
    drawn = heat_map(swept({(1, 0.0): np.nan, (2, 0.0): np.nan}, RATE, L2), RATE, L2)
    assert texts(drawn.axes[0]) == ["diverged", "diverged"]
    to_png(drawn)


def lines_of(settings: Sequence[Setting], key: str = L2) -> dict[str, list[Setting]]:
    lines: dict[str, list[Setting]] = {}
    for setting in settings:
        lines.setdefault(f"{setting.flat[key]:g}", []).append(setting)
    return dict(sorted(lines.items()))


def test_a_metric_along_one_setting(grid: list[Given]) -> None:
    drawn = metric_along(lines_of(settings_of(grid[:-1])), RATE)
    ax = drawn.axes[0]
    assert labels(ax.xaxis) == ["0.1", "1", "30"]
    assert legend(drawn) == ["0", "0.001"]
    np.testing.assert_allclose(line(ax, "0")[:, 1], [0.7, 0.8, np.nan])
    np.testing.assert_allclose(line(ax, "0.001")[:, 1], [0.9, 0.6, np.nan])
    looks = {(one.get_color(), one.get_linestyle(), one.get_marker()) for one in ax.lines}
    assert len(looks) == 2
    spread = np.std([-0.04, -0.02, 0, 0.02, 0.04], ddof=1)
    assert ax.collections[0].get_paths()[0].vertices[:, 1].max() == pytest.approx(0.8 + spread)


def test_losses_that_differ_by_powers_of_ten_are_on_a_logarithmic_axis() -> None:
    def scale(metric: str, *scores: float) -> str:
        settings = swept({(place + 1,): score for place, score in enumerate(scores)}, RATE)
        return metric_along({"bp": settings}, RATE, metric).axes[0].get_yscale()

    assert scale("test/log_loss", 0.9, -7.0) == "log"  # losses of 0.1 and 8
    assert scale("test/log_loss", 0.9, 0.2) == "linear"
    assert scale("test/accuracy", 0.01, 0.9) == "linear"


def test_many_lines_have_no_bands_and_tell_what_else_varies() -> None:
    keys = (RATE, L2, "training.epochs")
    settings = swept({(rate, l2, epochs): 0.5 for rate in (1, 2) for l2 in (0, 1) for epochs in range(1, 6)}, *keys)
    many = lines_of(settings, "training.epochs")
    few = {name: many[name] for name in ("1", "2")}
    assert len(metric_along(few, RATE).axes[0].collections) == 2
    assert len(metric_along(many, RATE).axes[0].collections) == 0
    assert metric_along(many, RATE).axes[0].get_title(loc="left").endswith("(best over l2)")


def test_points_stand_at_their_ticks_and_no_tick_is_lost() -> None:
    settings = swept({(value,): 0.5 for value in (0.1, 1.0, 30.0)}, RATE)
    ax = metric_along({"bp": settings}, RATE).axes[0]
    assert line(ax, "bp")[:, 0].tolist() == [0, 1, 2]
    low, high = ax.get_xlim()
    assert low < 0
    assert high > 2


def searched(count: int) -> list[Setting]:
    rng = np.random.default_rng(0)
    tried = {(float(10 ** rng.uniform(-4, 1)), float(rng.uniform(0, 1))): rng.uniform(0.5, 0.9) for _ in range(count)}
    return swept({**tried, (20.0, 0.5): np.nan}, RATE, L2)


def test_many_numbers_stand_at_their_places() -> None:
    settings = searched(20)
    ax = metric_along({"bp": settings}, RATE).axes[0]
    assert ax.get_xscale() == "log"
    rates = sorted(setting.flat[RATE] for setting in settings)
    np.testing.assert_allclose(line(ax, "bp")[:, 0], rates)
    assert ax.lines[0].get_linestyle() == "None"
    assert metric_along({"bp": settings}, L2).axes[0].get_xscale() == "linear"
    assert metric_along({"bp": searched(5)}, RATE).axes[0].get_xscale() == "linear"


def test_a_search_over_two_settings_is_points_the_best_framed() -> None:
    settings = searched(20)
    drawn = scattered(settings, RATE, L2)
    ax = drawn.axes[0]
    (points,) = ax.collections
    assert len(points.get_offsets()) == 20
    best = ax.lines[1].get_xydata()[0]
    np.testing.assert_allclose(best, [settings[0].flat[RATE], settings[0].flat[L2]])
    assert ax.lines[0].get_xydata().tolist() == [[20.0, 0.5]]  # without a score
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "linear")
    to_png(drawn)
    to_png(scattered(swept({(1, 0.0): np.nan, (2, 0.0): np.nan}, RATE, L2), RATE, L2))


def test_panel_titles_break_between_words() -> None:
    names = ["HistGradientBoostingClassifier", "sklearn_logistic with quite a long name", "bp"]
    with styled():
        _, axes, _ = model_panels(names, "loss", {3: (WIDTH, 3.4)})
    assert [ax.get_title(loc="left").split("\n") for ax in axes] == [
        ["HistGradient", "BoostingClassifier"],
        ["sklearn_logistic", "with quite a long …"],
        ["bp"],
    ]


# Predictions


def test_the_grid_covers_the_data_x_running_fastest() -> None:
    features = np.array([[0.0, 5.0], [10.0, 5.0]])
    grid = decision_grid(features, points=11)
    assert (grid.x[0], grid.x[-1]) == pytest.approx((-0.6, 10.6))
    assert (grid.y[0], grid.y[-1]) == pytest.approx((4.5, 5.5))  # a feature that does not vary has room too
    np.testing.assert_array_equal(grid.rows[:11, 0], grid.x)
    assert set(grid.rows[:11, 1]) == {grid.y[0]}
    assert grid.rows.shape == (121, 2)


def test_the_boundary_is_where_both_classes_are_equally_probable() -> None:
    features, target = np.array([[0.0, 0.0], [1.0, 1.0], [0.0, 1.0]]), np.array([0, 1, 0])
    grid = decision_grid(features)
    second = 1 / (1 + np.exp(-5 * (grid.rows[:, 0] + grid.rows[:, 1] - 1)))
    flat = np.full((len(grid.rows), 2), 0.5)
    predicted = {"bp": np.column_stack([1 - second, second]), "flat": flat}
    drawn = decision_regions(Plane(grid, predicted, features, target, ("a", "b"), ("no", "yes")))
    first, other = drawn.axes
    (boundary,) = [item for item in first.collections if isinstance(item, QuadContourSet)]
    points = np.concatenate([path.vertices for path in boundary.get_paths()])
    np.testing.assert_allclose(points.sum(axis=1), 1, atol=1e-3)
    assert not any(isinstance(item, QuadContourSet) for item in other.collections)
    assert legend(drawn) == ["no", "yes", "boundary: P(yes) = 0.5"]
    assert (first.get_xlabel(), first.get_ylabel()) == ("a", "b")
    np.testing.assert_array_equal(line(first, "no"), features[target == 0])
    np.testing.assert_array_equal(line(first, "yes"), features[target == 1])
    assert line(first, "no") is not None
    assert len({item.get_marker() for item in first.lines}) == 2


def test_three_classes_have_a_region_each() -> None:
    features, target = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, 1.0]]), np.array([0, 1, 2])
    grid = decision_grid(features, points=51)
    distance = ((grid.rows[:, None] - features) ** 2).sum(axis=2)
    probabilities = np.exp(-distance) / np.exp(-distance).sum(axis=1, keepdims=True)
    drawn = decision_regions(Plane(grid, {"bp": probabilities}, features, target, ("a", "b"), ("r", "s", "t")))
    shown = drawn.axes[0].images[0].get_array()
    np.testing.assert_array_equal(np.asarray(shown).ravel(), distance.argmin(axis=1))
    assert legend(drawn) == ["r", "s", "t"]


def test_confusion_matrices_count_rows_of_the_true_class() -> None:
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6], [0.7, 0.3], [0.1, 0.9]])
    made = OutOfFold(np.arange(5) % 2, np.array([0, 0, 0, 1, 1]), probabilities)
    ax = confusion_matrices({"bp": made}, ("no", "yes")).axes[0]
    assert grid_texts(ax, (2, 2)).tolist() == [["1", "2"], ["1", "1"]]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("predicted class", "true class")
    assert labels(ax.xaxis) == labels(ax.yaxis) == ["no", "yes"]
    np.testing.assert_allclose(ax.images[0].get_array(), [[1 / 3, 2 / 3], [1 / 2, 1 / 2]])


def test_diverged_folds_are_left_out_openly(make_predictions: MakePredictions) -> None:
    made = make_predictions()
    made.probabilities[made.fold == 1] = np.nan
    count = (made.fold != 1).sum()
    ax = confusion_matrices({"bp": made}, ("no", "yes")).axes[0]
    assert sum(map(int, texts(ax))) == count
    assert ax.get_xlabel() == "predicted class\n(1 diverged fold left out)"
    assert "left out" in calibration_curves({"bp": made}, ("no", "yes")).axes[0].get_xlabel()
    assert "left out" in legend(roc_curves({"bp": made}, ("no", "yes")))[0]


def test_a_model_that_diverged_everywhere_is_drawn_empty(make_predictions: MakePredictions) -> None:
    made = make_predictions()
    made.probabilities[:] = np.nan
    for drawn in (
        confusion_matrices({"bp": made}, ("no", "yes")),
        roc_curves({"bp": made}, ("no", "yes")),
        calibration_curves({"bp": made}, ("no", "yes")),
    ):
        to_png(drawn)


@pytest.mark.parametrize("classes", [2, 3])
def test_roc_areas_are_the_leaderboards(
    classes: int, make_predictions: MakePredictions, fold_auc: Callable[[OutOfFold], np.ndarray]
) -> None:
    made = {name: make_predictions(classes, seed=seed) for seed, name in enumerate(("bp", "softmax"))}
    drawn = roc_curves(made, ["a", "b", "c"][:classes])
    for name, text in zip(made, legend(drawn), strict=False):
        areas = fold_auc(made[name])
        assert text == f"{name}: AUC {areas.mean():.3f} ± {areas.std(ddof=1):.3f}"
    assert legend(drawn)[-1] == "chance: AUC 0.5"
    ax = drawn.axes[0]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("false positive rate", "true positive rate")
    drawn_curve = np.asarray(ax.lines[0].get_xydata())
    assert drawn_curve[0].tolist() == [0, 0]
    assert drawn_curve[-1].tolist() == [1, 1]
    assert (np.diff(drawn_curve, axis=0) >= 0).all()
    assert np.trapezoid(drawn_curve[:, 1], drawn_curve[:, 0]) == pytest.approx(fold_auc(made["bp"]).mean(), abs=0.01)


def test_of_curves_that_are_nearly_perfect_the_corner_is_shown() -> None:
    second = np.linspace(0, 1, 80)
    made = OutOfFold(np.arange(80) % 4, (second > 0.5).astype(int), np.column_stack([1 - second, second]))
    drawn = roc_curves({"bp": made}, ("no", "yes"))
    assert drawn.axes[0].get_xlim()[1] < 0.3
    assert drawn.axes[0].get_title(loc="left") == "Corner of the ROC of class yes, mean over folds"
    assert legend(drawn) == ["bp: AUC 1.000 ± 0.000"]


def test_calibration_compares_predictions_with_what_came_true() -> None:
    second = np.repeat([0.1, 0.3, 0.6, 0.9], 16)
    true = np.concatenate([np.arange(16) < share for share in (2, 4, 8, 15)]).astype(int)
    made = OutOfFold(np.zeros(64, int), true, np.column_stack([1 - second, second]))
    ax = calibration_curves({"bp": made}, ("no", "yes")).axes[0]
    (bars,) = [container for container in ax.containers if hasattr(container, "has_yerr")]
    points = np.asarray(bars.lines[0].get_xydata())
    np.testing.assert_allclose(points, [[0.1, 2 / 16], [0.3, 4 / 16], [0.6, 8 / 16], [0.9, 15 / 16]])
    segments = bars.lines[2][0].get_segments()
    for segment, count in zip(segments, (2, 4, 8, 15), strict=True):
        np.testing.assert_allclose(segment[:, 1], proportion_confint(count, 16, method="wilson"), atol=1e-12)
    assert ax.get_xlabel() == "predicted P(yes)"


def test_calibration_of_three_classes_is_of_the_most_probable(make_predictions: MakePredictions) -> None:
    made = make_predictions(3, rows=30)
    ax = calibration_curves({"bp": made}, ("a", "b", "c")).axes[0]
    (bars,) = [container for container in ax.containers if hasattr(container, "has_yerr")]
    points = np.asarray(bars.lines[0].get_xydata())
    assert points[:, 0].mean() == pytest.approx(made.probabilities.max(axis=1).mean())
    assert points[:, 1].mean() == pytest.approx((made.probabilities.argmax(axis=1) == made.target).mean())


def test_hidden_units_are_shown_strongest_first_on_one_scale() -> None:
    weights = np.array([[0.1, 0.0, 0.0, 0.0, 0.0, 0.2], [1.0, -2.0, 0.0, 0.0, 0.0, 0.0], [0.0] * 6])
    drawn = hidden_weights(weights, (2, 3))
    assert [ax.get_title() for ax in drawn.axes[:3]] == ["unit 1", "unit 0", "unit 2"]
    np.testing.assert_array_equal(drawn.axes[0].images[0].get_array(), weights[1].reshape(2, 3))
    assert {ax.images[0].get_clim() for ax in drawn.axes[:3]} == {(-2.0, 2.0)}
    assert "(2 of 3)" in hidden_weights(weights, (2, 3), limit=2).get_suptitle()
    with pytest.raises(ValueError, match="do not fill"):
        hidden_weights(weights, (8, 8))
