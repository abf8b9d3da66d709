"""What jobs say together: the one answer that print, page, record and search ask for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from src.comparison import candidates, cautions, families, ranking
from src.comparison.across import AcrossData, across_data
from src.comparison.candidates import Candidate
from src.comparison.errors import ComparisonError
from src.comparison.families import Comparison, Family
from src.comparison.jobs import RecordedJob, Setting, settings_of
from src.comparison.naming import by_data
from src.comparison.record import RecordedSweep
from src.config.schema import ComparisonConfig
from src.language import say
from src.words import counted


@dataclass(frozen=True, eq=False, repr=False)
class Outcome:
    """The jobs of one or several sweeps, ranked and compared.

    Attributes
    ----------
    options : what was asked: metric, baselines, confidence, region of practical equivalence.
    boards : all settings of each data set, best first. Those that are left out of their candidate, as seeds are missing
        that its other settings have, come after those that are not; those without a result last.
    families : the candidates of each data set, and their comparisons.
    across : what three data sets or more say together.
    left_out : a sentence for what has no place in the comparisons.
    cautions : a sentence for what a person should know before they take the numbers at their face value.
    refusal : why nothing at all is compared although there is more than one candidate; None where something is, or
        there is but one.
    """

    options: ComparisonConfig
    boards: Mapping[str, tuple[Setting, ...]]
    families: tuple[Family, ...]
    across: AcrossData | None
    left_out: tuple[str, ...]
    cautions: tuple[str, ...]
    refusal: str | None

    @property
    def metric(self) -> str:
        """What everything is ranked by, e.g. ``test/accuracy``."""
        return self.options.metric

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """Those of all data sets, best first on each."""
        return tuple(one for family in self.families for one in family.candidates)

    @property
    def comparisons(self) -> tuple[Comparison, ...]:
        """Those of all data sets."""
        return tuple(one for family in self.families for one in family.comparisons)

    @property
    def settings(self) -> tuple[Setting, ...]:
        """Those of all data sets, best first on each."""
        return tuple(setting for board in self.boards.values() for setting in board)

    @property
    def jobs(self) -> list[RecordedJob]:
        """Those of all settings, each once."""
        return [job for setting in self.settings for job in setting.jobs]

    @property
    def best(self) -> Setting | None:
        """The best setting; None if there is no result, or several data sets, whose scores are not ranked together."""
        if len(self.boards) != 1:
            return None
        return self.best_on(next(iter(self.boards)))

    def best_on(self, data: str) -> Setting | None:
        """The best setting of a data set, None if none has a result."""
        first = self.boards[data][0]
        return first if first.has_result(self.metric) else None

    @property
    def best_of_each(self) -> list[Setting]:
        """The best setting of each candidate: those that keep a model. Where there is none, that of the data set."""
        settings = [candidate.best for candidate in self.candidates]
        of_none = [self.best_on(family.data) for family in self.families if not family.candidates]
        return [*settings, *(setting for setting in of_none if setting is not None)]

    def __repr__(self) -> str:
        return f"<Outcome of {counted(len(self.jobs), 'job')} on {', '.join(self.boards)} by {self.metric}>"


def compare_jobs(
    jobs: Sequence[RecordedJob],
    options: ComparisonConfig,
    *,
    searched: bool = False,
    incomplete: str | None = None,
) -> Outcome:
    """Rank and compare jobs.

    Parameters
    ----------
    jobs : of one or several sweeps, in the order typed; the same job twice counts once, the later one.
    searched : whether a search proposed them, which has seen the scores of the folds that judge them.
    incomplete : why the jobs must not be compared (a sweep was cut off: what is there of it was not chosen by anybody).
    """
    metric = options.metric
    boards, found, left_out = {}, [], []
    groups = by_data(jobs)
    for data, group in groups.items():
        ours, told = candidates.find(data, group, metric, options.confidence, searched=searched)
        standing = {setting.first.setting for candidate in ours for setting in candidate.settings}
        ranked = ranking.ranked(settings_of(group), metric)
        # Those that stand for a candidate first, else one seed could beat the mean of many.
        boards[data] = tuple(sorted(ranked, key=lambda setting: setting.first.setting not in standing))
        found.append(Family(data, ours) if incomplete else families.compare(data, ours, options))
        several = len(groups) > 1
        left_out += [say("On {data}: {sentence}", data=data, sentence=one) if several else one for one in told]
    refusals = [family.refusal for family in found if family.refusal]
    compared = any(family.comparisons for family in found)
    refusal = incomplete or (refusals[0] if refusals and not compared else None)
    if not any(family.candidates for family in found):
        refusal = refusal or (left_out.pop(0) if left_out else say("no job has a result."))
    return Outcome(
        options=options,
        boards=boards,
        families=tuple(found),
        across=None if incomplete else across_data(found, options),
        left_out=(*left_out, *(refusals if compared else ())),
        cautions=tuple(cautions.of_families(found, metric)),
        refusal=refusal,
    )


def compare_sweeps(sweeps: Sequence[RecordedSweep], options: ComparisonConfig | None = None) -> Outcome:
    """Rank and compare the jobs of one or several sweeps, by what the first of them was asked unless told otherwise.

    Raises ComparisonError if no job has been recorded, or a baseline is none of what is compared.
    """
    jobs = list({job.run_id: job for sweep in sweeps for job in sweep.jobs}.values())
    if not jobs:
        raise ComparisonError(f"no job of {' and '.join(each.name for each in sweeps)} has been recorded.")
    asked = options or sweeps[0].options
    searched = any(sweep.searched for sweep in sweeps)
    if not searched:
        groups = by_data(jobs).values()
        families.check_baselines(asked.baselines, ([job.flat for job in group] for group in groups))
    incomplete = next((sweep.incomplete for sweep in sweeps if sweep.incomplete), None)
    return compare_jobs(jobs, asked, searched=searched, incomplete=incomplete)
