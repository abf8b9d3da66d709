"""Estimators: the engine behind scikit-learn's interface, and the references it is compared with."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from src.models.rows import NETWORKS, ClassWeight, held_out, make_data, network_bytes, predict_probabilities

if TYPE_CHECKING:
    from src.models.classifier import BPClassifier
    from src.models.references import ConvergedLogistic, ModelError, make_model

__all__ = [
    "NETWORKS",
    "BPClassifier",
    "ClassWeight",
    "ConvergedLogistic",
    "ModelError",
    "held_out",
    "make_data",
    "make_model",
    "network_bytes",
    "predict_probabilities",
]
_OF_SCIKIT_LEARN = {
    "BPClassifier": "classifier",
    **dict.fromkeys(("ConvergedLogistic", "ModelError", "make_model"), "references"),
}


def __getattr__(name: str) -> Any:
    """Import what needs scikit-learn (1.5 s) when it is asked for: a sweep that is recorded already fits nothing."""
    if name not in _OF_SCIKIT_LEARN:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_OF_SCIKIT_LEARN[name]}"), name)
