"""``python -m src.compare``: what it prints, writes and refuses, over a real sweep and over recorded ones."""

import json
from pathlib import Path

import pandas as pd
import pytest

from src.tracking import reading
from src.tracking.opening import experiment_id, open_store
from src.tracking.records import ANSWER, NOTE
from src.tracking.runs import NoSweep
from src.tracking.store import Store
from tests.commandline import Ended, command
from tests.stores import Homework, empty_store, leave_figures_empty
from tests.sweeps import Given, ended_of, record_sweep

BP, LOGISTIC = (0.80, 0.85, 0.90, 0.75, 0.80), (0.78, 0.80, 0.86, 0.75, 0.79)
FIGURES = {
    *("differences", "models", "decision-regions", "learning-curves"),
    *("confusion", "roc", "calibration"),
}


def compare(*arguments: str) -> Ended:
    return command(*arguments, module="src.compare")


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """An empty store, which is the default, and a working directory; figures stay empty."""
    leave_figures_empty(monkeypatch)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", empty_store(tmp_path))
    return open_store()


def test_the_end_of_a_sweep_leaves_the_comparison_with_its_run(homework: Homework) -> None:
    store, ended = open_store(homework.uri), homework.ended
    (sweep,) = reading.sweeps(store)
    content = json.loads(reading.artifact(store, sweep, "comparison.json"))
    assert content["question"].startswith("Does the back-propagation network beat logistic and softmax regression")
    assert sweep.tags[ANSWER] == content["answer"]
    assert content["answer"] in " ".join(ended.out.split())
    assert content["answer"].split(" (")[0] in sweep.tags[NOTE]
    for name in ("comparison.html", "comparison.md", "comparison.csv", "leaderboard.csv"):
        assert reading.artifact(store, sweep, name)
    assert all(reading.artifact(store, sweep, f"figures/{name}.svg").startswith(b"<?xml") for name in FIGURES)


def test_comparing_again_gives_the_same_files(homework: Homework, tmp_path: Path) -> None:
    store = open_store(homework.uri)
    (sweep,) = reading.sweeps(store)
    ended = compare("homework5", "--uri", store.address, "--output", str(tmp_path / "made"))
    assert ended.status == 0, ended.err
    paths = [path for path in (tmp_path / "made").rglob("*") if path.is_file()]
    assert {f"{name}.svg" for name in FIGURES} <= {path.name for path in paths}
    for path in paths:
        assert path.read_bytes() == reading.artifact(store, sweep, str(path.relative_to(tmp_path / "made")))


def test_the_table_and_the_answer_are_printed(store: Store, tmp_path: Path) -> None:
    record_sweep(store, [Given({"model.name": "bp"}, BP), Given({"model.name": "logistic"}, LOGISTIC)], question="Who?")
    ended = compare()
    assert (ended.status, ended.err) == (0, "")
    lines = ended.out.splitlines()
    assert lines[:2] == ["study", "Who?"]
    said = " ".join(ended.out.split())
    assert "★ bp 0.820 ±" in said
    assert "No difference can be told between bp and logistic" in said
    (page,) = tmp_path.glob("outputs/compare/study-*/comparison.html")
    assert f"Written to {page.relative_to(tmp_path)}" in said


def test_another_comparison_of_the_same_title_has_a_folder_of_its_own(store: Store, tmp_path: Path) -> None:
    record_sweep(store, [Given({"model.name": "bp"}, BP), Given({"model.name": "logistic"}, LOGISTIC)])
    for arguments in ((), (), ("--metric", "log_loss")):
        assert compare(*arguments).status == 0
    assert len(list(tmp_path.glob("outputs/compare/study-*"))) == 2  # the same again is the same folder


def test_json_is_for_programs(store: Store) -> None:
    record_sweep(store, [Given({"model.name": "bp"}, BP), Given({"model.name": "logistic"}, LOGISTIC)])
    ended = compare("--format", "json", "--metric", "log_loss")
    content = json.loads(ended.out)
    assert content["metric"] == "test/log_loss"
    assert content["comparisons"][0]["baseline"] == "logistic"


