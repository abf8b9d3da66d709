"""Scores of settings and candidates: ranked, paired by fold, and over the values that were swept."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from src.comparison.across import AcrossData
from src.comparison.candidates import Candidate
from src.comparison.families import Comparison
from src.comparison.jobs import MODEL, Setting
from src.comparison.naming import distinct, grouped, is_number, value_text, varying
from src.evaluation.metrics import higher_is_better
from src.language import say
from src.report.style import COLORS, FAINT, INK, RULE, categories, figure, log_scale, panels, series
from src.report.tables import trouble_word
from src.report.words import metric_label, number, percent, plain

_FAR = 12  # times the usual reach of a row
_MOST_BANDS = 4
MOST_VALUES = 15  # of a key that stand as categories; more numbers, as a search tries them, stand at their places


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


@figure
def heat_map(settings: Sequence[Setting], x: str, y: str, metric: str = "test/accuracy") -> Figure:
    """A metric over two swept keys, darker is better; every cell with its value, the best one framed.

    The values are categories in rising order, equally far apart however they are spaced. Where several settings share a
    cell it shows the best of them, and the title names what else varied. A combination without a job is hatched as not
    run, one without a score by its fate: diverged, failed.

    Parameters
    ----------
    settings
        Best first.
    x, y
        Dotted keys, e.g. ``training.learning_rate`` and ``training.l2``.
    """
    columns, rows = _values(settings, x), _values(settings, y)
    cells = _best_settings(settings, [x, y])
    scores = np.full((len(rows), len(columns)), np.nan)
    for (column, row), setting in cells.items():
        scores[rows.index(row), columns.index(column)] = setting.score(metric)
    size = max(0.32 * len(rows), 1.0) + 1.1
    drawn, (ax,) = panels(1, height=min(size, 9.0))
    image = ax.imshow(scores, **_colors(scores, metric), aspect="auto", origin="lower")
    best = None
    if np.isfinite(scores).any():
        best = np.unravel_index(np.nanargmax(scores if higher_is_better(metric) else -scores), scores.shape)
        ax.add_patch(
            Rectangle((best[1] - 0.5, best[0] - 0.5), 1, 1, fill=False, edgecolor=COLORS[1], linewidth=2.5, zorder=3)
        )
    fontsize = float(np.clip(60 / max(len(columns), 1), 5.0, 9.0))
    for row, column in np.ndindex(*scores.shape):
        value = scores[row, column]
        if np.isnan(value):
            ax.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor="white", edgecolor=RULE, hatch="////"))
        dark = np.isfinite(value) and image.cmap(image.norm(value))[:3] @ np.array([0.299, 0.587, 0.114]) < 0.55
        there = cells.get((columns[column], rows[row]))
        fate = say("not run") if there is None else trouble_word(there) or say("diverged")
        text = number(value) if np.isfinite(value) else fate
        ax.text(
            *(column, row, text),
            ha="center",
            va="center",
            fontsize=fontsize if np.isfinite(value) else min(fontsize, 7.5),
            color="white" if dark else INK,
            weight="bold" if best == (row, column) else "normal",
            bbox=None if np.isfinite(value) else {"facecolor": "white", "edgecolor": "none", "pad": 0.8},
        )
    categories(ax, columns)
    categories(ax, rows, "y")
    ax.grid(visible=False)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    _label_grid(drawn, image, settings, [x, y], metric)
    return drawn


@figure
def metric_along(lines: Mapping[str, Sequence[Setting]], axis: str, metric: str = "test/accuracy") -> Figure:
    """A metric along one swept key, a line for each candidate; bands: one standard deviation over folds.

    The key's values are categories in rising order, or, of more numbers than can be told apart so, places on an axis,
    and then points without a line. Where several settings share a point it shows the best of them.
    More than four lines have no bands, which would hide one another. A loss is on a logarithmic axis where it spans
    more than a power of ten.

    Parameters
    ----------
    lines
        Settings that have the key, best first, by the line's name.
    axis
        Dotted key along the horizontal axis, e.g. ``training.learning_rate``.
    """
    every = [setting for settings in lines.values() for setting in settings]
    places, scale = _values(every, axis), numeric_places(every, axis)
    drawn, (ax,) = panels(1, height=3.6)
    bands = scale is None and len(lines) <= _MOST_BANDS
    means = []
    for number_of_line, (line, settings) in enumerate(lines.items()):
        points = _best_settings(settings, [axis])
        scores = {place: (one.score(metric), one.spread(metric)) for (place,), one in points.items()}
        mean, spread = np.array([scores.get(place, (np.nan, np.nan)) for place in places]).T
        look = series(number_of_line) | ({} if scale is None else {"linestyle": "none"})
        beside = (number_of_line - (len(lines) - 1) / 2) * 0.08 / max(len(lines) - 1, 1)  # so that none hides another
        at = np.arange(len(places)) + beside if scale is None else np.array(scale)
        ax.plot(at, mean, label=plain(line, 40), **look)
        if bands:
            ax.fill_between(at, mean - spread, mean + spread, color=look["color"], alpha=0.13, linewidth=0)
        means.append(mean[np.isfinite(mean)])
    shown = np.concatenate(means)
    if not higher_is_better(metric) and log_scale(ax, "y", shown, times=10):
        ax.set_ylim(0.7 * shown.min(), 1.4 * shown.max())
    if scale is None:
        categories(ax, places)
        ax.set_xlim(-0.2, len(places) - 0.8)
    else:
        log_scale(ax, "x", scale)
    ax.set_xlabel(_leaf(axis))
    ax.set_ylabel(say("test {metric}", metric=metric_label(metric)))
    shown_metric = say("{metric} by {key}", metric=metric_label(metric), key=_leaf(axis))
    ax.set_title(_best_over(shown_metric, lines.values(), [axis]))
    if len(lines) > 1:
        title = say("band: ± one standard deviation over folds") if bands else None
        columns = 5 if max(map(len, lines)) <= 16 else 2
        drawn.legend(loc="outside lower center", ncols=min(len(lines), columns), title=title, title_fontsize=8.5)
    return drawn


@figure
def scattered(settings: Sequence[Setting], x: str, y: str, metric: str = "test/accuracy") -> Figure:
    """A metric over two keys that a search has tried at many values: a point for each setting, darker is better.

    The best is framed. Settings without a score are crosses.

    Parameters
    ----------
    settings
        Best first.
    x, y
        Dotted keys whose values are numbers.
    """
    having = [setting for setting in settings if x in setting.flat and y in setting.flat]
    at = np.array([[setting.flat[x], setting.flat[y]] for setting in having], dtype=float)
    scores = np.array([setting.score(metric) for setting in having])
    scored = np.isfinite(scores)
    drawn, (ax,) = panels(1, height=3.8)
    ax.plot(*at[~scored].T, "x", color=FAINT, linestyle="none", label=say("no score"))
    look: dict[str, Any] = {
        "c": scores[scored],
        "edgecolors": FAINT,
        "linewidths": 0.6,
        "zorder": 3,
        **_colors(scores, metric),
    }
    points = ax.scatter(*at[scored].T, **look)
    if scored.any():
        best = np.flatnonzero(scored)[0]
        ax.plot(*at[best], "s", color=COLORS[1], markersize=13, markerfacecolor="none", markeredgewidth=2, zorder=4)
    for which, values in zip("xy", at.T, strict=True):
        log_scale(ax, which, values)
    if not scored.all():
        ax.legend(loc="best")
    _label_grid(drawn, points, settings, [x, y], metric)
    return drawn


def numeric_places(settings: Sequence[Setting], key: str) -> list[float] | None:
    """The values of a key, ascending, where they are too many numbers to stand as categories; else None."""
    values = distinct([setting.flat for setting in settings], key)
    return values if len(values) > MOST_VALUES and all(map(is_number, values)) else None


def _leaf(key: str) -> str:
    return key.rsplit(".", 1)[-1] if key != MODEL else say("model")


def _values(settings: Sequence[Setting], key: str) -> list[str]:
    """The values of a key: numbers by size, lists by length and then by their items, then words as they come."""
    return [value_text(value) for value in sorted(distinct([one.flat for one in settings], key), key=_order)]


def _order(value: Any) -> tuple[int, tuple[float, ...]]:
    items = value if isinstance(value, list) else [value]
    if any(isinstance(item, str | bool) or item is None for item in items):
        return 1_000_000, ()
    return len(items), tuple(items)


def _best_settings(settings: Sequence[Setting], keys: Sequence[str]) -> dict[tuple[str, ...], Setting]:
    """The best setting for each combination of values; one without a score stands only where there is no other."""
    best: dict[tuple[str, ...], Setting] = {}
    for setting in settings:
        if all(key in setting.flat for key in keys):
            best.setdefault(tuple(value_text(setting.flat[key]) for key in keys), setting)
    return best


def _best_over(title: str, lines: Iterable[Sequence[Setting]], fixed: Sequence[str]) -> str:
    """A title with what else varies within the settings of a line, or of the whole figure."""
    keys = [key for settings in lines for key in varying([setting.flat for setting in settings])]
    others = dict.fromkeys(_leaf(key) for key in keys if key not in fixed)
    return say("{title} (best over {keys})", title=title, keys=say(", ").join(others)) if others else title


def _colors(scores: NDArray[np.float64], metric: str) -> dict[str, Any]:
    """Colors from the best to the tenth from the worst, so that one bad cell does not flatten the rest."""
    upward = higher_is_better(metric)
    low, high = 0.0, 1.0
    if np.isfinite(scores).any():
        worst = np.nanquantile(scores, 0.1 if upward else 0.9)
        low, high = (worst, np.nanmax(scores)) if upward else (np.nanmin(scores), worst)
    norm = Normalize(float(low), float(max(high, low + 1e-9)), clip=True)
    return {"cmap": "Blues" if upward else "Blues_r", "norm": norm}


def _label_grid(drawn: Figure, colored: Any, settings: Sequence[Setting], keys: Sequence[str], metric: str) -> None:
    """Name the axes of a figure over two keys and say what it shows; where there is a score, what the colors mean."""
    ax, norm = colored.axes, colored.norm
    ax.set(xlabel=_leaf(keys[0]), ylabel=_leaf(keys[1]))
    ax.set_title(say("{title}; best framed", title=_best_over(metric_label(metric), [settings], keys)))
    scores = np.ma.compressed(np.ma.masked_invalid(colored.get_array()))
    if not scores.size:
        return
    beyond = "min" if scores.min() < norm.vmin - 1e-12 else "max" if scores.max() > norm.vmax + 1e-12 else "neither"
    bar = drawn.colorbar(colored, ax=ax, extend=beyond, pad=0.02, fraction=0.05)
    bar.set_label(say("test {metric}", metric=metric_label(metric)))
    bar.outline.set_edgecolor(RULE)
