"""What the models kept score on rows that had no part in training or choice; it ranks and chooses nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from src.evaluation.metrics import score
from src.evaluation.shares import wilson_interval
from src.evaluation.significance import holm, mcnemar


@dataclass(frozen=True)
class HeldOutModel:
    """The model that a candidate's best setting keeps, on the rows of the file.

    Attributes
    ----------
    name, run_id : the candidate, and the run that keeps the model.
    right : how many rows it has right.
    scores : by every metric, as `src.evaluation.metrics.score` has them; NaN where its probabilities are not finite.
    only_it, only_chosen : how many rows it alone has right, and how many the chosen model alone: of these two.
    """

    name: str
    run_id: str
    right: int
    scores: Mapping[str, float]
    only_it: int
    only_chosen: int


@dataclass(frozen=True)
class HeldOut:
    """The file `data.test` of one data set, and the models of its candidates on it.

    Attributes
    ----------
    data, file, digest, rows : what the data set is called; the file's name, the digest of its content, and its rows.
    metric, confidence : what the models were chosen by (``test/accuracy``), and the level of intervals.
    independent : whether the rows may be taken for independent of each other: they are not where they belong to groups.
    models : the chosen one first: the best setting of the cross-validation.
    shared : how many of the rows are among those that were learned, label and all.
    unknown : for each column of text the values that were not learned: they count as none of its categories.
    """

    data: str
    file: str
    digest: str
    rows: int
    metric: str
    confidence: float
    independent: bool
    models: tuple[HeldOutModel, ...]
    shared: int = 0
    unknown: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def interval(self, model: HeldOutModel) -> tuple[float, float]:
        """Wilson's confidence interval of a model's accuracy, for rows that are independent."""
        low, high = wilson_interval(model.scores["accuracy"], self.rows, self.confidence)
        return float(low), float(high)

    @property
    def p_values(self) -> list[float]:
        """For each model but the chosen one the p-value of McNemar's exact test against it, Holm's for all of them."""
        return holm([mcnemar(model.only_it, model.only_chosen) for model in self.models[1:]])


def held_out_models(
    target: NDArray[np.int64], probabilities: Sequence[tuple[str, str, NDArray[np.float64]]]
) -> tuple[HeldOutModel, ...]:
    """Score models on the same rows.

    Parameters
    ----------
    target : class codes, shape (n,).
    probabilities : of each model, the chosen one first: its candidate's name, its run, and what it predicts, shape (n,
        C).
    """
    right = [(p.argmax(axis=1) == target) & np.isfinite(p).all(axis=1) for _, _, p in probabilities]
    return tuple(
        HeldOutModel(
            name=name,
            run_id=run_id,
            right=int(own.sum()),
            scores=score(target, p),
            only_it=int((own & ~right[0]).sum()),
            only_chosen=int((right[0] & ~own).sum()),
        )
        for (name, run_id, p), own in zip(probabilities, right, strict=True)
    )
