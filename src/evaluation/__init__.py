"""Folds, metrics, results and the tests of a difference between models.

- ``folds``: which rows train and which test; the same for every model of the same data and seed.
- ``metrics``: what a prediction is worth, and in which direction each metric is better.
- ``results``: what one fold and one job leave behind, and their summary over folds.
- ``significance``: whether one model's scores differ from another's on the same folds.
"""
