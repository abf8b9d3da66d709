"""The figures of a comparison: those that its jobs and data allow, each with what to look for."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from src.data import DataError, Dataset, load
from src.evaluation.significance import Comparison
from src.report.candidates import NETWORK, Candidate, by_score, choices, numbers, own_names
from src.report.figures import (
    OutOfFold,
    calibration_curves,
    confusion_matrices,
    decision_grid,
    decision_regions,
    differences,
    heat_map,
    hidden_weights,
    intervals,
    leaderboard_figure,
    learning_curve,
    metric_along,
    paired_differences,
    roc_curves,
)
from src.report.page import Picture
from src.report.recorded import recorded_classes, recorded_curves, recorded_predictions
from src.report.tables import model_name
from src.report.words import is_missing, metric_label, plain, value_text
from src.tracking import reading
from src.tracking.models import load_pipeline
from src.tracking.query import RunRow
from src.tracking.reading import RecordedDataset
from src.tracking.store import Store

FloatArray = NDArray[np.floating]

MOST_PANELS = 6
MOST_CLASSES = 12  # whose confusion matrix can still be read
FEW_CLASSES = 5  # of which as many matrices as there are panels fit; of more classes the best two
MOST_UNITS = 16
MOST_LINES = 9
IMAGES = {"digits": (8, 8)}  # data sets whose rows are images, and their rows and columns


@dataclass(frozen=True, eq=False)
class Material:
    """What the figures are drawn from.

    Attributes
    ----------
    jobs, runs
        A table of jobs and, at the same positions, their runs.
    candidates, comparisons, metric
        What is compared by what, and the outcome.
    dataset
        The data set's description where there is but one.
    """

    store: Store
    jobs: pd.DataFrame
    runs: Sequence[RunRow]
    candidates: Sequence[Candidate]
    comparisons: Sequence[Comparison]
    metric: str
    dataset: RecordedDataset | None

    @property
    def shown(self) -> list[Candidate]:
        """The candidates that get a panel each: all, or the best of very many."""
        return self.best(MOST_PANELS)

    def best(self, count: int) -> list[Candidate]:
        """The best candidates, in the order typed."""
        best = by_score(self.candidates, self.metric)[:count]
        return [one for one in self.candidates if one in best]


def pictures(material: Material) -> tuple[Picture, ...]:
    """Draw what applies: the answer's figures first, then how it came about."""
    drawn = [*_of_differences(material), *_of_scores(material)]
    if material.dataset is not None and material.candidates:
        drawn += [*_of_models(material, material.dataset), *_of_curves(material), *_of_predictions(material)]
    return tuple(drawn)


def _of_differences(material: Material) -> Iterator[Picture]:
    comparisons = material.comparisons
    if not comparisons:
        return
    scores = {candidate.name: candidate.scores.scores for candidate in material.candidates}
    yardsticks = list(dict.fromkeys(one.baseline for one in comparisons))
    label = metric_label(material.metric)
    if len(yardsticks) == 1:
        yield Picture(
            "differences",
            f"Differences to {plain(yardsticks[0])}, fold by fold",
            f"Each ring is one fold: {label} of the model minus that of {plain(yardsticks[0])} on the same rows. The "
            "bar is the mean's 95% confidence interval, corrected for training parts that overlap; a bar across zero "
            "does not show a difference.",
            paired_differences(scores, yardsticks[0], comparisons),
        )
        return
    yield Picture(
        "differences",
        "Differences, fold by fold",
        f"Each ring is one fold: {label} of the first minus that of the second on the same rows. The bar is the mean's "
        "95% confidence interval, corrected for training parts that overlap; a bar across zero does not show a "
        "difference.",
        differences(scores, comparisons, own_names(material.candidates)),
    )


def _of_scores(material: Material) -> Iterator[Picture]:
    jobs, metric = material.jobs, material.metric
    label = metric_label(metric)
    if len(material.candidates) > 1:
        yield Picture(
            "models",
            "Models",
            f"Mean test {label} of each model at its setting in the table above, with its 95% confidence interval. Two "
            "models may well differ where their intervals overlap, as both were tested on the same rows: the "
            "differences above tell.",
            intervals(
                {one.name: (one.mean, one.low, one.high) for one in material.candidates},
                metric,
                own_names(material.candidates),
            ),
        )
    elif len(jobs) > 1:
        yield Picture(
            "leaderboard",
            "Leaderboard",
            f"Test {label} of the best jobs: mean over the folds and one standard deviation between them. The bars "
            "show how much folds differ, not how sure the mean is.",
            leaderboard_figure(jobs, metric),
        )
    if material.dataset is None:
        return
    models = [model_name(job) for _, job in jobs.iterrows()]
    principal = NETWORK if NETWORK in models else max(dict.fromkeys(models), key=models.count)
    part = jobs[[model == principal for model in models]]
    swept = numbers(part)
    if len(swept) > 1:
        x, y = swept[:2]
        yield Picture(
            "heat-map",
            f"{_capital(label)} of {plain(principal)} over two settings",
            f"Each cell is the best job of {plain(principal)} with these values, over all folds; the darker the "
            "better, the best is framed. A broad dark region is worth more than one dark cell.",
            heat_map(part, x, y, metric),
        )
    compared = len(set(models)) > 1 or bool(choices(jobs))
    axis = next(iter(numbers(jobs)), None)
    if axis is None or (len(material.candidates) > MOST_LINES if compared else len(swept) > 1):
        return
    named = dict(enumerate(models))
    if compared:
        named = {place: one.name for one in material.candidates for place in one.jobs}
    lines = jobs.iloc[list(named)].assign(model=list(named.values()))
    lines = lines[~lines[axis].map(is_missing)]
    if lines.empty:
        return
    leaf = axis.rsplit(".", 1)[-1]
    yield Picture(
        "along",
        f"{_capital(label)} by {leaf}",
        f"Mean over the folds along {leaf}, everything else at its best there.",
        metric_along(lines, axis, metric, "model"),
    )


