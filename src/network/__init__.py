"""The back-propagation engine: stacks of networks, written by hand in NumPy.

Read `derivation.py` first (one network, sum by sum), then `propagation.py` (the same equations as matrix products),
`outputs.py` (the losses and their errors) and `training.py`.
"""

from src.network.batches import Data, Part
from src.network.checking import central_differences, gradient, gradient_error, objective
from src.network.settings import INITIAL_WEIGHTS, SHUFFLING, VALIDATION, Settings, stack_key
from src.network.shape import Shape, shape_of
from src.network.training import Curve, State, Trained, bytes_per_network, predict, train

__all__ = [
    "INITIAL_WEIGHTS",
    "SHUFFLING",
    "VALIDATION",
    "Curve",
    "Data",
    "Part",
    "Settings",
    "Shape",
    "State",
    "Trained",
    "bytes_per_network",
    "central_differences",
    "gradient",
    "gradient_error",
    "objective",
    "predict",
    "shape_of",
    "stack_key",
    "train",
]
