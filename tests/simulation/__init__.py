"""How often the program's answers err: ``python -m tests.simulation``.

The procedures that are really run compare learners whose true differences are known, on learnable data and on pure
noise, again and again. What comes of it is a page for people, experiments/statistics.md, and a table of the rates of
false differences, error_rates.csv, by which the program says how far to trust its own answer
(`src.comparison.calibration`).

- ``learners``: simulated data, nearest-centroid classifiers, their true skill.
- ``procedures``: what is compared on a data set, through the code that compares recorded jobs.
- ``rates``: what is simulated, and how often what happened.
- ``page``: the page.
"""
