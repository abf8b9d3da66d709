"""What a person sees in a browser after a sweep: the comparison's page, and MLflow's page as prepared for it."""

import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

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
    window.open("about:blank")
    window.open(on(server, ended.address))
    window.text_with("The answer of the latest sweep")
    link = "[...document.querySelectorAll('a')].find(a => a.textContent.startsWith('The answer of the latest')).href"
    window.open(window.run(f"return {link}"))
    window.text_with("comparison.html", "Path:", ended.sweep.run_id)


def test_the_address_that_a_single_run_prints_opens_the_single_runs_with_what_varies_and_the_scores(
    single: str, server: str, window: Browser
) -> None:
    window.show(width=1800)
    window.open("about:blank")
    window.open(on(server, single))
    text = window.text_with("2 matching runs", "Run Name", "cv.folds", "test/accuracy", "test/log_loss", "bp, 2 folds")
    assert "Sort: test/accuracy" in text.splitlines()


def test_the_charts_begin_with_the_headline_metrics(ended: Ended, server: str, window: Browser) -> None:
    window.show(width=1800, height=1400)
    window.open("about:blank")  # a change behind the # alone would not load the page anew
    window.open(f"{on(server, ended.address)}&compareRunsMode=CHART")
    lines = window.text_with("Headline", "Learning curves").splitlines()
    assert lines.index("Headline") < lines.index("Learning curves")


def test_the_sweeps_own_page_says_the_answer(ended: Ended, server: str, window: Browser) -> None:
    window.show(width=1400)
    window.open("about:blank")
    window.open(f"{server}/#/experiments/{ended.sweep.experiment_id}/runs/{ended.sweep.run_id}")
    answer = ended.sweep.tags["answer"]
    window.text_with("homework5", answer.split(" (")[0], "Finished")


@pytest.fixture
def page(ended: Ended, window: Browser) -> Browser:
    folder = local_folder(ended.sweep.artifact_uri)
    assert folder is not None
    window.open((folder / "comparison.html").as_uri())
    return window


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [340, 768, 1280])
def test_the_comparison_fits_every_width_in_light_and_dark(page: Browser, width: int, dark: bool) -> None:
    page.show(width=width, dark=dark)
    text = page.text_with("homework5", "Models", "Comparisons", "Leaderboard", "Figures", "How it was done")
    assert "Does the back-propagation network beat logistic and softmax regression" in text
    wide = page.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0
    assert page.run("return [...document.images].every(image => image.complete && image.naturalWidth > 0)")
    assert page.run("return document.images.length") == 7
    background = page.run("return getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
    assert (sum(background[:3]) < 300) == dark
    assert (
        page.run("return performance.getEntriesByType('resource').filter(e => !e.name.startsWith('data:')).length") == 0
    )


def test_the_comparison_has_a_row_for_each_model_and_each_comparison(page: Browser) -> None:
    rows = page.run("return [...document.querySelectorAll('table')].map(t => t.querySelectorAll('tbody tr').length)")
    assert rows == [3, 2, 3 * 2, 3]
    headings = page.run("return [...document.querySelectorAll('h1, h2')].map(heading => heading.innerText)")
    assert headings == ["homework5", "Models", "Comparisons", "Classes", "Leaderboard", "Figures", "How it was done"]
