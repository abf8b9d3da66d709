"""What describes one network and its training: every hyper-parameter is declared here, once.

A declaration is a field: name, type, default, meaning, range or words, and the optimizers, schedules or initializers
that alone read it. The engine's settings, the estimator's signature and its constraints, the schema of the
configuration, what identifies a job and README's table of keys follow from it.
The classes are not frozen, because the estimator inherits them and scikit-learn sets its parameters.
"""

from collections.abc import Iterable, Sequence
from dataclasses import KW_ONLY, dataclass, field, fields
from functools import cache
from typing import Any, Literal

import numpy as np

from src.network.activations import ACTIVATIONS
from src.network.initializers import BIAS_INITIALIZERS, INITIALIZERS
from src.network.optimizers import OPTIMIZERS
from src.network.outputs import OUTPUTS
from src.network.schedules import SCHEDULES

# What a random stream is for: the first word of its spawn key (numpy.random.SeedSequence).
INITIAL_WEIGHTS, SHUFFLING, VALIDATION = 0, 1, 2


@dataclass(frozen=True)
class Range:
    """Finite numbers, or `whole` ones, from `low` to `high` (None: no end); `closed` says which ends belong to it."""

    low: int
    high: int | None = None
    closed: Literal["left", "right", "both", "neither"] = "left"
    whole: bool = False


POSITIVE, NOT_NEGATIVE = Range(0, closed="neither"), Range(0)
SHARE, FACTOR, PART = Range(0, 1), Range(0, 1, closed="right"), Range(0, 1, closed="neither")
LARGEST_COUNT = 2**32 - 1  # more than can be done, and no integer of NumPy's overflows
COUNT, COUNT_OR_ZERO = (Range(low, LARGEST_COUNT, closed="both", whole=True) for low in (1, 0))


@dataclass(frozen=True)
class Hyperparameter:
    """One declaration.

    Attributes
    ----------
    default : where nothing else is said; None if it may be left open.
    meaning : in a few words.
    within, choices : the numbers and the words that it may be, if any.
    of : the optimizers, schedules or initializers that alone read it; empty if its reader is no choice.
    """

    default: Any
    meaning: str
    within: Range | None
    of: tuple[str, ...]
    choices: tuple[str, ...]


def declared(
    default: Any, meaning: str, within: Range | None = None, of: Iterable[str] = (), *, choices: Iterable[str] = ()
) -> Any:
    """Declare a field as a `Hyperparameter`."""
    one = Hyperparameter(default, meaning, within, tuple(of), tuple(dict.fromkeys(choices)))
    return field(default=default, metadata={"declared": one})


@cache
def hyperparameters(group: type) -> dict[str, Hyperparameter]:
    """Return what ModelSettings, TrainingSettings, EarlyStoppingSettings or Settings declares, by name."""
    return {each.name: each.metadata["declared"] for each in fields(group) if each.metadata}


@dataclass(eq=False, repr=False)
class ModelSettings:
    """The YAML group `model`, as far as it describes a network."""

    hidden_layer_sizes: Sequence[int] = declared((4,), "units of each hidden layer, [] for none")
    activation: str | Sequence[str] = declared(
        "sigmoid", "of all hidden layers, or a list with one for each", choices=ACTIVATIONS
    )
    output: str = declared("softmax", "function of the output layer", choices=[output for output, _ in OUTPUTS])
    loss: str = declared(
        "cross_entropy",
        "what training minimizes, besides the penalty (tanh, identity: squared_error)",
        choices=[loss for _, loss in OUTPUTS],
    )
    _: KW_ONLY
    init: str = declared("glorot_uniform", "how weights start", choices=INITIALIZERS)
    init_scale: float = declared(0.5, "a of uniform(-a, a), sigma of normal(0, sigma)", POSITIVE, ("uniform", "normal"))
    bias_init: str = declared("zeros", "how biases start", choices=BIAS_INITIALIZERS)
    dtype: str = declared("float64", "precision of all the network's arithmetic", choices=("float64", "float32"))


