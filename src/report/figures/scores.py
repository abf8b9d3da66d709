"""Scores of jobs: ranked, paired by fold, and over the settings that were swept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from src.evaluation.metrics import higher_is_better
from src.evaluation.significance import Comparison
from src.report.style import COLORS, FAINT, INK, MARKERS, RULE, categories, figure, log_scale, panels, series
from src.report.tables import MODEL, job_label, model_name, ranked, varying
from src.report.words import is_missing, metric_label, number, plain, short_name, value_text

_FAR = 12  # times the usual reach of a row
_MOST_BANDS = 4


@figure
def leaderboard_figure(jobs: pd.DataFrame, metric: str = "test/accuracy", limit: int = 25) -> Figure:
    """The best jobs, best on top: mean and standard deviation over folds of their test score.

    Parameters
    ----------
    jobs
        A table of jobs as `src.report.tables` describes it.
    limit
        Jobs to show at most; the figure says how many there were.
    """
    table = ranked(jobs, metric)
    scored = table[pd.to_numeric(table[metric], errors="coerce").notna()]
    shown, keys = scored.head(limit), varying(jobs)
    models = list(dict.fromkeys(model_name(job) for _, job in shown.iterrows()))
    drawn, (ax,) = panels(1, height=1.0 + 0.27 * max(len(shown), 3))
    for place, (_, job) in enumerate(shown.iterrows()):
        model = models.index(model_name(job))
        spread = _score(job, f"std/{short_name(metric)}")
        ax.errorbar(
            _score(job, metric),
            place,
            xerr=None if np.isnan(spread) else spread,
            color=COLORS[model % len(COLORS)],
            marker=MARKERS[model % len(MARKERS)],
            markersize=6.5,
            elinewidth=1.6,
            capsize=3,
        )
        ax.annotate(
            number(job[metric]), (1.01, place), xycoords=("axes fraction", "data"), va="center", fontsize=8.5, color=INK
        )
    categories(ax, [job_label(job, keys) for _, job in shown.iterrows()], "y", limit=48)
    ax.set_ylim(max(len(shown), 1) - 0.5, -0.5)
    ax.grid(axis="y", visible=False)
    ax.set_xlabel(f"test {metric_label(metric)}: mean and ± one standard deviation over folds")
    ax.set_title(_counted(f"{metric_label(metric)}, best first", len(shown), len(scored), len(table)))
    if not len(shown):
        ax.text(0.5, 0.5, "no job has a result", transform=ax.transAxes, ha="center", va="center", color=FAINT)
    return drawn


@dataclass(frozen=True)
class Rows:
    """Rows one below the other, each group under its name.

    Attributes
    ----------
    labels
        Of all places from the top, groups' names among them.
    places
        Where each row stands.
    heads
        Where each group's name stands; none where there is one group.
    """

    labels: list[str]
    places: list[int]
    heads: list[int]


def _rows(labels: Sequence[str], groups: Sequence[str]) -> Rows:
    """Place rows below the names of their groups, which follow each other."""
    made = Rows([], [], [])
    for place, (label, group) in enumerate(zip(labels, groups, strict=True)):
        if len(set(groups)) > 1 and (place == 0 or group != groups[place - 1]):
            made.heads.append(len(made.labels))
            made.labels.append(group)
        made.places.append(len(made.labels))
        made.labels.append(label)
    return made


def _name_rows(ax: Axes, rows: Rows) -> None:
    categories(ax, rows.labels, "y", limit=48)
    ax.set_ylim(len(rows.labels) - 0.5, -0.5)
    ax.grid(axis="y", visible=False)
    ax.tick_params(axis="y", length=0)
    for head in rows.heads:
        ax.get_yticklabels()[head].set_fontweight("bold")
        if head:
            ax.axhline(head - 0.5, color=RULE, linewidth=0.8, zorder=0)


@figure
def intervals(
    scores: Mapping[str, tuple[float, float, float]],
    metric: str = "test/accuracy",
    groups: Mapping[str, tuple[str, str]] | None = None,
) -> Figure:
    """Each model's mean test score with its confidence interval, best on top.

    Parameters
    ----------
    scores
        Mean, lower and upper end by the model's name; at least one.
    groups
        Where scores stand in several groups (data sets), each one's group and its name there.
    """
    sign = -1 if higher_is_better(metric) else 1
    named = groups or {name: ("", name) for name in scores}
    order = list(dict.fromkeys(group for group, _ in named.values()))
    best_first = sorted(scores, key=lambda name: (order.index(named[name][0]), sign * scores[name][0]))
    rows = _rows([named[name][1] for name in best_first], [named[name][0] for name in best_first])
    drawn, (ax,) = panels(1, height=1.0 + 0.3 * max(len(rows.labels), 3))
    for place, name in zip(rows.places, best_first, strict=True):
        mean, low, high = scores[name]
        ax.plot([low, high], [place, place], color=COLORS[0], linewidth=3, solid_capstyle="butt", zorder=3)
        ax.plot(mean, place, "D", color=COLORS[0], markeredgecolor="white", markersize=8, zorder=5)
        ax.annotate(
            number(mean), (1.01, place), xycoords=("axes fraction", "data"), va="center", fontsize=8.5, color=INK
        )
    center = float(np.median([scores[name][0] for name in best_first]))
    beyond = _show_most(ax, rows.places, [np.array(scores[name]) for name in best_first], center)
    _name_rows(ax, rows)
    ax.set_xlabel(f"test {metric_label(metric)}: mean over folds and corrected 95% interval{beyond}")
    ax.set_title(f"{metric_label(metric)}, best first")
    return drawn


@figure
def paired_differences(
    scores: Mapping[str, NDArray[np.floating]], baseline: str, comparisons: Sequence[Comparison]
) -> Figure:
    """Fold by fold, how much each model differs from one baseline; the mean and its corrected confidence interval.

    Parameters
    ----------
    scores
        Each model's test scores, shape (folds * repeats,), in the folds' order; the baseline's too.
    comparisons
        Those against other baselines are left out.
    """
    shown = [comparison for comparison in comparisons if comparison.baseline == baseline]
    rows = _rows([plain(one.model) for one in shown], [""] * len(shown))
    return _draw_differences(scores, shown, rows, f": model − {plain(baseline, 40)}")


@figure
def differences(
    scores: Mapping[str, NDArray[np.floating]],
    comparisons: Sequence[Comparison],
    groups: Mapping[str, tuple[str, str]] | None = None,
) -> Figure:
    """All comparisons, whatever their baselines: fold by fold, the mean and its corrected confidence interval.

    Parameters
    ----------
    scores
        As in `paired_differences`.
    comparisons
        At least one; all by the same metric.
    groups
        As in `intervals`.
    """
    named = groups or {name: ("", name) for name in scores}
    rows = _rows(
        [f"{named[one.model][1]} − {named[one.baseline][1]}" for one in comparisons],
        [named[one.model][0] for one in comparisons],
    )
    return _draw_differences(scores, comparisons, rows, "")


def _draw_differences(
    scores: Mapping[str, NDArray[np.floating]], comparisons: Sequence[Comparison], rows: Rows, what: str
) -> Figure:
    count = len(rows.labels)
    drawn, (ax,) = panels(1, height=1.15 + (0.62 if count <= 6 else 0.4 if count <= 12 else 0.31) * count)
    drawn_values = []
    for place, row in zip(rows.places, comparisons, strict=True):
        paired = np.asarray(scores[row.model], dtype=float) - np.asarray(scores[row.baseline], dtype=float)
        offsets = np.linspace(-0.26, 0.26, len(paired))
        ax.plot(paired, place + offsets, "o", color=FAINT, markersize=4.5, markerfacecolor="white", zorder=4)
        ax.plot([row.low, row.high], [place, place], color=COLORS[0], linewidth=3, solid_capstyle="butt", zorder=3)
        ax.plot(row.difference, place, "D", color=COLORS[0], markeredgecolor="white", markersize=8, zorder=5)
        drawn_values.append(np.array([row.low, row.high, row.difference, *paired, -1.6 * row.rope, 1.6 * row.rope]))
    ax.axvline(0, color=INK, linewidth=1, zorder=1)
    _name_rows(ax, rows)
    if comparisons:
        first = comparisons[0]
        beyond = _show_most(ax, rows.places, drawn_values, 0.0)
        ax.set_xlabel(f"difference in {metric_label(first.metric)}{what}{beyond}")
        if first.rope:
            ax.axvspan(-first.rope, first.rope, color=RULE, alpha=0.55, linewidth=0, zorder=0)
        sides = ("◀ worse", "better ▶") if higher_is_better(first.metric) else ("◀ better", "worse ▶")
        for x, side, align in ((0.0, sides[0], "left"), (1.0, sides[1], "right")):
            ax.text(x, 1.02, side, transform=ax.transAxes, ha=align, va="bottom", color=FAINT, fontsize=8.5)
        drawn.legend(handles=_difference_key(first), loc="outside lower center", ncols=4)
    return drawn


def _show_most(ax: Axes, places: Sequence[int], values: Sequence[NDArray[np.floating]], center: float) -> str:
    """Limit the horizontal axis to where rows are; returns what to say of those that reach beyond it.

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
    for place, edge in arrows:
        ax.plot(
            *(edge, place, "<>"[edge]),
            transform=ax.get_yaxis_transform(),
            color=INK,
            markersize=7,
            clip_on=False,
            zorder=6,
        )
    if not arrows:
        return ""
    ax.tick_params(axis="y", pad=10)
    return "; arrows: beyond the axis"


