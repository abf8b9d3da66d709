"""A command's jobs, and what is known of those that have ended."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from src.command.names import run_names, sweep_name
from src.comparison.jobs import RecordedJob
from src.comparison.outcome import Outcome, compare_jobs
from src.comparison.ranking import BestSoFar
from src.comparison.record import cut_off
from src.config import JobConfig
from src.config.identity import sweep_digest
from src.language import say
from src.sweep.jobs import Job
from src.tracking.runs import AskedSweep


@dataclass(eq=False)
class JobsSoFar:
    """The jobs of a command; those of a search are added batch by batch.

    Attributes
    ----------
    settings : the command's own, which are those of any of its jobs.
    search : see `src.command.driver.Command`.
    jobs : all that were added so far, by digest, in the order typed.
    names : their runs' names, by digest.
    recorded : each job that has ended, as the record holds it, by digest.
    reused : how many of those were recorded before.
    failures : a sentence for each that failed.
    best : the best setting of those that have ended with all their seeds.
    """

    settings: JobConfig
    search: str | None = None
    jobs: dict[str, Job] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    recorded: dict[str, RecordedJob] = field(default_factory=dict)
    reused: int = 0
    failures: list[str] = field(default_factory=list)
    best: BestSoFar = field(init=False)

    def __post_init__(self) -> None:
        self.best = BestSoFar(self.settings.comparison.metric)

    def expect(self, jobs: Iterable[Job]) -> None:
        """Learn of jobs to come; those that a search proposes again are known."""
        for job in jobs:
            if job.digest not in self.jobs:
                self.jobs[job.digest] = job
                self.best.expect(job.setting, job.dataset.digest)
        self.names = dict(zip(self.jobs, run_names(list(self.jobs.values())), strict=True))

    def add(self, jobs: Iterable[RecordedJob]) -> None:
        """Learn of jobs that have ended."""
        for job in jobs:
            self.recorded[job.digest] = job
            if job.status == "FINISHED":
                self.best.add(job)

    @property
    def digest(self) -> str:
        """Identifies the same sweep, or search, when it is typed again."""
        tests = {job.test.digest for job in self.jobs.values() if job.test is not None}
        if self.search is not None and not tests:
            return self.search
        parts = self.jobs if self.search is None else [self.search]
        return sweep_digest(parts, self.settings.comparison, tests)

    @property
    def asked(self) -> AskedSweep:
        """The sweep as it is recorded."""
        is_search = self.search is not None
        return AskedSweep(
            digest=self.digest,
            name=self.settings.experiments or sweep_name(list(self.jobs.values()), search=is_search),
            jobs=[
                {"name": self.names[digest], "digest": digest, "overrides": list(job.overrides)}
                for digest, job in self.jobs.items()
            ],
            options=self.settings.comparison,
            searched=is_search,
        )

    @property
    def ended(self) -> tuple[RecordedJob, ...]:
        """The jobs that have ended, in the order typed."""
        return tuple(self.recorded[digest] for digest in self.jobs if digest in self.recorded)

    @property
    def missing(self) -> int:
        """How many jobs have not ended."""
        return len(self.jobs) - len(self.recorded)

    def score(self, digest: str) -> float | None:
        """Its ``comparison.metric``: NaN where a network diverged, None where the job failed or was not run."""
        job = self.recorded.get(digest)
        return None if job is None or job.status != "FINISHED" else job.value(self.settings.comparison.metric)

    def outcome(self, name: str | None) -> Outcome:
        """What the jobs that have ended say together; `name` is that of their sweep, if there is one."""
        stopped = name or say("this command")
        return compare_jobs(
            self.ended,
            self.settings.comparison,
            searched=self.search is not None,
            incomplete=cut_off(stopped, self.missing, len(self.jobs), say("stopped")) if self.missing else None,
        )
