"""The studies in experiments/, and the page that `make experiments` writes of them."""

import re
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from omegaconf import OmegaConf

from src import studies
from src.tracking.opening import open_store
from src.tracking.store import Store
from tests.commandline import command
from tests.stores import empty_store
from tests.sweeps import Given, record_sweep

FOLDER = Path(__file__).resolve().parents[1] / "experiments"
JOBS = {
    "activations": 72,
    "architecture": 48,
    "baselines": 130,
    "homework5": 3,
    "learning_rate_lambda": 112,
    "losses": 20,
    "online_or_batch": 36,
    "published": 5,
}
STUDIES = sorted(JOBS)  # ours; a user's own, beside them, may be as they like
BP, LOGISTIC = (0.80, 0.85, 0.90, 0.75, 0.80), (0.78, 0.80, 0.86, 0.75, 0.79)


def question_of(name: str) -> str:
    return " ".join(str(OmegaConf.load(FOLDER / f"{name}.yaml").comparison.question).split())


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", empty_store(tmp_path))
    monkeypatch.chdir(tmp_path)
    return open_store()


def test_every_study_is_known_here() -> None:
    names = studies.study_names(FOLDER)
    assert names[0] == "homework5"
    assert set(STUDIES) <= set(names)


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_plans_the_jobs_it_says(name: str, store: Store) -> None:
    ended = command(f"experiments={name}", "sweep.dry_run=true")
    assert ended.status == 0, ended.err
    assert f"{JOBS[name]} jobs to train" in ended.out.splitlines()


@pytest.fixture
def made(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The page made from a record of two studies, in a folder of its own."""
    folder = tmp_path / "experiments"
    folder.mkdir()
    for name in ("other", "homework5"):
        (folder / f"{name}.yaml").touch()
        jobs = [Given({"model.name": "bp"}, BP), Given({"model.name": "logistic"}, LOGISTIC)]
        record_sweep(store, jobs, experiment=name, name=name, question=f"Is {name} <b>bold</b>?")
    monkeypatch.setattr(studies, "FOLDER", folder)
    return folder


def test_the_page_is_written_from_the_record(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert studies.main([]) == 0, capsys.readouterr().err
    page = (made / "README.md").read_text()
    tokens = MarkdownIt("commonmark").enable("table").parse(page)
    headings = [tokens[place + 1].content for place, token in enumerate(tokens) if token.type == "heading_open"]
    assert headings == ["Studies", "homework5", "other"]
    assert "Is other &lt;b&gt;bold&lt;/b&gt;?" in page
    assert "python -m src.run experiments=other" in page
    assert page.count("**No difference can be told between bp and logistic (accuracy +0.024, 95% interval") == 2
    for name in ("homework5", "other"):
        assert f"](figures/{name}.png)" in page
        assert (made / "figures" / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_a_study_that_was_not_run_is_told(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (made / "third.yaml").touch()
    assert studies.main([]) == 2
    assert "there is no MLflow experiment 'third'" in capsys.readouterr().err
    assert not (made / "README.md").exists()


def test_the_page_in_the_repository_is_that_of_its_studies() -> None:
    page = (FOLDER / "README.md").read_text()
    ours = [name for name in studies.study_names(FOLDER) if name in STUDIES]
    assert re.findall(r"^## (\w+)$", page, re.MULTILINE) == ours, "make experiments writes it"
    plain = " ".join(page.replace("\\", "").split())
    for name in STUDIES:
        assert question_of(name) in plain
        picture = FOLDER / "figures" / f"{name}.png"
        assert f"](figures/{name}.png)" in page
        assert picture.stat().st_size < 150_000
    assert (FOLDER / "README.md").stat().st_size < 1_000_000
