"""Bad data or a bad store on the command line: exit status 2, one sentence, nothing trained, nothing recorded."""

import contextlib
import os
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.commandline import command
from tests.stores import empty_store
from tests.unprivileged import without_root_powers

FEW_OF_ONE_CLASS = "a,b,label\n1,2,yes\n3,4,no\n5,6,yes\n7,8,no\n9,1,yes\n2,3,yes\n4,4,yes\n"
GOOD = "a,b,label\n" + "".join(f"{i},{i * i % 7},{'yes' if i % 3 else 'no'}\n" for i in range(30))
PEOPLE = "a,person,site,label\n" + "".join(f"{i},p{i // 5},{i // 10},{'yes' if i % 2 else 'no'}\n" for i in range(30))
ONE_CLASS_EACH = "a,person,label\n" + "".join(f"{i},p{i // 5},{'yes' if i < 5 else 'no'}\n" for i in range(30))
GROUPS = "data.groups=person"

# what is wrong: (the file's content, further arguments, what the sentence has to say)
BAD_FILES = {
    "empty": ("", [], ["empty"]),
    "no rows": ("a,b,label\n", [], ["no rows"]),
    "one column": ("label\nyes\nno\n", [], ["one column"]),
    "ragged row": ("a,b,label\n1,2,yes\n3,no\n4,5,yes\n", [], ["line 3"]),
    "missing target column": (GOOD, ["data.target=lable"], ["data.target", "'lable'", "'label'"]),
    "target position out of range": (GOOD, ["data.target=7"], ["data.target", "7"]),
    "constant target": ("a,b,label\n1,2,yes\n3,4,yes\n5,1,yes\n", [], ["yes"]),
    "NaN": ("a,b,label\n1,2,yes\n3,NaN,no\n4,5,yes\n", [], ["line 3", "data.missing=impute"]),
    "inf": ("a,b,label\n1,2,yes\n3,inf,no\n4,5,yes\n", [], ["inf", "line 3"]),
    "text in a numeric column": ("a,b,label\n1,2,yes\n3,many,no\n4,5,yes\n", [], ["'many'", "line 3"]),
    "missing value": ("a,b,label\n1,2,yes\n3,?,no\n4,5,yes\n", [], ["line 3", "data.missing=impute"]),
    "duplicate column names": ("a,a,label\n1,2,yes\n3,4,no\n", [], ["'a'"]),
    "wrong separator": (GOOD.replace(",", ";"), [], ["data.separator"]),
    "folds above the rarest class": (FEW_OF_ONE_CLASS, [], ["cv.folds"]),
    "no such groups": (PEOPLE, ["data.groups=persons"], ["data.groups", "'persons'", "Did you mean 'person'?"]),
    "missing group": (PEOPLE.replace("p3", "", 1), [GROUPS], ["line 17", "groups column 'person'"]),
    "one group": ("a,person,label\n1,p,yes\n2,p,no\n3,p,yes\n", [GROUPS], ["one group only, 'p', in 3 rows"]),
    "folds above the groups": (
        PEOPLE,
        [GROUPS, "cv.folds=7"],
        ["cv.folds: 7 folds need 7 groups, data.groups 'person' has 6; use cv.folds=6 or fewer"],
    ),
    "inner folds above the groups": (
        PEOPLE,
        [GROUPS, "cv.folds=3", "cv.inner_folds=5"],
        ["cv.inner_folds: 5 folds need 5 groups, data.groups 'person' has 4 in a training part"],
    ),
    "a class in one group": (
        ONE_CLASS_EACH,
        [GROUPS, "cv.folds=6"],
        ["cv.folds: with 6 folds one training part holds nothing but class 'no'"],
    ),
    "one group is left to hold out": (
        PEOPLE,
        ["data.groups=site", "cv.folds=3", "cv.inner_folds=2", "training.early_stopping.patience=5"],
        ["training.early_stopping.patience", "only one group of data.groups 'site'"],
    ),
    "missing fold": (PEOPLE.replace("p3,1", "p3,"), ["data.fold=site"], ["fold column 'site'", "lines 17, 18, 19"]),
    "one fold": ("a,person,label\n1,p,yes\n2,p,no\n3,p,yes\n", ["data.fold=person"], ["one fold only, 'p'"]),
    "a fold with all rows of a class": (ONE_CLASS_EACH, ["data.fold=person"], ["'p0'", "nothing but the class 'no'"]),
    "a group in two given folds": (
        PEOPLE.replace("p1", "p2"),
        [GROUPS, "data.fold=site"],
        ["the group 'p2'", "'0' (line 7)", "'1' (line 12)"],
    ),
    "repeats of given folds": (PEOPLE, ["data.fold=site", "cv=repeated"], ["cv.repeats: 10 repeats", "data.fold"]),
    "repeats of leave-one-out": (PEOPLE, ["cv.folds=30", "cv.repeats=2"], ["cv.repeats: 2 repeats of leave-one-out"]),
}


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store that does not exist yet; relative paths and Hydra's output folders are in the temporary folder."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "store.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{path}")
    return path


