"""Searches by optuna: every batch of trials a stack, one parent run, the direction of `comparison.metric`."""

import csv
import io
import json

import pytest
import yaml
from mlflow.entities import Run

from src.command.search import check_installed, direction_of
from src.errors import UserError
from tests.commandline import Ended
from tests.stores import Record, computed, same

pytest.importorskip("hydra_plugins.hydra_optuna_sweeper")

SPACE = ("training.learning_rate=tag(log,interval(0.001,10))", "training.l2=interval(0,0.1)")
FEW = ("hydra/sweeper=optuna", "hydra.sweeper.n_trials=6", "hydra.sweeper.n_jobs=3", "training.epochs=20", "cv.folds=3")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Record:
    """A store that the tests share, whose figures are made: the outcomes are odd."""
    return Record.empty(tmp_path_factory.mktemp("shared"), with_figures=True)


def test_hydras_own_launcher_runs_each_job_alone(shared: Record) -> None:
    ended = shared.run("-m", "seed=0,1", "hydra/launcher=basic", "training.epochs=2", "tracking.models=none")
    assert ended.status == 0, ended.err
    assert ended.out.count("Result: bp") == 2


def best_of(record: Record) -> dict[str, object]:
    """What optuna says it found, in Hydra's newest folder."""
    file = sorted(record.folder.glob("multirun/*/*/optimization_results.yaml"))[-1]
    found: dict[str, object] = yaml.safe_load(file.read_text())
    return found


def settings(runs: list[Run]) -> set[tuple[str, str]]:
    return {(run.data.params["training.learning_rate"], run.data.params["training.l2"]) for run in runs}


def test_a_search_is_one_sweep_and_the_same_command_finds_the_same(shared: Record) -> None:
    command = (*FEW, *SPACE, "model.hidden_layer_sizes=[4],[3,2]", "comparison.metric=log_loss")
    first = shared.sweep(*command, "tracking.experiment=found")
    assert first.status == 0, first.err
    assert "6/6 jobs" in first.err
    assert first.out.count("Open the result") == 1
    (parent,) = shared.parents("found")
    runs = shared.children(parent)
    assert parent.info.status == "FINISHED"
    assert parent.info.run_name.startswith("search: ")
    assert parent.data.tags["jobs"] == "6"
    assert len(runs) == len(settings(runs)) == 6
    listed = json.loads(shared.artifact(parent, "jobs.json"))
    assert sorted(job["digest"] for job in listed) == sorted(run.data.tags["job_digest"] for run in runs)
    assert len(list(csv.DictReader(io.StringIO(shared.artifact(parent, "leaderboard.csv"))))) == 6

    losses = [run.data.metrics["test/log_loss"] for run in runs]
    assert best_of(shared)["best_value"] == min(losses)
    assert parent.data.metrics["test/log_loss"] == min(losses)

    again = shared.sweep(*command, "tracking.experiment=found")
    assert again.status == 0, again.err
    assert len(shared.runs("found")) == 7
    assert "3 jobs of 3 reused" in again.out

    elsewhere = shared.sweep(*command, "tracking.experiment=elsewhere")
    assert elsewhere.status == 0, elsewhere.err
    anew = {run.data.tags["job_digest"]: computed(run) for run in shared.children(*shared.parents("elsewhere"))}
    assert all(same(anew[run.data.tags["job_digest"]], computed(run)) for run in runs)


@pytest.fixture(scope="module")
def searched(shared: Record) -> Ended:
    """How a search of six trials ended, in the experiment "longer"."""
    ended = shared.sweep("tracking.experiment=longer", *FEW, *SPACE)
    assert ended.status == 0, ended.err
    return ended


@pytest.mark.usefixtures("searched")
def test_a_longer_search_trains_only_what_is_new(shared: Record) -> None:
    longer = shared.sweep("tracking.experiment=longer", *FEW, *SPACE, "hydra.sweeper.n_trials=9")
    assert longer.status == 0, longer.err
    short, long = shared.parents("longer")
    assert len(shared.children(short)) == 6
    assert len(shared.children(long)) == 3
    assert len(json.loads(shared.artifact(long, "jobs.json"))) == 9
    best = max(run.data.metrics["test/accuracy"] for run in [*shared.children(short), *shared.children(long)])
    assert long.data.metrics["test/accuracy"] == best


