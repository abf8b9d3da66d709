"""What `python -m src.trace` does: check the configuration, take rows and first weights, follow one update."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from pydantic import TypeAdapter, ValidationError

from src.config import ConfigError, JobConfig, network_settings, validated
from src.config.trace import Layers, SampleConfig, TraceConfig, TracedConfig
from src.data import make_preprocessor
from src.evaluation.crossval import NetworkTask
from src.folders import reason
from src.language import choose, listed, say, sentences
from src.models import NETWORKS, make_data
from src.network import Part, Settings, Shape, shape_of
from src.network.arrays import Array
from src.network.tracing import Place, trace
from src.report.trace.forms import to_html, to_markdown
from src.report.trace.notation import NOTATIONS, Notation
from src.report.trace.terms import TracedUpdate
from src.sweep.compose import Composed
from src.sweep.jobs import Job, make_jobs
from src.words import counted

MOST_PARAMETERS = 1000


def traced_update(config: Mapping[str, Any]) -> TracedUpdate:
    """Follow the update that a composed configuration, nested plain data, asks for.

    Raises UserError for a model that is no network, or one too large to be read; for another step than gradient
    descent; for rows, weights or a file that are not there or do not fit.
    """
    asked = validated(config, TracedConfig)
    choose(asked.lang)
    settings = _settings(asked)
    if asked.trace.samples is None:
        job_config = {key: value for key, value in config.items() if key != "trace"}
        (job,) = make_jobs([Composed((), job_config)]).distinct
        part, labels, source = _rows(job, asked.trace.rows, settings)
    else:
        part, labels = _typed(asked.trace.samples, settings)
        source = say("Samples: as typed in trace.samples.")
    shape = shape_of(settings, *part.sizes[:2])
    if shape.parameter_count > MOST_PARAMETERS:
        raise ConfigError(
            f"model.hidden_layer_sizes: with {counted(shape.layer_sizes[0], 'input')} this network has "
            f"{counted(shape.parameter_count, 'weight')} and biases, and a trace, which prints each, shows "
            f"{MOST_PARAMETERS:,} at most. Choose smaller layers, or data with fewer columns."
        )
    matrices, start = _start(asked, shape)
    notation = NOTATIONS[asked.trace.derivation](shape.layer_sizes)
    place = _place(asked.trace, notation)
    return TracedUpdate(trace(settings, part, matrices), notation, place, labels, (source, start))


def write(shown: TracedUpdate, folder: Path) -> list[Path]:
    """Write the page and the Markdown, and return their paths.

    Raises ConfigError if the folder cannot be written.
    """
    files = {folder / "trace.html": to_html(shown), folder / "trace.md": to_markdown(shown)}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, text in files.items():
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"trace.output: {folder} cannot be written: {reason(error)}. Choose another folder."
        ) from error
    return list(files)


def _settings(asked: JobConfig) -> Settings:
    """Return the engine's settings of the network, if it is one that the derivations can follow."""
    if asked.model.name not in NETWORKS:
        raise ConfigError(
            f"model.name: '{asked.model.name}' is no network, so it has no update to trace. "
            f"Choose {' or '.join(f'model={name}' for name in NETWORKS)}."
        )
    if asked.training.optimizer != "sgd":
        raise ConfigError(
            f"training.optimizer: a trace follows gradient descent, the step of the derivations, and "
            f"'{asked.training.optimizer}' takes another. Set training.optimizer=sgd."
        )
    if asked.training.clip_norm is not None:
        raise ConfigError(
            "training.clip_norm: a trace follows gradient descent as in the derivations, which clip no gradient. "
            "Set training.clip_norm=null."
        )
    return replace(network_settings(asked), patience=None)


def _rows(job: Job, rows: Sequence[int], settings: Settings) -> tuple[Part, tuple[str, ...], str]:
    """Return rows of the data as the network sees them that is trained on all rows, and where they come from."""
    data = job.dataset
    count, classes = len(data.target), len(data.class_names)
    for row in rows:
        if row >= count:
            raise ConfigError(
                f"trace.rows: there is no row {row}; {data.name} has {count:,} rows, counted from 0 to {count - 1}."
            )
    preprocessor: Any = make_preprocessor(data, job.checked.data.scale, job.checked.data.missing)
    x = preprocessor.fit_transform(data.features)
    task = next(iter(job.tasks.values()))
    assert isinstance(task, NetworkTask)
    weights: Any = {"weight": data.sample_weight, "class_weight": task.class_weight}
    whole, chosen = make_data(settings, classes, x, data.target, **weights).train, list(rows)
    part = Part(whole.x[:, chosen], whole.y[:, chosen], None if whole.weight is None else whole.weight[chosen])
    labels = tuple(say("row {row}, class {name}", row=row, name=data.class_names[data.target[row]]) for row in rows)
    scaled = {
        "none": say("as they are"),
        "standard": say("standardized by all its {count} rows", count=f"{count:,}"),
        "minmax": say("scaled to [0, 1] by all its {count} rows", count=f"{count:,}"),
    }[job.checked.data.scale]
    inputs = listed(preprocessor.get_feature_names_out(), most=6)
    told = say("Samples: rows of {data}, {scaled}; inputs {inputs}.", data=data.name, scaled=scaled, inputs=inputs)
    if len(part.y) == 1:
        told = sentences([told, say("The one output stands for class {name}.", name=data.class_names[1])])
    return part, labels, told


