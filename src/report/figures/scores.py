"""Scores of candidates: ranked, and paired by fold."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from src.comparison.across import AcrossData
from src.comparison.candidates import Candidate
from src.comparison.families import Comparison
from src.comparison.naming import grouped
from src.evaluation.metrics import higher_is_better
from src.language import say
from src.report.style import COLORS, FAINT, INK, RULE, categories, figure, panels
from src.report.words import metric_label, number, percent, plain

_FAR = 12  # times the usual reach of a row


def _rows(labels: Sequence[str], data: Sequence[str]) -> tuple[list[str], list[int]]:
    """Labels from the top, those of several data sets below the name of each; where the rows stand among them."""
    labeled: list[str] = []
    places: list[int] = []
    for name, group in grouped(zip(data, labels, strict=True)).items():
        labeled += [name] * (len(set(data)) > 1)
        places += range(len(labeled), len(labeled) + len(group))
        labeled += group
    return labeled, places


def _name_rows(ax: Axes, labels: Sequence[str], places: Sequence[int]) -> None:
    categories(ax, labels, "y", limit=48)
    ax.set_ylim(len(labels) - 0.5, -0.5)
    ax.grid(axis="y", visible=False)
    ax.tick_params(axis="y", length=0)
    for head in sorted(set(range(len(labels))) - set(places)):
        ax.get_yticklabels()[head].set_fontweight("bold")
        if head:
            ax.axhline(head - 0.5, color=RULE, linewidth=0.8, zorder=0)


def _draw_interval(ax: Axes, place: int, mean: float, ends: Sequence[float]) -> None:
    if len(ends) == 2:
        ax.plot(ends, [place, place], color=COLORS[0], linewidth=3, solid_capstyle="butt", zorder=3)
    ax.plot(mean, place, "D", color=COLORS[0], markeredgecolor="white", markersize=8, zorder=5)


@figure
def intervals(candidates: Sequence[Candidate], metric: str, confidence: float) -> Figure:
    """Each candidate's mean test score with its own confidence interval, grouped by data set; at least one."""
    labels, places = _rows([one.name for one in candidates], [one.data for one in candidates])
    drawn, (ax,) = panels(1, height=1.0 + 0.3 * max(len(labels), 3))
    right: dict[str, Any] = {"xycoords": ("axes fraction", "data"), "va": "center", "fontsize": 8.5, "color": INK}
    for place, one in zip(places, candidates, strict=True):
        _draw_interval(ax, place, one.mean, [one.low, one.high])
        ax.annotate(number(one.mean), (1.01, place), **right)
    center = float(np.median([one.mean for one in candidates]))
    _name_rows(ax, labels, places)
    label = say(
        "test {metric}: mean over folds and corrected {confidence} interval",
        metric=metric_label(metric),
        confidence=percent(confidence),
    )
    _show_most(ax, places, [np.array([one.mean, one.low, one.high]) for one in candidates], center, label)
    ax.set_title(say("{metric}, best first", metric=metric_label(metric)))
    return drawn


@figure
def differences(comparisons: Sequence[Comparison]) -> Figure:
    """Comparisons by one metric, grouped by data set: fold by fold, the mean and its simultaneous confidence interval.

    There is at least one.
    """
    baselines = {one.baseline for one in comparisons}
    one_baseline = len(baselines) == 1
    names = [plain(one.model) if one_baseline else f"{one.model} − {one.baseline}" for one in comparisons]
    labels, places = _rows(names, [one.data for one in comparisons])
    label = say("difference in {metric}", metric=metric_label(comparisons[0].metric))
    if one_baseline:
        label = say("{difference}: model − {baseline}", difference=label, baseline=plain(baselines.pop(), 40))
    count, first, values = len(labels), comparisons[0], []
    rope = first.rope or 0.0
    drawn, (ax,) = panels(1, height=1.15 + (0.62 if count <= 6 else 0.4 if count <= 12 else 0.31) * count)
    for place, row in zip(places, comparisons, strict=True):
        offsets = np.linspace(-0.26, 0.26, len(row.on_folds))
        ax.plot(row.on_folds, place + offsets, "o", color=FAINT, markersize=4.5, markerfacecolor="white", zorder=4)
        ends = [end for end in (row.low, row.high) if np.isfinite(end)]
        _draw_interval(ax, place, row.difference, ends)
        values.append(np.array([*ends, row.difference, *row.on_folds, -1.6 * rope, 1.6 * rope]))
    ax.axvline(0, color=INK, linewidth=1, zorder=1)
    _name_rows(ax, labels, places)
    _show_most(ax, places, values, 0.0, label)
    key: list[Any] = [
        Line2D([], [], marker="o", linestyle="none", color=FAINT, markerfacecolor="white", label=say("one fold")),
        Line2D([], [], marker="D", linestyle="none", color=COLORS[0], label=say("mean")),
        Line2D(
            *([], []),
            color=COLORS[0],
            linewidth=3,
            label=say("{confidence} interval, corrected", confidence=percent(first.confidence)),
        ),
    ]
    if rope:
        ax.axvspan(-rope, rope, color=RULE, alpha=0.55, linewidth=0, zorder=0)
        key.append(
            Rectangle((0, 0), 1, 1, color=RULE, alpha=0.55, label=say("equal in practice (±{rope})", rope=f"{rope:g}"))
        )
    upward = say("◀ worse"), say("better ▶")
    sides = upward if higher_is_better(first.metric) else (say("◀ better"), say("worse ▶"))
    for x, side, align in ((0.0, sides[0], "left"), (1.0, sides[1], "right")):
        ax.text(x, 1.02, side, transform=ax.transAxes, ha=align, va="bottom", color=FAINT, fontsize=8.5)
    drawn.legend(handles=key, loc="outside lower center", ncols=4)
    return drawn


