"""What a comparison's figures and its table by class are made from: plain values, read from the record.

Nothing here imports matplotlib (0.5 s): another process may draw what is read here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from src.comparison.candidates import NETWORK, Candidate
from src.comparison.jobs import RecordedJob
from src.comparison.outcome import Outcome
from src.comparison.record import Record, RecordedDataset
from src.config.identity import foreign_names
from src.data import DataError, Dataset, load
from src.evaluation.results import Curve, OutOfFold
from src.language import say
from src.report.terminal import Cells
from src.report.words import number, plain

MOST_PANELS = 6
IMAGES = {"digits": (8, 8)}  # data sets whose rows are images, and their rows and columns

FloatArray = NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class Material:
    """What is recorded of the models that a comparison shows, each at its best setting, by the model's name.

    Attributes
    ----------
    curves : of each fold; none for a model that was not trained epoch by epoch.
    predictions : out of fold, of the best candidates, the network among them.
    """

    outcome: Outcome
    curves: Mapping[str, tuple[Curve, ...]]
    predictions: Mapping[str, OutOfFold]


@dataclass(frozen=True, eq=False)
class Grid:
    """Points over the plane of two features; `rows` is what to predict: (len(y) * len(x), 2), x running fastest."""

    x: FloatArray
    y: FloatArray
    rows: FloatArray


@dataclass(frozen=True, eq=False)
class Plane:
    """Data with two features, and what each fitted model decides over their plane.

    Attributes
    ----------
    predicted : what each model, by its name, predicts for ``grid.rows``, shape (rows, C).
    features, target : the data, shapes (n, 2) and (n,).
    """

    grid: Grid
    predicted: Mapping[str, FloatArray]
    features: FloatArray
    target: NDArray[np.int64]
    feature_names: Sequence[str]
    class_names: Sequence[str]


@dataclass(frozen=True, eq=False)
class HiddenUnits:
    """Weights (units, inputs) of a fitted network's first hidden layer over images of so many rows and columns."""

    name: str
    weights: FloatArray
    image: tuple[int, int]


def best(candidates: Sequence[Candidate], count: int = MOST_PANELS) -> Sequence[Candidate]:
    """The first candidates, best first, of one data set; the network, which it is all about, never falls out."""
    first = candidates[:count]
    network = next((one for one in candidates if one.model == NETWORK), None)
    return first if network is None or network in first else (*first[: count - 1], network)


def read_material(record: Record, outcome: Outcome) -> Material:
    """Read what the figures of a comparison on one data set are drawn from.

    Raises TrackingError if the store fails.
    """
    return Material(
        outcome,
        {one.name: record.curves(one.best.first.run_id) for one in outcome.candidates},
        {one.name: record.predictions(one.best.first.run_id) for one in best(outcome.candidates)},
    )


def read_fitted(record: Record, outcome: Outcome, described: RecordedDataset) -> Plane | HiddenUnits | None:
    """Ask the fitted models, where the runs keep them, what they decide over a plane of two features, or look at.

    Raises TrackingError if the store fails.
    """
    image = IMAGES.get(described.name)
    is_plane = len(described.columns) == 2 and set(described.columns.values()) == {"double"}
    if image is None and not is_plane:
        return None
    jobs = {one: one.best.first for one in best(outcome.candidates)}
    # Whoever reads a record has not said that the code of other modules may be run.
    loaded = {one: record.pipeline(job.run_id) for one, job in jobs.items() if not foreign_names(job.config)}
    pipelines = {candidate: pipeline for candidate, pipeline in loaded.items() if pipeline is not None}
    if image is not None:
        networks = ((one, pipeline[-1].coefs_) for one, pipeline in pipelines.items() if one.model == NETWORK)
        hidden = next(((one, weights[0]) for one, weights in networks if len(weights) > 1), None)
        return None if hidden is None else HiddenUnits(hidden[0].name, np.asarray(hidden[1]).T, image)
    data = _recorded_data(outcome.candidates[0].best.first) if pipelines else None
    if data is None:
        return None
    features = data.features.to_numpy(dtype=float)
    grid = decision_grid(features)
    points = pd.DataFrame(grid.rows, columns=list(data.feature_names))
    predicted = {}
    for candidate, pipeline in pipelines.items():
        order = [list(pipeline.classes_).index(name) for name in data.class_names]
        predicted[candidate.name] = pipeline.predict_proba(points)[:, order]
    return Plane(grid, predicted, features, data.target, data.feature_names, data.class_names)


def decision_grid(features: FloatArray, points: int = 201) -> Grid:
    """A grid over two features, shape (n, 2), and a margin of 6 % round them: `points` along each axis."""
    low, high = features.min(axis=0), features.max(axis=0)
    margin = np.where(high > low, 0.06 * (high - low), 0.5)
    x, y = (np.linspace(low[i] - margin[i], high[i] + margin[i], points) for i in range(2))
    return Grid(x, y, np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2))


def _recorded_data(job: RecordedJob) -> Dataset | None:
    """The rows that a job was run on, None if they are no longer there or have changed."""
    try:
        data = load(**job.config.data.reading())
    except DataError:  # the user's file has moved: the report does without it
        return None
    return data if data.digest == job.data_digest else None


def class_cells(record: Record, outcome: Outcome) -> Cells | None:
    """Precision, recall and F1 of each class for the best candidates at their best settings, on one data set."""
    tables = {one.name: record.class_scores(one.best.first.run_id) for one in best(outcome.candidates)}
    rows = [
        (plain(name), plain(row["class"], 40), *map(number, row[["precision", "recall", "f1"]]), f"{row['support']:g}")
        for name, table in tables.items()
        if table is not None  # recorded by an older version
        for _, row in table.iterrows()
    ]
    if not rows:
        return None
    headers = (say("model"), say("class"), say("precision"), say("recall"), "F1", say("rows"))
    notes = [
        say("At each model's best setting, over the rows of all test folds together, by models that had not seen them.")
    ]
    if any(setting.first.config.cv.repeats > 1 for setting in outcome.settings):
        notes.append(say("Scores are over all repeats together; rows are the class's own, which every repeat tests."))
    return Cells.of_rows(headers, rows, numbers=range(2, len(headers)), about=tuple(notes))
