"""``experiments/tour.ipynb``, run from top to bottom as Jupyter runs it: in its own folder, cell by cell."""

import json
import signal
from functools import partial
from pathlib import Path
from typing import Any

import nbformat
import pytest
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell

from tests.processes import Commands, Running
from tests.stores import Record

FILE = Path(__file__).parents[1] / "experiments" / "tour.ipynb"


# A kernel as `python -m ipykernel_launcher` starts it in the notebook's folder, without the 5 s of imports: what it
# forks from knows where `src` lies, which the notebook has to find.
KERNEL = """
import os, sys
from ipykernel.kernelapp import IPKernelApp
folder, connection = sys.argv[1:]
os.chdir(folder)
sys.path[:] = ["", *(place for place in sys.path[1:] if place != os.environ["PYTHONPATH"])]
del sys.modules["src"]
IPKernelApp.launch_instance(argv=["-f", connection])
"""


class Forked(AsyncKernelManager):
    """Starts kernels as forks of a process that has imported what a notebook does."""

    def __init__(self, commands: Commands, folder: Path, environment: dict[str, str]) -> None:
        super().__init__()
        self._start = partial(commands.start, folder, program=KERNEL, environment=environment)
        self._running: Running | None = None

    @property
    def has_kernel(self) -> bool:
        return self._running is not None

    async def start_kernel(self, *, cwd: str, **_: Any) -> None:
        self.write_connection_file()
        self._running = self._start(cwd, self.connection_file)

    async def is_alive(self) -> bool:
        return self._running is not None and not self._running.ended()

    _async_is_alive = is_alive  # asked by the client while a kernel takes more than a second to begin

    async def shutdown_kernel(self, **_: Any) -> None:
        assert self._running is not None
        self._running.send(signal.SIGKILL, to_all=True)
        self._running.wait()


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any]]:
    """What each code cell shows, by the cell's last line; an error in a cell is an error here."""
    folder = tmp_path_factory.mktemp("tour")
    notebook = nbformat.read(FILE, as_version=4)
    here = new_code_cell(
        f"from src.data import frames\nframes.FOLDER = type(frames.FOLDER)({str(folder / 'frames')!r})"
    )
    first = next(place for place, cell in enumerate(notebook.cells) if cell.cell_type == "code")
    notebook.cells.insert(first + 1, here)
    environment = {
        "MLFLOW_TRACKING_URI": Record.empty(folder).uri,
        "IPYTHONDIR": str(folder / "ipython"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
    }
    with Commands() as commands, pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_RUNTIME_DIR", environment["JUPYTER_RUNTIME_DIR"])
        manager = Forked(commands, folder, environment)
        client = NotebookClient(notebook, km=manager, timeout=250, resources={"metadata": {"path": str(FILE.parent)}})
        try:
            client.execute()
        finally:
            client._cleanup_kernel()
    return {cell.source.splitlines()[-1]: cell.outputs for cell in notebook.cells if cell.cell_type == "code"}


def html(outputs: list[Any]) -> str:
    return str(outputs[-1]["data"]["text/html"])


def printed(outputs: list[Any]) -> str:
    return "".join(output["text"] for output in outputs if output["output_type"] == "stream")


def test_nothing_is_told_on_stderr(shown: dict[str, list[Any]]) -> None:
    assert [output["text"] for of_cell in shown.values() for output in of_cell if output.get("name") == "stderr"] == []


def test_a_run_and_a_sweep_show_how_far_they_are_and_then_themselves(shown: dict[str, list[Any]]) -> None:
    assert any("1/1 jobs" in output.get("data", {}).get("text/html", "") for output in shown["single"])
    assert "bp, accuracy" in html(shown["single"])
    assert "12 combinations, 7 distinct jobs" in printed(shown["study"])
    assert any(output.get("data", {}).get("text/html", "").startswith("7/7 jobs") for output in shown["study"])
    page = html(shown["study"])
    assert page.index("between bp and") < page.index("<table>") < page.index("<summary>Comparisons</summary>")


def test_tables_and_figures_are_shown(shown: dict[str, list[Any]]) -> None:
    scores = next(outputs for line, outputs in shown.items() if line.startswith("study.scores"))
    assert "svm" in html(scores)
    for line in ("single.figures[0]", "study.figures[0]"):
        assert "data:image/svg+xml;base64," in html(shown[line])
    assert "grignolino" in html(shown['pd.crosstab(answers["target"], answers["predicted"])'])


def test_the_model_the_grid_search_and_the_record_answer(shown: dict[str, list[Any]]) -> None:
    assert "nebbiolo" in html(next(outputs for line, outputs in shown.items() if "model.predict_proba" in line))
    assert "bpclassifier__activation" in printed(shown["print(search.best_params_, round(search.best_score_, 3))"])
    assert printed(shown["    print(error)"]).startswith(
        "model.activation: 'sigmod' is not an activation. Did you mean"
    )
    answer = shown['compare("tour", metric="log_loss").answer'][-1]["data"]["text/plain"]
    assert "log loss" in answer


def test_the_file_holds_no_results() -> None:
    cells = json.loads(FILE.read_text())["cells"]
    assert 10 <= sum(cell["cell_type"] == "code" for cell in cells) <= 15
    assert all(cell.get("outputs", []) == [] and cell.get("execution_count") is None for cell in cells)