@figure
def heat_map(jobs: pd.DataFrame, x: str, y: str, metric: str = "test/accuracy") -> Figure:
    """A metric over two swept settings, darker is better; every cell with its value, the best one framed.

    The settings' values are categories in rising order, equally far apart however they are spaced. Where several jobs
    share a cell it shows the best of them, and the title names what else varied. A combination without a job is
    hatched as not run, one without a score by its fate: diverged, failed.

    Parameters
    ----------
    x, y
        Dotted keys, e.g. ``training.learning_rate`` and ``training.l2``.
    """
    columns, rows = _values(jobs, x), _values(jobs, y)
    cells = _best_jobs(jobs, [x, y], metric)
    scores = np.full((len(rows), len(columns)), np.nan)
    for (column, row), job in cells.items():
        scores[rows.index(row), columns.index(column)] = _score(job, metric)
    size = max(0.32 * len(rows), 1.0) + 1.1
    drawn, (ax,) = panels(1, height=min(size, 9.0))
    upward = higher_is_better(metric)
    norm = _contrast(scores, upward)
    image = ax.imshow(scores, cmap="Blues" if upward else "Blues_r", norm=norm, aspect="auto", origin="lower")
    finite = bool(np.isfinite(scores).any())
    best = np.unravel_index(np.nanargmax(scores if upward else -scores), scores.shape) if finite else None
    fontsize = float(np.clip(60 / max(len(columns), 1), 5.0, 9.0))
    for row, column in np.ndindex(*scores.shape):
        value = scores[row, column]
        if np.isnan(value):
            ax.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor="white", edgecolor=RULE, hatch="////"))
        dark = np.isfinite(value) and image.cmap(norm(value))[:3] @ np.array([0.299, 0.587, 0.114]) < 0.55
        text = number(value) if np.isfinite(value) else _fate(cells.get((columns[column], rows[row])))
        ax.text(
            *(column, row, text),
            ha="center",
            va="center",
            fontsize=fontsize if np.isfinite(value) else min(fontsize, 7.5),
            color="white" if dark else INK,
            weight="bold" if best == (row, column) else "normal",
            bbox=None if np.isfinite(value) else {"facecolor": "white", "edgecolor": "none", "pad": 0.8},
        )
    if best is not None:
        ax.add_patch(
            Rectangle((best[1] - 0.5, best[0] - 0.5), 1, 1, fill=False, edgecolor=COLORS[1], linewidth=2.5, zorder=3)
        )
        bar = drawn.colorbar(image, ax=ax, extend=_extend(scores, norm), pad=0.02, fraction=0.05)
        bar.set_label(f"test {metric_label(metric)}")
        bar.outline.set_edgecolor(RULE)
    categories(ax, columns)
    categories(ax, rows, "y")
    ax.grid(visible=False)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set_xlabel(_leaf(x))
    ax.set_ylabel(_leaf(y))
    ax.set_title(f"{metric_label(metric)}{_best_over(jobs, [x, y])}; best framed")
    return drawn


