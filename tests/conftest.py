"""What holds for every test: no telemetry, no write among the user's runs, examples that repeat, one BLAS thread."""

import gc
import os
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

# Read when NumPy and MLflow are first imported, so they are set before anything else; child processes inherit them.
os.environ.update(
    OPENBLAS_NUM_THREADS="1",
    OMP_NUM_THREADS="1",
    MKL_NUM_THREADS="1",
    MPLBACKEND="Agg",
    MLFLOW_DISABLE_TELEMETRY="true",
    MLFLOW_HTTP_REQUEST_MAX_RETRIES="1",
    LANGUAGE="en",  # whatever this machine speaks
    PATH=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",  # as in an activated environment
)

import hypothesis
import pytest
from filelock import FileLock

from src.language import choose
from tests.composing import composed_once
from tests.processes import Commands

if TYPE_CHECKING:
    from tests.stores import Homework

gc.set_threshold(100_000)  # as commands do: what is imported and collected stays, so looking through it is for nothing

ROOT = Path(__file__).resolve().parents[1]
OWN_STORE = ROOT / "mlflow.db"
# The files that take longest, the longest first: begun last, they would let one core wait for the other.
LONGEST = (
    *("test_slurm", "test_sweep_faults", "test_backends", "test_torture", "test_network", "test_fuzz", "test_models"),
    *("test_browser", "test_pages", "test_tour", "test_kernels", "test_access", "test_drawing", "test_imports"),
    *("test_check_estimator", "test_stacks", "test_answers", "test_best", "test_trace", "test_security"),
    *("test_held_out", "test_predict", "test_experiment", "test_studies", "test_run_bad_config", "test_search"),
)

# `--hypothesis-profile=thorough` looks further than a run of every day.
hypothesis.settings.register_profile("dev", deadline=None, max_examples=30)
hypothesis.settings.register_profile(
    "ci", deadline=None, max_examples=30, derandomize=True, database=None, print_blob=True
)
hypothesis.settings.register_profile("thorough", deadline=None, max_examples=1000)
hypothesis.settings.register_profile("quick", deadline=None, max_examples=10)  # of `make check`
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "dev")


def open_no_own_store(database: Any, *arguments: Any, **settings: Any) -> sqlite3.Connection:
    """Refuse to open the repository's own mlflow.db: a test must not write among the user's runs.

    An audit hook would be asked whenever anything takes the `id` of an object, which is 25,000 times a sweep.
    """
    if isinstance(database, str | bytes | os.PathLike):
        path = os.fsdecode(database).removeprefix("file:").partition("?")[0]
        if Path(path).resolve() == OWN_STORE:
            raise AssertionError(f"a test opened the repository's own store {OWN_STORE}; give it one under tmp_path")
    return OPEN_SQLITE(database, *arguments, **settings)


OPEN_SQLITE = sqlite3.connect
sqlite3.connect = sqlite3.dbapi2.connect = open_no_own_store  # before SQLAlchemy is imported


def of_all_workers(factory: pytest.TempPathFactory) -> Path:
    """The temporary folder of the session, which with xdist its workers share."""
    own = factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(autouse=True, scope="session")
def _store_of_the_tests(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Name a store of this session (with xdist: of this worker) as the default, for child processes too.

    And where all workers find an empty one to copy.
    """
    os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{tmp_path_factory.mktemp('store')}/mlflow.db"
    os.environ["EMPTY_STORE"] = f"{of_all_workers(tmp_path_factory)}/empty.db"


@pytest.fixture(autouse=True, scope="session")
def _composed_once() -> Iterator[None]:
    with composed_once():
        yield


@pytest.fixture(autouse=True)
def _english() -> Iterator[None]:
    """Undo the choice of a language."""
    yield
    choose(None)


@pytest.fixture(autouse=True)
def _own_path() -> Iterator[None]:
    """Undo what loading a model does: MLflow puts the code beside it on the path, where workers would then find it."""
    before = list(sys.path)
    yield
    sys.path[:] = before


@pytest.fixture(scope="session")
def commands() -> Iterator[Commands]:
    """Starts commands and programs as processes of their own."""
    with Commands(figures=False) as started:
        yield started


@pytest.fixture(scope="session")
def homework(tmp_path_factory: pytest.TempPathFactory) -> "Homework":
    """The homework's study, run once for all workers' tests, which only read what it left."""
    from tests.stores import Homework  # imports MLflow, which most tests do without

    folder = of_all_workers(tmp_path_factory) / "homework"
    with FileLock(f"{folder}.lock"):
        return Homework.in_folder(folder)


def pytest_collection_finish() -> None:
    """Look no more for garbage among what was imported and collected."""
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the longest files come first."""
    order = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path.stem, len(order)))
