"""What a Dask worker is sent before it knows our code, which it is sent too.

A cluster needs the locked environment and nothing else. So nothing of ours is imported here but inside functions that
run where the code has arrived, and all of this is pickled by value (`src.sweep.cluster`).
"""

import importlib
import io
import os
import pickle
import sys
import zipfile
from collections.abc import Mapping
from typing import Any

from distributed import WorkerPlugin, get_worker

MARK = "sent"  # the attribute of `src` that says which code was loaded


class Code(WorkerPlugin):
    """Puts our code on every worker, also on those that come later."""

    def __init__(self, digest: str, archive: bytes) -> None:
        self.name = f"src-{digest}"
        self.digest = digest
        self.archive = archive

    def setup(self, worker: Any) -> None:
        """Unpack the code into the worker's own folder, which it deletes when it ends."""
        with zipfile.ZipFile(io.BytesIO(self.archive)) as archive:
            archive.extractall(_folder(worker, self.digest))


def _folder(worker: Any, digest: str) -> str:
    return os.path.join(worker.local_directory, f"src-{digest}")


def load(digest: str, worker: Any) -> None:
    """Let `src` be the code of this digest: a long-lived worker may have loaded another, and the driver has it."""
    if getattr(sys.modules.get("src"), MARK, None) == digest:
        return
    for name in [name for name in sys.modules if name.partition(".")[0] == "src"]:
        del sys.modules[name]
    sys.path[:] = [_folder(worker, digest), *(path for path in sys.path if "src-" not in os.path.basename(path))]
    importlib.invalidate_caches()
    setattr(importlib.import_module("src"), MARK, digest)


def environment(digest: str, dask_worker: Any = None) -> dict[str, str]:
    """What the bits of a result depend on besides the job; None is this process."""
    if dask_worker is not None:
        load(digest, dask_worker)
    from importlib.metadata import version

    from src import kernels
    from src.config.identity import NUMERICAL_LIBRARIES, code_version

    libraries = {name: version(name) for name in NUMERICAL_LIBRARIES}
    return {**libraries, "the numerical code": code_version(), "kernels": kernels.loaded()}


def call(digest: str, expected: Mapping[str, str], packed: bytes) -> Any:
    """Make a call, packed with its arguments, with the code of this digest in an environment as `expected`."""
    load(digest, get_worker())
    from src.sweep.cluster import check_environments

    check_environments({get_worker().address: environment(digest)}, expected)
    return pickle.loads(packed)()
