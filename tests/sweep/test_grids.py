"""The sweeper of combinations: Hydra's own syntax, and unions of grids where `params` is a list."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hydra.core.config_loader import ConfigLoader
from hydra.types import HydraContext, RunMode
from omegaconf import OmegaConf

Combinations = list[list[str]]


@pytest.fixture
def combinations_of(loader: ConfigLoader, tmp_path: Path) -> Callable[..., Combinations]:
    """What the sweeper hands to the launcher, which must be all at once."""

    def launched(arguments: Sequence[str], params: Any = None) -> Combinations:
        # Hydra runs each plugin's file anew when it looks for plugins, so that only now the class is the one it uses.
        from hydra_plugins.stacked_sweep.sweeper import GridsSweeper

        sweeper = GridsSweeper(OmegaConf.create(params) if params is not None else None)
        sweeper.hydra_context = HydraContext(config_loader=loader, callbacks=mock.Mock())
        sweeper.config = loader.load_configuration("config", [], run_mode=RunMode.MULTIRUN)
        sweeper.config.hydra.sweep.dir = str(tmp_path / "sweep")
        sweeper.launcher = mock.Mock()
        sweeper.sweep(list(arguments))
        ((batch,), _) = sweeper.launcher.launch.call_args
        assert sweeper.launcher.launch.call_count == 1
        assert (tmp_path / "sweep").is_dir()
        return [list(each) for each in batch]

    return launched


SYNTAX = {
    "nothing": ([], [[]]),
    "one value": (["seed=1"], [["seed=1"]]),
    "values": (["seed=1,2"], [["seed=1"], ["seed=2"]]),
    "choice": (["seed=choice(3,1)"], [["seed=3"], ["seed=1"]]),
    "range": (["seed=range(1,4)"], [["seed=1"], ["seed=2"], ["seed=3"]]),
    "glob": (["cv=glob(*)"], [["cv=default"], ["cv=repeated"]]),
    "lists": (
        ["model.hidden_layer_sizes=[4],[16,8],[]"],
        [["model.hidden_layer_sizes=[4]"], ["model.hidden_layer_sizes=[16,8]"], ["model.hidden_layer_sizes=[]"]],
    ),
    "sort": (["seed=sort(3,1,2)"], [["seed=1"], ["seed=2"], ["seed=3"]]),
    "additions": (["+model.params.C=1,10"], [["+model.params.C=1"], ["+model.params.C=10"]]),
    "product": (
        ["seed=1,2", "model=bp,softmax"],
        [
            ["seed=1", "model=bp"],
            ["seed=1", "model=softmax"],
            ["seed=2", "model=bp"],
            ["seed=2", "model=softmax"],
        ],
    ),
}


@pytest.mark.parametrize("arguments, expected", SYNTAX.values(), ids=list(SYNTAX))
def test_hydras_syntax(
    combinations_of: Callable[..., Combinations], arguments: list[str], expected: Combinations
) -> None:
    assert combinations_of(arguments) == expected


def test_a_grid_in_a_file_and_arguments_make_one_product(combinations_of: Callable[..., Combinations]) -> None:
    params = {"model": "bp,softmax", "training.l2": "0,1"}
    assert len(combinations_of([], params)) == 4
    assert combinations_of(["seed=7"], params)[0] == ["model=bp", "training.l2=0", "seed=7"]


def test_a_grid_in_a_file_is_read_as_if_typed(combinations_of: Callable[..., Combinations]) -> None:
    grid = {"data": "csv", "data.target": "诊断,label", "data.separator": ";", "data.drop": ["编号"]}
    assert combinations_of([], grid) == [
        ["data=csv", f"data.target={target}", "data.separator=';'", "data.drop=['编号']"]
        for target in ("'诊断'", "label")
    ]


def test_a_list_of_grids_is_their_union(combinations_of: Callable[..., Combinations]) -> None:
    params = [{"model": "bp", "model.hidden_layer_sizes": "[4],[8]"}, {"model": "logistic,softmax"}]
    assert combinations_of(["seed=0,1"], params) == [
        ["model=bp", "model.hidden_layer_sizes=[4]", "seed=0"],
        ["model=bp", "model.hidden_layer_sizes=[4]", "seed=1"],
        ["model=bp", "model.hidden_layer_sizes=[8]", "seed=0"],
        ["model=bp", "model.hidden_layer_sizes=[8]", "seed=1"],
        ["model=logistic", "seed=0"],
        ["model=logistic", "seed=1"],
        ["model=softmax", "seed=0"],
        ["model=softmax", "seed=1"],
    ]
