"""What the models predicted: out-of-fold predictions, and the regions they decide for."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from src.evaluation.results import OutOfFold
from src.evaluation.shares import wilson_interval
from src.language import say, say_number
from src.report.material import Grid, Plane
from src.report.style import (
    COLORS,
    FAINT,
    INK,
    MARKERS,
    RULE,
    WIDTH,
    categories,
    figure,
    model_panels,
    panels,
    series,
)
from src.report.words import mean_and_spread, plain

_NEAR_PERFECT = 0.98  # area under a ROC curve that is hardly told from the square's edges

FloatArray = NDArray[np.floating]


@figure
def decision_regions(plane: Plane) -> Figure:
    """The plane of two features as each model divides it, side by side, with the data.

    Two classes: shaded by the probability of the second, the line is where it is one half. More: tinted by the most
    probable class.
    """
    grid, (x_name, y_name) = plane.grid, plane.feature_names
    sizes = {1: (5.4, 4.6), 2: (WIDTH, 3.9), 3: (WIDTH, 3.2)}
    drawn, axes, columns = model_panels(plane.predicted, plain(y_name, 30), sizes, sharex=True, sharey=True)
    for ax, predicted in zip(axes, plane.predicted.values(), strict=True):
        _shade(ax, grid, predicted)
        for code, name in enumerate(plane.class_names):
            color = COLORS[code % len(COLORS)]
            # Full and hollow in turn, for those who see no difference between the colors.
            full = {"markerfacecolor": color, "markeredgecolor": "white", "markeredgewidth": 0.5, "markersize": 5.2}
            hollow = {"markerfacecolor": "white", "markeredgecolor": color, "markeredgewidth": 1.4, "markersize": 4.6}
            look: dict[str, Any] = hollow if code % 2 else full
            ax.plot(
                *plane.features[plane.target == code].T, MARKERS[code % len(MARKERS)], label=plain(name, 24), **look
            )
        ax.set_xlim(grid.x[0], grid.x[-1])
        ax.set_ylim(grid.y[0], grid.y[-1])
        ax.grid(visible=False)
        ax.set_xlabel(plain(x_name, 72 // columns))
    handles, labels = axes[0].get_legend_handles_labels()
    if len(plane.class_names) == 2:
        handles.append(Line2D([], [], color=INK, linewidth=1.8))
        labels.append(say("boundary: {probability} = 0.5", probability=f"P({plain(plane.class_names[1], 24)})"))
    drawn.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), 5))
    return drawn


@figure
def confusion_matrices(predictions: Mapping[str, OutOfFold], class_names: Sequence[str]) -> Figure:
    """Rows of each true class by predicted class, for each model; shaded by the share of the true class.

    The most probable class is the predicted one. Counts are over all test folds, of all repeats.
    """
    few, most = len(class_names) <= 3, 3 if len(class_names) <= 5 else 2
    widths = {1: 3.6 if few else 4.8, 2: 2.6 if few else WIDTH / 2, 3: WIDTH / 3}
    sizes = {columns: (width * columns, min(width + 0.3, 4.6)) for columns, width in widths.items()}
    drawn, axes, columns = model_panels(predictions, say("true class"), sizes, most=most, square=True)
    width = widths[columns]
    fontsize = float(np.clip(42 * width / 2.4 / len(class_names), 4.5, 11))
    for place, (ax, made) in enumerate(zip(axes, predictions.values(), strict=True)):
        kept, left_out = _finite(made)
        counts = np.zeros((len(class_names), len(class_names)), dtype=int)
        np.add.at(counts, (kept.target, kept.probabilities.argmax(axis=1)), 1)
        share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        ax.imshow(share, cmap="Blues", vmin=0, vmax=1)
        for row, column in np.ndindex(*counts.shape):
            color = "white" if share[row, column] > 0.55 else INK if counts[row, column] else FAINT
            ax.text(column, row, str(counts[row, column]), ha="center", va="center", fontsize=fontsize, color=color)
        categories(ax, class_names, limit=14, room=int(8.5 * width))
        categories(ax, class_names if place % columns == 0 else [""] * len(class_names), "y", limit=14)
        ax.grid(visible=False)
        ax.tick_params(length=0)
        ax.set_xlabel("\n".join([say("predicted class"), *left_out]))
    return drawn


@figure
def roc_curves(predictions: Mapping[str, OutOfFold], class_names: Sequence[str]) -> Figure:
    """Receiver operating characteristic of each model: the mean over folds of the folds' own curves.

    Averaged vertically (Fawcett 2006, algorithm 3), so that probabilities of different networks are never pooled; the
    area in the legend is the mean and standard deviation over folds, as in the leaderboard. Two classes: the second is
    positive. More: the mean over one class against the rest. Folds that lack a class have no curve. Of curves that are
    all near the edges of the square the corner between these is shown.
    """
    drawn, (ax,) = panels(1, height=4.7, width=5.0)
    at = np.linspace(0, 1, 401)
    means = []
    for place, (name, made) in enumerate(predictions.items()):
        kept, left_out = _finite(made)
        curves, areas = _fold_curves(kept, at)
        if not len(curves):
            continue
        means.append(float(areas.mean()))
        score = mean_and_spread(areas.mean(), areas.std(ddof=1) if len(areas) > 1 else None)
        label = "\n".join([f"{plain(name, 40)}: AUC {score}", *left_out])
        rates = np.append(0.0, at), np.append(0.0, curves.mean(axis=0))
        ax.plot(*rates, markevery=(14 + 5 * place, 100), label=label, **series(place))
    ax.set_xlabel(say("false positive rate"))
    ax.set_ylabel(say("true positive rate"))
    title = say("ROC, mean over classes and folds")
    if len(class_names) == 2:
        title = say("ROC of class {name}, mean over folds", name=plain(class_names[1], 24))
    if min(means, default=0.0) > _NEAR_PERFECT:
        # On the whole square such curves are its edges: what differs is in the corner.
        ax.set(xlim=(-0.005, 0.255), ylim=(0.745, 1.005), aspect="equal")
        _ticks(ax, (0.0, 0.05, 0.1, 0.15, 0.2, 0.25), (0.75, 0.8, 0.85, 0.9, 0.95, 1.0))
        title = say("Corner of the {figure}", figure=title)
    else:
        ax.plot([0, 1], [0, 1], color=FAINT, linewidth=1, linestyle=":", label=say("chance: AUC 0.5"))
        _unit_square(ax, (0.0, 0.25, 0.5, 0.75, 1.0))
    ax.set_title(title)
    ax.legend(loc="lower right", frameon=True, facecolor="white", framealpha=0.9, edgecolor="none")
    return drawn


@figure
def calibration_curves(predictions: Mapping[str, OutOfFold], class_names: Sequence[str]) -> Figure:
    """How often what is predicted with a probability comes true, a panel for each model.

    Two classes: the probability of the second. More: that of the most probable class. Bins hold equally many
    predictions; bars are 95 % Wilson intervals of the share; below, how the probabilities are spread.
    """
    sizes, sharing = {1: (4.8, 4.6), 2: (WIDTH, 3.9), 3: (WIDTH, 2.9)}, {"sharex": True, "sharey": True}
    drawn, axes, _ = model_panels(predictions, say("share that came true"), sizes, square=True, **sharing)
    two = len(class_names) == 2
    for ax, made in zip(axes, predictions.values(), strict=True):
        kept, left_out = _finite(made)
        predicted = kept.probabilities[:, 1] if two else kept.probabilities.max(axis=1)
        true = kept.target == (1 if two else kept.probabilities.argmax(axis=1))
        ax.plot([0, 1], [0, 1], color=FAINT, linewidth=1, linestyle=":", label=say("perfectly calibrated"))
        heights, edges = np.histogram(predicted, bins=20, range=(0, 1))
        ax.bar(edges[:-1], 0.14 * heights / max(int(heights.max()), 1), 0.05, align="edge", color=RULE, zorder=1)
        if len(predicted):
            mean, share, low, high = _reliability(predicted, true)
            bars = [np.maximum(share - low, 0), np.maximum(high - share, 0)]
            ax.errorbar(
                mean, share, yerr=bars, color=COLORS[0], marker="o", elinewidth=1, capsize=2, label=say("model")
            )
        _unit_square(ax, (0.0, 0.5, 1.0))
        label = say("predicted {probability}", probability=f"P({plain(class_names[1], 16)})")
        ax.set_xlabel("\n".join([label if two else say("predicted probability"), *left_out]))
    return drawn


def _shade(ax: Axes, grid: Grid, predicted: FloatArray) -> None:
    shape = (len(grid.y), len(grid.x))
    extent = (float(grid.x[0]), float(grid.x[-1]), float(grid.y[0]), float(grid.y[-1]))
    if predicted.shape[1] == 2:
        second = predicted[:, 1].reshape(shape)
        away = np.abs(2 * second - 1)[..., None]  # from one half, which is white
        tint = np.where(second[..., None] < 0.5, _tint(COLORS[0], 0.42), _tint(COLORS[1], 0.42))
        ax.imshow(1 - away * (1 - tint), extent=extent, origin="lower", aspect="auto", interpolation="bilinear")
        if second.min() < 0.5 < second.max():
            ax.contour(grid.x, grid.y, second, levels=[0.5], colors=[INK], linewidths=1.8)
        return
    codes = predicted.argmax(axis=1).reshape(shape)
    tints = ListedColormap([_tint(COLORS[code % len(COLORS)], 0.22) for code in range(predicted.shape[1])])
    ax.imshow(*(codes, tints), vmin=-0.5, vmax=predicted.shape[1] - 0.5, extent=extent, origin="lower", aspect="auto")
    for code in range(predicted.shape[1]):
        ahead = predicted[:, code] - np.delete(predicted, code, axis=1).max(axis=1)
        if ahead.min() < 0 < ahead.max():
            ax.contour(grid.x, grid.y, ahead.reshape(shape), levels=[0.0], colors=[FAINT], linewidths=1.2)


def _tint(color: str, strength: float) -> FloatArray:
    """A color mixed with white."""
    return 1 - strength * (1 - np.array(to_rgb(color)))


def _finite(made: OutOfFold) -> tuple[OutOfFold, list[str]]:
    """The predictions without those of diverged networks, and what to say of these, if there are any."""
    kept = np.isfinite(made.probabilities).all(axis=1)
    if kept.all():
        return made, []
    diverged = len(np.unique(made.fold[~kept]))
    left_out = say_number("({number} diverged fold left out)", "({number} diverged folds left out)", diverged)
    fold, target, probabilities = made.fold[kept], made.target[kept], made.probabilities[kept]
    return replace(made, fold=fold, target=target, probabilities=probabilities), [left_out]


def _fold_curves(made: OutOfFold, at: FloatArray) -> tuple[FloatArray, FloatArray]:
    """True positive rate of each fold at the wanted false positive rates, shape (folds, at), and each fold's area."""
    n_classes = made.probabilities.shape[1]
    curves, areas = [], []
    for fold in np.unique(made.fold):
        target, probabilities = made.target[made.fold == fold], made.probabilities[made.fold == fold]
        if len(np.unique(target)) < n_classes:
            continue
        rates = [
            _rates(target == code, probabilities[:, code]) for code in (range(n_classes) if n_classes > 2 else (1,))
        ]
        curves.append(np.mean([np.interp(at, false, true) for false, true in rates], axis=0))
        areas.append(np.mean([np.trapezoid(true, false) for false, true in rates]))
    return np.array(curves), np.array(areas)