def _of_models(material: Material, described: RecordedDataset) -> Iterator[Picture]:
    """What the fitted models decide and look at, where the runs keep them."""
    plane = len(described.columns) == 2 and set(described.columns.values()) == {"double"}
    image = IMAGES.get(described.name)
    if not plane and image is None:
        return
    pipelines = {}
    for candidate in material.shown:
        pipeline = load_pipeline(material.store, material.runs[candidate.best].run_id)
        if pipeline is not None:
            pipelines[candidate] = pipeline
    data = _recorded_data(material) if plane and pipelines else None
    if data is not None:
        grid = decision_grid(data.features.to_numpy(dtype=float))
        points = pd.DataFrame(grid.rows, columns=list(data.feature_names))
        predicted = {
            candidate.name: _in_order(pipeline.predict_proba(points), list(pipeline.classes_), data.class_names)
            for candidate, pipeline in pipelines.items()
        }
        yield Picture(
            "decision-regions",
            "What each model decides",
            "The plane of the two features as each model, fitted on all rows, divides it; the rows as points. The "
            "paler the tint, the less sure the model.",
            decision_regions(
                grid, predicted, data.features.to_numpy(dtype=float), data.target, data.feature_names, data.class_names
            ),
        )
    for candidate, pipeline in pipelines.items():
        if image is not None and candidate.model == NETWORK and len(pipeline[-1].coefs_) > 1:
            yield Picture(
                "hidden-units",
                f"What the hidden units of {plain(candidate.name)} look at",
                "Weights from the pixels to each unit of the first hidden layer: light where ink excites it, dark "
                "where ink inhibits it.",
                hidden_weights(np.asarray(pipeline[-1].coefs_[0]).T, image, MOST_UNITS),
            )
            return


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _recorded_data(material: Material) -> Dataset | None:
    """The rows that the jobs were run on, None if they are no longer there or have changed."""
    run = material.runs[material.candidates[0].best]
    config = dict(reading.recorded_config(material.store, run)["data"])
    config.pop("scale")
    try:
        data = load(**config)
    except DataError:  # the user's file has moved: the report does without it
        return None
    return data if data.digest == run.tags["data_digest"] else None


def _in_order(probabilities: FloatArray, present: Sequence[str], class_names: Sequence[str]) -> FloatArray:
    return probabilities[:, [present.index(name) for name in class_names]]


def _of_curves(material: Material) -> Iterator[Picture]:
    curves, losses = {}, {}
    for candidate in material.shown:
        run = material.runs[candidate.best]
        table = reading.curves(material.store, run)
        if table is not None:
            curves[candidate.name] = recorded_curves(table, reading.fold_scores(material.store, run))
            losses[candidate.name] = run.params.get("model.loss", "cross_entropy")
    if curves:
        yield Picture(
            "learning-curves",
            "Learning curves",
            "Loss by epoch at each model's setting above, mean over the folds and one standard deviation. Where the "
            "test fold's loss rises again while the training part's falls, the model learns its rows by heart."
            + _which(material, MOST_PANELS),
            learning_curve(curves, losses),
        )


def _of_predictions(material: Material) -> Iterator[Picture]:
    made: dict[str, OutOfFold] = {}
    classes: tuple[str, ...] = ()
    for candidate in material.shown:
        table = reading.predictions(material.store, material.runs[candidate.best])
        made[candidate.name] = recorded_predictions(table)
        classes = recorded_classes(table)
    if len(classes) <= MOST_CLASSES:
        most = MOST_PANELS if len(classes) <= FEW_CLASSES else 2
        kept = [one.name for one in material.best(most)]
        again = any(value_text(job.get("cv.repeats")) not in ("1", "null") for _, job in material.jobs.iterrows())
        yield Picture(
            "confusion",
            "Confusion matrices",
            "How many rows of each true class were predicted as which, by models that had not seen them"
            + ("; every row counts once in each repetition." if again else ".")
            + _which(material, most),
            confusion_matrices({name: made[name] for name in kept}, classes),
        )
    yield Picture(
        "roc",
        "ROC curves",
        "True positives against false positives as the threshold moves, mean over the folds"
        + (" and over one class against the rest." if len(classes) > 2 else ".")
        + _which(material, MOST_PANELS),
        roc_curves(made),
    )
    yield Picture(
        "calibration",
        "Calibration",
        "How often what is predicted with a probability comes true; on the diagonal the probabilities can be taken at "
        "their word. Below, how the predicted probabilities are spread." + _which(material, MOST_PANELS),
        calibration_curves(made, classes),
    )


def _which(material: Material, most: int) -> str:
    """What to say of the models that a figure leaves out."""
    count = len(material.candidates)
    return f" Shown are the best {most} of {count} models." if count > most else ""
