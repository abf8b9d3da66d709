"""Scores of settings over the values that were swept."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from src.comparison.jobs import MODEL, Setting
from src.comparison.naming import distinct, is_number, value_text, varying
from src.evaluation.metrics import higher_is_better
from src.language import say
from src.report.style import COLORS, FAINT, INK, RULE, categories, figure, log_scale, panels, series
from src.report.tables import trouble_word
from src.report.words import metric_label, number, plain

_MOST_BANDS = 4
MOST_VALUES = 15  # of a key that stand as categories; more numbers, as a search tries them, stand at their places


@figure
def heat_map(settings: Sequence[Setting], x: str, y: str, metric: str = "test/accuracy") -> Figure:
    """A metric over two swept keys, darker is better; every cell with its value, the best one framed.

    The values are categories in rising order, equally far apart however they are spaced. Where several settings share a
    cell it shows the best of them, and the title names what else varied. A combination without a job is hatched as not
    run, one without a score by its fate: diverged, failed.

    Parameters
    ----------
    settings : best first.
    x, y : dotted keys, e.g. ``training.learning_rate`` and ``training.l2``.
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
    lines : settings that have the key, best first, by the line's name.
    axis : dotted key along the horizontal axis, e.g. ``training.learning_rate``.
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
    settings : best first.
    x, y : dotted keys whose values are numbers.
    """
    having = [setting for setting in settings if x in setting.flat and y in setting.flat]
    at = np.array([[setting.flat[x], setting.flat[y]] for setting in having], dtype=float)
    scores = np.array([setting.score(metric) for setting in having])
    scored = np.isfinite(scores)
    drawn, (ax,) = panels(1, height=3.8)
    ax.plot(*at[~scored].T, "x", color=FAINT, linestyle="none", label=say("no score"))
    look: dict[str, Any] = {"c": scores[scored], "edgecolors": FAINT, "linewidths": 0.6, **_colors(scores, metric)}
    points = ax.scatter(*at[scored].T, zorder=3, **look)
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
