"""Sweeps: which jobs run, how they are grouped into stacks, and where they run; each job is yielded as it ends.

Nothing here knows of MLflow or of tables; a worker process that unpickles a stack needs neither these nor Hydra.
"""
