"""Estimators: the engine behind scikit-learn's interface, and the references it is compared with."""

from src.models.classifier import BPClassifier
from src.models.networks import (
    FitRequest,
    fit_networks,
    gradient_error,
    held_out,
    network_bytes,
    network_key,
    predict_probabilities,
    settings_of,
)
from src.models.references import NETWORKS, ConvergedLogistic, ModelError, make_model
from src.models.rows import LabelledRows

__all__ = [
    "NETWORKS",
    "BPClassifier",
    "ConvergedLogistic",
    "FitRequest",
    "LabelledRows",
    "ModelError",
    "fit_networks",
    "gradient_error",
    "held_out",
    "make_model",
    "network_bytes",
    "network_key",
    "predict_probabilities",
    "settings_of",
]
