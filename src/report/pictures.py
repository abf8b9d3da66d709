"""The figures of a comparison: those that its jobs and data allow, each with what to look for."""

from collections.abc import Iterator, Mapping, Sequence

from src.comparison.candidates import NETWORK
from src.comparison.jobs import Setting
from src.comparison.naming import model_label, numbers
from src.comparison.outcome import Outcome
from src.evaluation.results import Curve, OutOfFold
from src.language import say, sentences
from src.report.figures.curves import learning_curve
from src.report.figures.predictions import calibration_curves, confusion_matrices, decision_regions, roc_curves
from src.report.figures.scores import critical_differences, differences, intervals
from src.report.figures.settings import heat_map, metric_along, numeric_places, scattered
from src.report.figures.weights import hidden_weights
from src.report.material import MOST_PANELS, HiddenUnits, Material, Plane, best
from src.report.page import Picture
from src.report.style import lacks_letters, to_png
from src.report.words import LAST_FIGURE, metric_label, percent, plain

MOST_CLASSES = 12  # whose confusion matrix can still be read
FEW_CLASSES = 5  # of which as many matrices as there are panels fit; of more classes the best two
MOST_UNITS = 16
MOST_LINES = 9


def answer_pictures(outcome: Outcome) -> tuple[Picture, ...]:
    """Draw the comparisons and the scores."""
    return (*_of_differences(outcome), *_of_scores(outcome))


def model_pictures(material: Material) -> tuple[Picture, ...]:
    """Draw how each model learned, and what it predicted out of fold."""
    return (*_of_curves(material), *_of_predictions(material))


def fitted_pictures(fitted: Plane | HiddenUnits | None) -> tuple[Picture, ...]:
    """Draw what the models, fitted on all rows, decide or look at."""
    if isinstance(fitted, Plane):
        told = say(
            "The plane of the two features as each model, fitted on all rows, divides it; the rows as points. The "
            "paler the tint, the less sure the model."
        )
        return (Picture("decision-regions", say("What each model decides"), told, decision_regions(fitted)),)
    if isinstance(fitted, HiddenUnits):
        title = say("What the hidden units of {model} look at", model=plain(fitted.name))
        told = say(
            "Weights from the pixels to each unit of the first hidden layer: light where ink excites it, dark where "
            "ink inhibits it."
        )
        return (Picture("hidden-units", title, told, hidden_weights(fitted.weights, fitted.image, MOST_UNITS)),)
    return ()


def font_note() -> str | None:
    """What to say where no font has the letters of the language, so that the figures' words are English."""
    if not lacks_letters():
        return None
    return say(
        "The words in the figures are English, as no font that is installed here has Chinese letters. Install one: "
        "fonts-noto-cjk (Debian, Ubuntu), google-noto-sans-cjk-fonts (Fedora), or Noto Sans SC from fonts.google.com."
    )


def job_figures(name: str, made: OutOfFold, curves: Sequence[Curve]) -> dict[str, bytes]:
    """Draw the figures of a job called `name`, as PNG by file name; `LAST_FIGURE` is the last."""
    return {
        **({"figures/learning_curve.png": to_png(learning_curve({name: curves}))} if curves else {}),
        "figures/confusion_matrix.png": to_png(confusion_matrices({name: made}, made.class_names)),
        LAST_FIGURE: to_png(roc_curves({name: made}, made.class_names)),
    }


def _of_differences(outcome: Outcome) -> Iterator[Picture]:
    comparisons = outcome.comparisons
    if not comparisons:
        return
    baselines = list(dict.fromkeys(one.baseline for one in comparisons))
    title = say("Differences, fold by fold")
    if len(baselines) == 1:
        title = say("Differences to {baseline}, fold by fold", baseline=plain(baselines[0]))
    yield Picture(
        "differences",
        title,
        say(
            "Each ring is one fold: {metric} of the model minus that of the baseline on the same rows. The bar is the "
            "mean's {confidence} confidence interval, corrected for training parts that overlap and for all "
            "comparisons of the data set; a bar across zero does not show a difference.",
            metric=metric_label(outcome.metric),
            confidence=percent(outcome.options.confidence),
        ),
        differences(comparisons),
    )
    if outcome.across is not None and outcome.across.critical_difference is not None:
        yield Picture(
            "critical-difference",
            say("Ranks over all data sets"),
            say(
                "Mean rank of each model over {count} data sets, 1 for the best. Models that a bar joins differ by "
                "less than the critical difference at 5% (Nemenyi's test; Demšar 2006). The answer is by Wilcoxon's "
                "test of each pair, which may tell others apart.",
                count=len(outcome.across.data),
            ),
            critical_differences(outcome.across),
        )