@figure
def metric_along(jobs: pd.DataFrame, axis: str, metric: str = "test/accuracy", by: str = MODEL) -> Figure:
    """A metric along one swept setting, a line for each value of another; bands: one standard deviation over folds.

    The setting's values are categories in rising order. Where several jobs share a point it shows the best of them.
    More than four lines have no bands, which would hide one another. The log loss is on a logarithmic axis where it
    spans more than a power of ten.

    Parameters
    ----------
    axis
        Dotted key along the horizontal axis, e.g. ``training.learning_rate``.
    by
        The column that makes the lines.
    """
    places = _values(jobs, axis)
    lines = _values(jobs, by) if by in jobs.columns else [""]
    points = _best_jobs(jobs, [axis, by] if by in jobs.columns else [axis], metric)
    drawn, (ax,) = panels(1, height=3.6)
    bands = len(lines) <= _MOST_BANDS
    means = []
    for number_of_line, line in enumerate(lines):
        found = [points.get((place, line) if by in jobs.columns else (place,)) for place in places]
        mean = np.array([_score(job, metric) for job in found])
        spread = np.array([_score(job, f"std/{short_name(metric)}") for job in found])
        look = series(number_of_line)
        at = np.arange(len(places)) + (number_of_line / max(len(lines) - 1, 1) - 0.5) * 0.08
        ax.plot(at, mean, label=plain(line, 40), **look)
        if bands:
            ax.fill_between(at, mean - spread, mean + spread, color=look["color"], alpha=0.13, linewidth=0)
        means.append(mean[np.isfinite(mean)])
    scores = np.concatenate(means)
    if not higher_is_better(metric) and scores.size and scores.min() > 0 and scores.max() > 10 * scores.min():
        log_scale(ax)
        ax.set_ylim(0.7 * scores.min(), 1.4 * scores.max())
    categories(ax, places)
    ax.set_xlabel(_leaf(axis))
    ax.set_ylabel(f"test {metric_label(metric)}")
    ax.set_title(f"{metric_label(metric)} by {_leaf(axis)}{_best_along(jobs, axis, by)}")
    if len(lines) > 1:
        title = _leaf(by) + (" (band: ± one standard deviation over folds)" if bands else "")
        columns = 5 if max(map(len, lines)) <= 16 else 2
        drawn.legend(loc="outside lower center", ncols=min(len(lines), columns), title=title, title_fontsize=8.5)
    return drawn


