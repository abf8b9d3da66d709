"""Estimators: the engine behind scikit-learn's interface, and the references it is compared with."""

from src.models.classifier import BPClassifier
from src.models.networks import gradient_error, held_out, make_data, network_bytes, predict_probabilities
from src.models.references import NETWORKS, ConvergedLogistic, ModelError, make_model
from src.models.rows import ClassWeight

__all__ = [
    "NETWORKS",
    "BPClassifier",
    "ClassWeight",
    "ConvergedLogistic",
    "ModelError",
    "gradient_error",
    "held_out",
    "make_data",
    "make_model",
    "network_bytes",
    "predict_probabilities",
]
