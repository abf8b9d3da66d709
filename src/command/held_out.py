"""The models that are kept, on the rows of `data.test`."""

from collections.abc import Mapping
from typing import Any

from src.command.keep import predicted
from src.command.predict import remarks
from src.comparison.held_out import HeldOut, held_out_models
from src.comparison.outcome import Outcome
from src.data.new_rows import rows_in_both, unknown_categories
from src.sweep.jobs import Job
from src.words import counted


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
    learned, test = chosen.dataset, chosen.test
    assert test is not None
    file, rows = test.name, len(test.target)
    cautions = []
    if shared := rows_in_both(learned, test):
        cautions.append(
            f"{file} shares {shared} of its {counted(rows, 'row')} with {learned.name}, label and all: there a model "
            "may know the answer."
        )
    _, pipeline = next(iter(models.values()))
    cautions += [f"{file}, {remark}." for remark in remarks(unknown_categories(pipeline[0], test.features))]
    return HeldOut(
        data=data,
        file=file,
        digest=test.digest,
        rows=rows,
        metric=outcome.metric,
        confidence=outcome.options.confidence,
        independent=learned.groups is None,
        models=held_out_models(
            test.target, [(name, run_id, predicted(fitted, test)) for run_id, (name, fitted) in models.items()]
        ),
        cautions=tuple(cautions),
    )
