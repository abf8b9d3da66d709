import threading
import warnings
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from io import BytesIO

import matplotlib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from PIL import Image

from src.evaluation.results import Curve, OutOfFold
from src.report.figures.curves import learning_curve
from src.report.figures.predictions import confusion_matrices
from src.report.style import series, to_png, to_svg

CURVE = Curve(np.array([1, 2]), np.array([2.0, 1.0]), np.array([2.0, 1.5]))


def sample(name: str = "bp") -> Figure:
    return learning_curve({name: [CURVE, CURVE]})


def svg_texts(svg: str) -> list[str]:
    return ["".join(item.itertext()) for item in ElementTree.fromstring(svg).iter() if item.tag.endswith("}text")]


def test_the_same_input_gives_the_same_bytes() -> None:
    drawn = sample()
    assert to_png(drawn) == to_png(drawn) == to_png(sample())
    assert to_svg(drawn) == to_svg(sample())


def test_a_figure_fits_a_page_and_a_screen() -> None:
    image = Image.open(BytesIO(to_png(sample())))
    assert image.format == "PNG"
    assert image.width == 1080


def test_the_users_settings_stay_and_do_not_matter() -> None:
    before = dict(matplotlib.rcParams)
    expected = to_png(sample())
    assert dict(matplotlib.rcParams) == before
    with matplotlib.rc_context({"lines.linewidth": 9, "axes.facecolor": "red", "font.size": 30, "text.usetex": True}):
        assert to_png(sample()) == expected
        assert matplotlib.rcParams["lines.linewidth"] == 9


def test_threads_may_draw_at_once() -> None:
    expected = to_png(sample())
    made: list[bytes] = []
    threads = [threading.Thread(target=lambda: made.append(to_png(sample()))) for _ in range(3)]
    before = dict(matplotlib.rcParams)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [expected] * 3
    assert dict(matplotlib.rcParams) == before


def test_letters_without_a_font_warn_of_nothing_and_stay_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    # As on a machine without Chinese fonts, whatever this one has.
    monkeypatch.setattr("src.report.style._known_characters", lambda: frozenset(range(0x20, 0x250)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        one, other, same = to_png(sample("网络")), to_png(sample("回归")), to_png(sample("网络"))
    assert one == same
    assert one != other


def test_an_svg_keeps_the_letters_for_the_readers_fonts() -> None:
    drawn = sample("网络")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        to_png(drawn)
        assert "网络" in svg_texts(to_svg(drawn))


def test_category_names_are_spelt_too(
    monkeypatch: pytest.MonkeyPatch, make_predictions: Callable[..., OutOfFold]
) -> None:
    monkeypatch.setattr("src.report.style._known_characters", lambda: frozenset(range(0x20, 0x250)))
    drawn = confusion_matrices({"bp": make_predictions()}, ("否", "是"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert to_png(drawn) != to_png(confusion_matrices({"bp": make_predictions()}, ("是", "否")))
    assert list(drawn.axes[0].xaxis.get_major_formatter().seq) == ["否", "是"]


@settings(max_examples=3)
@given(st.text(max_size=30))
def test_any_name_can_be_drawn(name: str) -> None:
    drawn = sample(name)
    assert to_png(drawn).startswith(b"\x89PNG")
    ElementTree.fromstring(to_svg(drawn))


@pytest.mark.parametrize("name", ["$x^2", "$\\frac{$", "<b>&amp;</b>", "a\nb", "\x00\x1b[31m", "𝒳 🙂", "x" * 500])
def test_hostile_names_are_text(name: str) -> None:
    drawn = sample(name)
    to_png(drawn)
    lines = drawn.axes[0].get_title(loc="left").split("\n")
    assert len(lines) == (1 if len(name) < 60 else 2)
    assert max(map(len, lines)) <= 72
    assert set(lines) <= set(svg_texts(to_svg(drawn)))


def test_no_two_series_look_alike() -> None:
    looks = [series(place) for place in range(35)]
    assert len({(look["color"], str(look["linestyle"]), look["marker"]) for look in looks}) == 35
    # Without color too, as far as there are markers and lines.
    assert len({(str(look["linestyle"]), look["marker"]) for look in looks[:10]}) == 10
