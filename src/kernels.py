"""The kernels of the linear algebra library: which compute here, and how a process gets others.

The same product summed by another kernel has other last bits. OpenBLAS chooses its kernels when NumPy is imported, by
the processor, or by the variable OPENBLAS_CORETYPE.
"""

import os
import subprocess
import sys
from functools import cache
from typing import NoReturn

from threadpoolctl import threadpool_info

from src.errors import UserError

VARIABLE = "OPENBLAS_CORETYPE"
_PROBE = f"import numpy; import {__name__} as k; numpy.ones((99, 99)) @ numpy.ones((99, 99)); print(*k.names())"


class KernelsError(UserError):
    """Kernels that OpenBLAS does not have here, or that this processor cannot run."""


class NotLoadedError(KernelsError):
    """Kernels that another process would have: it is started by `restart`."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"sweep.blas: NumPy is loaded with the kernels {' and '.join(sorted(names()))}. "
            f"Start Python with {VARIABLE}={name} in its environment."
        )
        self.name = name

    def restart(self) -> NoReturn:
        """Begin this program anew, as it was typed, with the kernels."""
        sys.stdout.flush()
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, VARIABLE: self.name})


@cache
def loaded() -> str:
    """The libraries of linear algebra that compute here, with their versions and kernels."""
    found = {
        " ".join(str(pool.get(key)) for key in ("internal_api", "version", "architecture") if pool.get(key))
        for pool in _libraries()
    }
    return ", ".join(sorted(found)) or "unknown"


def names() -> set[str]:
    """The kernels' names alone, such as Haswell; where a library tells none, its own name."""
    return {pool.get("architecture") or pool["internal_api"] for pool in _libraries()}


def _libraries() -> list[dict[str, str]]:
    import numpy  # noqa: F401  brings one, as does scipy; threadpoolctl sees what is loaded
    import scipy.linalg  # noqa: F401

    return [pool for pool in threadpool_info() if pool["user_api"] == "blas"]


def require(name: str | None) -> None:
    """See to it that this process computes with the kernels of `sweep.blas`; None is whatever it has.

    Raises NotLoadedError if it has others, and another process would have these; KernelsError if there are none of this
    name here.
    """
    if name is None or names() == {name}:
        return
    environment = {**os.environ, VARIABLE: name, "PYTHONPATH": os.pathsep.join(sys.path)}
    probe = subprocess.run([sys.executable, "-c", _PROBE], env=environment, capture_output=True, text=True, check=False)
    if probe.returncode < 0:
        raise KernelsError(f"sweep.blas: this processor cannot run the kernels {name}. Choose older ones.")
    if probe.stdout.split() != [name]:
        others = " and ".join(probe.stdout.split()) or "none"
        raise KernelsError(
            f"sweep.blas: there are no kernels {name} here: OpenBLAS was asked for them, and {others} came. "
            "Choose others, or leave the key out."
        )
    raise NotLoadedError(name)
