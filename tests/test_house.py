"""The frame keeps its word: the lock is exact and names no address, the Makefile tells its targets, imports are few."""

import os
import re
import sqlite3
import subprocess
import sys
import tomllib
from pathlib import Path

import grimp
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from threadpoolctl import threadpool_info

ROOT = Path(__file__).resolve().parents[1]
LOCK = (ROOT / "requirements.lock").read_text()
SMALL_LOCK = (ROOT / "requirements-small.lock").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def locked_entries(lock: str = LOCK) -> list[str]:
    """Return a lock's entries, each with its hashes, without comments."""
    lines = [line for line in lock.splitlines() if not line.lstrip().startswith("#")]
    return re.split(r"\n(?=\S)", "\n".join(lines).strip())


def locked_versions() -> dict[str, list[Version]]:
    """Return the locked versions of each package; there are several where they differ between Pythons."""
    versions: dict[str, list[Version]] = {}
    for entry in locked_entries():
        requirement = Requirement(entry.partition("\\")[0])
        [specifier] = requirement.specifier
        assert specifier.operator == "=="
        versions.setdefault(canonicalize_name(requirement.name), []).append(Version(specifier.version))
    return versions


def declared_requirements() -> list[Requirement]:
    """Those of the lock: dask-kubernetes is installed by who has Kubernetes."""
    extras = [named for extra, named in PROJECT["optional-dependencies"].items() if extra != "kubernetes"]
    return [Requirement(text) for group in (PROJECT["dependencies"], *extras) for text in group]


def test_each_locked_package_has_a_hash():
    without = [entry for entry in locked_entries() if not re.search(r"--hash=sha256:[0-9a-f]{64}\b", entry)]
    assert len(locked_entries()) > len(declared_requirements())
    assert without == []


def test_the_small_lock_is_the_part_of_the_lock_that_is_no_extra():
    small, whole = ({re.sub(" ; .*", "", entry) for entry in locked_entries(lock)} for lock in (SMALL_LOCK, LOCK))
    assert small < whole, "the same versions with the same hashes"
    names = {canonicalize_name(entry.partition("==")[0]) for entry in small}
    assert {canonicalize_name(Requirement(text).name) for text in PROJECT["dependencies"]} <= names
    extras = {canonicalize_name(one.name) for one in declared_requirements()[len(PROJECT["dependencies"]) :]}
    assert names.isdisjoint(extras)


def test_uv_installs_the_locks_in_a_checkout():
    """With a constraint in pyproject.toml, which has no hash, it refuses."""
    assert "uv" not in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]


@pytest.mark.parametrize("lock", [LOCK, SMALL_LOCK], ids=["whole", "small"])
def test_a_lock_names_no_address_and_no_path(lock: str):
    assert re.findall(r"\S*(?://|index|find-links|file:|/home|/opt|/tmp|/work)\S*", lock) == []


@pytest.mark.parametrize("requirement", declared_requirements(), ids=lambda requirement: requirement.name)
def test_each_declared_package_is_locked_within_its_range(requirement: Requirement):
    versions = locked_versions()[canonicalize_name(requirement.name)]
    assert all(requirement.specifier.contains(version) for version in versions)


@pytest.mark.parametrize("framework", ["torch", "jax", "jaxlib", "tensorflow"])
def test_no_other_network_framework_is_locked(framework: str):
    assert framework not in locked_versions()


@pytest.mark.parametrize("arguments", [[], ["help"]], ids=["default", "help"])
def test_make_tells_each_target_in_one_line(arguments: list[str]):
    makefile = (ROOT / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert phony is not None
    printed = subprocess.run(
        ["make", "--no-print-directory", *arguments], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    told = dict(re.findall(r"^  make (\w+) +(\S.*)$", printed, re.MULTILINE))
    assert list(told) == phony[1].split()
    assert {"run", "test", "lint", "ui"} <= set(told)


def test_make_refuses_an_old_python(tmp_path: Path):
    old = tmp_path / "old-python"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.9.1"\nexit 1\n')
    old.chmod(0o755)
    for name in ("Makefile", "requirements.lock"):
        (tmp_path / name).symlink_to(ROOT / name)
    done = subprocess.run(["make", "test", f"PYTHON={old}"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "error: Python 3.11 or newer is needed" in done.stderr
    assert "Python 3.9.1" in done.stderr
    assert not (tmp_path / ".venv").exists()


@pytest.mark.parametrize(
    "room, allowed",
    [
        ("src.network", {"numpy"}),
        ("src.errors", {"src.escaping"}),
        ("src.escaping", set()),
        ("src.words", set()),
    ],
)
def test_a_leaf_imports_nothing_but(room: str, allowed: set[str]):
    graph = grimp.build_graph("src", include_external_packages=True)
    members = {room} | graph.find_descendants(room)
    imported = {name for member in members for name in graph.find_modules_directly_imported_by(member)} - members
    packages = {name if name.startswith("src.") else name.partition(".")[0] for name in imported}
    assert packages - sys.stdlib_module_names == allowed


@pytest.mark.parametrize("address", ["{}", "file:{}", "file:{}?mode=rw"])
def test_the_users_own_store_is_out_of_reach(address: str):
    with pytest.raises(AssertionError, match="the repository's own store"):
        sqlite3.connect(address.format(ROOT / "mlflow.db"), uri=address.startswith("file"))


def test_the_default_store_of_the_tests_is_another_one():
    uri = os.environ["MLFLOW_TRACKING_URI"]
    assert uri.startswith("sqlite:////")
    assert ROOT not in Path(uri.removeprefix("sqlite:///")).parents


def test_blas_has_one_thread():
    import numpy as np

    np.ones((2, 2)) @ np.ones((2, 2))
    counts = [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]
    assert counts
    assert set(counts) == {1}


def test_the_packages_that_a_command_looks_for_are_those_that_are_installed() -> None:
    from importlib.metadata import packages_distributions

    from src.installed import OLDEST, PACKAGES

    of_module = packages_distributions()
    found = {canonicalize_name(name) for module in PACKAGES for name in of_module[module]}
    assert {canonicalize_name(Requirement(each).name) for each in PROJECT["dependencies"]} <= found
    assert len(PACKAGES) == len(PROJECT["dependencies"])
    assert PROJECT["requires-python"] == f">={OLDEST[0]}.{OLDEST[1]}"


@pytest.mark.parametrize("module", ["run", "compare", "predict", "rerun", "trace", "ui", "server", "studies"])
def test_a_python_without_the_packages_is_told_what_to_type(module: str) -> None:
    # -S: without the packages that are installed for it
    bare = [sys.executable, "-S", "-m", f"src.{module}", "--help"]
    ended = subprocess.run(bare, cwd=ROOT, capture_output=True, text=True, env={"PATH": os.environ["PATH"]})
    assert (ended.returncode, ended.stdout) == (2, "")
    assert re.fullmatch(r"error: \S+ has no package numpy; .*(type|make run).*\n", ended.stderr)
