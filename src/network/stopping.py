"""Early stopping on a part held out of the training part, each network on its own."""

import numpy as np

from src.network.arrays import Array, BoolArray, IntArray
from src.network.settings import Settings


class EarlyStopping:
    """The best parameters so far, by validation loss, and how long each network has waited for better ones.

    A loss is an improvement if it lies more than `min_delta` below the best (Prechelt 1998).
    """

    def __init__(self, settings: list[Settings], parameters: Array) -> None:
        self.patience = np.array([each.patience for each in settings])
        self.min_delta = np.array([each.min_delta for each in settings])
        self.best_loss = np.full(len(settings), np.inf)
        self.best_epoch = np.zeros(len(settings), dtype=int)
        self.best_parameters = parameters.copy()

    def keep(self, rows: IntArray) -> None:
        """Keep only these networks of the stack."""
        for name, values in vars(self).items():
            setattr(self, name, values[rows])

    def watch(self, epoch: int, loss: Array, parameters: Array) -> BoolArray:
        """Take in the validation losses of this epoch, shape ``(stack,)``; return which networks should stop."""
        improved = loss < self.best_loss - self.min_delta
        self.best_loss[improved] = loss[improved]
        self.best_epoch[improved] = epoch
        self.best_parameters[improved] = parameters[improved]
        should_stop: BoolArray = epoch - self.best_epoch >= self.patience
        return should_stop
