import os
import platform
import subprocess
import sys

import numpy as np
import pytest

from src.config.identity import code_version
from src.folders import ROOT
from src.tracking import provenance, reading
from src.tracking.opening import experiment_id
from src.tracking.provenance import git_state, parse_versions
from src.tracking.reading import find_runs
from src.tracking.runs import AskedSweep, NoSweep, start_sweep
from tests.tracking.conftest import logged


@pytest.fixture
def repository(tmp_path):
    """A checkout with one commit."""
    folder = tmp_path / "checkout"
    folder.mkdir()

    def git(*arguments):
        return subprocess.run(
            ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@b", *arguments],
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()

    git("init", "--quiet", "--initial-branch", "trunk")
    (folder / "作业.py").write_text("x = 1\n")
    git("add", ".")
    git("commit", "--quiet", "--message", "first")
    return folder, git


def test_a_clean_checkout_has_its_commit_and_no_changes(repository):
    folder, git = repository
    state = git_state(folder)
    assert (state.commit, state.branch, state.dirty, state.changed) == (git("rev-parse", "HEAD"), "trunk", False, ())


def test_of_a_changed_checkout_the_files_are_named_and_not_read(repository):
    folder, _ = repository
    (folder / "作业.py").write_text("x = 2\ny = 3\n")
    state = git_state(folder)
    assert state.dirty is True
    assert state.changed == ("2 1 作业.py",)


def test_a_staged_change_counts(repository):
    folder, git = repository
    (folder / "作业.py").write_text("x = 2\n")
    git("add", ".")
    assert git_state(folder).dirty is True


def test_new_files_that_decide_what_is_run_are_changes_and_others_are_not(repository, tmp_path):
    folder, git = repository
    elsewhere = tmp_path / "elsewhere" / "set.yaml"
    here = [folder / name for name in ("experiments/mine.yaml", "notes.txt", "my/held.yaml", "my/model/new.yaml")]
    for file in (*here, elsewhere):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("password: 1\n")
    (folder / ".gitignore").write_text("my/\n")
    git("add", "--force", "my/held.yaml")
    git("commit", "--quiet", "--message", "held")
    state = git_state(folder)
    assert (state.dirty, state.changed) == (True, ("new experiments/mine.yaml",))
    assert git_state(folder, folder / "my").changed == (*state.changed, "new my/model/new.yaml")
    assert git_state(folder, elsewhere.parent).changed == (*state.changed, f"new {elsewhere}")


@pytest.mark.parametrize("typed", [["--config-dir", "my"], ["--config-dir=my"], ["-cd", "my"]])
def test_the_folder_of_configurations_that_was_typed_counts(monkeypatch, tmp_path, typed):
    monkeypatch.chdir(tmp_path)
    asked = []
    monkeypatch.setattr(provenance, "git_state", lambda **given: asked.append(given) or provenance.GitState())
    with provenance.as_typed(["-m", "src.run", *typed, "model=mine"]):
        assert provenance.files() == {}
    assert asked == [{"config_dir": tmp_path / "my"}]


def test_without_a_repository_nothing_is_claimed(tmp_path):
    state = git_state(tmp_path)
    assert (state.commit, state.branch, state.dirty, state.changed) == (None, None, None, ())


def test_without_git_nothing_fails(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_state(tmp_path / "elsewhere").commit is None


def test_a_repository_without_a_commit_is_not_clean(tmp_path):
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    assert git_state(tmp_path).dirty is None


def test_the_tags_tell_what_was_run_with_what():
    tags = provenance.tags()
    assert tags["python"] == platform.python_version()
    versions = parse_versions(tags["versions"])
    assert versions["numpy"] == np.__version__
    assert {"mlflow", "scikit-learn", "scipy"} <= versions.keys()
    assert tags["git_dirty"] in {"true", "false", "unknown"}
    assert tags["code_version"] == code_version()
    assert tags["blas"] != "unknown"


def test_who_ran_it_where_and_in_which_slurm_job_stands_on_sweep_and_runs(store, make_job, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "4711")
    monkeypatch.setenv("LOGNAME", "anna")
    provenance.of_process.cache_clear()
    tags = provenance.tags()
    monkeypatch.undo()
    provenance.of_process.cache_clear()
    assert "slurm_job_id" not in provenance.tags()
    sweep = start_sweep(store, experiment_id(store, "bp"), AskedSweep("d", "s", []), tags)
    run_id = logged(store, sweep, make_job())
    expected = {"mlflow.user": "anna", "host": platform.node(), "slurm_job_id": "4711"}
    for recorded in (sweep.run_id, run_id):
        found = reading.get_run(store, recorded).tags
        assert {key: found[key] for key in expected} == expected


def test_the_command_is_as_typed_without_the_path_of_this_python(tmp_path):
    (tmp_path / "tool.py").write_text(
        "from src.tracking.provenance import tags\nprint(tags()['command'], tags()['mlflow.source.name'], sep='\\n')"
    )
    ended = subprocess.run(
        [sys.executable, "-m", "tool", "model=softmax", "data.path=my file.csv"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout.splitlines() == ["python -m tool model=softmax 'data.path=my file.csv'", "tool"]


@pytest.fixture
def dirty(monkeypatch):
    state = provenance.GitState(commit="c" * 40, branch="main", dirty=True, changed=("1 0 a.py",))
    monkeypatch.setattr(provenance, "git_state", lambda: state)


def test_the_changed_files_are_an_artifact_of_the_sweep_and_not_of_each_job(store, make_job, dirty):
    sweep = start_sweep(store, experiment_id(store, "bp"), AskedSweep("d", "s", []), {})
    parent = reading.get_run(store, sweep.run_id)
    assert reading.artifact(store, parent, "changed_files.txt") == b"1 0 a.py\n"
    child = reading.get_run(store, logged(store, sweep, make_job()))
    assert not [item for item in store.client.list_artifacts(child.run_id) if item.path == "changed_files.txt"]


def test_a_job_alone_has_no_parent_and_carries_them_itself(store, make_job, dirty):
    alone = NoSweep(experiment_id(store, "bp"), {"command": "python -m src.run"})
    run = reading.get_run(store, logged(store, alone, make_job()))
    assert run.parent_id is None
    assert run.tags["command"] == "python -m src.run"
    assert "sweep_digest" not in run.tags
    assert reading.artifact(store, run, "changed_files.txt") == b"1 0 a.py\n"
    assert [found.run_id for found in find_runs(store, [alone.experiment_id], {})] == [run.run_id]
