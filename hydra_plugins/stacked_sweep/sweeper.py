"""The sweeper `grids`: Hydra's own syntax of sweeps, and unions of grids."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, ListConfig, OmegaConf


@dataclass
class GridsConf:
    """What Hydra instantiates for `hydra/sweeper=grids`."""

    _target_: str = "hydra_plugins.stacked_sweep.sweeper.GridsSweeper"
    params: Any = None  # a mapping from keys to values separated by commas, or a list of such mappings


ConfigStore.instance().store(group="hydra/sweeper", name="grids", node=GridsConf, provider="stacked_sweep")


def begin_folder(config: DictConfig) -> None:
    """Make the sweep's folder and save its configuration there, as Hydra's own sweeper does."""
    folder = Path(config.hydra.sweep.dir)
    folder.mkdir(parents=True, exist_ok=True)
    OmegaConf.save(config, folder / "multirun.yaml")


class GridsSweeper(BasicSweeper):
    """Hands the whole sweep to the launcher in one call.

    The launcher composes and checks every job before it trains one, so Hydra's check, which composes each from its
    files, is left out. Where `hydra.sweeper.params` is a list, the sweep is the union of its grids.
    """

    def __init__(self, params: Any = None) -> None:
        super().__init__(max_batch_size=None)
        self.grids = list(params) if isinstance(params, list | tuple | ListConfig) else [params or {}]

    def sweep(self, arguments: list[str]) -> Sequence[Any]:
        """Run every combination of every grid; an argument on the command line replaces the grid's own value."""
        assert self.hydra_context is not None
        assert self.config is not None
        assert self.launcher is not None
        begin_folder(self.config)
        parser = OverridesParser.create(config_loader=self.hydra_context.config_loader)
        combinations = []
        for grid in self.grids:
            typed = [f"{key}={value}" for key, value in grid.items()] + arguments
            (batch,) = self.split_arguments(parser.parse_overrides(typed), None)
            combinations += batch
        return [self.launcher.launch(combinations, initial_job_idx=0)]
