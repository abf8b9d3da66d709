"""What `python -m src.trace` is asked for: a job's configuration, and beside it the keys of `trace`.

They stand outside the schema of a job, so that they are no part of what identifies or records one.
"""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt

from src.config import kinds
from src.config.kinds import Count, Kind, a_list
from src.config.schema import JobConfig, Section

Numbers = Annotated[tuple[float, ...], *a_list("a list of numbers")]
Rows = Annotated[
    tuple[NonNegativeInt, ...],
    Field(min_length=1),
    *a_list("a list of rows' numbers, counted from 0, such as [0, 1]"),
]
Weight = Annotated[
    tuple[Count | Literal["b"], ...],
    *a_list("a list of a weight's indices, counted from 1, with b for a bias, such as [2, 3, 2] or [2, 3, b]"),
]
Derivation = Annotated[int, Field(ge=1, le=4), Kind("a derivation's number, from 1 to 4")]


class LayerConfig(Section):
    """The weights and biases that lead to one layer."""

    W: Annotated[tuple[Numbers, ...], *a_list("a list with a row of weights for each unit")]
    b: Numbers


class SampleConfig(Section):
    """A sample that is typed in, not read from the data."""

    x: Numbers = Field(description="a feature for each input")
    y: Numbers = Field(description="a target for each output")


Layers = Annotated[tuple[LayerConfig, ...], *a_list("a list with W and b of each layer, the first hidden one first")]
Samples = Annotated[tuple[SampleConfig, ...], Field(min_length=1), *a_list("a list of samples, each with x and y")]


class TraceConfig(Section):
    """Which update is shown, and how."""

    rows: Rows = Field((0,), description="rows of the data that are the batch, counted from 0")
    samples: Samples | None = Field(None, description="samples in place of rows of the data")
    start: kinds.Name | Layers | None = Field(None, description="first weights: a YAML file, or the layers themselves")
    weight: Weight | None = Field(None, description="the weight that is written out term by term")
    derivation: Derivation = Field(2, description="whose symbols and equation numbers are shown")
    output: kinds.Name = Field("outputs/trace", description="folder that the page and the Markdown are written to")


class TracedConfig(JobConfig):
    """A job's configuration, and what is shown of its network's first update."""

    trace: TraceConfig = TraceConfig()
