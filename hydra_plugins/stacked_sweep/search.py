"""The sweeper `optuna`: hydra-optuna-sweeper's search, whose batches of trials are stacks under one parent run."""

import logging
from dataclasses import dataclass
from typing import Any

from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import InstantiationException
from hydra.plugins.search_path_plugin import SearchPathPlugin
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from hydra_plugins.stacked_sweep.sweeper import begin_folder, check_values
from src.escaping import readable

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
    # Any: OmegaConf cannot put a mapping in the place of the None that a typed one has by default
    params: Any = None
    search_space: Any = None
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
        from src.command.search import check_installed, check_settings, direction_of

        check_installed()
        check_settings({**self.settings, "direction": self.direction})
        params = (self.settings["params"] or {}).items()
        self.settings["params"] = dict(readable(f"{key}={value}").split("=", 1) for key, value in params)
        import optuna
        from hydra_plugins.hydra_optuna_sweeper.optuna_sweeper import OptunaSweeper

        optuna.logging.set_verbosity(logging.ERROR)
        logging.getLogger("hydra_plugins.hydra_optuna_sweeper").setLevel(logging.CRITICAL)  # the command tells it all
        direction = self.direction or direction_of(config.comparison.metric)
        self.loader = hydra_context.config_loader
        self.optuna = OptunaSweeper(sampler=self._sampler(config.seed), direction=direction, **self.settings)
        self.optuna.setup(hydra_context=hydra_context, task_function=task_function, config=config)
        self.config: DictConfig = config

    def _sampler(self, seed: Any) -> Any:
        """What proposes: a class of optuna's, called with its settings."""
        from src.command.search import SearchError

        sampler = OmegaConf.create(self.sampler) if isinstance(self.sampler, DictConfig) else DictConfig({})
        target = sampler.get("_target_")
        if not str(target).startswith("optuna.samplers."):
            raise SearchError(
                f"hydra.sweeper.sampler: {target} is not a class of optuna.samplers. Choose one with "
                "hydra/sweeper/sampler=tpe (cmaes, grid, motpe, nsgaii, random, tpe)."
            )
        if "seed" in sampler and sampler.seed is None:
            sampler.seed = seed
        try:
            return instantiate(sampler)
        except InstantiationException as error:
            raise SearchError(
                f"hydra.sweeper.sampler: {target} refuses its settings: {error.__cause__ or error}"
            ) from error

    def sweep(self, arguments: list[str]) -> Any:
        """Search: batch after batch of trials, all under one parent run; it is returned, as by `GridsSweeper`."""
        from src.command.search import probes, search
        from src.sweep.checking import check_all, check_workers
        from src.sweep.compose import compose_jobs

        typed = [f"{key}={value}" for key, value in self.settings["params"].items()] + arguments
        overrides = OverridesParser.create(config_loader=self.loader).parse_overrides(typed)
        check_values(overrides)
        check_workers(check_all(compose_jobs(self.loader, self.config, probes(overrides)))[0].sweep)
        begin_folder(self.config)
        launcher: Any = self.optuna.sweeper.launcher
        settings = OmegaConf.to_container(self.config.hydra.sweeper, resolve=True)
        with search(settings, arguments) as launcher.search:
            self.optuna.sweep(arguments)
        return getattr(launcher, "run_id", None)  # of Hydra's own launchers each job is alone