def _rates(positive: NDArray[np.bool_], score: FloatArray) -> tuple[FloatArray, FloatArray]:
    """False and true positive rates as the threshold falls past each score, from 0 to 1.

    They are scikit-learn's `roc_curve`, whose import takes 1.5 s.
    """
    order = np.argsort(-score, kind="stable")
    last = np.append(np.flatnonzero(np.diff(score[order])), len(score) - 1)  # of the rows that share a score
    true = np.append(0, np.cumsum(positive[order])[last])
    return (np.append(0, last + 1) - true) / (~positive).sum(), true / positive.sum()


def _reliability(
    predicted: FloatArray, true: NDArray[np.bool_]
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Mean prediction, share that came true and its Wilson 95 % interval, in bins of equally many predictions."""
    bins = int(np.clip(len(predicted) // 16, 2, 10))
    order = np.argsort(predicted, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    mean = np.array([predicted[part].mean() for part in parts])
    share = np.array([true[part].mean() for part in parts])
    return mean, share, *wilson_interval(share, [len(part) for part in parts], 0.95)


def _unit_square(ax: Axes, ticks: Sequence[float]) -> None:
    ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    _ticks(ax, ticks, ticks)


def _ticks(ax: Axes, x: Sequence[float], y: Sequence[float]) -> None:
    ax.set_xticks(x, [f"{tick:g}" for tick in x])
    ax.set_yticks(y, [f"{tick:g}" for tick in y])
