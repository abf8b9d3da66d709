"""The sweeper `grids`: Hydra's own syntax of sweeps, and unions of grids."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, Glob, Override, RangeSweep
from omegaconf import DictConfig, ListConfig

from src.errors import UserError
from src.escaping import readable
from src.words import counted


class SweepError(UserError):
    """A sweep that cannot be made as it was asked for."""


@dataclass
class GridsConf:
    """What Hydra instantiates for `hydra/sweeper=grids`."""

    _target_: str = "hydra_plugins.stacked_sweep.sweeper.GridsSweeper"
    params: Any = None  # a mapping from keys to values separated by commas, or a list of such mappings


ConfigStore.instance().store(group="hydra/sweeper", name="grids", node=GridsConf, provider="stacked_sweep")


def begin_folder(config: DictConfig) -> None:
    """Make the sweep's folder, as Hydra's own sweeper does."""
    from src.config.messages import no_folder

    folder = Path(config.hydra.sweep.dir)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SweepError(no_folder("hydra.sweep.dir", error)) from error


def check_values(overrides: Sequence[Override]) -> None:
    """Refuse a sweep over no value."""
    for override in overrides:
        if _is_empty(override):
            raise SweepError(
                f"{override.input_line}: there is no value in it. Write values with commas, 0,1,2, or range(0,3), "
                "which goes from its first number to before its second; glob(...) is for a group's choices."
            )


def _number(override: Override) -> int:
    """How many values a sweep over one key has, counted without making them."""
    sweep: Any = override.value() if override.is_sweep_override() else None
    if isinstance(sweep, RangeSweep):
        return math.ceil((sweep.stop - sweep.start) / sweep.step)  # type: ignore[operator]
    return len(sweep.list) if isinstance(sweep, ChoiceSweep) else 1


def _is_empty(override: Override) -> bool:
    sweep: Any = override.value()
    if isinstance(sweep, RangeSweep):
        assert sweep.start is not None
        assert sweep.stop is not None
        if not (math.isfinite(sweep.start) and math.isfinite(sweep.stop) and sweep.step):
            return True
        return (sweep.stop - sweep.start) / sweep.step <= 0
    if isinstance(sweep, ChoiceSweep):
        return not sweep.list
    return isinstance(sweep, Glob) and not any(True for _ in override.sweep_string_iterator())


class GridsSweeper(BasicSweeper):
    """Hands the whole sweep to the launcher in one call.

    The launcher composes and checks every job before it trains one, so Hydra's check, which composes each from its
    files, is left out. Where `hydra.sweeper.params` is a list, the sweep is the union of its grids.
    """

    def __init__(self, params: Any = None) -> None:
        super().__init__(max_batch_size=None)
        grids = {} if params is None else params
        self.grids = list(grids) if isinstance(grids, list | tuple | ListConfig) else [grids]

    def sweep(self, arguments: list[str]) -> Any:
        """Run every combination of every grid; an argument on the command line replaces the grid's own value.

        Returns the sweep's run in the record, None for a dry run. Hydra's own entry has no use for it.
        """
        assert self.hydra_context is not None
        assert self.config is not None
        assert self.launcher is not None
        parser = OverridesParser.create(config_loader=self.hydra_context.config_loader)
        combinations = []
        for grid in self.grids:
            if not isinstance(grid, Mapping):
                raise SweepError(
                    f"hydra.sweeper.params: {grid!r} is not a mapping from keys to values, such as {{seed: '0,1'}}, "
                    "nor a list of such mappings."
                )
            typed = [readable(f"{key}={value}") for key, value in grid.items()] + arguments
            overrides = parser.parse_overrides(typed)
            check_values(overrides)
            self._check_number(overrides)
            (batch,) = self.split_arguments(overrides, None)
            combinations += batch
        begin_folder(self.config)
        launcher: Any = self.launcher
        launcher.launch(combinations, initial_job_idx=0)
        return getattr(launcher, "run_id", None)  # of Hydra's own launchers each job is alone

    def _check_number(self, overrides: Sequence[Override]) -> None:
        """Refuse more combinations than fits are allowed, before they are made."""
        assert self.config is not None
        typed = [override.value() for override in overrides if override.key_or_group == "sweep.max_fits"]
        most = typed[-1] if typed else self.config.sweep.max_fits
        number = math.prod(map(_number, overrides))
        if isinstance(most, int) and number > most:
            longest = max(overrides, key=_number)
            raise SweepError(
                f"{longest.input_line}: with it there are {counted(number, 'combination')}, more than {most:,} fits "
                "(sweep.max_fits). Write fewer values, or raise sweep.max_fits."
            )