def sentence(*arguments: str) -> str:
    """The one sentence that a refused command says."""
    ended = command(*arguments)
    assert ended.status == 2, ended
    assert ended.out == ""
    lines = ended.err.splitlines()
    assert len(lines) == 1, ended.err
    assert lines[0].startswith("error: ")
    return lines[0]


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_file_is_refused_in_one_sentence(name: str, store: Path) -> None:
    content, arguments, words = BAD_FILES[name]
    Path("bad.csv").write_text(content)
    told = sentence("data=csv", "data.path=bad.csv", *arguments)
    assert all(word in told for word in words), told
    assert not store.exists()


def test_a_file_that_does_not_exist_is_told_with_the_near_miss(store: Path) -> None:
    Path("students.csv").write_text(GOOD)
    told = sentence("data=csv", "data.path=student.csv")
    assert "student.csv" in told
    assert "students.csv" in told


def test_bytes_that_are_not_utf_8(store: Path) -> None:
    Path("bad.csv").write_bytes(GOOD.replace("yes", "j\xe4").encode("latin-1"))
    assert "UTF-8" in sentence("data=csv", "data.path=bad.csv")


def test_folds_above_the_rarest_class_name_it(store: Path) -> None:
    assert "class" in sentence("data=iris", "cv.folds=51")


def test_a_sweep_with_one_bad_file_trains_nothing(store: Path) -> None:
    Path("good.csv").write_text(GOOD)
    Path("bad.csv").write_text("a,b,label\n1,2,yes\n3,many,no\n4,5,yes\n")
    assert "'many'" in sentence("-m", "data=csv", "data.path=good.csv,bad.csv", "training.l2=0,0.1")
    assert not store.exists()


def test_a_class_weight_for_no_class(store: Path) -> None:
    told = sentence("data=iris", "training.class_weight={rose: 2}")
    assert "training.class_weight" in told
    assert "'rose'" in told
    assert "setosa" in told


def test_an_estimator_that_does_not_exist(store: Path) -> None:
    told = sentence("model=sklearn", "model.estimator=sklearn.ensemble.RandomWood")
    assert "model.estimator" in told


@pytest.mark.parametrize(
    "uri, words",
    [
        ("nonsense://here", ["nonsense"]),
        ("http://127.0.0.1:9", ["127.0.0.1:9"]),
        ("sqlite:////no/such/folder/mlflow.db", ["/no/such/folder"]),
        ("sqlite:////proc/x.db", ["/proc/x.db cannot be written"]),
        ("sqlite:///a%00b.db", ["'sqlite:///a%00b.db' names no file", "NUL"]),
        ("sqlite:///" + "a" * 299, ["cannot be written: file name too long"]),
        ("sqlite:///~nouser/x.db", ["tracking.uri", "'nouser'"]),
    ],
)
def test_a_store_that_cannot_be_used_is_told_before_training(uri: str, words: list[str], store: Path) -> None:
    told = sentence(f"tracking.uri='{uri}'")
    assert all(word in told for word in words), told


