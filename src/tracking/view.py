"""Addresses of MLflow's pages, and a page prepared for a sweep or for an experiment's single runs.

MLflow keeps a view that somebody shares ("Share" on the runs page) as a tag of the experiment,
``mlflow.sharedViewState.KEY``: the page's state as JSON, deflated and in base64, behind ``deflate;``. The page opened
with ``viewStateShareKey=KEY`` takes the state from there. So a view can be prepared without clicking. Keys that a later
version of the page does not know are ignored there, and a state it cannot read leaves the plain page with a message.
"""

import base64
import json
import zlib
from collections.abc import Sequence
from typing import Any

from src.escaping import masked
from src.evaluation.metrics import higher_is_better
from src.tracking.errors import telling
from src.tracking.pages import local_address
from src.tracking.records import JOB_DIGEST, NOTE, PARENT
from src.tracking.store import Store

TAG = "mlflow.sharedViewState."
SINGLE_RUNS = "single-runs"  # the key of the one view that an experiment's single runs share
MOST_COLUMNS = 30  # of params; more than anybody reads, and the state stays within MLflow's limit for such a tag
RUNS_DRAWN = "FIRST_20_RUNS"  # in charts: the best twenty, as the table is sorted
ATTRIBUTES = ("attributes.`Models`", "attributes.`Dataset`")
COLUMN_WIDTH = 130  # pixels; MLflow's own 190 leaves room for four
CURVES = ("curve/train_loss", "curve/test_loss")
LINK = "[The answer of the latest sweep, with tables and figures]"


def address(store: Store, experiment_id: str, view: str | None = None) -> str:
    """Return the address that opens an experiment's runs directly, with a prepared view if its key is given.

    ``/#/experiments/ID`` alone opens MLflow's overview for generative AI.
    """
    server = masked(store.address) if store.address.startswith("http") else local_address(store)
    share = "" if view is None else f"&viewStateShareKey={view}"
    return f"{server}/#/experiments/{experiment_id}/runs?workflowType=machine_learning{share}"


def prepare_view(
    store: Store, experiment_id: str, sweep_id: str | None, varying: Sequence[str], metrics: Sequence[str]
) -> str:
    """Prepare MLflow's page for a sweep: its jobs, what varies and the headline metrics as columns, their charts first.

    The experiment's description, above the runs, leads to the sweep's comparison, which stands with no job; one that a
    person wrote stays.

    Parameters
    ----------
    sweep_id : the sweep's own run; None for the experiment's single runs, of which there is one view, made anew by
        each.
    varying : the params in which the jobs differ, the most telling first; each becomes a column (the first 30).
    metrics : the headline metrics, the one the table is sorted by first; each becomes a column and a chart.

    Returns
    -------
    str : the address that opens it.

    Raises TrackingError if the store fails.
    """
    key = sweep_id or SINGLE_RUNS
    state = json.dumps(view_state(sweep_id, varying[:MOST_COLUMNS], metrics))
    tags = {f"{TAG}{key}": "deflate;" + base64.b64encode(zlib.compress(state.encode())).decode()}
    with telling("the view of the runs cannot be prepared"):
        written = store.experiment_tags(experiment_id).get(NOTE, "")
        if sweep_id is not None and (not written or written.startswith(LINK)):
            tags[NOTE] = f"{LINK}(#/experiments/{experiment_id}/runs/{sweep_id}/artifacts/comparison.html)"
        store.tag_experiment(experiment_id, tags)
    return address(store, experiment_id, key)


def view_state(sweep_id: str | None, varying: Sequence[str], metrics: Sequence[str]) -> dict[str, Any]:
    """Return the state of MLflow's runs page that shows a sweep or, with None, single runs."""
    single = f"tags.`{JOB_DIGEST}` IS NOT NULL and tags.`{PARENT}` IS NULL"
    columns = [f"params.`{name}`" for name in varying] + [f"metrics.`{name}`" for name in metrics]
    # The charts' sections, in order; MLflow adds the other metrics below.
    groups = {
        "Headline": [_chart("BAR", name, metricKey=name) for name in metrics],
        "Learning curves": [_chart("LINE", name, metricKey=name, selectedMetricKeys=[name]) for name in CURVES],
    }
    if varying:
        both = {"selectedParams": list(varying), "selectedMetrics": [metrics[0]], "showAllRuns": True}
        groups["Settings compared"] = [_chart("PARALLEL", f"settings and {metrics[0]}", **both)]
    section = {"display": True, "isReordered": True, "deleted": False, "isGenerated": False}
    return {
        "searchFilter": f"tags.`{PARENT}` = '{sweep_id}'" if sweep_id else single,
        "orderByKey": f"metrics.`{metrics[0]}`",
        "orderByAsc": not higher_is_better(metrics[0]),
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "selectedColumns": [*columns, *ATTRIBUTES],
        "columnOrder": [*columns, *ATTRIBUTES],
        "columnWidths": dict.fromkeys(columns, COLUMN_WIDTH),
        "runsHiddenMode": RUNS_DRAWN,
        "compareRunSections": [{"uuid": title, "name": title, **section} for title in groups],
        "compareRunCharts": [
            {**chart, "metricSectionId": title} for title, charts in groups.items() for chart in charts
        ],
        "isAccordionReordered": True,
        "hideEmptyCharts": True,
    }


def _chart(kind: str, title: str, **what: Any) -> dict[str, Any]:
    return {
        "type": kind,
        "uuid": f"{kind} {title}",
        "displayName": title,
        "runsCountToCompare": 20,
        "deleted": False,
        "isGenerated": False,
        **what,
    }
