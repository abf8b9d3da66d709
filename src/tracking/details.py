"""What is recorded of a job beside its scores, as `src.comparison.record.Record` asks for it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from src.comparison.record import RecordedDataset
from src.evaluation.results import Curve, OutOfFold, ended_curve
from src.tracking import reading
from src.tracking.artifacts import probability_column
from src.tracking.models import load_pipeline
from src.tracking.query import RunRow
from src.tracking.store import Store


@dataclass(frozen=True)
class StoredRecord:
    """The record in a store; each method raises TrackingError if it cannot be read."""

    store: Store

    def dataset(self, run_id: str) -> RecordedDataset | None:
        """Return the data that the job was run on."""
        return reading.dataset(self.store, run_id)

    def curves(self, run_id: str) -> tuple[Curve, ...]:
        """Return the learning curve of each fold, of a diverged one with NaN at its end."""
        run = self._run(run_id)
        table = reading.curves(self.store, run)
        if table is None:
            return ()
        ends = reading.fold_scores(self.store, run).set_index(["repeat", "fold"])["diverged_epoch"].to_dict()
        made = []
        for place, part in table.groupby(["repeat", "fold"], sort=True):
            curve = Curve(part["epoch"].to_numpy(), part["train_loss"].to_numpy(), part["test_loss"].to_numpy())
            made.append(ended_curve(curve, None if np.isnan(ends[place]) else int(ends[place])))
        return tuple(made)

    def predictions(self, run_id: str) -> OutOfFold:
        """Return the out-of-fold predictions."""
        table = reading.predictions(self.store, self._run(run_id))
        prefix = probability_column("")
        columns = [name for name in table.columns if name.startswith(prefix)]
        classes = tuple(name.removeprefix(prefix) for name in columns)
        fold = table.groupby(["repeat", "fold"], sort=True).ngroup().to_numpy()
        target = pd.Index(classes).get_indexer(pd.Index(table["target"]))
        probabilities = table[columns].to_numpy(dtype=float)
        return OutOfFold(fold.astype(np.int64), target.astype(np.int64), probabilities, classes)

    def class_scores(self, run_id: str) -> pd.DataFrame | None:
        """Return the scores by class, None where an older version recorded the job."""
        return reading.class_scores(self.store, self._run(run_id))

    def pipeline(self, run_id: str) -> Any | None:
        """Return the fitted pipeline, None if the run keeps none."""
        return load_pipeline(self.store, run_id)

    def metrics(self, run_id: str) -> Mapping[str, float]:
        """Return all metrics."""
        return self._run(run_id).metrics

    def _run(self, run_id: str) -> RunRow:
        return reading.get_run(self.store, run_id)