def test_experiments_and_sweeps_can_be_named_together(store: Store, tmp_path: Path) -> None:
    sweep = record_sweep(store, [Given({"model.name": "bp"}, BP)], experiment="one", name="one")
    record_sweep(store, [Given({"model.name": "logistic"}, LOGISTIC)], experiment="two", name="two")
    record_sweep(store, [Given({"model.name": "softmax"}, LOGISTIC)], experiment="three", name="three")
    ended = compare("two", "--sweep", sweep, "--output", "made")
    assert ended.status == 0, ended.err
    comparisons = pd.read_csv(tmp_path / "made" / "comparison.csv")
    assert comparisons[["model", "baseline"]].to_numpy().tolist() == [["bp", "logistic"]]


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["--metric", "acuracy"], "'acuracy' is not a metric of a test fold. Did you mean 'test/accuracy'? (test/"),
        (["--metric", "time/fit"], "'time/fit' is not a metric of a test fold. (test/accuracy, "),
        (["--baseline", "logistc"], "comparison.baselines: 'logistc' is not among what is compared. (bp)"),
        (["stduy"], "Did you mean 'study'?"),
        (["--sweep", "abc"], "there is no run 'abc' in"),
        (["Default"], "the experiment 'Default' holds no finished run to compare; others do: study."),
        (["--uri", "sqlite:////nowhere/at/all.db"], "the folder /nowhere/at does not exist"),
    ],
)
def test_what_does_not_exist_is_told_in_a_sentence(store: Store, arguments: list[str], said: str) -> None:
    record_sweep(store, [Given({"model.name": "bp"}, BP)])
    ended = compare(*arguments)
    assert ended.status == 2
    assert ended.err.startswith("error: ")
    assert said in ended.err
    assert len(ended.err.splitlines()) == 1
    assert not Path("outputs").exists()


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["--output", ""], "argument --output: names no folder"),
        (["--output", "~nouser/x"], "argument --output: '~nouser/x' begins with the folder of a user 'nouser'"),
        (["--sweep", "a", "--sweep", "b", "--sweep", "a"], "--sweep a is given twice; name each sweep once."),
        (["study", "study"], "study is given twice; name each sweep once."),
    ],
)
def test_what_cannot_be_meant_is_told_before_the_store_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    ended = compare(*arguments, "--uri", "sqlite:///nowhere/store.db")
    assert ended.status == 2
    assert f"error: {said}" in ended.err
    assert not list(tmp_path.iterdir())


def test_an_empty_store_is_told(store: Store) -> None:
    ended = compare()
    assert ended.status == 2
    assert ended.err == (
        "error: the store holds no finished run to compare; run a sweep: python -m src.run experiments=homework5.\n"
    )


def test_single_runs_are_compared_and_the_page_says_how_to_make_each_again(store: Store, tmp_path: Path) -> None:
    for given in (Given({"model.name": "bp"}, BP), Given({"model.name": "logistic"}, LOGISTIC)):
        place = NoSweep(
            experiment_id(store, "bp"), {"command": f"python -m src.run model={given.params['model.name']}"}
        )
        ended_of(given).log(store, place)
    ended = compare("bp", "--output", "made")
    assert ended.status == 0, ended.err
    assert ended.out.startswith("bp: 2 single runs on the same folds\n")
    comparisons = pd.read_csv(tmp_path / "made" / "comparison.csv")
    assert comparisons[["model", "baseline"]].to_numpy().tolist() == [["bp", "logistic"]]
    page = (tmp_path / "made" / "comparison.html").read_text()
    assert all(f"python -m src.run model={name}" in page for name in ("bp", "logistic"))
    assert "2 of bp: 2 single runs" in page


def test_a_running_sweep_is_told(store: Store) -> None:
    record_sweep(store, [Given({"model.name": "bp"}, BP)], status="RUNNING")
    ended = compare()
    assert ended.status == 2
    assert "is still running; wait for its end, or name an earlier sweep with --sweep." in ended.err


def test_a_refused_comparison_shows_the_jobs_and_says_why(store: Store) -> None:
    record_sweep(store, [Given({"model.name": "bp"}, BP), Given({"model.name": "logistic"}, LOGISTIC, folds="others")])
    ended = compare()
    assert ended.status == 2
    assert ended.err.startswith("error: nothing is compared: 'bp' and 'logistic' were scored on different folds")
    assert "logistic" in ended.out


def test_one_model_or_one_job_is_shown_and_said_to_stand_alone(store: Store) -> None:
    record_sweep(store, [Given({"model.name": "bp"}, BP)])
    ended = compare()
    assert ended.status == 0
    assert "there is no other model to compare it with." in " ".join(ended.out.split())


def test_a_folder_that_cannot_be_written_is_told(store: Store, tmp_path: Path) -> None:
    record_sweep(store, [Given({"model.name": "bp"}, BP)])
    (tmp_path / "file").write_text("")
    ended = compare("--output", "file")
    assert ended.status == 2
    assert ended.err == "error: --output: file cannot be written: file exists; choose another folder.\n"


def test_a_user_file_that_has_gone_costs_the_report_one_figure(store: Store, tmp_path: Path) -> None:
    rows = "\n".join(f"{row % 7},{row % 5},{'ab'[row % 2]}" for row in range(40))
    (tmp_path / "my.csv").write_text(f"x,y,class\n{rows}\n")
    run = command("-m", "data=csv", "data.path=my.csv", "model=bp,logistic", "training.epochs=5", "cv.folds=2")
    assert run.status == 0, run.err
    assert compare("--output", "with").status == 0
    (tmp_path / "my.csv").unlink()
    assert compare("--output", "without").status == 0
    with_figure, without = ({path.name for path in Path(name).rglob("*.svg")} for name in ("with", "without"))
    assert with_figure - without == {"decision-regions.svg"}