def test_a_search_survives_networks_that_diverge(shared: Record) -> None:
    ended = shared.sweep(
        *(*FEW, "training.learning_rate=tag(log,interval(1e-3,1e200))", "tracking.experiment=diverging"),
        *("model.activation=relu", "model.output=identity", "model.loss=squared_error"),
    )
    assert ended.status == 0, ended.err
    (parent,) = shared.parents("diverging")
    runs = shared.children(parent)
    assert len(runs) == 6
    assert {run.info.status for run in runs} == {"FINISHED"}
    assert any(run.data.tags.get("diverged") == "true" for run in runs)


NEIGHBORS = (
    *("hydra/sweeper=optuna", "hydra/sweeper/sampler=random", "hydra.sweeper.n_trials=6", "hydra.sweeper.n_jobs=2"),
    *("model=sklearn", "model.estimator=sklearn.neighbors.KNeighborsClassifier", "cv.folds=3"),
)


def test_an_answer_says_that_a_search_flatters_what_it_found(shared: Record, searched: Ended) -> None:
    parent = shared.parents("longer")[0]
    assert "by a search that saw these folds, which flatters it" in parent.data.tags["answer"]
    assert parent.data.tags["answer"] in " ".join(searched.out.split())

    models = shared.sweep(*FEW, "model=bp,logistic", SPACE[0], "tracking.experiment=flattered")
    assert models.status == 0, models.err
    parent = shared.parents("flattered")[-1]
    assert "the search saw the folds that score " in parent.data.tags["answer"]
    assert ", which flatters what it found." in parent.data.tags["answer"]
    chosen = {one["selection"] for one in json.loads(shared.artifact(parent, "comparison.json"))["models"]}
    assert "search" in chosen
    assert not chosen & {"nested", "other folds"}


def test_a_search_cannot_be_nested(record: Record) -> None:
    for overrides in (["cv.inner_folds=3"], ["model=bp,logistic", "cv.inner_folds=2", "sweep.dry_run=true"]):
        ended = record.sweep(*FEW, *SPACE, *overrides)
        assert ended.status == 2
        assert ended.out == ""
        (told,) = ended.err.splitlines()
        assert told.startswith("error: cv.inner_folds: a search is told the scores of the test folds and proposes its ")
        assert record.runs() == []


def test_failed_trials_are_told_at_the_end(shared: Record) -> None:
    ended = shared.sweep(*NEIGHBORS, "+model.params.n_neighbors=1,2,900,1000", "tracking.experiment=failing")
    assert ended.status == 1
    (parent,) = shared.parents("failing")
    runs = shared.children(parent)
    failed = [run for run in runs if run.info.status == "FAILED"]
    assert failed
    assert any(run.info.status == "FINISHED" for run in runs)
    assert parent.info.status == "FAILED"
    told = [line for line in ended.err.splitlines() if line.startswith("error: ")]
    assert len(told) == len(failed)


def test_a_search_without_any_result_ends_in_its_failures(shared: Record) -> None:
    ended = shared.sweep(*NEIGHBORS, "+model.params.n_neighbors=choice(900,1000)", "tracking.experiment=hopeless")
    assert ended.status == 1
    assert all(line.startswith("error: job ") for line in ended.err.splitlines() if "error" in line)


def test_a_failure_can_stop_a_search(shared: Record) -> None:
    ended = shared.sweep(
        *NEIGHBORS, "+model.params.n_neighbors=choice(900,1000)", "tracking.experiment=halted", "sweep.on_failure=stop"
    )
    assert ended.status == 1
    (parent,) = shared.parents("halted")
    assert [run.info.status for run in shared.children(parent)] == ["FAILED"]


def test_a_dry_run_of_a_search_plans_its_first_batch(record: Record) -> None:
    ended = record.sweep(*FEW, *SPACE, "sweep.dry_run=true")
    assert ended.status == 0, ended.err
    assert ended.out.startswith("3 jobs to train")
    assert record.runs() == []


def test_a_bad_value_in_a_search_is_told(record: Record) -> None:
    ended = record.sweep(*FEW, *SPACE, "training.optimizer=sdg")
    assert ended.status == 2
    assert "training.optimizer: 'sdg' is not an optimizer" in ended.err
    assert record.runs() == []


def test_directions_follow_from_the_metric() -> None:
    assert direction_of("test/log_loss") == "minimize"
    assert direction_of("test/accuracy") == direction_of("test/roc_auc") == "maximize"


def test_a_search_without_its_library_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"^hydra/sweeper=optuna: hydra-optuna-sweeper is not installed. `make inst"):
        check_installed()
