"""What BPClassifier's parameters may be: what `src.network.settings` declares, in scikit-learn's terms."""

from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions, validate_parameter_constraints

from src.network import settings
from src.network.activations import ACTIVATIONS
from src.network.outputs import OUTPUTS


def _interval(within: settings.Range) -> Interval:
    return Interval(Integral if within.whole else Real, within.low, within.high, closed=within.closed)


def _constraints(group: type) -> dict[str, list[Any]]:
    """Return what the hyper-parameters of a group may be: numbers within a range, words, None."""
    found: dict[str, list[Any]] = {}
    for name, one in settings.hyperparameters(group).items():
        found[name] = [] if one.within is None else [_interval(one.within)]
        found[name] += [StrOptions(set(one.choices))] if one.choices else []
        found[name] += [None] if one.default is None else []
    return found


EARLY_STOPPING = _constraints(settings.EarlyStoppingSettings)
_of_networks = _constraints(settings.ModelSettings) | _constraints(settings.TrainingSettings)
CONSTRAINTS: dict[str, list[Any]] = _of_networks | {
    "hidden_layer_sizes": [list, tuple, np.ndarray],
    "activation": [*_of_networks["activation"], list, tuple],
    "early_stopping": [None, dict],
    "class_weight": [None, StrOptions({"balanced"}), dict],
    "random_state": [_interval(settings.COUNT_OR_ZERO)],
    "warm_start": ["boolean"],
}


def check_layers(hidden_layer_sizes: Sequence[Any], activation: str | Sequence[str]) -> None:
    """Raise ValueError for sizes that are no layers', and for activations that are not one for each."""
    sizes = list(hidden_layer_sizes)
    if any(isinstance(size, bool) or not isinstance(size, Integral) or size < 1 for size in sizes):
        raise ValueError(f"hidden_layer_sizes must be integers of at least 1, got {hidden_layer_sizes!r}")
    if isinstance(activation, str):
        return
    if len(activation) != len(sizes):
        raise ValueError(f"activation needs one name for each of {len(sizes)} hidden layers: {activation}")
    if unknown := [name for name in activation if name not in ACTIVATIONS]:
        raise ValueError(f"activation {unknown} is unknown: choose from {sorted(ACTIVATIONS)}")


def check_loss(output: str, loss: str) -> None:
    """Raise ValueError for a loss that does not fit the output."""
    if (output, loss) not in OUTPUTS:
        fitting = [each for each, of_each in OUTPUTS if of_each == loss]
        raise ValueError(f"loss={loss!r} does not fit output={output!r}: it fits {fitting}")


def check_early_stopping(early_stopping: Mapping[str, Any] | None) -> None:
    """Raise ValueError for a key that does not exist, no patience, or a value out of range."""
    if early_stopping is None:
        return
    if unknown := [name for name in early_stopping if name not in EARLY_STOPPING]:
        raise ValueError(f"early_stopping has no {unknown}: choose from {list(EARLY_STOPPING)}")
    if "patience" not in early_stopping:
        raise ValueError("early_stopping needs 'patience', the epochs to wait for a lower validation loss")
    validate_parameter_constraints(EARLY_STOPPING, early_stopping, caller_name="early_stopping")


def class_weight_by_code(class_weight: Any, classes: Sequence[Any]) -> Any:
    """Return class_weight with classes by their position in `classes`; None and 'balanced' as they are.

    Raises ValueError for a class that does not exist, and for a weight that is not positive.
    """
    if not isinstance(class_weight, dict):
        return class_weight
    codes = {label: code for code, label in enumerate(classes)}
    if unknown := [label for label in class_weight if label not in codes]:
        raise ValueError(f"class_weight names classes {unknown} that are not among {classes}")
    if not all(_interval(settings.POSITIVE).is_satisfied_by(weight) for weight in class_weight.values()):
        raise ValueError(f"class_weight needs finite weights greater than 0, got {class_weight}")
    return {codes[label]: weight for label, weight in class_weight.items()}
