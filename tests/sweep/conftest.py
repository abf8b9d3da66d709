"""Jobs as the command line makes them, without a record."""

import copy
from collections.abc import Callable, Iterator, Sequence

import pytest
from hydra import initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
from omegaconf import DictConfig

from src.run import ROOT, offer_experiments
from src.sweep.compose import compose_jobs
from src.sweep.jobs import Jobs, make_jobs


@pytest.fixture(scope="module")
def loader() -> Iterator[ConfigLoader]:
    offer_experiments(ROOT / "experiments")
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        yield GlobalHydra.instance().config_loader()


@pytest.fixture(scope="module")
def jobs_of(loader: ConfigLoader) -> Callable[..., Jobs]:
    """Make the jobs of a sweep: what is common to all, and what distinguishes each."""

    of_no_sweep: DictConfig = loader.load_configuration("config", [], run_mode=RunMode.MULTIRUN)

    def make(common: Sequence[str], *each: Sequence[str]) -> Jobs:
        base = copy.deepcopy(of_no_sweep)
        base.hydra.overrides.task = list(common)
        return make_jobs(compose_jobs(loader, base, [[*common, *overrides] for overrides in each or [()]]))

    return make
