"""Curves and predictions, from the tables that MLflow's records are read into to what the figures take."""

import numpy as np
import pandas as pd

from src.evaluation.results import Curve
from src.report.figures.curves import ended_curve
from src.report.figures.predictions import OutOfFold

_PROBABILITY = "probability "


def recorded_curves(curves: pd.DataFrame, fold_scores: pd.DataFrame) -> tuple[Curve, ...]:
    """The fold curves in `src.tracking.reading.curves`, in the folds' order.

    `fold_scores`, from `src.tracking.reading.fold_scores`, tells which folds diverged: their curves end in NaN.
    """
    ends = fold_scores.set_index(["repeat", "fold"])["diverged_epoch"].to_dict()
    made = []
    for place, part in curves.groupby(["repeat", "fold"], sort=True):
        curve = Curve(part["epoch"].to_numpy(), part["train_loss"].to_numpy(), part["test_loss"].to_numpy())
        made.append(ended_curve(curve, None if np.isnan(ends[place]) else int(ends[place])))
    return tuple(made)


def recorded_predictions(table: pd.DataFrame) -> OutOfFold:
    """The predictions in `src.tracking.reading.predictions`."""
    columns = [name for name in table.columns if name.startswith(_PROBABILITY)]
    fold = table.groupby(["repeat", "fold"], sort=True).ngroup().to_numpy()
    target = pd.Index(recorded_classes(table)).get_indexer(pd.Index(table["target"]))
    return OutOfFold(fold.astype(np.int64), target.astype(np.int64), table[columns].to_numpy(dtype=float))


def recorded_classes(table: pd.DataFrame) -> tuple[str, ...]:
    """The names of the classes in `src.tracking.reading.predictions`, in the order of their codes."""
    return tuple(name.removeprefix(_PROBABILITY) for name in table.columns if name.startswith(_PROBABILITY))
