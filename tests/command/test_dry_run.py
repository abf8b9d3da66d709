"""Dry runs: what would be trained is said, and nothing is left behind."""

from pathlib import Path

from tests.stores import Record


def test_a_union_of_grids_as_one_sweep(record: Record) -> None:
    grids = "[{model: bp, training.l2: '0,0.1', training.epochs: 3}, {model: 'sklearn_logistic,bp', training.l2: 0.1}]"
    ended = record.sweep(f"hydra.sweeper.params={grids}", "sweep.dry_run=true")
    assert ended.status == 0, ended.err
    assert "4 jobs to train" in ended.out


def test_a_dry_run_says_what_would_be_trained_and_leaves_nothing(tmp_path: Path, record: Record) -> None:
    grown = Record(tmp_path / "new")
    grown.folder.mkdir()
    grid = ("model=bp,logistic", "model.hidden_layer_sizes=[4],[8]", "training.epochs=2", "training.l2=0,1")
    planned = grown.sweep(*grid, "sweep.dry_run=true")
    assert planned.out.splitlines() == [
        "8 combinations, 6 distinct jobs",
        "model.hidden_layer_sizes means nothing for logistic and is ignored there",
        "6 jobs to train",
        planned.out.splitlines()[-1],
    ]
    assert planned.out.splitlines()[-1].startswith("30 networks in 3 stacks (of 10, 10, 10), the largest about ")
    assert [path.name for path in grown.folder.iterdir()] == ["multirun"]

    record.sweep("model=bp", "training.epochs=2")
    before = [run.info.run_id for run in record.runs()]
    again = record.sweep(*grid, "sweep.dry_run=true")
    assert again.out.splitlines()[2:4] == ["1 job of 6 reused from the record", "5 jobs to train"]
    assert [run.info.run_id for run in record.runs()] == before
    anew = record.sweep(*grid, "sweep.dry_run=true", "sweep.reuse=false")
    assert "reused" not in anew.out


def test_a_dry_run_of_models_that_are_no_networks(record: Record) -> None:
    ended = record.sweep("model=sklearn,sklearn_logistic", "sweep.dry_run=true")
    assert ended.out.splitlines() == ["2 jobs to train", "10 folds of models that are no networks, one by one"]


def test_a_job_without_any_sweeper(record: Record) -> None:
    ended = record.run("hydra.sweeper=null", "sweep.dry_run=true")
    assert ended.status == 0, ended.err
    assert "1 job to train" in ended.out
