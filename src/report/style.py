"""One look for every figure, and figures as bytes.

Matplotlib's settings are global to the process and its fonts are not safe to use from two threads, so every figure is
drawn and written inside `styled()`: one lock, the room's settings while it is held, the user's own afterwards. Figures
are made by `matplotlib.figure.Figure`, never by pyplot.
"""

import contextlib
import functools
import io
import itertools
import re
import textwrap
import threading
import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.style
import numpy as np
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import FixedFormatter, FixedLocator, FuncFormatter, NullFormatter, NullLocator
from numpy.typing import ArrayLike
from rich.cells import cell_len

from src.language import ENGLISH, chosen, letters, speaking
from src.report.words import plain

# Okabe and Ito's palette (Color Universal Design, 2008) without its yellow, which fades on white; ordered so that
# neighbors differ in lightness too.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
LINES: tuple[Any, ...] = ("-", (0, (5, 1.6)), (0, (6, 1.6, 1.2, 1.6)), (0, (1.3, 1.3)), (0, (3, 1, 1, 1, 1, 1)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*")
_STYLE: Any = matplotlib.rc_params_from_file(Path(__file__).with_suffix(".mplstyle"), use_default_template=False)
INK, FAINT, RULE = _STYLE["text.color"], _STYLE["axes.edgecolor"], _STYLE["grid.color"]
WIDTH = 7.2  # inches: the text width of a page; 1080 pixels in MLflow's artifact viewer
DPI = 150

# Fonts that hold Chinese, Japanese and Korean letters on Linux, macOS and Windows; those that are installed are used.
_WIDE_FONTS = (
    *("Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans SC", "Source Han Sans SC", "WenQuanYi Micro Hei"),
    *("WenQuanYi Zen Hei", "Droid Sans Fallback", "PingFang SC", "Hiragino Sans GB", "Microsoft YaHei", "SimHei"),
    *("SimSun", "Arial Unicode MS"),
)
_PLAIN_FONT = "DejaVu Sans"  # comes with matplotlib

_LOCK = threading.RLock()


@contextmanager
def styled() -> Iterator[None]:
    """Hold matplotlib for this thread, with its own defaults and this room's style, whatever matplotlibrc says."""
    with _LOCK, matplotlib.style.context(["default", _STYLE, {"font.family": _fonts()}]):
        yield


@contextmanager
def _drawing() -> Iterator[None]:
    with styled(), speaking(ENGLISH if lacks_letters() else chosen()):
        yield


# Marks a function that draws a figure: it runs inside `styled()`, in English where no font has other letters.
figure = _drawing()


def lacks_letters() -> bool:
    """Whether the fonts that are installed lack letters of the language that is spoken."""
    return chosen() != ENGLISH and not set(map(ord, letters(chosen()))) <= _known_characters()


def panels(
    count: int,
    *,
    columns: int | None = None,
    height: float = 3.4,
    width: float = WIDTH,
    square: bool = False,
    **sharing: Any,
) -> tuple[Figure, list[Axes]]:
    """A figure with `count` equal axes in rows of `columns`, each row `height` inches high; the rest stays empty.

    `square` axes (of equal aspect) are moved together.
    """
    columns = min(count, columns or count)
    rows = -(-count // columns)
    made = Figure(figsize=(width, rows * height), layout="compressed" if square else "constrained")
    grid = made.subplots(rows, columns, squeeze=False, **sharing)
    axes = list(grid.flat)
    for empty in axes[count:]:
        empty.remove()
    return made, axes[:count]


def model_panels(
    names: Collection[str], ylabel: str, sizes: Mapping[int, tuple[float, float]], most: int = 3, **how: Any
) -> tuple[Figure, list[Axes], int]:
    """A panel for each model under its name, the vertical axes labeled once a row, and how many stand side by side.

    These are at most `most`, and four as two by two; `sizes` are the figure's width and a row's height for so many
    columns, `how` is as for `panels`. A name takes up to two lines: names that begin alike have to be told apart.
    """
    columns = 2 if len(names) == 4 else min(most, len(names))
    width, height = sizes[columns]
    titles = [_in_two_lines(plain(name), 62 // columns) for name in names]
    made, axes = panels(len(titles), columns=columns, width=width, height=height, **how)
    for place, (ax, lines) in enumerate(zip(axes, titles, strict=True)):
        ax.set_title("\n".join(lines))
        ax.tick_params(labelbottom=True)
        if place % columns == 0:
            ax.set_ylabel(ylabel)
    return made, axes, columns


def _in_two_lines(name: str, width: int) -> list[str]:
    """A name in at most two lines, broken between words, before a capital inside one, or behind an underscore."""
    breakable = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=_)(?=\w)", "\v", name)
    lines = textwrap.wrap(
        breakable, width, max_lines=2, placeholder=" …", break_on_hyphens=False, replace_whitespace=False
    )
    return [line.replace("\v", "") for line in lines]


def series(place: int) -> dict[str, Any]:
    """Color, line and marker of the series at a place: no two of the first 35 look alike, not even in grey."""
    return {
        "color": COLORS[place % len(COLORS)],
        "linestyle": LINES[(place + place // len(COLORS)) % len(LINES)],
        "marker": MARKERS[place % len(MARKERS)],
    }


def categories(axes: Axes, labels: Sequence[str], which: str = "x", limit: int = 18, room: int = 60) -> None:
    """Name the places 0, 1, 2, ... of an axis; names that need more than `room` letters along the x axis are turned."""
    texts = [plain(label, limit) for label in labels]
    axis = axes.xaxis if which == "x" else axes.yaxis
    places = FixedLocator(range(len(texts)))
    axis.set(major_locator=places, major_formatter=FixedFormatter(texts), minor_locator=NullLocator())
    if which == "x" and sum(map(cell_len, texts)) > room:
        axes.tick_params(axis="x", labelrotation=35)
        for label in axes.get_xticklabels():
            label.set(horizontalalignment="right", rotation_mode="anchor")


def log_scale(axes: Axes, which: str, values: ArrayLike, times: float = 100) -> bool:
    """Make an axis logarithmic, with plain numbers (0.01, 1, 100) at its ticks, where values need it; whether they do.

    They do if all are positive and the largest is more than so many `times` the least; those not finite are left out.
    """
    shown = np.ravel(values)
    shown = shown[np.isfinite(shown)]
    if not shown.size or shown.min() <= 0 or shown.max() <= times * shown.min():
        return False
    axis = axes.xaxis if which == "x" else axes.yaxis
    (axes.set_xscale if which == "x" else axes.set_yscale)("log")
    axis.set_major_formatter(FuncFormatter(lambda at, _: f"{at:g}"))
    axis.set_minor_formatter(NullFormatter())
    return True


def to_png(drawn: Figure, dpi: int = DPI) -> bytes:
    r"""The figure as a PNG; the same figure gives the same bytes.

    Letters that no installed font has are written as Python spells them (`\u4e2d`), not as equal empty boxes.
    """
    page = io.BytesIO()
    with styled(), _drawable_texts(drawn):
        drawn.set_dpi(dpi)
        canvas: Any = FigureCanvasAgg(drawn)
        canvas.print_png(page, metadata={"Software": None})  # savefig would draw it twice
    return page.getvalue()


def to_svg(drawn: Figure) -> str:
    """The figure as an SVG to stand inside a page; the same figure gives the same text.

    Its texts are texts: they can be searched and copied, and the reader's own fonts draw letters this machine lacks.
    """
    page = io.StringIO()
    with styled(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        metadata = {"Date": None, "Creator": None, "Format": None, "Type": None}
        canvas: Any = FigureCanvasSVG(drawn)
        canvas.print_svg(page, metadata=metadata)
    return page.getvalue()


@functools.cache
def _fonts() -> list[str]:
    """The plain font, then those with Chinese letters that are installed (a missing one would be warned about)."""
    manager = font_manager.fontManager
    if not _installed(_WIDE_FONTS):  # matplotlib's list, which it keeps in a file, may be older than a font
        for path in sorted(set(font_manager.findSystemFonts()) - {font.fname for font in manager.ttflist}):
            with contextlib.suppress(OSError, RuntimeError, ValueError):  # one that it cannot read
                manager.addfont(path)
    others = (
        font.name
        for font in manager.ttflist
        if not font.name.startswith("Last Resort")  # has a box for every letter
        and ord("的") in font_manager.get_font(font.fname).get_charmap()
    )
    return [_PLAIN_FONT, *(_installed(_WIDE_FONTS) or itertools.islice(others, 1))]


def _installed(names: Iterable[str]) -> list[str]:
    installed = {font.name for font in font_manager.fontManager.ttflist}
    return [name for name in names if name in installed]


@functools.cache
def _known_characters() -> frozenset[int]:
    """Code points that some font of the style can draw."""
    known: set[int] = set()
    for name in _fonts():
        found = font_manager.findfont(font_manager.FontProperties(family=[name]))
        known.update(font_manager.get_font(found).get_charmap())
    return frozenset(known)


def _drawable(text: str) -> str:
    """The text with what cannot be drawn spelt; not much longer than it was."""
    unknown = set(map(ord, text)) - _known_characters() - {ord("\n")}
    spelt = text.translate({code: chr(code).encode("ascii", "backslashreplace").decode("ascii") for code in unknown})
    return plain(spelt, max(len(text) + 14, 24)) if unknown else text


@contextmanager
def _drawable_texts(drawn: Figure) -> Iterator[None]:
    """Spell what cannot be drawn, in all the figure's texts, for as long as the context lasts."""
    texts: list[tuple[Text, str]] = [(item, item.get_text()) for item in drawn.findobj(Text)]
    # The labels of categories are written anew from their formatter whenever the figure is drawn.
    axes = [axis for ax in drawn.axes for axis in (ax.xaxis, ax.yaxis)]
    labels = [(axis, axis.get_major_formatter()) for axis in axes]
    for item, text in texts:
        item.set_text(_drawable(text))
    for axis, formatter in labels:
        if isinstance(formatter, FixedFormatter):
            axis.set_major_formatter(FixedFormatter([_drawable(label) for label in formatter.seq]))
    try:
        yield
    finally:
        for item, text in texts:
            item.set_text(text)
        for axis, formatter in labels:
            axis.set_major_formatter(formatter)
