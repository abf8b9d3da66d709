"""What a person sees in a browser after a sweep: the comparison's page, and MLflow's page as prepared for it."""

import re
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from src.comparison.outcome import Outcome
from src.evaluation.results import Curve
from src.report.figures.curves import learning_curve
from src.report.figures.scores import intervals
from src.report.page import ComparisonReport, Picture, to_html
from src.tracking import reading
from src.tracking.artifacts import local_folder
from src.tracking.opening import open_store
from src.tracking.records import RunRow
from tests.browser import CHROMIUM, DRIVER, Browser, browser, free_port
from tests.commandline import command
from tests.processes import Commands
from tests.servers import in_one
from tests.stores import Homework

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        CHROMIUM is None or DRIVER is None, reason="needs chromium and chromedriver (Debian: chromium, chromium-driver)"
    ),
]
MODELS = ("bp", "logistic", "softmax")


@dataclass(frozen=True)
class Ended:
    """A sweep that has ended: its run, its jobs' accuracies by name, the address it printed, the store's folder."""

    sweep: RunRow
    scores: dict[str, float]
    address: str
    folder: Path


@pytest.fixture(scope="module")
def ended(homework: Homework) -> Ended:
    store = open_store(homework.uri)
    (sweep,) = reading.sweeps(store)
    scores = {run.name: run.metrics["test/accuracy"] for run in reading.children(store, sweep)}
    return Ended(sweep, scores, homework.ended.out.splitlines()[-1], homework.folder)


@pytest.fixture(scope="module")
def single(homework: Homework) -> str:
    """The address that the second of two single runs in the sweep's store printed."""
    for folds in (3, 2):
        run = command(
            *(f"cv.folds={folds}", "training.epochs=5", "tracking.models=none"),
            *(f"tracking.uri={homework.uri}", "tracking.experiment=single"),
        )
    assert run.status == 0, run.err
    return run.out.splitlines()[-1]


