"""What a command must never do, whatever it is given."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz.cases import Case

# Names of exceptions: the standard library's, and the libraries' by how they are called.
EXCEPTION = re.compile(r"\b[A-Z_]\w*(?:Error|Exception|Warning|Interrupt|Iteration)\b")
INSIDES = re.compile(
    r"<class '|<function |\bobject at 0x|\bNoneType\b|\bmetaclass\b|_target_|\bDictConfig\b|\bAnyNode\b"
)
TRACEBACK = re.compile(r"Traceback \(most recent|Exception ignored|Fatal Python|most recent call first")
MEMORY = re.compile(r"Unable to allocate|[Cc]annot allocate memory|bad_alloc|out of memory", re.IGNORECASE)
# What a terminal obeys: control characters, and marks that turn the direction of what follows.
OBEYED = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
SENTENCE = re.compile(r"(?:[\w. -]+: )?error: ")
# A job that failed while it ran is told with its exception.
JOB_FAILED = re.compile(r"error: job .* failed: |error: the model of job .* cannot be kept: ")


@dataclass(frozen=True)
class Breach:
    """Something that was seen and must not be; `what` and the line are what it is grouped by."""

    what: str
    line: str = ""

    @property
    def signature(self) -> str:
        line = re.sub(r"'[^']*'|\"[^\"]*\"", "'…'", self.line)
        line = re.sub(r"(?:/[\w.~%-]+)+", "/…", line)
        return f"{self.what}: {re.sub(r'[0-9]+', 'N', line)[:120]}"


@dataclass(frozen=True)
class Ended:
    """How a command ended and what it left."""

    status: int
    out: str
    err: str
    stuck: str = ""
    outlived: tuple[str, ...] = ()  # processes that were still there afterwards


def breaches(case: Case, ended: Ended, folder: Path, runs_before: int) -> Iterator[Breach]:
    """Everything that is wrong with how a case ended."""
    said = f"{ended.out}\n{ended.err}"
    lines = said.splitlines()
    if ended.stuck or ended.status in (-14, -27):
        yield Breach("hang", _where(ended.stuck))
        return
    said_wrong = list(_insides(case, lines))
    yield from said_wrong
    if ended.status not in (0, 1, 2):
        yield Breach(f"status {ended.status}", _last(ended.err))
    elif ended.status not in case.statuses and not said_wrong:
        wanted = " or ".join(map(str, sorted(case.statuses)))
        yield Breach(
            f"status {ended.status}, not {wanted}", _last(ended.err) if ended.status else f"a {case.kind} case"
        )
    yield from _sentences(case, ended)
    for line in lines:
        if found := OBEYED.search(line.replace("\t", "")):
            yield Breach("obeyed by a terminal", f"{found[0]!r}")
            break
    for process in ended.outlived:
        yield Breach("outlived", process)
    yield from _store(folder / "store.db", ended.status, runs_before)
    yield from _kept(case, folder)


def _insides(case: Case, lines: list[str]) -> Iterator[Breach]:
    """The first line that names what a user has no business with."""
    for what, pattern in (("memory", MEMORY), ("exception", EXCEPTION), ("insides", INSIDES), ("traceback", TRACEBACK)):
        for line in lines:
            if pattern.search(line) and not JOB_FAILED.match(line) and not _typed(pattern, line, case):
                yield Breach(what, line)
                return


def _sentences(case: Case, ended: Ended) -> Iterator[Breach]:
    """Whether what is wrong is told in sentences, and nothing else; argparse also shows how the program is used."""
    if ended.status == 0:
        return
    lines = ended.err.splitlines()
    told = [line for line in lines if SENTENCE.match(line)]
    if not told:
        yield Breach("no sentence", _last(ended.err))
    for line in told:
        if not 10 <= len(line.partition("error: ")[2]) <= 2000:
            yield Breach("no sentence, or a page", line)
    if ended.status == 2 and case.module == "src.run" and not ended.err.startswith("usage: "):
        yield from (Breach("stray line", line) for line in lines[:1] if not line.startswith("error: "))
        if ended.out:
            yield Breach("begun before it was refused", ended.out.splitlines()[0])


def _store(database: Path, status: int, runs_before: int) -> Iterator[Breach]:
    try:
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
            (count,) = connection.execute("SELECT COUNT(*) FROM runs").fetchone()
            (running,) = connection.execute("SELECT COUNT(*) FROM runs WHERE status = 'RUNNING'").fetchone()
    except sqlite3.Error as error:
        yield Breach("store broken", str(error))
        return
    if running:
        yield Breach("left RUNNING")
    if status == 2 and count > runs_before:
        yield Breach("recorded, though refused")


def _kept(case: Case, folder: Path) -> Iterator[Breach]:
    """Look for the hostile names of a table in what is kept of its run, as something that is obeyed."""
    for file in sorted((folder / "mlartifacts").rglob("*")) if case.hostile else ():
        if file.suffix not in (".html", ".md", ".txt", ".svg", ".csv", ".json", ".yaml", ".log"):
            continue
        text = file.read_text(errors="replace")
        if (found := OBEYED.search(text)) and file.suffix != ".json":
            yield Breach("obeyed by a terminal, in a file", f"{file.name} {found[0]!r}")
        if file.suffix in (".html", ".svg", ".md") and re.search(r"<(?:script>alert|img src=x)", text):
            yield Breach("script in a file", file.name)
        if file.suffix == ".csv" and (cell := re.search(r'(?:^|,)"?[=@+](?![\d.])[^,\n]*', text, re.MULTILINE)):
            yield Breach("formula in a file", f"{file.name} {cell[0][:20]}")


def _typed(pattern: re.Pattern[str], line: str, case: Case) -> bool:
    """Whether what is found stands in the command itself."""
    return all(found in case.line for found in pattern.findall(line))


def _last(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "nothing said"


def _where(stuck: str) -> str:
    """The innermost place in our own code."""
    found = re.search(r'File ".*/(src/[\w/]+\.py|hydra_plugins/[\w/]+\.py)", line \d+ in (\w+)', stuck)
    return f"{found[1]} {found[2]}" if found else "before our code"
