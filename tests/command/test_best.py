"""What is best is the same thing everywhere: printed, tagged, kept, registered, and never the luckiest seed's."""

import csv
import io
import json
import shutil
from pathlib import Path

import pytest
from mlflow.entities import Run

from tests.commandline import Ended
from tests.stores import Record

QUICK = ("training.epochs=20", "cv.folds=3")
LOG_LOSS = "test/log_loss"


def keeping(record: Record, *arguments: str) -> Ended:
    """Run a sweep in this process that keeps models as it does by default."""
    ended = record.run("-m", *arguments)
    assert ended.status == 0, ended.err
    return ended


def kept(record: Record, experiment: str) -> set[str]:
    """The runs of an experiment that hold a model."""
    return {run.info.run_id for run in record.runs(experiment) if run.outputs and run.outputs.model_outputs}


def of(runs: list[Run], **params: str) -> Run:
    """The one run with these params, `a__b` for `a.b`."""
    wanted = {key.replace("__", "."): value for key, value in params.items()}
    (found,) = [run for run in runs if wanted.items() <= run.data.params.items()]
    return found


@pytest.fixture(scope="module")
def seeds(shared: Record) -> tuple[Ended, Run, list[Run]]:
    """Two settings with three seeds each: how the sweep ended, its run and its jobs' runs."""
    ended = keeping(
        *(shared, *QUICK, "training.learning_rate=0.3,3", "seed=4,0,3", "tracking.experiment=seeds"),
        "tracking.register=best-of-seeds",
    )
    (parent,) = shared.parents("seeds")
    return ended, parent, shared.children(parent)


def test_a_setting_is_best_by_all_its_seeds_wherever_it_is_asked(
    shared: Record, seeds: tuple[Ended, Run, list[Run]]
) -> None:
    ended, parent, jobs = seeds
    accuracy = {run.info.run_id: run.data.metrics["test/accuracy"] for run in jobs}
    by_rate = {
        rate: [run for run in jobs if float(run.data.params["training.learning_rate"]) == rate] for rate in (0.3, 3)
    }
    means = {rate: sum(accuracy[run.info.run_id] for run in runs) / 3 for rate, runs in by_rate.items()}
    best = max(means, key=means.__getitem__)
    first = of(by_rate[best], seed="0")
    luckiest = max(jobs, key=lambda run: accuracy[run.info.run_id])
    assert luckiest not in by_rate[best]  # what makes this a test
    assert accuracy[first.info.run_id] < max(accuracy[run.info.run_id] for run in by_rate[best])

    assert parent.data.tags["best_run"] == first.info.run_id
    assert parent.data.metrics["test/accuracy"] == pytest.approx(means[best], abs=1e-15)
    losses = [run.data.metrics["test/log_loss"] for run in by_rate[best]]
    assert parent.data.metrics["test/log_loss"] == pytest.approx(sum(losses) / 3, abs=1e-15)
    board = list(csv.DictReader(io.StringIO(shared.artifact(parent, "leaderboard.csv"))))
    assert [row["run_id"] for row in board] == [
        of(by_rate[rate], seed="0").info.run_id for rate in sorted(means, key=means.__getitem__, reverse=True)
    ]
    assert {row["seeds"] for row in board} == {"0 3 4"}
    (star,) = [line for line in ended.out.splitlines() if line.startswith("★")]
    assert star.split()[:4] == ["★", "bp", f"{best:g}", f"{means[best]:.3f}"]
    said = " ".join(ended.out.split())
    assert f"Best of 2: bp (learning_rate={best:g}), accuracy {means[best]:.3f} ± " in said
    assert f"accuracy {means[best]:.3f} ± " in parent.data.tags["mlflow.note.content"]
    # Each of the two settings is compared, and keeps the model of its smallest seed.
    assert kept(shared, "seeds") == {of(runs, seed="0").info.run_id for runs in by_rate.values()}
    version = shared.client.get_model_version("best-of-seeds", "1")
    assert version.run_id == first.info.run_id
    assert ended.err.splitlines()[-1].endswith(f"| best test/accuracy {means[best]:.4f}")


