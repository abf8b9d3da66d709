"""The launcher `stacked`: hands all jobs of a sweep to one driver."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

if TYPE_CHECKING:
    from src.command.search import Search


@dataclass
class StackedLauncherConf:
    """What Hydra instantiates for `hydra/launcher=stacked`."""

    _target_: str = "hydra_plugins.stacked_sweep.launcher.StackedLauncher"


ConfigStore.instance().store(group="hydra/launcher", name="stacked", node=StackedLauncherConf, provider="stacked_sweep")


class StackedLauncher(Launcher):
    """Hands each batch of jobs to `src.command.run_sweep`."""

    search: "Search | None" = None  # set by a sweeper whose batches belong to one command
    run_id: str | None = None  # of the sweep, once it is recorded

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Keep what Hydra gives; the task function is not called, as the jobs are trained together."""
        self.hydra_context = hydra_context
        self.config = config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run the jobs; return each one's `comparison.metric` in Hydra's form."""
        from src.command import run_sweep

        self.run_id, scores = run_sweep(self.hydra_context.config_loader, self.config, job_overrides, self.search)
        return [
            JobReturn(overrides=overrides, _return_value=score, status=JobStatus.COMPLETED)
            for overrides, score in zip(job_overrides, scores, strict=True)
        ]
