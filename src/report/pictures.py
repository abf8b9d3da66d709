"""The figures of a comparison: those that its jobs and data allow, each with what to look for."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from src.comparison.candidates import NETWORK
from src.comparison.jobs import RecordedJob, Setting
from src.comparison.naming import model_label, numbers
from src.comparison.outcome import Outcome
from src.comparison.record import Record, RecordedDataset
from src.data import DataError, Dataset, load
from src.report.figures.curves import learning_curve
from src.report.figures.predictions import (
    calibration_curves,
    confusion_matrices,
    decision_grid,
    decision_regions,
    roc_curves,
)
from src.report.figures.scores import (
    critical_differences,
    differences,
    heat_map,
    intervals,
    metric_along,
    numeric_places,
    scattered,
)
from src.report.figures.weights import hidden_weights
from src.report.material import MOST_PANELS, Material
from src.report.page import Picture
from src.report.style import to_png
from src.report.words import LAST_FIGURE, metric_label, percent, plain

MOST_CLASSES = 12  # whose confusion matrix can still be read
FEW_CLASSES = 5  # of which as many matrices as there are panels fit; of more classes the best two
MOST_UNITS = 16
MOST_LINES = 9
IMAGES = {"digits": (8, 8)}  # data sets whose rows are images, and their rows and columns


def pictures(material: Material) -> tuple[Picture, ...]:
    """Draw what applies: the answer's figures first, then how it came about."""
    drawn = [*_of_differences(material.outcome), *_of_scores(material)]
    if material.dataset is not None and material.outcome.candidates:
        drawn += [*_of_models(material, material.dataset), *_of_curves(material), *_of_predictions(material)]
    return tuple(drawn)


def job_figures(record: Record, job: RecordedJob) -> dict[str, bytes]:
    """Draw a job's own figures from its record, as PNG by file name; `LAST_FIGURE` is the last."""
    made, name = record.predictions(job.run_id), model_label(job.flat)
    curves = record.curves(job.run_id)
    return {
        **({"figures/learning_curve.png": to_png(learning_curve({name: curves}))} if curves else {}),
        "figures/confusion_matrix.png": to_png(confusion_matrices({name: made}, made.class_names)),
        LAST_FIGURE: to_png(roc_curves({name: made})),
    }


def _of_differences(outcome: Outcome) -> Iterator[Picture]:
    comparisons = outcome.comparisons
    if not comparisons:
        return
    baselines = list(dict.fromkeys(one.baseline for one in comparisons))
    to = f" to {plain(baselines[0])}" if len(baselines) == 1 else ""
    yield Picture(
        "differences",
        f"Differences{to}, fold by fold",
        f"Each ring is one fold: {metric_label(outcome.metric)} of the model minus that of the baseline on the same "
        f"rows. The bar is the mean's {percent(outcome.options.confidence)} confidence interval, corrected for "
        "training parts that overlap and for all comparisons of the data set; a bar across zero does not show a "
        "difference.",
        differences(comparisons),
    )
    if outcome.across is not None and outcome.across.critical_difference is not None:
        yield Picture(
            "critical-difference",
            "Ranks over all data sets",
            f"Mean rank of each model over {len(outcome.across.data)} data sets, 1 for the best. Models that a bar "
            "joins differ by less than the critical difference at 5% (Nemenyi's test; Demšar 2006).",
            critical_differences(outcome.across),
        )


def _of_scores(material: Material) -> Iterator[Picture]:
    outcome, metric = material.outcome, material.outcome.metric
    label = metric_label(metric)
    if len(outcome.candidates) > 1:
        same_rows = (
            " Two models may well differ where their intervals overlap, as both were tested on the same rows: the "
            "differences above tell."
        )
        yield Picture(
            "models",
            "Models",
            f"Mean test {label} of each model in the table above, with its own {percent(outcome.options.confidence)} "
            f"confidence interval.{same_rows if outcome.comparisons else ''}",
            intervals(outcome.candidates, metric, outcome.options.confidence),
        )
    if len(outcome.boards) > 1:
        return
    models = [model_label(setting.flat) for setting in outcome.settings]
    principal = NETWORK if NETWORK in models else max(dict.fromkeys(models), key=models.count)
    part = [setting for setting, model in zip(outcome.settings, models, strict=True) if model == principal]
    swept = numbers([setting.flat for setting in part])
    if len(swept) > 1 and any(numeric_places(part, key) for key in swept[:2]):
        yield Picture(
            "scattered",
            f"{label[:1].upper() + label[1:]} of {plain(principal)} over two settings",
            f"Each point is a setting of {plain(principal)} that was tried; the darker the better, the best is framed.",
            scattered(part, swept[0], swept[1], metric),
        )
    elif len(swept) > 1:
        yield Picture(
            "heat-map",
            f"{label[:1].upper() + label[1:]} of {plain(principal)} over two settings",
            f"Each cell is the best setting of {plain(principal)} with these values, over all folds; the darker the "
            "better, the best is framed. A broad dark region is worth more than one dark cell.",
            heat_map(part, swept[0], swept[1], metric),
        )
    axis = next(iter(numbers([setting.flat for setting in outcome.settings])), None)
    if axis is None:
        return
    lines = _lines(outcome, axis)
    if not lines or len(lines) > MOST_LINES or (len(lines) == 1 and len(swept) > 1):
        return
    leaf = axis.rpartition(".")[2]
    yield Picture(
        "along",
        f"{label[:1].upper() + label[1:]} by {leaf}",
        f"Mean over the folds along {leaf}, everything else at its best there.",
        metric_along(lines, axis, metric),
    )


