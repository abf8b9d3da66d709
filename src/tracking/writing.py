"""How an ended run gets into the store.

Two ways with the same outcome, row for row (a test compares them):

- `write_with_client`: MLflow's client, any store. The run is RUNNING until it is terminated, so that a process that
  dies in between leaves no run that claims to have finished; `src.tracking.processes` sets it right later.
- `src.tracking.database.insert_run`: one transaction into a database whose tables are known. MLflow's client spends
  65 microseconds in its object mapper for each point of a curve and 15 ms for each run; and a run is there whole or
  not at all.
"""

from mlflow.entities import DatasetInput, InputTag, Metric, Param

from src.tracking.artifacts import put
from src.tracking.database import insert_run
from src.tracking.records import DATASET_CONTEXT, RunRecord
from src.tracking.store import Store


def write_run(store: Store, run: RunRecord) -> str:
    """Write an ended run with everything that belongs to it.

    Returns
    -------
    str
        Its id.

    Raises
    ------
    mlflow.exceptions.MlflowException, sqlalchemy.exc.SQLAlchemyError, OSError
        If the store refuses.
    """
    run_id = None if store.engine is None else insert_run(store.engine, run)
    return run_id or write_with_client(store, run)


def write_with_client(store: Store, run: RunRecord) -> str:
    """Write an ended run through MLflow's client."""
    client = store.client
    created = client.create_run(run.experiment_id, start_time=run.started, tags=run.tags, run_name=run.name)
    run_id: str = created.info.run_id
    client.log_batch(
        run_id,
        metrics=[Metric(name, value, run.ended, step) for name, value, step in run.metrics],
        params=[Param(key, value) for key, value in run.params.items()],
    )
    client.log_inputs(run_id, [DatasetInput(run.dataset, [InputTag("mlflow.data.context", DATASET_CONTEXT)])])
    put(client, run_id, created.info.artifact_uri, run.files)
    client.set_terminated(run_id, run.status, run.ended)
    return run_id
