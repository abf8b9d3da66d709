"""What a comparison's figures and its table by class are made from. Nothing here imports matplotlib (0.5 s)."""

from collections.abc import Sequence
from dataclasses import dataclass

from src.comparison.candidates import NETWORK, Candidate
from src.comparison.outcome import Outcome
from src.comparison.record import Record, RecordedDataset
from src.report.terminal import Cells
from src.report.words import number, plain

MOST_PANELS = 6


@dataclass(frozen=True, eq=False)
class Material:
    """What the figures are drawn from: the record, what its jobs say, and the data set where there is but one."""

    record: Record
    outcome: Outcome
    dataset: RecordedDataset | None

    @property
    def shown(self) -> Sequence[Candidate]:
        """The candidates that get a panel each: the best, and the network among them."""
        return self.best(MOST_PANELS)

    def best(self, count: int, among: Sequence[Candidate] | None = None) -> Sequence[Candidate]:
        """The best candidates of the one data set; the network, which the comparison is about, never falls out."""
        everyone = self.outcome.candidates if among is None else among
        first = everyone[:count]
        network = next((one for one in everyone if one.model == NETWORK), None)
        return first if network is None or network in first else (*first[: count - 1], network)


def class_cells(material: Material) -> Cells | None:
    """Precision, recall and F1 of each class for the best candidates at their best settings, on one data set."""
    shown = () if material.dataset is None else material.shown
    tables = {one.name: material.record.class_scores(one.best.first.run_id) for one in shown}
    rows = tuple(
        (plain(name), plain(row["class"], 40), *map(number, row[["precision", "recall", "f1"]]), f"{row['support']:g}")
        for name, table in tables.items()
        if table is not None  # recorded by an older version
        for _, row in table.iterrows()
    )
    if not rows:
        return None
    headers = ("model", "class", "precision", "recall", "F1", "rows")
    note = "At each model's best setting, over the rows of all test folds together, by models that had not seen them."
    return Cells(headers, (False, False, True, True, True, True), rows, None, (note,))
