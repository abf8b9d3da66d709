"""What a store holds of a sweep, so that two can be compared: without times and ids."""

import contextlib
import os
import re
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pandas as pd

RUN_ID = re.compile(r"\b[0-9a-f]{40}\b(?: with changes \([^)]*\))?|\b[0-9a-f]{32}\b|\bm-[0-9a-f]{32}\b")
TIME = re.compile(
    r'"time/\w+": [-\d.e]+|'
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?|\b\d+(?:\.\d+)? (?:m?s|minutes?|seconds?|min)\b"
)
FOLDER = re.compile(r"/\S*torture-[^/\s]+/[\w-]+")


@dataclass(frozen=True)
class Record:
    """Jobs by their digests.

    Attributes
    ----------
    finished : how often each job is recorded as FINISHED.
    metrics : of each job, without times.
    artifacts : of each job, and of the sweep under the empty digest: what each file says, by its name.
    statuses : how many runs have each status.
    parents : how many sweeps there are.
    """

    finished: Counter[str]
    metrics: dict[str, tuple[Any, ...]]
    artifacts: dict[str, dict[str, bytes]]
    statuses: Counter[str]
    parents: int

    def differences(self, expected: "Record") -> list[str]:
        """What is not as in an undisturbed sweep; empty if all is."""
        found = []
        if twice := [digest for digest, number in self.finished.items() if number > 1]:
            found.append(f"{len(twice)} jobs are recorded more than once, {sum(self.finished.values())} runs in all")
        if missing := expected.finished.keys() - self.finished.keys():
            found.append(f"{len(missing)} jobs are missing")
        if strange := self.finished.keys() - expected.finished.keys():
            found.append(f"{len(strange)} jobs are none of the sweep")
        if other := [one for one, values in self.metrics.items() if values != expected.metrics.get(one, values)]:
            found.append(f"the metrics of {len(other)} jobs differ")
        if self.statuses["RUNNING"]:
            found.append(f"{self.statuses['RUNNING']} runs are RUNNING")
        if self.parents != expected.parents:
            found.append(f"{self.parents} sweeps instead of {expected.parents}")
        return found + list(self._artifacts(expected))

    def _artifacts(self, expected: "Record") -> Iterator[str]:
        kinds: Counter[str] = Counter()
        lines: dict[str, str] = {}
        for digest in self.artifacts.keys() & expected.artifacts.keys():
            ours, theirs = self.artifacts[digest], expected.artifacts[digest]
            of = "the sweep" if not digest else "a job"
            kinds.update(f"{of} lacks {name}" for name in theirs.keys() - ours.keys())
            kinds.update(f"{of} has {name} too" for name in ours.keys() - theirs.keys())
            for name in sorted(ours.keys() & theirs.keys()):
                if ours[name] != theirs[name]:
                    kinds.update([f"{of} has another {name}"])
                    lines.setdefault(f"{of} has another {name}", _first_difference(ours[name], theirs[name]))
        yield from (f"{what} ({number} times){lines.get(what, '')}" for what, number in sorted(kinds.items()))


def read_record(database: Path) -> Record:
    """Read what is in a store, by SQL: nothing of the program has a say in it."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        runs = dict(connection.execute("SELECT run_uuid, status FROM runs WHERE lifecycle_stage = 'active'"))
        places = dict(connection.execute("SELECT run_uuid, artifact_uri FROM runs"))
        tags = {(run, key): value for run, key, value in connection.execute("SELECT run_uuid, key, value FROM tags")}
        values = connection.execute(
            "SELECT run_uuid, key, step, value, is_nan FROM metrics WHERE key NOT LIKE '%time/%' ORDER BY key, step"
        ).fetchall()
    digests = {run: tags[run, "job_digest"] for run in runs if (run, "job_digest") in tags}
    metrics: dict[str, list[Any]] = {digest: [] for run, digest in digests.items() if runs[run] == "FINISHED"}
    seen: dict[str, str] = {}
    for run, *value in values:
        if runs.get(run) == "FINISHED" and run in digests and seen.setdefault(digests[run], run) == run:
            metrics[digests[run]].append(tuple(value))
    artifacts = {
        digests.get(run, ""): _files(Path(unquote(urlsplit(places[run]).path)))
        for run, status in runs.items()
        if status == "FINISHED" and (run in digests or (run, "sweep_digest") in tags)
    }
    return Record(
        Counter(digest for run, digest in digests.items() if runs[run] == "FINISHED"),
        {digest: tuple(sorted(of)) for digest, of in metrics.items()},
        artifacts,
        Counter(runs.values()),
        sum((run, "sweep_digest") in tags for run in runs if run not in digests),
    )


def record_of(sweep: Any) -> Record:
    """The record of a sweep of `torture.rounds`; an empty one where there is none."""
    with contextlib.suppress(sqlite3.Error):
        return read_record(sweep.database)
    return Record(Counter(), {}, {}, Counter(), 0)


def _files(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    files = (path for path in files if path.name != "changed_files.txt")  # of this checkout
    return {re.sub(r"m-[0-9a-f]{32}", "ID", os.fspath(path.relative_to(folder))): _said(path) for path in files}


def _said(path: Path) -> bytes:
    """What a file says, without times, ids and the folder of its store; of a model's file only that it is there."""
    if path.suffix in (".skops", ".pkl", ".npz") or path.name == "MLmodel":
        return b""
    content = path.read_bytes()
    with contextlib.suppress(UnicodeDecodeError):
        text = RUN_ID.sub("ID", FOLDER.sub("FOLDER", content.decode()))
        content = TIME.sub("TIME", text).encode()
        if path.suffix == ".yaml":  # whose lines break where the folder's name ends
            content = b" ".join(content.split())
    if path.suffix == ".csv":
        with contextlib.suppress(pd.errors.EmptyDataError):
            table = pd.read_csv(path, dtype=str)
            content = RUN_ID.sub(
                "ID", table.drop(columns=[c for c in table if "time" in c or "second" in c]).to_csv()
            ).encode()
    return content


def _first_difference(ours: bytes, theirs: bytes) -> str:
    for one, other in zip(ours.splitlines(), theirs.splitlines(), strict=False):
        if one != other:
            at = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), 0)
            return f": {one[max(0, at - 60) : at + 60]!r} instead of {other[max(0, at - 60) : at + 60]!r}"
    return f": {len(ours)} bytes instead of {len(theirs)}"