def _best_along(jobs: pd.DataFrame, axis: str, by: str) -> str:
    """What else varies within a line."""
    parts = [part for _, part in jobs.groupby(jobs[by].map(value_text))] if by in jobs.columns else [jobs]
    others = dict.fromkeys(_leaf(key) for part in parts for key in varying(part) if key not in (axis, by))
    return f" (best over {', '.join(others)})" if others else ""


def _counted(title: str, shown: int, scored: int, total: int) -> str:
    if shown < scored:
        title += f" ({shown} of {scored})"
    if scored < total:
        title += f"; {total - scored} without a result"
    return title


def _difference_key(comparison: Comparison) -> list[Any]:
    confidence = f"{comparison.confidence:.0%}"
    key: list[Any] = [
        Line2D([], [], marker="o", linestyle="none", color=FAINT, markerfacecolor="white", label="one fold"),
        Line2D([], [], marker="D", linestyle="none", color=COLORS[0], label="mean"),
        Line2D([], [], color=COLORS[0], linewidth=3, label=f"{confidence} interval, corrected"),
    ]
    if comparison.rope:
        key.append(Rectangle((0, 0), 1, 1, color=RULE, alpha=0.55, label=f"equal in practice (±{comparison.rope:g})"))
    return key


def _leaf(key: str) -> str:
    return key.rsplit(".", 1)[-1] if key != MODEL else "model"


def _values(jobs: pd.DataFrame, key: str) -> list[str]:
    """The values of a setting in rising order: numbers by size, lists by length and then by their items, then words."""
    texts = list(dict.fromkeys(value_text(value) for value in jobs[key]))
    return sorted(texts, key=_order)


def _order(text: str) -> tuple[int, tuple[float, ...]]:
    items = text.strip("[]").split(",") if text.startswith("[") else [text]
    try:
        numbers = tuple(float(item) for item in items if item.strip())
    except ValueError:
        return 1_000_000, ()  # words keep the order they came in
    return (len(items) if numbers else 0), numbers


def _best_jobs(jobs: pd.DataFrame, keys: Sequence[str], metric: str) -> dict[tuple[str, ...], "pd.Series[Any]"]:
    """The best job for each combination of values; a job without a score stands only where there is no other."""
    best: dict[tuple[str, ...], pd.Series[Any]] = {}
    for _, job in ranked(jobs, metric).iterrows():
        best.setdefault(tuple(value_text(job[key]) for key in keys), job)
    return best


def _score(job: "pd.Series[Any] | None", metric: str) -> float:
    value = None if job is None else job.get(metric)
    return float("nan") if is_missing(value) else float(str(value))


def _fate(job: "pd.Series[Any] | None") -> str:
    if job is None:
        return "not run"
    status = str(job.get("status", "FINISHED"))
    return status.lower() if status != "FINISHED" else "diverged"


def _best_over(jobs: pd.DataFrame, fixed: Sequence[str]) -> str:
    others = [_leaf(key) for key in varying(jobs) if key not in fixed]
    return f" (best over {', '.join(others)})" if others else ""


def _contrast(scores: NDArray[np.float64], upward: bool) -> Normalize:
    """Limits of the colors: the best and the tenth from the worst, so that one bad cell does not flatten the rest."""
    if not np.isfinite(scores).any():
        return Normalize(0, 1)
    worst = float(np.nanquantile(scores, 0.1 if upward else 0.9))
    low, high = (worst, float(np.nanmax(scores))) if upward else (float(np.nanmin(scores)), worst)
    return Normalize(low, high if high > low else low + 1e-9, clip=True)


def _extend(scores: NDArray[np.float64], norm: Normalize) -> str:
    below, above = np.nanmin(scores) < norm.vmin - 1e-12, np.nanmax(scores) > norm.vmax + 1e-12  # type: ignore[operator]
    return "min" if below else "max" if above else "neither"
