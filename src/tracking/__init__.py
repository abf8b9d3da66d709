"""What MLflow holds: the only room that imports mlflow.

- ``address``: where the record lives, and whether it can be written there, checked before anything is trained.
- ``store``: the opened store, and what can be done there through MLflow's client.
- ``opening``: opening it, and an experiment in it.
- ``moved``: a store that was copied from elsewhere with its artifacts.
- ``tables``: which of a database's tables are used, and whether they are those that are known.
- ``database``: an opened store that is a database, by its tables, without importing MLflow.
- ``records``: a run as MLflow stores it, and how a job becomes one.
- ``runs``: a sweep's parent run and its jobs' runs, from start to true status.
- ``processes``: whether the process that wrote a run still lives; setting right what a dead one left.
- ``claims``: which of several commands at once runs a sweep.
- ``recorder``: one command's place in the store, what is there of its jobs, and the way new runs take.
- ``sending``: runs on their way to a server, which wait on disk until they are written there.
- ``patience``: a server that is gone for a while.
- ``reading``: runs, configurations, scores, tables back out of the store, as the report asks for them.
- ``sweeps``: which sweeps are asked for, and their jobs, typed; what is written of a job is read back equal.
- ``artifacts``: the files of a run.
- ``provenance``: which code, libraries, command and machine gave a result.
- ``models``: fitted pipelines that can be loaded and served.
- ``workers``: how MLflow's server for a team works.
- ``view``: addresses of MLflow's pages, and the prepared view of a sweep.

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