def _typed(samples: Sequence[SampleConfig], settings: Settings) -> tuple[Part, tuple[str, ...]]:
    """Return the samples that stand in the configuration."""
    sizes = len(samples[0].x), len(samples[0].y)
    if settings.output == "softmax" and sizes[1] == 1:
        raise ConfigError(
            "trace.samples: sample 0 has 1 target, and a softmax of one output is always 1: it learns nothing; "
            "one output needs model.output=sigmoid, and a softmax a target for each class, as in y: [1, 0]."
        )
    for number, sample in enumerate(samples):
        found = len(sample.x), len(sample.y)
        if found != sizes or 0 in found:
            raise ConfigError(
                f"trace.samples: sample {number} has {counted(found[0], 'feature')} and {counted(found[1], 'target')}; "
                f"all samples need as many as sample 0, which has {sizes[0]} and {sizes[1]}, and at least one of each."
            )
        if (settings.output, settings.loss) == ("softmax", "cross_entropy") and not np.isclose(sum(sample.y), 1):
            raise ConfigError(
                f"trace.samples: the targets of sample {number} sum to {sum(sample.y):g}; those of a softmax are "
                "shares of one and sum to 1."
            )
    x, y = (np.array([getattr(sample, each) for sample in samples]).T for each in "xy")
    return Part(x, y), tuple(say("sample {number}", number=number) for number in range(len(samples)))


def _start(asked: TracedConfig, shape: Shape) -> tuple[list[Array] | None, str]:
    """Return the first weights as matrices [W b], None where they are to be drawn, and where they come from."""
    start = asked.trace.start
    if start is None:
        return None, say("First weights: drawn from seed {seed} ({init}).", seed=asked.seed, init=asked.model.init)
    layers = _read(Path(start)) if isinstance(start, str) else start
    name = start if isinstance(start, str) else "trace.start"
    if len(layers) != len(shape.matrix_shapes):
        raise ConfigError(
            f"trace.start: {name} holds {counted(len(layers), 'layer')} of weights, and the network has "
            f"{len(shape.matrix_shapes)} (its hidden layers and the output)."
        )
    for number, (layer, (units, columns)) in enumerate(zip(layers, shape.matrix_shapes, strict=True), start=1):
        if [len(row) for row in layer.W] != [columns - 1] * units or len(layer.b) != units:
            raise ConfigError(
                f"trace.start: layer {number} of {name} needs W with {counted(units, 'row')} of "
                f"{counted(columns - 1, 'number')} and b with {counted(units, 'number')}; its rows hold "
                f"{[len(row) for row in layer.W]} and b {len(layer.b)}."
            )
    return [np.column_stack([layer.W, layer.b]) for layer in layers], say("First weights: those of {name}.", name=name)


def _read(path: Path) -> Layers:
    needed = "a YAML list with W, a row of numbers for each unit, and b, a number for each unit, of every layer"
    try:
        return TypeAdapter(Layers).validate_python(yaml.safe_load(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise ConfigError(f"trace.start: {path} cannot be read: {reason(error)}. Name {needed}.") from error
    except (UnicodeDecodeError, yaml.YAMLError, ValidationError) as error:
        raise ConfigError(f"trace.start: {path} does not hold first weights. They are {needed}.") from error


def _place(asked: TraceConfig, notation: Notation) -> Place:
    if asked.weight is None:
        return Place(1, 0, 0)
    place = notation.place(asked.weight)
    if place is None:
        first, last = Place(1, 0, 0), Place(notation.last, notation.sizes[-1] - 1, notation.sizes[-2] - 1)
        raise ConfigError(
            f"trace.weight: {list(asked.weight)} is no weight of this {'-'.join(map(str, notation.sizes))} network. "
            f"Derivation {notation.number} writes {notation.weight_form}; "
            f"the first is {notation.written(first)}, the last {notation.written(last)}."
        )
    return place
