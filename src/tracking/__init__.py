"""What MLflow holds: the only room that imports mlflow.

- ``address``, ``sqlite_file``, ``access``, ``opening``: which store is meant, whether it can be written, its opening.
- ``store``; ``tables``, ``database``: what can be done there, through MLflow's client or by a database's tables.
- ``records``, ``artifacts``, ``provenance``: a job as a run's rows, as its files, and who made it where with what.
- ``runs``; ``reading``, ``sweeps``: a sweep and its jobs, written from start to true status, and read back equal.
- ``processes``, ``claims``: which command runs a sweep, and what a dead one left.
- ``recorder``; ``sending``, ``patience``: one command's way into the store, a server that is slow or gone.
- ``models``, ``pyfunc``, ``served``: fitted pipelines that can be loaded and served.
- ``pages``, ``view``, ``workers``: MLflow's pages, a prepared view of a sweep, and the server of a team.
- ``errors``: what becomes a sentence.

Importing this package sets, before mlflow is imported, what mlflow reads only then.
"""

import os
import warnings

# MLflow sends usage statistics unless told otherwise; a user who wants that sets MLFLOW_DISABLE_TELEMETRY=false.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
# set_terminated would otherwise print two lines for each run, and read the run once more to do it.
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
# MLflow's client would repeat a request whose answer was lost, and so make a run twice; `patience` does not.
os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "0"
# As many connections are kept as `store` has requests under way: another would be made anew, with its TLS, each time.
os.environ.setdefault("MLFLOW_HTTP_POOL_MAXSIZE", "32")
# A bar of MLflow's own for each file it copies would cut through the progress display.
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
# tqdm, which MLflow brings, would ask in a notebook for a package of bars that nothing here draws.
warnings.filterwarnings("ignore", "IProgress not found")