def test_a_finished_sweep_typed_again_registers_the_same_run(
    shared: Record, seeds: tuple[Ended, Run, list[Run]]
) -> None:
    again = keeping(
        *(shared, *QUICK, "seed=0,3,4", "training.learning_rate=3,0.3", "tracking.experiment=seeds"),
        "tracking.register=best-of-seeds",
    )
    _, parent, _ = seeds
    assert len(shared.parents("seeds")) == 1
    assert "version 2: mlflow models serve -m models:/best-of-seeds/2 --env-manager local" in again.out
    assert shared.client.get_model_version("best-of-seeds", "2").run_id == parent.data.tags["best_run"]
    assert again.err.splitlines()[-1].endswith(f"best test/accuracy {parent.data.metrics['test/accuracy']:.4f}")


EQUAL = {
    # equal accuracies: the smaller log loss
    "log loss": ("model", ("logistic", "softmax"), lambda runs: min(runs, key=lambda run: run.data.metrics[LOG_LOSS])),
    # equal in everything, as no gradient is so long: the text of the configuration
    "text": ("training.clip_norm", ("1000.0", "200.0"), lambda runs: of(runs, training__clip_norm="1000.0")),
}


@pytest.mark.parametrize("backwards", [False, True], ids=["as typed", "backwards"])
@pytest.mark.parametrize("case", EQUAL)
def test_equals_are_ranked_alike_in_any_order_and_the_best_is_registered(
    shared: Record, case: str, backwards: bool
) -> None:
    key, values, first_of = EQUAL[case]
    name = f"equal-{case}-{backwards}".replace(" ", "-")
    keeping(
        *(
            shared,
            f"{key}={','.join(sorted(values, reverse=backwards))}",
            "cv.folds=5",
            "training.epochs=20",
            f"tracking.experiment={name}",
        ),
        f"tracking.register={name}",
    )
    (parent,) = shared.parents(name)
    jobs = shared.children(parent)
    assert len({round(run.data.metrics["test/accuracy"], 9) for run in jobs}) == 1
    assert (len({run.data.metrics[LOG_LOSS] for run in jobs}) == 1) == (case == "text")
    assert parent.data.tags["best_run"] == first_of(jobs).info.run_id
    assert shared.client.get_model_version(name, "1").run_id == parent.data.tags["best_run"]
    assert kept(shared, name) == {run.info.run_id for run in jobs}


def test_two_models_of_scikit_learn_each_keep_theirs(shared: Record) -> None:
    tree, neighbors = "sklearn.tree.DecisionTreeClassifier", "sklearn.neighbors.KNeighborsClassifier"
    keeping(
        *(shared, "model=sklearn", f"model.estimator={tree},{neighbors}", "cv.folds=3", "seed=0,1"),
        "tracking.experiment=estimators",
    )
    (parent,) = shared.parents("estimators")
    jobs = shared.children(parent)
    first = {of(jobs, model__estimator=name, seed="0").info.run_id for name in (tree, neighbors)}
    assert kept(shared, "estimators") == first
    assert parent.data.tags["best_run"] in first


def test_several_data_sets_have_no_best(shared: Record) -> None:
    ended = keeping(shared, "data=ex4,iris", "model=logistic", *QUICK, "tracking.experiment=several")
    (parent,) = shared.parents("several")
    assert "best_run" not in parent.data.tags
    assert parent.data.metrics == {}
    assert "★" not in ended.out
    assert "best" not in ended.err
    assert "Best accuracy of each data set, on the folds that chose it: logistic on ex4 (" in " ".join(
        ended.out.split()
    )
    assert kept(shared, "several") == {run.info.run_id for run in shared.children(parent)}


def test_a_model_of_several_data_sets_cannot_be_registered(record: Record) -> None:
    ended = record.sweep("data=ex4,iris", "model=logistic", *QUICK, "tracking.register=best")
    assert ended.status == 2
    assert ended.out == ""
    assert ended.err == (
        "error: tracking.register: the best model of several data sets (ex4, iris) cannot be told, as scores on "
        "different data are not ranked together. Register from a sweep over one of them.\n"
    )
    assert record.runs() == []


