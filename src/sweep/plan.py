"""What a sweep is going to do, before it does it."""

from collections.abc import Callable, Container, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

import psutil
from rich.filesize import decimal

from src import config
from src.config.schema import SweepConfig
from src.evaluation.crossval import NetworkTask
from src.language import say, say_number
from src.sweep.backends import run_stacks, workers_of
from src.sweep.jobs import Job, Jobs
from src.sweep.stacks import Stack, Step, make_stacks, steps

# The part of free memory that stacks may take together, if sweep.max_stack_memory does not say.
MEMORY_SHARE = 0.25


@dataclass(frozen=True, eq=False)
class Plan:
    """The jobs of a sweep, which of them are trained, and the stacks that those become.

    Attributes
    ----------
    jobs : the distinct jobs, and which of them each combination is.
    missing : those that are to be trained, by their position among the distinct ones.
    stacks : what is trained.
    """

    jobs: Jobs
    missing: Mapping[int, Job]
    stacks: Sequence[Stack]

    @property
    def epochs(self) -> int:
        """How much there is to do: an epoch of a network counts one, and so does a fold of another model."""
        return sum(
            task.settings.epochs if isinstance(task, NetworkTask) else 1
            for stack in self.stacks
            for task in stack.tasks.values()
        )

    def lines(self) -> list[str]:
        """Say the plan in words."""
        combinations, distinct = len(self.jobs.of_combination), len(self.jobs.distinct)
        lines = []
        if combinations != distinct:
            jobs = say_number("{number} distinct job", "{number} distinct jobs", distinct)
            lines.append(say("{combinations} combinations, {jobs}", combinations=f"{combinations:,}", jobs=jobs))
        for key, models in self.jobs.ignored.items():
            named = say(", ").join(models)
            lines.append(say("{key} means nothing for {models} and is ignored there", key=key, models=named))
        networks = [job.checked for job in self.jobs.distinct if job.is_network]
        if any(job.model.init == "zeros" and config.network_settings(job).hidden_layer_sizes for job in networks):
            told = say("model.init=zeros leaves the hidden units of a layer alike: they all get the same gradient")
            lines.append(told)
        if reused := distinct - len(self.missing):
            lines.append(
                say_number(
                    "{number} job of {count} reused from the record",
                    "{number} jobs of {count} reused from the record",
                    reused,
                    count=f"{distinct:,}",
                )
            )
        return lines

    def details(self) -> list[str]:
        """Say what would be trained, for a dry run."""
        network_stacks = [stack for stack in self.stacks if stack.networks]
        folds = sum(len(stack.tasks) for stack in self.stacks if not stack.networks)
        lines = [*self.lines(), say_number("{number} job to train", "{number} jobs to train", len(self.missing))]
        if network_stacks:
            sizes = sorted((len(stack.tasks) for stack in network_stacks), reverse=True)
            lines.append(
                say(
                    "{networks} in {stacks} (of {sizes}), the largest about {size}",
                    networks=say_number("{number} network", "{number} networks", sum(sizes)),
                    stacks=say_number("{number} stack", "{number} stacks", len(sizes)),
                    sizes=", ".join([*map(str, sizes[:8]), *["..."] * (len(sizes) > 8)]),
                    size=decimal(max(stack.bytes for stack in network_stacks)),
                )
            )
        if folds:
            lines.append(
                say_number(
                    "{number} fold of models that are no networks, one by one",
                    "{number} folds of models that are no networks, one by one",
                    folds,
                )
            )
        return lines


def make_plan(jobs: Jobs, recorded: Container[str], sweep: SweepConfig) -> Plan:
    """Group the jobs that are not among the digests `recorded` into stacks that keep to the memory allowed."""
    missing = {number: job for number, job in enumerate(jobs.distinct) if job.digest not in recorded}
    workers = workers_of(sweep)
    allowed = sweep.max_stack_memory or int(MEMORY_SHARE * psutil.virtual_memory().available / workers)
    return Plan(jobs, missing, make_stacks(missing, workers, int(allowed)))


def train(plan: Plan, sweep: SweepConfig, on_epochs: Callable[[int], None] | None = None) -> Generator[Step]:
    """Do what a plan says, on the backend of the `sweep` section; closing the generator ends it.

    For `on_epochs`, and the errors that are raised, see `src.sweep.backends.run_stacks`.
    """
    with closing(run_stacks(plan.stacks, sweep, on_epochs)) as results:
        yield from steps(plan.missing, results)