@pytest.fixture
def special(tmp_path: Path) -> Iterator[dict[str, Path]]:
    """Files that are no regular files, each by what it is."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as listening, contextlib.chdir(tmp_path):
        listening.bind("socket")
        yield {"pipe": tmp_path / "pipe", "socket": tmp_path / "socket", "device": tmp_path / "link"}


@pytest.mark.parametrize("kind", ["pipe", "socket", "device"])
def test_a_table_in_a_special_file_is_refused_before_it_is_opened(
    kind: str, special: dict[str, Path], store: Path
) -> None:
    told = sentence("data=csv", f"data.path={special[kind]}")
    assert told.startswith(f"error: data.path: {special[kind]} is no regular file (a {kind})")


@pytest.mark.parametrize("dry_run", ["true", "false"])
@pytest.mark.parametrize("kind", ["pipe", "socket", "device"])
def test_a_store_in_a_special_file_is_refused_and_not_touched(
    kind: str, dry_run: str, special: dict[str, Path], tmp_path: Path
) -> None:
    before = sorted(tmp_path.iterdir()), special[kind].stat().st_mode
    told = sentence("-m", "seed=0", f"tracking.uri=sqlite:///{special[kind]}", f"sweep.dry_run={dry_run}")
    assert told.startswith(f"error: tracking.uri: {special[kind]} is no regular file (a {kind})")
    left = [path for path in sorted(tmp_path.iterdir()) if path.name != "multirun"]
    assert (left, special[kind].stat().st_mode) == before


def test_a_table_larger_than_memory_is_refused_before_it_is_read(store: Path) -> None:
    with Path("sparse.csv").open("wb") as sparse:
        sparse.truncate(1 << 42)
    assert "data.path: sparse.csv has 4,398,046,511,104 bytes; with " in sentence("data=csv", "data.path=sparse.csv")


def test_a_file_of_the_kernel_that_waits_is_not_read(store: Path) -> None:
    assert "/proc/kmsg is empty" in sentence("data=csv", "data.path=/proc/kmsg")


def test_a_table_in_the_folder_of_nobody(store: Path) -> None:
    assert "data.path: '~nouser/x.csv' begins with" in sentence("data=csv", "data.path='~nouser/x.csv'")


def test_a_deleted_experiment_is_told_in_the_words_of_the_store(store: Path) -> None:
    empty_store(store.parent, store.name)
    assert command("training.epochs=1", "cv.folds=2", "tracking.models=none", "tracking.experiment=gone").status == 0
    with closing(sqlite3.connect(store)) as connection, connection:
        connection.execute("UPDATE experiments SET lifecycle_stage = 'deleted' WHERE name = 'gone'")
    for arguments in ((), ("-m", "seed=0,1")):
        told = sentence(*arguments, "tracking.experiment=gone")
        assert told.startswith("error: tracking.experiment: 'gone' was deleted; choose another name")


@pytest.mark.parametrize("estimator", ["sklearn.base.BaseEstimator", "sklearn.tests.test_base.MyEstimator"])
def test_an_estimator_that_is_none(estimator: str, store: Path) -> None:
    assert sentence("model=sklearn", f"model.estimator={estimator}").startswith(
        f"error: model.estimator: '{estimator}' is"
    )


def test_a_file_that_is_no_database(tmp_path: Path, store: Path) -> None:
    store.write_text("this is no database, whatever it is called\n" * 100)
    before = store.read_bytes()
    assert "database" in sentence()
    assert store.read_bytes() == before


def test_a_store_that_is_read_only(tmp_path: Path, store: Path) -> None:
    empty_store(tmp_path, store.name)
    assert command("training.epochs=1", "cv.folds=2", "tracking.models=none").status == 0
    fixed = tmp_path / "fixed.db"
    with closing(sqlite3.connect(store)) as source, closing(sqlite3.connect(fixed)) as copy:
        source.backup(copy)
    fixed.chmod(0o444)
    content = fixed.read_bytes()
    with without_root_powers():
        told = sentence(f"tracking.uri=sqlite:///{fixed}")
    assert "cannot be written" in told
    assert fixed.read_bytes() == content