def _lines(outcome: Outcome, axis: str) -> Mapping[str, Sequence[Setting]]:
    """The settings that have a key, best first, of each candidate; of each model where a setting is a candidate."""
    having = {one.name: [each for each in one.settings if axis in each.flat] for one in outcome.candidates}
    lines = {name: settings for name, settings in having.items() if settings}
    if all(len(settings) == 1 for settings in lines.values()):
        return {"": [setting for setting in outcome.settings if axis in setting.flat]}
    return lines


def _of_models(material: Material, described: RecordedDataset) -> Iterator[Picture]:
    """What the fitted models decide and look at, where the runs keep them."""
    plane = len(described.columns) == 2 and set(described.columns.values()) == {"double"}
    image = IMAGES.get(described.name)
    if not plane and image is None:
        return
    loaded = {one: material.record.pipeline(one.best.first.run_id) for one in material.shown}
    pipelines = {candidate: pipeline for candidate, pipeline in loaded.items() if pipeline is not None}
    data = _recorded_data(material) if plane and pipelines else None
    if data is not None:
        grid = decision_grid(data.features.to_numpy(dtype=float))
        points = pd.DataFrame(grid.rows, columns=list(data.feature_names))
        predicted = {}
        for candidate, pipeline in pipelines.items():
            order = [list(pipeline.classes_).index(name) for name in data.class_names]
            predicted[candidate.name] = pipeline.predict_proba(points)[:, order]
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


def _recorded_data(material: Material) -> Dataset | None:
    """The rows that the jobs were run on, None if they are no longer there or have changed."""
    job = material.outcome.candidates[0].best.first
    try:
        data = load(**job.config.data.model_dump(exclude={"scale"}))
    except DataError:  # the user's file has moved: the report does without it
        return None
    return data if data.digest == job.data_digest else None


def _of_curves(material: Material) -> Iterator[Picture]:
    recorded = {one.name: material.record.curves(one.best.first.run_id) for one in material.outcome.candidates}
    trained = [one for one in material.outcome.candidates if recorded[one.name]]
    shown = material.best(MOST_PANELS, trained)
    curves = {one.name: recorded[one.name] for one in shown}
    losses = {one.name: one.best.flat.get("model.loss", "cross_entropy") for one in shown}
    if curves:
        yield Picture(
            "learning-curves",
            "Learning curves",
            "Loss by epoch at each model's setting above, mean over the folds and one standard deviation. Where the "
            "test fold's loss rises again while the training part's falls, the model overfits."
            + _which(len(trained), MOST_PANELS),
            learning_curve(curves, losses),
        )


def _of_predictions(material: Material) -> Iterator[Picture]:
    made = {one.name: material.record.predictions(one.best.first.run_id) for one in material.shown}
    classes = next(iter(made.values())).class_names
    if len(classes) <= MOST_CLASSES:
        most = MOST_PANELS if len(classes) <= FEW_CLASSES else 2
        kept = [one.name for one in material.best(most)]
        again = any(setting.first.config.cv.repeats > 1 for setting in material.outcome.settings)
        yield Picture(
            "confusion",
            "Confusion matrices",
            "How many rows of each true class were predicted as which, by models that had not seen them"
            + ("; every row counts once in each repetition." if again else ".")
            + _which(len(material.outcome.candidates), most),
            confusion_matrices({name: made[name] for name in kept}, classes),
        )
    yield Picture(
        "roc",
        "ROC curves",
        "True positives against false positives as the threshold moves, mean over the folds"
        + (" and over one class against the rest." if len(classes) > 2 else ".")
        + _which(len(material.outcome.candidates), MOST_PANELS),
        roc_curves(made),
    )
    yield Picture(
        "calibration",
        "Calibration",
        "How often what is predicted with a probability comes true; on the diagonal the probabilities can be taken at "
        "their word. Below, how the predicted probabilities are spread."
        + _which(len(material.outcome.candidates), MOST_PANELS),
        calibration_curves(made, classes),
    )


def _which(count: int, most: int) -> str:
    """What to say of the models that a figure leaves out."""
    return f" Shown are {most} of {count} models, the best and the network." if count > most else ""
