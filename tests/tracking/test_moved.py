"""A store that was moved, renamed or copied with its artifacts goes on as before."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from mlflow.artifacts import download_artifacts

from src.tracking.opening import open_store
from src.tracking.reading import artifact, get_run
from tests.stores import Record, computed

SWEEP = ("model=logistic,softmax", "training.epochs=2", "tracking.experiment=ab", "tracking.register=best")


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Record:
    """A sweep of two jobs, whose models are kept, and an experiment whose name begins like the first one's."""
    record = Record.empty(tmp_path_factory.mktemp("original"))
    assert record.run("-m", *SWEEP).status == 0
    assert record.single("training.epochs=2", "model=softmax", "tracking.experiment=abc").status == 0
    (record.folder / "rows.csv").write_text("exam1,exam2\n45,85\n")
    return record


@pytest.fixture
def moved(original: Record, tmp_path: Path) -> Record:
    """The same in another place, whose name needs escaping in an address; nothing is left at the first one."""
    there = Record(tmp_path / "a folder")
    shutil.copytree(original.folder, there.folder)
    with closing(sqlite3.connect(there.folder / "mlflow.db")) as database, database:
        for table, column in (("experiments", "artifact_location"), ("runs", "artifact_uri")):
            database.execute(f"UPDATE {table} SET {column} = replace({column}, ?, ?)", (str(original.folder), "/gone"))
        for table, column in (("logged_models", "artifact_location"), ("model_versions", "source")):
            database.execute(f"UPDATE {table} SET {column} = replace({column}, ?, ?)", (str(original.folder), "/gone"))
    return there


def places(record: Record) -> set[str]:
    with closing(sqlite3.connect(record.folder / "mlflow.db")) as database:
        texts = database.execute(
            "SELECT artifact_location FROM experiments WHERE name != 'Default' UNION SELECT artifact_uri FROM runs "
            "UNION SELECT artifact_location FROM logged_models UNION SELECT source FROM model_versions"
        )
        return {text for (text,) in texts}


def test_what_reads_a_moved_store_says_what_it_said_before(original: Record, moved: Record) -> None:
    compared = moved.run("ab", "--format", "json", module="src.compare")
    assert compared.status == 0, compared.err
    assert compared.out == original.run("ab", "--format", "json", module="src.compare").out
    best = moved.parents("ab")[0].data.tags["best_run"]
    again = moved.run(best, module="src.rerun")
    assert (again.status, again.err) == (0, "")
    predicted = moved.run(best, str(moved.folder / "rows.csv"), module="src.predict")
    assert predicted.status == 0, predicted.err
    assert predicted.out == original.run(best, str(original.folder / "rows.csv"), module="src.predict").out
    by_name = moved.run("models:/best/1", str(moved.folder / "rows.csv"), module="src.predict")
    assert by_name.out == predicted.out
    assert not Path("/gone").exists()


def test_mlflow_itself_finds_the_artifacts_and_new_runs_keep_theirs_beside_them(moved: Record) -> None:
    assert moved.single("training.epochs=2", "model=softmax", "tracking.experiment=abc", "seed=1").status == 0
    old, new = moved.runs("abc")
    for run in (old, new):
        kept = Path(download_artifacts(f"{run.info.artifact_uri}/fold_scores.csv"))
        assert kept.is_relative_to(moved.folder / "mlartifacts" / "abc")
    assert all(place.startswith((moved.folder / "mlartifacts").as_uri() + "/ab") for place in places(moved))


def test_a_sweep_in_a_moved_store_goes_on_with_what_it_has(moved: Record) -> None:
    again = moved.run("-m", *SWEEP, "seed=0,1")
    assert "2 jobs of 4 reused" in again.out
    seconds = [computed(run) for run in moved.runs("ab") if run.data.params.get("seed") == "1"]
    assert len(seconds) == 2


def test_a_copy_beside_its_original_reads_and_writes_its_own_files(original: Record, tmp_path: Path) -> None:
    copy, before = Record(tmp_path / "copy"), places(original)
    shutil.copytree(original.folder, copy.folder)
    run_id = copy.runs("abc")[0].info.run_id
    (copy.folder / "mlartifacts/abc" / run_id / "artifacts/note.txt").write_text("of the copy")
    store = open_store(copy.uri)
    assert artifact(store, get_run(store, run_id), "note.txt") == b"of the copy"
    open_store(original.uri)
    assert places(original) == before


def test_artifacts_that_lie_elsewhere_on_purpose_stay_there(tmp_path: Path) -> None:
    record = Record.empty(tmp_path)
    elsewhere = tmp_path / "disk" / "mlartifacts" / "far"
    elsewhere.parent.parent.mkdir()  # not mounted now, say
    record.client.create_experiment("far", elsewhere.as_uri())
    through_a_link = tmp_path / "link"
    through_a_link.symlink_to(tmp_path)
    record.client.create_experiment("near", (through_a_link / "mlartifacts" / "near").as_uri())
    (tmp_path / "mlartifacts" / "near").mkdir(parents=True)
    before = places(record)
    open_store(record.uri)
    assert places(record) == before


def test_a_database_that_was_copied_alone_is_told_what_it_lacks(moved: Record) -> None:
    shutil.rmtree(moved.folder / "mlartifacts")
    run = moved.parents("ab")[0]
    for told in (
        moved.run("ab", module="src.compare"),
        moved.run(run.info.run_id, str(moved.folder / "rows.csv"), module="src.predict"),
        moved.run(moved.children(run)[0].info.run_id, module="src.rerun"),
    ):
        assert told.status == 2
        assert "there is no folder " in told.err
        assert told.err.endswith("Whoever copies mlflow.db copies mlartifacts, which lies beside it, too.\n")
        assert told.err.count("\n") == 1


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_database_that_was_copied_alone_says_where_its_artifacts_go(
    original: Record, tmp_path: Path, lang: str
) -> None:
    """The checkout that it is from still stands: its artifacts are read there, and new ones go there too."""
    copy = Record(tmp_path)
    with closing(sqlite3.connect(original.folder / "mlflow.db")) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copy(original.folder / "mlflow.db", copy.folder)
    ended = copy.single("training.epochs=2", "model=softmax", "tracking.experiment=abc", "seed=2", f"lang={lang}")
    assert ended.status == 0, ended.err
    there = original.folder / "mlartifacts" / "abc"
    told = {
        "en": f"caution: the artifacts of this experiment are kept in {there}, not beside {tmp_path}/mlflow.db. "
        "Whoever copies mlflow.db copies mlartifacts, which lies beside it, too.",
        "zh": f"注意：该实验的产物存放在 {there}，而不在 {tmp_path}/mlflow.db 旁边。"
        "复制 mlflow.db 时，要把它旁边的 mlartifacts 一起复制。",
    }
    assert told[lang] in ended.out.splitlines()
    written = copy.runs("abc")[-1].info.artifact_uri
    assert Path(written.removeprefix("file://")).is_relative_to(there)

    shutil.copytree(original.folder / "mlartifacts", copy.folder / "mlartifacts")  # as it is told
    again = copy.single("training.epochs=2", "model=softmax", "tracking.experiment=abc", "seed=3", f"lang={lang}")
    assert told[lang] not in again.out
    assert all(place.startswith((tmp_path / "mlartifacts").as_uri()) for place in places(copy))
