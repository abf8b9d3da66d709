"""The sweeper `optuna`: hydra-optuna-sweeper's search, whose batches of trials are stacks under one parent run."""

import logging
from dataclasses import dataclass
from typing import Any

from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.config_store import ConfigStore
from hydra.plugins.search_path_plugin import SearchPathPlugin
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from hydra_plugins.stacked_sweep.sweeper import begin_folder

try:
    from hydra_plugins.hydra_optuna_sweeper.config import OptunaSweeperConf
except ModuleNotFoundError:  # the extra is not installed: SearchSweeper says so

    @dataclass
    class OptunaSweeperConf:  # type: ignore[no-redef]
        """No settings."""


@dataclass
class SearchConf(OptunaSweeperConf):
    """What Hydra instantiates for `hydra/sweeper=optuna`: hydra-optuna-sweeper's settings with defaults for stacks."""

    _target_: str = "hydra_plugins.stacked_sweep.search.SearchSweeper"
    _recursive_: bool = False
    direction: Any = None  # follows from comparison.metric
    n_trials: int = 50  # settings tried in all
    n_jobs: int = 10  # settings proposed, and trained together, at a time
    max_failure_rate: float = 1.0  # a failed job does not end the search; sweep.on_failure=stop does


class StandsInForOptuna(SearchPathPlugin):
    """Stores `hydra/sweeper=optuna` anew: Hydra calls this once all plugins, that library's too, have stored theirs."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Leave the search path as it is."""
        ConfigStore.instance().store(group="hydra/sweeper", name="optuna", node=SearchConf, provider="stacked_sweep")


class SearchSweeper(Sweeper):
    """Runs hydra-optuna-sweeper on the stacked launcher, in `comparison.metric`'s direction, seeded with `seed`."""

    def __init__(self, sampler: DictConfig | None = None, direction: Any = None, **settings: Any) -> None:
        self.sampler = sampler
        self.direction = direction
        self.settings = settings

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Prepare the sweeper that does the searching."""
        from src.command.search import check_installed, direction_of

        check_installed()
        import optuna
        from hydra_plugins.hydra_optuna_sweeper.optuna_sweeper import OptunaSweeper

        optuna.logging.set_verbosity(logging.ERROR)
        logging.getLogger("hydra_plugins.hydra_optuna_sweeper").setLevel(logging.CRITICAL)  # the command tells it all
        sampler = OmegaConf.create(self.sampler)
        if "seed" in sampler and sampler.seed is None:
            sampler.seed = config.seed
        direction = self.direction or direction_of(config.comparison.metric)
        self.optuna = OptunaSweeper(sampler=instantiate(sampler), direction=direction, **self.settings)
        self.optuna.setup(hydra_context=hydra_context, task_function=task_function, config=config)
        self.config: DictConfig = config

    def sweep(self, arguments: list[str]) -> Any:
        """Search: batch after batch of trials, all under one parent run."""
        from src.command.search import search

        begin_folder(self.config)
        launcher: Any = self.optuna.sweeper.launcher
        settings = OmegaConf.to_container(self.config.hydra.sweeper, resolve=True)
        with search(settings, arguments) as launcher.command:
            self.optuna.sweep(arguments)
