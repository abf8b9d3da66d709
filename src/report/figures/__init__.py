"""The figures, a function for each: plain data in, a `matplotlib.figure.Figure` out."""

from src.report.figures.curves import learning_curve
from src.report.figures.predictions import (
    Grid,
    OutOfFold,
    calibration_curves,
    confusion_matrices,
    decision_grid,
    decision_regions,
    roc_curves,
)
from src.report.figures.scores import (
    critical_differences,
    differences,
    heat_map,
    intervals,
    leaderboard_figure,
    metric_along,
)
from src.report.figures.weights import hidden_weights

__all__ = [
    "Grid",
    "OutOfFold",
    "calibration_curves",
    "confusion_matrices",
    "critical_differences",
    "decision_grid",
    "decision_regions",
    "differences",
    "heat_map",
    "hidden_weights",
    "intervals",
    "leaderboard_figure",
    "learning_curve",
    "metric_along",
    "roc_curves",
]
