"""Figures are the same wherever they are drawn, and whatever becomes of the process that draws them."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import psutil
import pytest

from src import language
from src.comparison.outcome import Outcome
from src.report.drawing import Drawer, draw
from src.report.page import Picture
from tests.report.conftest import predictions


@pytest.fixture
def drawer(monkeypatch: pytest.MonkeyPatch) -> Iterator[Drawer]:
    """With a process of its own, as where nothing was drawn before and there are two cores."""
    drawer = Drawer()
    with monkeypatch.context() as patch:
        patch.delitem(sys.modules, "matplotlib")
        patch.setattr(os, "cpu_count", lambda: 2)
        drawer.start()
    yield drawer
    drawer.close()
    assert not drawing()


def drawing() -> list[psutil.Process]:
    children = psutil.Process().children()
    return [child for child in children if "src.report.drawing" in child.cmdline()]


def texts(pictures: tuple[Picture, ...]) -> list[tuple[str, str, str, bytes]]:
    return [(one.name, one.title, one.description, one.svg) for one in pictures]


def test_another_process_draws_the_same_and_fails_the_same(
    drawer: Drawer, make_verdicts: Callable[[], Outcome]
) -> None:
    outcome, made = make_verdicts(), replace(predictions(), class_names=("no", "yes"))
    while len(drawing()) != 1:  # a process has its command line a moment after it is there
        time.sleep(0.01)
    pictures, figures = drawer.ask("answer_pictures", outcome), drawer.ask("job_figures", "bp", made, ())
    assert texts(pictures()) == texts(draw("answer_pictures", outcome))
    assert figures() == draw("job_figures", "bp", made, ())
    with language.speaking("zh"):
        chinese, expected = drawer.ask("answer_pictures", outcome)(), draw("answer_pictures", outcome)
    assert texts(chinese) == texts(expected)
    assert chinese[0].title == "逐折的差值"
    with pytest.raises(AttributeError, match="class_names"):
        drawer.ask("job_figures", "bp", None, ())()


def test_what_a_killed_process_leaves_is_drawn_here(drawer: Drawer, make_verdicts: Callable[[], Outcome]) -> None:
    outcome, made = make_verdicts(), replace(predictions(), class_names=("no", "yes"))
    asked = drawer.ask("answer_pictures", outcome)
    for process in drawing():
        process.kill()
    assert texts(asked()) == texts(draw("answer_pictures", outcome))
    assert drawer.ask("job_figures", "bp", made, ())() == draw("job_figures", "bp", made, ())


def test_nobody_waits_for_a_process_that_hangs(drawer: Drawer, make_verdicts: Callable[[], Outcome]) -> None:
    drawer.ask("answer_pictures", make_verdicts())
    for process in drawing():
        process.suspend()
    drawer.close()
    assert not drawing()


def test_a_drawer_that_is_not_started_draws_here(make_verdicts: Callable[[], Outcome]) -> None:
    drawer = Drawer()
    drawer.start()  # these tests have imported Matplotlib
    assert not drawing()
    assert texts(drawer.ask("answer_pictures", make_verdicts())())
    drawer.close()