def _of_scores(outcome: Outcome) -> Iterator[Picture]:
    metric = outcome.metric
    label = metric_label(metric)
    if len(outcome.candidates) > 1:
        confidence = outcome.options.confidence
        told = [
            say(
                "Mean test {metric} of each model in the table above, with its own {confidence} confidence interval.",
                **{"metric": label, "confidence": percent(confidence)},
            )
        ]
        if outcome.comparisons:
            told.append(
                say(
                    "Two models may well differ where their intervals overlap, as both were tested on the same rows: "
                    "the differences above tell."
                )
            )
        drawn = intervals(outcome.candidates, metric, confidence)
        yield Picture("models", say("Models"), sentences(told), drawn)
    if len(outcome.boards) > 1:
        return
    models = [model_label(setting.flat) for setting in outcome.settings]
    principal = NETWORK if NETWORK in models else max(dict.fromkeys(models), key=models.count)
    part = [setting for setting, model in zip(outcome.settings, models, strict=True) if model == principal]
    swept = numbers([setting.flat for setting in part])
    if len(swept) > 1:
        yield _over_two(part, swept[0], swept[1], metric, alone=len(part) == len(models))
    axis = next(iter(numbers([setting.flat for setting in outcome.settings])), None)
    if axis is None:
        return
    lines = _lines(outcome, axis)
    if not lines or len(lines) > MOST_LINES or (len(lines) == 1 and len(swept) > 1):
        return
    leaf = axis.rpartition(".")[2]
    yield Picture(
        "along",
        say("{metric} by {key}", metric=_titled(label), key=leaf),
        say("Mean over the folds along {key}, everything else at its best there.", key=leaf),
        metric_along(lines, axis, metric),
    )


def _over_two(settings: Sequence[Setting], x: str, y: str, metric: str, *, alone: bool) -> Picture:
    """A model's settings over two keys; whether it is `alone`, without settings of other models beside it."""
    model = plain(model_label(settings[0].flat))
    has_many = any(numeric_places(settings, key) for key in (x, y))
    told = [
        say(
            "Each point is a setting of {model} that was tried; the darker the better, the best is framed.", model=model
        )
        if has_many
        else say(
            "Each cell is the best setting of {model} with these values, over all folds; the darker the better, the "
            "best is framed. A broad dark region is worth more than one dark cell.",
            model=model,
        ),
        *([] if alone else [say("Settings of other models are not in it.")]),
    ]
    return Picture(
        "scattered" if has_many else "heat-map",
        say("{metric} of {model} over two hyper-parameters", metric=_titled(metric_label(metric)), model=model),
        sentences(told),
        (scattered if has_many else heat_map)(settings, x, y, metric),
    )


def _titled(label: str) -> str:
    return label[:1].upper() + label[1:]


def _lines(outcome: Outcome, axis: str) -> Mapping[str, Sequence[Setting]]:
    """The settings that have a key, best first, of each candidate; of each model where a setting is a candidate."""
    having = {one.name: [each for each in one.settings if axis in each.flat] for one in outcome.candidates}
    lines = {name: settings for name, settings in having.items() if settings}
    if all(len(settings) == 1 for settings in lines.values()):
        return {"": [setting for setting in outcome.settings if axis in setting.flat]}
    return lines


def _of_curves(material: Material) -> Iterator[Picture]:
    trained = [one for one in material.outcome.candidates if material.curves[one.name]]
    losses = {one.name: one.best.flat.get("model.loss", "cross_entropy") for one in trained}
    if trained:
        told = [
            say("Loss by epoch at each model's setting above, mean over the folds and one standard deviation.")
            if len(material.outcome.settings) > 1
            else say("Loss by epoch, mean over the folds and one standard deviation."),
            say("Where the test fold's loss rises again while the training part's falls, the model overfits."),
            *_which(len(trained), MOST_PANELS),
        ]
        drawn = learning_curve({one.name: material.curves[one.name] for one in best(trained)}, losses)
        yield Picture("learning-curves", say("Learning curves"), sentences(told), drawn)


def _of_predictions(material: Material) -> Iterator[Picture]:
    made = material.predictions
    classes = next(iter(made.values())).class_names
    if len(classes) <= MOST_CLASSES:
        most = MOST_PANELS if len(classes) <= FEW_CLASSES else 2
        kept = [one.name for one in best(material.outcome.candidates, most)]
        told = [say("How many rows of each true class were predicted as which, by models that had not seen them.")]
        if any(setting.first.config.cv.repeats > 1 for setting in material.outcome.settings):
            told.append(
                say("Counted over all repeats: each row once in each, where the table of classes counts it once.")
            )
        yield Picture(
            "confusion",
            say("Confusion matrices"),
            sentences([*told, *_which(len(material.outcome.candidates), most)]),
            confusion_matrices({name: made[name] for name in kept}, classes),
        )
    left_out = _which(len(material.outcome.candidates), MOST_PANELS)
    about = [
        say(
            "True positives against false positives as the threshold moves, mean over the folds; positive is class "
            "{name}.",
            name=plain(classes[1], 40),
        )
        if len(classes) == 2
        else say(
            "True positives against false positives as the threshold moves, mean over the folds and over one class "
            "against the rest."
        ),
        say("The markers only tell the lines apart; they mark no threshold."),
    ]
    yield Picture("roc", say("ROC curves"), sentences([*about, *left_out]), roc_curves(made, classes))
    told = [
        say(
            "How often what is predicted with a probability comes true; on the diagonal the probabilities can be taken "
            "at their word. Below, how the predicted probabilities are spread."
        ),
        say("A point stands for equally many predictions; its bar is the 95% interval of the share (Wilson)."),
    ]
    yield Picture("calibration", say("Calibration"), sentences([*told, *left_out]), calibration_curves(made, classes))


def _which(count: int, most: int) -> list[str]:
    """What to say of the models that a figure leaves out, if it does."""
    told = say("Shown are {shown} of {count} models, the best and the network.", shown=most, count=count)
    return [told] * (count > most)
