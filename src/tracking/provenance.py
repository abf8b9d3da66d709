"""Who ran what: the user, machine, command, code and libraries that gave a result.

Everything is read once for each process: a sweep of a thousand jobs asks git three times, not three thousand.
"""

import contextlib
import functools
import os
import platform
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from itertools import pairwise
from pathlib import Path

from src import kernels
from src.config.identity import code_version
from src.escaping import escaped, masked
from src.folders import ROOT
from src.tracking.processes import user
from src.tracking.records import HOST, SLURM_JOB, USER

CHANGED = "changed_files.txt"
CODE = ("src", "conf", "experiments", "hydra_plugins")  # folders whose files decide what is run
GIT_SECONDS = 20
LIBRARIES = (
    *("numpy", "scipy", "scikit-learn", "pandas", "joblib"),
    *("hydra-core", "omegaconf", "pydantic", "mlflow", "dask"),
)

_typed: ContextVar[Sequence[str] | None] = ContextVar("typed", default=None)


@dataclass(frozen=True)
class GitState:
    """The checkout's commit and branch, whether what was run differs from it, and in which files; None without git.

    `changed` has a line for each such file: lines added, lines removed, path; of one in `CODE` or ``--config-dir`` that
    git does not hold ``new`` and the path. What they hold is never read: a configuration may hold a password.
    """

    commit: str | None = None
    branch: str | None = None
    dirty: bool | None = None
    changed: tuple[str, ...] = ()


@functools.cache
def git_state(folder: Path = ROOT, config_dir: Path | None = None) -> GitState:
    """Ask git about a checkout and a folder of configurations; whatever cannot be found out is None."""
    commit = _git(folder, "rev-parse", "HEAD")
    if commit is None:
        return GitState()
    branch = _git(folder, "rev-parse", "--abbrev-ref", "HEAD")
    changed = _git(folder, "diff", "--numstat", "HEAD")
    new = _git(folder, "ls-files", "--others", "--exclude-standard", "--", *CODE) or []
    if config_dir is not None and config_dir.is_relative_to(folder):
        new += _git(folder, "ls-files", "--others", "--", str(config_dir)) or []
    elif config_dir is not None:
        new += sorted(map(str, config_dir.rglob("*.yaml")))
    lines = [*(changed or []), *(f"new {path}" for path in dict.fromkeys(new))]
    return GitState(
        commit="".join(commit),
        branch=None if branch is None else "".join(branch),
        dirty=None if changed is None else bool(lines),
        changed=tuple(escaped(line.replace("\t", " ")) for line in lines),
    )


def _git(folder: Path, *arguments: str) -> list[str] | None:
    """Return the lines that git prints, None if there is no git, no repository or no commit."""
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}  # no lock taken from a command the user types meanwhile
    command = ["git", "-C", str(folder), "-c", "core.quotepath=off", *arguments]
    try:
        ended = subprocess.run(command, capture_output=True, env=environment, timeout=GIT_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return ended.stdout.decode(errors="replace").splitlines() if ended.returncode == 0 else None


@contextlib.contextmanager
def as_typed(arguments: Sequence[str]) -> Iterator[None]:
    """Record what is computed within under a command that does the same: the process was started by another."""
    before = _typed.set(arguments)
    try:
        yield
    finally:
        _typed.reset(before)


def _arguments() -> Sequence[str]:
    return _typed.get() or sys.orig_argv[1:]


def _state() -> GitState:
    """The state of the checkout and of the folder that ``--config-dir`` names."""
    arguments = [*_arguments(), ""]
    for argument, following in pairwise(arguments):
        flag, is_set, value = argument.partition("=")
        if flag in ("--config-dir", "-cd"):
            return git_state(config_dir=Path(value if is_set else following).expanduser().resolve())
    return git_state()


def tags() -> Mapping[str, str]:
    """Return the provenance of what this process computes, as tags of a run.

    ``command`` can be typed again in the repository's root; passwords are masked. ``git_dirty`` is ``true``, ``false``
    or, outside a checkout, ``unknown``: not known is not clean. ``versions`` are of the libraries that are installed.
    """
    arguments = _arguments()
    command = masked(shlex.join(["python", *arguments]))
    program = arguments[arguments.index("-m") + 1] if "-m" in arguments[:-1] else Path(sys.argv[0]).name or "python"
    return {"mlflow.source.name": program, "command": command, **of_process()}


@functools.cache
def of_process() -> Mapping[str, str]:
    """Return the tags that are the same for all this process computes."""
    versions = []
    for name in LIBRARIES:
        with contextlib.suppress(PackageNotFoundError):  # an extra that is not installed
            versions.append(f"{name} {version(name)}")
    state = _state()
    dirty = {True: "true", False: "false", None: "unknown"}[state.dirty]
    slurm_job = os.environ.get("SLURM_JOB_ID")
    return {
        USER: user(),
        HOST: socket.gethostname(),
        **({SLURM_JOB: slurm_job} if slurm_job else {}),
        "mlflow.source.type": "LOCAL",
        **({"mlflow.source.git.commit": state.commit} if state.commit else {}),
        **({"mlflow.source.git.branch": state.branch} if state.branch else {}),
        "git_dirty": dirty,
        "code_version": code_version(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "blas": kernels.loaded(),
        "versions": ", ".join(versions),
    }


def parse_versions(text: str) -> dict[str, str]:
    """Read the ``versions`` tag back: version by library."""
    pairs = (entry.rpartition(" ") for entry in text.split(", ") if entry)
    return {name: number for name, _, number in pairs}


def files() -> dict[str, bytes]:
    """Return the artifacts that belong to the provenance: which files differ from the commit, if any do."""
    changed = _state().changed
    return {CHANGED: "".join(f"{line}\n" for line in changed).encode()} if changed else {}