@pytest.fixture(scope="module")
def window() -> Iterator[Browser]:
    with browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def server(ended: Ended, commands: Commands) -> Iterator[str]:
    """The address of MLflow's server over the sweep's store, started as `make ui` does."""
    port = free_port()
    running = in_one(
        *(commands, ended.folder, port, "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)),
        *("--workers", "1", "--backend-store-uri", f"sqlite:///{ended.folder / 'mlflow.db'}"),
        *("--default-artifact-root", str(ended.folder / "mlartifacts")),
        MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false",
    )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        running.send(signal.SIGTERM, to_all=True)
        running.wait()


def on(server: str, printed: str) -> str:
    """A printed address with the server of these tests in place of the one it names."""
    assert printed.startswith("http://127.0.0.1:")
    return server + printed[printed.index("/#/") :]


# A test opens its page from that of another one, where one was opened: what it waits for stands on its own page only.


def test_the_printed_address_opens_the_sweeps_jobs_with_what_varies_and_the_headline_metrics(
    ended: Ended, server: str, window: Browser
) -> None:
    window.show(width=1800)
    window.open(on(server, ended.address))
    text = window.text_with("3 matching runs", "model.name", "test/accuracy", "test/log_loss", *MODELS)
    lines = text.splitlines()
    assert "Sort: test/accuracy" in lines
    # The names of the runs stand in the order of the table, before the columns' values.
    names = list(dict.fromkeys(line for line in lines[lines.index("Run Name") :] if line in MODELS))
    scores = [ended.scores[name] for name in names]
    assert scores == sorted(scores, reverse=True)


def test_the_comparison_is_one_click_from_the_printed_address(ended: Ended, server: str, window: Browser) -> None:
    window.show(width=1800)
    window.open(on(server, ended.address))
    window.text_with("3 matching runs", "The answer of the latest sweep")
    link = "[...document.querySelectorAll('a')].find(a => a.textContent.startsWith('The answer of the latest')).href"
    window.open(window.run(f"return {link}"))
    window.text_with("comparison.html", "Path:", ended.sweep.run_id)


def test_the_sweeps_own_page_says_the_answer(ended: Ended, server: str, window: Browser) -> None:
    window.show(width=1400)
    window.open(f"{server}/#/experiments/{ended.sweep.experiment_id}/runs/{ended.sweep.run_id}")
    answer = ended.sweep.tags["answer"]
    window.text_with("homework5", answer.split(" (")[0], "Finished", "Registered models")


def test_the_address_that_a_single_run_prints_opens_the_single_runs_with_what_varies_and_the_scores(
    single: str, server: str, window: Browser
) -> None:
    window.show(width=1800)
    window.open(on(server, single))
    text = window.text_with("2 matching runs", "Run Name", "cv.folds", "test/accuracy", "test/log_loss", "bp, 2 folds")
    assert "Sort: test/accuracy" in text.splitlines()


def test_the_charts_begin_with_the_headline_metrics(ended: Ended, server: str, window: Browser) -> None:
    window.show(width=1800, height=1400)
    window.open(f"{on(server, ended.address)}&compareRunsMode=CHART")
    lines = window.text_with("Headline", "Learning curves").splitlines()
    assert lines.index("Headline") < lines.index("Learning curves")


@pytest.fixture(scope="module")
def homeworks_page(ended: Ended) -> Path:
    folder = local_folder(ended.sweep.artifact_uri)
    assert folder is not None
    return folder / "comparison.html"


@pytest.fixture(scope="module")
def page_of_long_names(verdicts: Outcome, tmp_path_factory: pytest.TempPathFactory) -> Path:
    curve = Curve(np.arange(1, 9), np.linspace(2, 1, 8), np.linspace(2, 1.5, 8))
    pictures = (
        Picture("leaderboard", "Accuracy", "Of every job.", intervals(verdicts.candidates, verdicts.metric, 0.95)),
        Picture("curves", "Loss", "By epoch.", learning_curve({"a very_long_name_of_a_model " * 3: [curve] * 2})),
    )
    words = {"digest": "0123456789abcdef" * 8, "grid": "learning_rate = " + ", ".join("0.1" for _ in range(60))}
    report = ComparisonReport(
        "homework5", "Does it?", verdicts, pictures=pictures, method=words, commands=("x" * 300,), notes=("y" * 300,)
    )
    page = tmp_path_factory.mktemp("page") / "comparison.html"
    page.write_text(to_html(report), encoding="utf-8")
    return page


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [340, 768, 1280])
@pytest.mark.parametrize("name, images", [("homeworks_page", 7), ("page_of_long_names", 2)])
def test_the_comparison_fits_every_width_in_light_and_dark(
    request: pytest.FixtureRequest, window: Browser, name: str, images: int, width: int, dark: bool
) -> None:
    window.open(request.getfixturevalue(name).as_uri())
    window.show(width=width, dark=dark)
    window.text_with("homework5", "Models", "Comparisons", "Figures", "How it was done")
    wide = window.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0
    assert window.run("return [...document.images].every(image => image.complete && image.naturalWidth > 0)")
    assert window.run("return document.images.length") == images
    requests = window.run("return performance.getEntriesByType('resource').map(entry => entry.name.slice(0, 30))")
    assert [each for each in requests if not each.startswith("data:")] == []
    background, ink = brightness(window, "body")
    answer, _ = brightness(window, ".answer")
    assert ink > 600 > 200 > max(background, answer) if dark else ink < 200 < 600 < min(background, answer)


def brightness(window: Browser, selector: str) -> list[int]:
    """Of an element's background and of its letters, from 0 to 765."""
    style = f"getComputedStyle(document.querySelector('{selector}'))"
    colors = window.run(f"const style = {style}; return [style.backgroundColor, style.color]")
    return [sum(int(part) for part in re.findall(r"\d+", color)[:3]) for color in colors]


def test_the_comparison_has_a_row_for_each_model_and_each_comparison(homeworks_page: Path, window: Browser) -> None:
    window.open(homeworks_page.as_uri())
    text = window.text_with("Leaderboard")
    assert "Does the back-propagation network beat logistic and softmax regression" in text
    rows = window.run("return [...document.querySelectorAll('table')].map(t => t.querySelectorAll('tbody tr').length)")
    assert rows == [3, 2, 3 * 2, 3]
    headings = window.run("return [...document.querySelectorAll('h1, h2')].map(heading => heading.innerText)")
    assert headings == ["homework5", "Models", "Comparisons", "Classes", "Leaderboard", "Figures", "How it was done"]
