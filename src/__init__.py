"""Configuration-driven experiments with back-propagation networks written in NumPy."""

import sys

if sys.argv[:1] == ["-m"]:  # Python looks for the module of `python -m src.run`: nothing of it is imported yet
    from src.installed import refuse_other_pythons

    refuse_other_pythons()
