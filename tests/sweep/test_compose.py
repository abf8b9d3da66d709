"""Composing a sweep's jobs: what Hydra itself composes, for every kind of override."""

from collections.abc import Sequence
from typing import Any

import pytest
from hydra.core.config_loader import ConfigLoader
from hydra.types import RunMode
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import DictConfig, OmegaConf, read_write

from src.sweep.compose import compose_jobs


@pytest.fixture(scope="module")
def sweep_config(loader: ConfigLoader) -> DictConfig:
    return loader.load_configuration("config", ["tracking.experiment=mine"], run_mode=RunMode.MULTIRUN)


def as_hydra_does(loader: ConfigLoader, sweep_config: DictConfig, overrides: Sequence[str]) -> dict[str, Any]:
    """The job's configuration as Hydra's basic launcher would hand it to the task, resolved."""
    config = loader.load_sweep_config(sweep_config, list(overrides))
    with read_write(config.hydra.job):
        config.hydra.job.num, config.hydra.job.id = 0, "0"
    resolved: Any = OmegaConf.to_container(config, resolve=True)
    del resolved["hydra"]
    return resolved


BY_HAND = {
    "nothing": [[]],
    "values": [["training.l2=0", "seed=1"], ["training.l2=1e-3", "seed=2"]],
    "words, null and truth": [["training.batch_size=full"], ["training.batch_size=8"], ["training.class_weight=null"]],
    "quotes": [["data.separator=';'"], ['data.separator=","'], ["tracking.experiment='a b'"]],
    "lists of changing length": [[f"model.hidden_layer_sizes={size}"] for size in ("[4]", "[16,8]", "[]", "[4]")],
    "a word, then a list, then a word": [[f"model.activation={kind}"] for kind in ("relu", "[relu,tanh]", "tanh")],
    "an element of a list": [["model.hidden_layer_sizes=[4,5]", "model.hidden_layer_sizes.1=6"]],
    "groups": [["model=bp"], ["model=logistic"], ["data=iris", "model=softmax"], ["model=bp"]],
    "groups and values, in any order": [["training.l2=0.1", "training=online"], ["training=online", "training.l2=0.2"]],
    "an added choice of the same group": [["training=minibatch", "training.epochs=7"], ["training.epochs=8"]],
    "mappings are merged": [["+model.params={C: 1}"], ["+model.params={gamma: 2}"], ["training={l2: 1, epochs: 2}"]],
    "a mapping for a group": [["data={name: iris}"], ["data.scale=none"]],
    "additions": [["+model.params.C=1"], ["+model.params.C=2", "+model.params.kernel=rbf"], ["++model.params.C=3"]],
    "additions over something": [["++training.l2=1", "++seed=4"], ["++training.l2=2", "++seed=5"]],
    "deletions": [["~training.l2"], ["training.l2=1"], ["~training.epochs=500"], ["training.epochs=3"]],
    "interpolations": [["training.epochs=${cv.folds}", "cv.folds=3"], ["training.epochs=${cv.folds}", "cv.folds=4"]],
    "an interpolation, then none": [["training.epochs=${cv.folds}"], ["training.epochs=7"]],
    "interpolations of Hydra's own": [["tracking.experiment=${hydra.job.config_name}"], ["tracking.experiment=other"]],
    "experiments": [["experiments=homework5"], ["experiments=homework5", "training.l2=1"], ["training.l2=2"]],
    "the same key twice": [["training.l2=1", "training.l2=2"], ["training.l2=3", "training.l2=4"]],
    "Hydra's own keys": [["hydra.job.name=x", "training.l2=1"], ["hydra.job.name=y", "training.l2=1"]],
}


@pytest.mark.parametrize("job_overrides", BY_HAND.values(), ids=list(BY_HAND))
def test_jobs_are_what_hydra_composes(
    loader: ConfigLoader, sweep_config: DictConfig, job_overrides: list[list[str]]
) -> None:
    jobs = compose_jobs(loader, sweep_config, job_overrides)
    assert [list(job.overrides) for job in jobs] == job_overrides
    assert [job.config for job in jobs] == [as_hydra_does(loader, sweep_config, each) for each in job_overrides]


VALUES = {
    "seed": ("0", "1", "${cv.folds}"),
    "cv.folds": ("3", "10"),
    "training.l2": ("0", "1e-3", "${seed}"),
    "training.epochs": ("5", "50"),
    "training.class_weight": ("null", "balanced", "{no: 1, yes: 2}"),
    "training.early_stopping": ("{patience: 3}", "{min_delta: 0.1}"),
    "training.early_stopping.patience": ("2", "null"),
    "model.hidden_layer_sizes": ("[]", "[4]", "[3,2]"),
    "model.activation": ("relu", "[relu,tanh]"),
    "model.params": ("{C: 1}", "{}"),
    "model.params.C": ("3", "[1,2]"),
    "model": ("bp", "logistic", "sklearn"),
    "training": ("default", "online", "{l2: 5}"),
    "data": ("iris", "ex4"),
    "experiments": ("homework5", "null"),
    "no.such.key": ("1",),
}
ASSIGNMENTS = [
    f"{prefix}{key}={value}" for key, values in VALUES.items() for value in values for prefix in ("", "", "+", "++")
]
OVERRIDES = st.sampled_from([*ASSIGNMENTS, "~training.l2", "~model.params", "~no.such.key", "~experiments"])


@settings(max_examples=15)
@given(job_overrides=st.lists(st.lists(OVERRIDES, max_size=4), min_size=1, max_size=3))
def test_whatever_is_typed_the_jobs_or_the_refusal_are_hydras(
    loader: ConfigLoader, sweep_config: DictConfig, job_overrides: list[list[str]]
) -> None:
    try:
        expected = [as_hydra_does(loader, sweep_config, each) for each in job_overrides]
    except Exception as error:  # whatever Hydra makes of it
        with pytest.raises(type(error)):
            compose_jobs(loader, sweep_config, job_overrides)
    else:
        assert [job.config for job in compose_jobs(loader, sweep_config, job_overrides)] == expected


def test_a_job_shares_nothing_with_another(loader: ConfigLoader, sweep_config: DictConfig) -> None:
    first, second = compose_jobs(loader, sweep_config, [["training.l2=0"], ["training.l2=1"]])
    first.config["model"]["hidden_layer_sizes"].append(9)
    assert second.config["model"]["hidden_layer_sizes"] == [4]
