"""What a sweep is going to do, before it does it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import psutil
from rich.filesize import decimal

from src import config
from src.config.schema import SweepConfig
from src.evaluation.crossval import NetworkTask
from src.language import say, say_number
from src.sweep.backends import workers_of
from src.sweep.jobs import Job, Jobs
from src.sweep.stacks import Stack, make_stacks

# The part of free memory that stacks may take together, if sweep.max_stack_memory does not say.
MEMORY_SHARE = 0.25


@dataclass(frozen=True, eq=False)
class Plan:
    """The jobs of a sweep, which are there already, and the stacks that the others become.

    Attributes
    ----------
    jobs
        The distinct jobs, and which of them each combination is.
    reused
        The positions of the jobs that are recorded as finished.
    stacks
        What is trained.
    """

    jobs: Jobs
    reused: Collection[int]
    stacks: Sequence[Stack]

    @property
    def missing(self) -> dict[int, Job]:
        """The jobs to be trained, by their position."""
        return {number: job for number, job in enumerate(self.jobs.distinct) if number not in self.reused}

    @property
    def networks(self) -> int:
        """How many networks are trained."""
        return sum(len(stack.networks) for stack in self.stacks)

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
        if any(
            job.is_network
            and job.checked.model.init == "zeros"
            and config.network_settings(job.checked).hidden_layer_sizes
            for job in self.jobs.distinct
        ):
            lines.append(
                say("model.init=zeros leaves the hidden units of a layer alike: they all get the same gradient")
            )
        if self.reused:
            lines.append(
                say_number(
                    "{number} job of {count} reused from the record",
                    "{number} jobs of {count} reused from the record",
                    len(self.reused),
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
            largest = max(stack.bytes for stack in network_stacks)
            lines.append(
                say(
                    "{networks} in {stacks} (of {sizes}), the largest about {size}",
                    networks=say_number("{number} network", "{number} networks", self.networks),
                    stacks=say_number("{number} stack", "{number} stacks", len(network_stacks)),
                    sizes=", ".join([*map(str, sizes[:8]), *["..."] * (len(sizes) > 8)]),
                    size=decimal(largest),
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


def make_plan(jobs: Jobs, reused: Collection[int], sweep: SweepConfig) -> Plan:
    """Group what is not reused into stacks that keep to the memory allowed."""
    missing = {number: job for number, job in enumerate(jobs.distinct) if number not in reused}
    workers = workers_of(sweep)
    allowed = sweep.max_stack_memory or int(MEMORY_SHARE * psutil.virtual_memory().available / workers)
    return Plan(jobs, reused, make_stacks(missing, workers, int(allowed)))
