"""The models that are kept, on the rows of `data.test`."""

from collections.abc import Mapping
from typing import Any

from src.command.keep import predicted
from src.comparison.held_out import HeldOut, held_out_models
from src.comparison.outcome import Outcome
from src.data.new_rows import rows_in_both, unknown_categories
from src.sweep.jobs import Job


def held_out(outcome: Outcome, data: str, chosen: Job, models: Mapping[str, tuple[str, Any]]) -> HeldOut:
    """Score kept models on the rows of `data.test`.

    Parameters
    ----------
    data
        What the data set is called.
    chosen
        The job that is best on it; it has such rows.
    models
        By the run that keeps it, each candidate's name and fitted pipeline, the chosen one's first.
    """
    test = chosen.test
    assert test is not None
    _, pipeline = next(iter(models.values()))
    return HeldOut(
        data=data,
        file=test.name,
        digest=test.digest,
        rows=len(test.target),
        metric=outcome.metric,
        confidence=outcome.options.confidence,
        independent=chosen.dataset.groups is None,
        models=held_out_models(
            test.target, [(name, run_id, predicted(fitted, test)) for run_id, (name, fitted) in models.items()]
        ),
        shared=rows_in_both(chosen.dataset, test),
        unknown=unknown_categories(pipeline[0], test.features),
    )
