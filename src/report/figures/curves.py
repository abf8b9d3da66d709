"""Loss by epoch."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from src.evaluation.results import Curve
from src.language import say, say_number
from src.report.style import COLORS, FAINT, LINES, WIDTH, figure, log_scale, model_panels
from src.report.words import metric_label


@figure
def learning_curve(curves: Mapping[str, Sequence[Curve]], loss: str | Mapping[str, str] = "loss") -> Figure:
    """Train and test loss by epoch, a panel for each model: mean and standard deviation over folds.

    A fold that stopped early keeps its last loss, as the network it would predict with does. Where a fold diverged the
    mean ends, and the place is marked: the rest alone would flatter the setting.

    Parameters
    ----------
    curves : each model's fold curves by its name, as `ended_curve` has them; at least one model with at least one
        curve.
    loss : label of the vertical axis, e.g. ``cross_entropy``, or each model's own: different losses share no axis. It
        is logarithmic where the losses span more than two powers of ten.
    """
    losses = {name: loss if isinstance(loss, str) else loss[name] for name in curves}
    alike = len(set(losses.values())) == 1
    sizes = {1: (WIDTH, 3.6), **dict.fromkeys((2, 3), (WIDTH, 3.0))}
    labels = [metric_label(losses[name]) for name in curves]
    drawn, axes, _ = model_panels(curves, labels[0], sizes, sharex=True, sharey=alike)
    for ax, folds, label in zip(axes, curves.values(), labels, strict=True):
        _draw_folds(ax, folds)
        ax.set_xlabel(say("epoch"))
        if not alike:
            ax.set_ylabel(label)
    together = [[one for folds in curves.values() for one in folds]] if alike else curves.values()
    for ax, shown in zip(axes, together, strict=False):
        log_scale(ax, "y", np.concatenate([curve.test_loss for curve in shown]))
    several = any(len(folds) > 1 for folds in curves.values())
    note = say("band: ± one standard deviation over folds") if several else None
    drawn.legend(
        *axes[0].get_legend_handles_labels(), loc="outside upper right", ncols=2, title=note, title_fontsize=8.5
    )
    return drawn


def _draw_folds(ax: Axes, folds: Sequence[Curve]) -> None:
    epochs = np.unique(np.concatenate([curve.epochs for curve in folds]))
    parts = ((say("training part"), "train_loss"), (say("test fold"), "test_loss"))
    for place, (label, part) in enumerate(parts):
        losses = np.array([_at(epochs, curve.epochs, getattr(curve, part)) for curve in folds])
        mean = losses.mean(axis=0)
        ax.plot(epochs, mean, color=COLORS[place], linestyle=LINES[1 - place], label=label)
        if len(folds) > 1:
            spread = losses.std(axis=0, ddof=1)
            ax.fill_between(epochs, mean - spread, mean + spread, color=COLORS[place], alpha=0.16, linewidth=0)
    _mark_divergence(ax, epochs, losses)


def _mark_divergence(ax: Axes, epochs: NDArray[np.int64], losses: NDArray[np.float64]) -> None:
    """A cross where the mean ends because folds have diverged."""
    diverged = int(np.isnan(losses[:, -1]).sum())
    if not diverged:
        return
    mean = losses.mean(axis=0)
    finite = np.flatnonzero(np.isfinite(mean))
    if finite.size:
        end = finite[-1]
        ax.plot(epochs[end], mean[end], marker="X", markersize=9, color="black", linestyle="none")
    told = say_number("✕ {number} fold diverged", "✕ {number} folds diverged", diverged)
    ax.text(0.98, 0.96, told, transform=ax.transAxes, ha="right", va="top", color=FAINT)


def _at(wanted: NDArray[np.int64], epochs: NDArray[np.int64], loss: NDArray[np.floating]) -> NDArray[np.float64]:
    """A fold's loss at the wanted epochs: interpolated, held after its end; NaN from where it stops being finite."""
    finite = np.isfinite(loss)
    if not finite.any():
        return np.full(wanted.shape, np.nan)
    held = np.interp(wanted, epochs[finite], loss[finite])
    return held if finite[-1] else np.where(wanted > epochs[finite][-1], np.nan, held)
