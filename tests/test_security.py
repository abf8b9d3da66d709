"""SECURITY.md, claim by claim: what another person wrote is data, and what is secret is not recorded."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.stores import Record

SMALL = ("training.epochs=2", "cv.folds=2")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Record, str]:
    """A store with one job, which another person may have written, and its run."""
    record = Record.empty(tmp_path_factory.mktemp("shared"))
    assert record.single(*SMALL).status == 0
    (run,) = record.runs()
    return record, run.info.run_id


def _config(record: Record, run_id: str) -> Path:
    return Path(record.client.get_run(run_id).info.artifact_uri.removeprefix("file://")) / "config.yaml"


CALL = {"_target_": "os.mkdir", "path": "called"}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"model": {"_target_": "os.mkdir", "path": "called"}}, "model._target_"),
        ({"hydra": {"callbacks": {"one": CALL}}}, "hydra"),
        ({"hydra": {"sweeper": CALL, "searchpath": ["file://elsewhere"]}}, "hydra"),
        ({"data": CALL}, "data._target_"),
        ({"training": {"learning_rate": "${oc.decode:0.5}"}}, "training.learning_rate"),
        ({"seed": "${oc.env:HOSTILE_SEED}"}, "seed"),
        ({"model": {"name": "sklearn", "estimator": "os.mkdir"}}, "model.estimator"),
        ({"model": {"name": "sklearn", "estimator": "src.models.classifier.BPClassifier"}}, "model.estimator"),
        ({"model": {"name": "sklearn", "estimator": "sklearn.svm.SVC", "params": {"kernel": CALL}}}, "model.params"),
        (
            {
                "model": {
                    "name": "sklearn",
                    "estimator": "sklearn.pipeline.Pipeline",
                    "params": {"steps": [["a", CALL]]},
                }
            },
            "model.",
        ),
        ({"sweep": {"backend": "dask", "dask": CALL}}, "sweep.dask._target_"),
        ({"data": {"name": "csv", "path": "/dev/zero", "target": "a"}}, "data.path"),
        ({"data": {"name": "csv", "path": "http://127.0.0.1:9/a.csv", "target": "a"}}, "data.path"),
    ],
)
def test_a_recorded_configuration_calls_nothing_when_it_is_run_again(
    shared: tuple[Record, str], changes: dict[str, Any], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    record, run_id = shared
    file = _config(record, run_id)
    genuine = file.read_text()
    monkeypatch.setenv("HOSTILE_SEED", "1")
    config = yaml.safe_load(genuine)
    for section, keys in changes.items():
        config[section] = {**config.get(section, {}), **keys} if isinstance(keys, dict) else keys
    try:
        file.write_text(yaml.safe_dump(config))
        ended = record.run(run_id, module="src.rerun")
    finally:
        file.write_text(genuine)
    assert ended.status == 2, ended
    assert f"error: {told}" in ended.err
    assert not ended.out
    assert not (record.folder / "called").exists()