@dataclass(eq=False, repr=False, kw_only=True)
class TrainingSettings:
    """The YAML group `training`, as far as the engine reads it."""

    optimizer: str = declared("sgd", "the rule that turns gradients into updates", choices=OPTIMIZERS)
    learning_rate: float = declared(0.5, "step size", POSITIVE)
    momentum: float = declared(0.9, "share of the last step that is kept", SHARE, ("momentum", "nesterov"))
    beta1: float = declared(0.9, "decay of the mean gradient", SHARE, ("adam", "adamw"))
    beta2: float = declared(0.999, "decay of the mean squared gradient", SHARE, ("adam", "adamw"))
    rho: float = declared(0.9, "decay of the mean squared gradient", SHARE, ("rmsprop",))
    epsilon: float = declared(1e-8, "keeps the divisor from zero", POSITIVE, ("rmsprop", "adagrad", "adam", "adamw"))
    l2: float = declared(0.0, "the penalty's weight: J = (1/m) sum loss + (l2/2) sum W^2", NOT_NEGATIVE)
    batch_size: int | Literal["full"] = declared(
        "full", "samples of one update; 1 is online learning", COUNT, choices=("full",)
    )
    epochs: int = declared(500, "passes over the training part", COUNT)
    schedule: str = declared("constant", "how the learning rate changes from epoch to epoch", choices=SCHEDULES)
    decay: float = declared(0.5, "what the rate is multiplied by", FACTOR, ("step", "exponential", "plateau"))
    decay_every: int = declared(100, "epochs from one decay to the next", COUNT, ("step",))
    power: float = declared(0.5, "rate in epoch t is learning_rate / t^power", NOT_NEGATIVE, ("inverse_scaling",))
    min_learning_rate: float = declared(0.0, "the rate never falls below it", NOT_NEGATIVE, ("cosine", "plateau"))
    warmup: int = declared(0, "epochs over which the rate grows linearly from zero", COUNT_OR_ZERO)
    plateau_patience: int = declared(10, "epochs without improvement that are borne", COUNT, ("plateau",))
    clip_norm: float | None = declared(None, "the largest norm of a gradient, null for no limit", POSITIVE)


@dataclass(eq=False, repr=False, kw_only=True)
class EarlyStoppingSettings:
    """The YAML group `training.early_stopping`; the part is held out by who gives the engine its data."""

    patience: int | None = declared(None, "epochs without improvement before the end, null for never", COUNT)
    min_delta: float = declared(0.0, "the least decrease of the loss that is an improvement", NOT_NEGATIVE)
    validation_fraction: float = declared(0.1, "share of the training part that is held out", PART)


@dataclass(kw_only=True)
class Settings(EarlyStoppingSettings, TrainingSettings, ModelSettings):
    """Everything that decides how one network is trained, its data apart.

    `stream` names the network among those of one seed, as ``(repeat, fold)``: it keys everything random, so a position
    in a stack never matters.
    """

    seed: int = 0
    stream: tuple[int, ...] = ()

    @property
    def activations(self) -> tuple[str, ...]:
        """The activation of each hidden layer."""
        if isinstance(self.activation, str):
            return (self.activation,) * len(self.hidden_layer_sizes)
        return tuple(self.activation)

    def random(self, purpose: int) -> np.random.Generator:
        """Return the random stream of this network for one purpose (INITIAL_WEIGHTS, SHUFFLING, VALIDATION)."""
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(purpose, *self.stream)))


def stack_key(settings: Settings) -> tuple[Any, ...]:
    """Return what two networks must have in common to be trained in one stack; every other number may differ."""
    alike = ("activations", "output", "loss", "dtype", "optimizer", "batch_size", "epochs", "schedule")
    set_or_not = (settings.patience is None, settings.clip_norm is None)
    return (tuple(settings.hidden_layer_sizes), *set_or_not, *(getattr(settings, name) for name in alike))
