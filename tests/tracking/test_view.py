import base64
import json
import random
import zlib

from src.tracking.opening import experiment_id
from src.tracking.pages import local_address
from src.tracking.runs import AskedSweep, NoSweep, start_sweep
from src.tracking.view import TAG, address, prepare_view, view_state
from tests.tracking.conftest import logged


def stored_state(store, sweep):
    value = store.client.get_experiment(sweep.experiment_id).tags[f"mlflow.sharedViewState.{sweep.run_id}"]
    kind, _, packed = value.partition(";")
    assert kind == "deflate"
    return json.loads(zlib.decompress(base64.b64decode(packed)))


def test_the_address_opens_the_runs_and_not_the_overview(store, sweep):
    assert (
        address(store, sweep.experiment_id)
        == f"{local_address(store)}/#/experiments/{sweep.experiment_id}/runs?workflowType=machine_learning"
    )


def test_a_prepared_view_shows_the_sweep_with_what_varies_and_the_headline(store, sweep):
    shown = prepare_view(
        store, sweep.experiment_id, sweep.run_id, ["model.name", "training.l2"], ["test/accuracy", "test/log_loss"]
    )
    assert shown == address(store, sweep.experiment_id) + f"&viewStateShareKey={sweep.run_id}"
    state = stored_state(store, sweep)
    assert state["searchFilter"] == f"tags.`mlflow.parentRunId` = '{sweep.run_id}'"
    assert state["selectedColumns"][:4] == [
        "params.`model.name`",
        "params.`training.l2`",
        "metrics.`test/accuracy`",
        "metrics.`test/log_loss`",
    ]
    assert (state["orderByKey"], state["orderByAsc"]) == ("metrics.`test/accuracy`", False)
    sections = {section["uuid"]: section["name"] for section in state["compareRunSections"]}
    headline = [chart for chart in state["compareRunCharts"] if sections[chart["metricSectionId"]] == "Headline"]
    assert [chart["metricKey"] for chart in headline] == ["test/accuracy", "test/log_loss"]
    identities = [chart["uuid"] for chart in state["compareRunCharts"]]
    assert len(set(identities)) == len(identities)


def test_the_description_leads_to_the_latest_comparison_unless_a_person_wrote_one(store, sweep):
    def described():
        return store.client.get_experiment(sweep.experiment_id).tags["mlflow.note.content"]

    for sweep_id in ("earlier", "later"):
        prepare_view(store, sweep.experiment_id, sweep_id, [], ["test/accuracy"])
        assert described().endswith(f"](#/experiments/{sweep.experiment_id}/runs/{sweep_id}/artifacts/comparison.html)")
    store.client.set_experiment_tag(sweep.experiment_id, "mlflow.note.content", "Mine.")
    prepare_view(store, sweep.experiment_id, sweep.run_id, [], ["test/accuracy"])
    assert described() == "Mine."


def test_the_filter_of_the_view_finds_the_jobs(store, sweep, make_job):
    run_id = logged(store, sweep, make_job())
    other = start_sweep(store, experiment_id(store, "bp"), AskedSweep("o", "other", []), {})
    logged(store, other, make_job())
    found = store.client.search_runs(
        [sweep.experiment_id], view_state(sweep.run_id, [], ["test/accuracy"])["searchFilter"]
    )
    assert [run.info.run_id for run in found] == [run_id]


def test_single_runs_share_one_view_that_finds_them_and_no_job_of_a_sweep(store, sweep, make_job):
    logged(store, sweep, make_job())
    single = [logged(store, NoSweep(experiment_id(store, "bp"), {}), make_job(digest=digest * 64)) for digest in "ab"]
    prepare_view(store, sweep.experiment_id, None, [], ["test/accuracy"])
    shown = prepare_view(store, sweep.experiment_id, None, ["training.l2"], ["test/accuracy"])
    tags = store.client.get_experiment(sweep.experiment_id).tags
    assert [tag for tag in tags if shown.endswith(f"viewStateShareKey={tag.removeprefix(TAG)}")] == list(tags)
    found = store.client.search_runs(
        [sweep.experiment_id], view_state(None, ["training.l2"], ["test/accuracy"])["searchFilter"]
    )
    assert sorted(run.info.run_id for run in found) == sorted(single)


def test_losses_are_sorted_from_the_smallest():
    assert view_state("r", [], ["test/log_loss"])["orderByAsc"] is True


def test_a_job_setting_that_does_not_vary_draws_no_chart_of_settings():
    state = view_state("r", [], ["test/accuracy"])
    assert "PARALLEL" not in {chart["type"] for chart in state["compareRunCharts"]}


def test_a_view_with_very_many_columns_still_fits(store, sweep):
    names = [random.Random(number).randbytes(120).hex() for number in range(300)]
    prepare_view(store, sweep.experiment_id, sweep.run_id, names, ["test/accuracy"])
    tag = store.client.get_experiment(sweep.experiment_id).tags[f"mlflow.sharedViewState.{sweep.run_id}"]
    assert len(tag) <= 20_000, "MLflow's limit for a tag of an experiment"
    state = stored_state(store, sweep)
    assert state["selectedColumns"][0] == f"params.`{names[0]}`"
    assert "metrics.`test/accuracy`" in state["selectedColumns"]
