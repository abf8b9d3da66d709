"""Whether the Python that a command was typed with has what the command needs.

An older Python reads this file too: it holds nothing that Python 3.6 does not know.
"""

import os
import shlex
import sys
from importlib.util import find_spec

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
OLDEST = (3, 11)
PACKAGES = (  # what is imported of pyproject.toml's dependencies
    *("numpy", "hydra", "mlflow", "sklearn", "pandas", "scipy", "matplotlib", "pydantic", "rich", "joblib"),
    *("threadpoolctl", "filelock", "psutil", "jinja2", "skops", "babel"),
)


def refuse_other_pythons() -> None:
    """End with one sentence, and status 2, if this Python is too old or lacks a package."""
    absent = [name for name in PACKAGES if find_spec(name) is None]
    if sys.version_info < OLDEST:
        wrong = "is older than Python {}.{}".format(*OLDEST)
    elif absent:
        wrong = f"has no package {absent[0]}"
    else:
        return
    folder = "" if os.getcwd() == ROOT else ROOT
    own = os.path.join(folder, ".venv", *(("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")))
    if os.path.exists(own) and os.path.abspath(own) != sys.executable:
        mend = f"type {shlex.quote(own)} in its place, or activate .venv (README.md)"
    else:
        make = "" if os.path.exists(own) else f"python3 -m venv {shlex.quote(os.path.join(folder, '.venv'))} && "
        lock = os.path.join(folder, "requirements-small.lock")
        mend = f"`make run` installs what is needed, without make: {make}" + shlex.quote(own)
        mend += " -m pip install -r " + shlex.quote(lock)
    sys.stderr.write(f"error: {sys.executable} {wrong}; {mend}\n")
    sys.exit(2)
