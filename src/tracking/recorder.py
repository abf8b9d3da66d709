"""The record of one command: its place in a store, what is there of its jobs already, and the way new runs take."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack

from src.comparison.held_out import HeldOut
from src.comparison.jobs import RecordedJob
from src.config import JobConfig
from src.config.schema import TrackingConfig
from src.language import say_number
from src.tracking import provenance, runs
from src.tracking.access import check_writing
from src.tracking.address import resolve_address
from src.tracking.claims import claimed
from src.tracking.errors import telling
from src.tracking.opening import experiment_id, open_store
from src.tracking.patience import Patience, patient
from src.tracking.processes import repair_dead_sweeps
from src.tracking.reading import StoredRecord, finished_runs, sweeps_of_digest, unfinished_sweep
from src.tracking.records import NewRun
from src.tracking.runs import AskedSweep, NoSweep, Sweep
from src.tracking.sending import TOGETHER, Sender
from src.tracking.sweeps import read_held_out, read_job


class Recorder:
    """Opens the place where a command records, and writes there; its methods are called in the order they stand in.

    Parameters
    ----------
    tracking : the section of the command's settings, which says where the store is.
    told : takes a sentence for who waits.

    Attributes
    ----------
    store : the store; it waits for a server that is gone.
    record : what is in it of the jobs beside their scores.
    place : the open sweep, or where a job is recorded that belongs to none; None before either is there.
    complete : the very sweep is recorded and finished: nothing is written.
    borrowed : the runs of reused jobs that belong to other sweeps.
    held_out : what the models of a complete sweep scored on the files `data.test`.
    experiment_id : the experiment it records in.
    at_once : how many jobs `write` had best be given together.

    Raises TrackingError as every method: if the store cannot be used.
    """

    def __init__(self, tracking: TrackingConfig, told: Callable[[str], None]) -> None:
        self.store = self._server = open_store(tracking.uri)
        self.place: Sweep | NoSweep | None = None
        self.complete = False
        self.borrowed: set[str] = set()
        self.held_out: tuple[HeldOut, ...] = ()
        self._told = told
        self._open = ExitStack()
        self._patience: Patience | None = None  # with a server
        self._sender: Sender | None = None
        self._check: Callable[[], None] | None = None  # that the sweep is held, which another may have taken over
        if self.store.database is None:
            self._patience = Patience(self.store.address, 60 * tracking.patience, told)
            self.store = patient(self._server, self._patience)
        self.record = StoredRecord(self.store)
        self.experiment_id = experiment_id(self.store, tracking.experiment)
        check_writing(self._server, self.experiment_id, told)  # a server that is gone now is not waited for
        with telling("the experiment cannot be read"):
            self.at_once = self.store.runs_at_once(self.experiment_id) if self._patience is None else TOGETHER

    def hold(self, digest: str) -> None:
        """Hold the sweep of this digest, so that no other command runs it too; wait for the end of one that does."""
        self._check = self._open.enter_context(claimed(self.store, self.experiment_id, digest, self._told))

    def begin_alone(self, digest: str) -> None:
        """Prepare the record of a job that belongs to no sweep."""
        self.place = NoSweep(self.experiment_id, provenance.tags())
        self._begin_sending(digest)

    def begin(self, asked: AskedSweep, configs: Mapping[str, JobConfig], *, reuse: bool) -> dict[str, RecordedJob]:
        """See to it that there is an open parent run that lists all jobs, unless the whole sweep is there already.

        Sweeps that died are set right. A sweep that was interrupted or had failures is opened again.

        Parameters
        ----------
        asked : the sweep; a search's has all jobs that were proposed so far.
        configs : the jobs to come, by digest.
        reuse : whether what is recorded counts.

        Returns
        -------
        dict : those of the jobs to come that are recorded as finished, by digest.
        """
        identity = self.experiment_id
        if self.place is None:
            repair_dead_sweeps(self.store, identity, held=asked.digest if self._is_claimed else None)
            self._begin_sending(asked.digest)
            earlier = unfinished_sweep(self.store, identity, asked.digest) if reuse else None
            if earlier is not None:
                self._reopen(earlier.run_id)
        # Only now: another process may have ended the sweep that has just been opened again.
        finished = finished_runs(self.store, identity, set(configs)) if reuse else {}
        all_finished = len(finished) == len(configs)
        if all_finished and self.place is None:
            same = sweeps_of_digest(self.store, identity, asked.digest)
            self.place = next((Sweep(run, {}) for run in same if run.status == "FINISHED"), None)
            self.complete = self.place is not None
        if all_finished and self.complete:
            self.held_out = read_held_out(self.store, self.sweep.run)
        else:
            self._open_sweep(asked)
        self.borrowed |= {run.run_id for run in finished.values() if run.parent_id != self.sweep.run_id}
        return {digest: read_job(self.store, run, configs[digest]) for digest, run in finished.items()}

    def _open_sweep(self, asked: AskedSweep) -> None:
        if self.complete:  # a search that goes further than the recorded one
            self._reopen(self.sweep.run_id)
            self.complete = False
        if isinstance(self.place, Sweep):
            runs.list_jobs(self.store, self.place, asked.jobs)
        else:
            tags = provenance.tags()
            self.place = runs.start_sweep(self.store, self.experiment_id, asked, tags, claimed=self._is_claimed)

    def _reopen(self, run_id: str) -> None:
        self.place = runs.reopen_sweep(self.store, run_id, provenance.tags(), claimed=self._is_claimed)

    @property
    def _is_claimed(self) -> bool:
        return self._patience is not None and self._check is not None

    def _begin_sending(self, digest: str) -> None:
        """To a server jobs are sent while others are trained: first those that an earlier command could not send."""
        if self._patience is None:
            return
        self._sender = Sender(self._server, self._patience, self.experiment_id, digest, self._check)
        self._open.callback(self._sender.close)
        if waiting := self._sender.count:
            self._sender.sent()
            self._told(
                say_number(
                    "An earlier command had {number} job waiting on this machine; it is recorded.",
                    "An earlier command had {number} jobs waiting on this machine; all are recorded.",
                    waiting,
                )
            )

    @property
    def sweep(self) -> Sweep:
        """The open sweep; there is none for a job alone."""
        assert isinstance(self.place, Sweep)
        return self.place

    @property
    def uri(self) -> str | None:
        """The store's address, password and all; None where it is the one that a command means which is not told."""
        return None if self.store.address == resolve_address(None) else self.store.address

    @property
    def waiting(self) -> int:
        """How many jobs that `write` was given are still to be written."""
        return 0 if self._sender is None else self._sender.count

    def write(self, ended: Sequence[tuple[RecordedJob, NewRun]]) -> list[RecordedJob]:
        """Write the runs of jobs that have ended; return the jobs, each with its run's id.

        Those for a server are sent from here on, outlive this process, and get their ids by `written`.
        """
        jobs, new = [job for job, _ in ended], [run for _, run in ended]
        if self._sender is None:
            return runs.log_jobs(self.store, jobs, new)
        self._sender.send(new)
        return jobs

    def written(self, jobs: Mapping[str, RecordedJob], *, patiently: bool = True) -> dict[str, RecordedJob]:
        """Wait until all is written that `write` was given, from a server that is gone only if `patiently`.

        Return those of `jobs`, by digest, whose runs are written since the last call, with their runs' ids.
        """
        if self._sender is None or self._patience is None:
            return {}
        if not patiently:
            self._patience.end()
        sent = self._sender.sent()
        return {digest: runs.written_job(jobs[digest], run) for digest, run in sent.items() if digest in jobs}

    def check_held(self) -> None:
        """Raise TrackingError if another command has taken the sweep over."""
        if self._check is not None:
            self._check()

    def close(self) -> None:
        """End the thread that sends, and let the next command have the sweep."""
        self._open.close()
