"""The hyper-parameters as they are declared in `settings.py`, for those who check, document and identify them."""

from dataclasses import dataclass, fields
from typing import Any

from src.network.activations import ACTIVATIONS
from src.network.initializers import BIAS_INITIALIZERS, INITIALIZERS
from src.network.optimizers import OPTIMIZERS
from src.network.outputs import OUTPUTS
from src.network.schedules import SCHEDULES
from src.network.settings import Range

# The words that a hyper-parameter may be: the names in its registry.
CHOICES: dict[str, tuple[str, ...]] = {
    "activation": tuple(ACTIVATIONS),
    "output": tuple(dict.fromkeys(output for output, _ in OUTPUTS)),
    "loss": tuple(dict.fromkeys(loss for _, loss in OUTPUTS)),
    "init": INITIALIZERS,
    "bias_init": BIAS_INITIALIZERS,
    "dtype": ("float64", "float32"),
    "optimizer": tuple(OPTIMIZERS),
    "batch_size": ("full",),
    "schedule": tuple(SCHEDULES),
}


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

    @property
    def text(self) -> str:
        """Its meaning, after those that alone read it."""
        return f"{', '.join(self.of)}: {self.meaning}" if self.of else self.meaning


def hyperparameters(group: type) -> dict[str, Hyperparameter]:
    """Return what ModelSettings, TrainingSettings, EarlyStoppingSettings or Settings declares, by name."""
    return {
        each.name: Hyperparameter(each.default, choices=CHOICES.get(each.name, ()), **each.metadata)
        for each in fields(group)
        if each.metadata
    }