def test_a_setting_without_all_seeds_does_not_beat_those_that_have_them(shared: Record) -> None:
    weak, strong = "training.learning_rate: 0.001", "training.learning_rate: 0.5"
    grids = (
        f"[{{model: bp, {weak}, seed: '0,1'}}, {{model: bp, {strong}, seed: 0}}, "
        f"{{model: logistic, {weak}, seed: '0,1'}}]"
    )
    ended = keeping(
        *(shared, f"hydra.sweeper.params={grids}", *QUICK, "tracking.experiment=uneven", "tracking.register=uneven"),
    )
    (parent,) = shared.parents("uneven")
    jobs = shared.children(parent)
    luckiest = max(jobs, key=lambda run: run.data.metrics["test/accuracy"])
    assert luckiest.data.params["training.learning_rate"] == "0.5"
    whole: dict[str, list[Run]] = {}
    for run in jobs:
        if run is not luckiest:
            whole.setdefault(run.data.params["model.name"], []).append(run)
    model = max(whole, key=lambda name: sum(run.data.metrics["test/accuracy"] for run in whole[name]))
    expected = of(whole[model], seed="0").info.run_id
    assert parent.data.tags["best_run"] == expected
    assert shared.client.get_model_version("uneven", "1").run_id == expected
    assert "bp: 1 job is left out, as other seeds of the same setting have no result." in " ".join(ended.out.split())


def test_where_no_candidate_stands_the_best_is_kept_and_registered_all_the_same(shared: Record) -> None:
    """A fold of one row has no ROC AUC, so that nothing is compared; over all rows together there is one."""
    rows = [f"{row * 7 % 20},{row * 3 % 11},{'no' if row % 3 else 'yes'}" for row in range(20)]
    (shared.folder / "few.csv").write_text("\n".join(["a,b,kind", *rows]) + "\n")
    keeping(
        *(shared, "model=logistic,softmax", "data=csv", "data.path=few.csv", "cv.folds=20", "cv.stratified=false"),
        *("comparison.metric=roc_auc", "training.epochs=5", "tracking.experiment=leave one out"),
        "tracking.register=one",
    )
    (parent,) = shared.parents("leave one out")
    content = json.loads(shared.artifact(parent, "comparison.json"))
    assert (content["models"], content["comparisons"]) == ([], [])
    best = max(shared.children(parent), key=lambda run: run.data.metrics["test/roc_auc"])
    assert parent.data.metrics["test/roc_auc"] == best.data.metrics["test/roc_auc"]
    assert shared.client.get_model_version("one", "1").run_id == parent.data.tags["best_run"]
    assert kept(shared, "leave one out") == {parent.data.tags["best_run"]}


def test_the_progress_calls_nothing_best_before_all_its_seeds_have_ended(shared: Record) -> None:
    neighbors = ("model=sklearn", "model.estimator=sklearn.neighbors.KNeighborsClassifier", "cv.folds=3")
    ended = shared.sweep(
        *(*neighbors, "seed=0,1", "+model.params.n_neighbors=3,1000"),
        *("sweep.on_failure=stop", "tracking.experiment=progress"),
    )
    assert ended.status == 1
    (progress,) = [line for line in ended.err.splitlines() if line.startswith("2/4 jobs | 1 failed")]
    assert "best" not in progress
    again = shared.sweep(*neighbors, "seed=0,1", "+model.params.n_neighbors=3", "tracking.experiment=progress")
    assert again.status == 0, again.err
    accuracies = [run.data.metrics["test/accuracy"] for run in shared.runs("progress") if is_finished_job(run)]
    assert again.err.splitlines()[-1].endswith(f"best test/accuracy {sum(accuracies) / 2:.4f}")


def is_finished_job(run: Run) -> bool:
    return run.info.status == "FINISHED" and "job_digest" in run.data.tags


def test_figures_that_a_kill_cut_short_are_there_after_the_same_command(shared: Record) -> None:
    """Drawn from the record: when the command is typed again, no result is in memory."""
    sweep = (*QUICK, "model=bp,logistic", "tracking.experiment=cut")
    keeping(shared, *sweep)
    whole = {run.info.run_id: shared.artifacts(run, "figures") for run in shared.runs("cut")}
    (best,) = [run_id for run_id, files in whole.items() if "figures/roc_curve.png" in files]
    for lost in ("figures/roc_curve.png", "figures"):
        place = Path(shared.client.get_run(best).info.artifact_uri.removeprefix("file://")) / lost
        shutil.rmtree(place) if place.is_dir() else place.unlink()
        assert shared.artifacts(shared.client.get_run(best), "figures") != whole[best]
        keeping(shared, *sweep)
        assert shared.artifacts(shared.client.get_run(best), "figures") == whole[best]