@figure
def critical_differences(found: AcrossData) -> Figure:
    """Mean ranks over data sets; candidates joined by a bar differ by less than the critical difference (Nemenyi).

    After Demšar, JMLR 7 (2006), figure 1. `found` must have a critical difference.
    """
    assert found.critical_difference is not None
    count = len(found.names)
    bars = _cliques(found.ranks, found.critical_difference)
    drawn, (ax,) = panels(1, height=1.3 + 0.26 * count + 0.12 * len(bars))
    for place, (name, rank) in enumerate(zip(found.names, found.ranks, strict=True)):
        left = place < (count + 1) // 2
        height = 1 + len(bars) * 0.4 + (place if left else count - 1 - place)
        edge = 1 - 0.08 * count if left else count + 0.08 * count
        ax.plot([rank, rank, edge], [0, height, height], color=INK, linewidth=1)
        text = f" {plain(name, 32)}  {rank:.2f} "
        ax.text(edge, height, text, ha="right" if left else "left", va="center", fontsize=9)
    for row, (first, last) in enumerate(bars):
        at = 0.5 + 0.4 * row
        ax.plot([found.ranks[first] - 0.03, found.ranks[last] + 0.03], [at, at], color=COLORS[1], linewidth=4)
    ax.plot([1, 1 + found.critical_difference], [-1.1, -1.1], color=FAINT, linewidth=2)
    critical = say("critical difference {size}", size=f"{found.critical_difference:.2f}")
    ax.text(1, -1.4, critical, ha="left", va="bottom", color=FAINT)
    ax.set_xlim(1 - 0.5 * count, count + 0.5 * count)
    ax.set_ylim(1.5 + len(bars) * 0.4 + (count + 1) // 2, -2)
    ax.xaxis.set_ticks_position("top")
    ax.set_xticks(range(1, count + 1))
    ax.spines[:].set_visible(False)
    ax.plot([1, count], [0, 0], color=INK, linewidth=1.2)
    ax.set_yticks([])
    ax.grid(visible=False)
    ax.set_title(say("mean rank over {count} data sets, best on the left", count=len(found.data)))
    return drawn


def _cliques(ranks: NDArray[np.float64], critical: float) -> list[tuple[int, int]]:
    """First and last place of each longest row of ranks that lie within the critical difference of one another."""
    ends = [int(np.flatnonzero(ranks - rank < critical).max()) for rank in ranks]
    return [(first, last) for first, last in enumerate(ends) if last > first and (first == 0 or ends[first - 1] < last)]


def _show_most(
    ax: Axes, places: Sequence[int], values: Sequence[NDArray[np.floating]], center: float, label: str
) -> None:
    """Limit the horizontal axis to where rows are, and label it.

    One row that reaches very far, with a fold in which a network failed, would press all others together. It leaves
    the axis, with an arrow at the edge.
    """
    finite = [row[np.isfinite(row)] for row in values]
    reaches = [float(np.abs(row - center).max(initial=0)) for row in finite]
    typical = float(np.median(reaches))
    most = 4 * typical if max(reaches) > _FAR * typical else max(reaches)
    shown = np.concatenate(finite)
    shown = shown[np.abs(shown - center) <= most] if shown.size else np.array([center])
    left, right = float(shown.min()), float(shown.max())
    margin = 0.04 * (right - left) or 0.01
    ax.set_xlim(left - margin, right + margin)
    arrows = [
        (place, edge)
        for place, row in zip(places, finite, strict=True)
        for edge, beyond in ((0, row < left), (1, row > right))
        if beyond.any()
    ]
    outside: dict[str, Any] = {"transform": ax.get_yaxis_transform(), "clip_on": False, "zorder": 6}
    for place, edge in arrows:
        ax.plot(edge, place, "<>"[edge], color=INK, markersize=7, **outside)
    if arrows:
        ax.tick_params(axis="y", pad=10)
    ax.set_xlabel(say("{label}; arrows: beyond the axis", label=label) if arrows else label)
