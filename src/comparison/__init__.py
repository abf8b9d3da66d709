"""What jobs say together, as pure functions over recorded jobs: the only place that decides what is best.

- ``jobs``: what is recorded of a job; a setting is the jobs that differ in nothing but the seed.
- ``ranking``: the one ranking, with its ties, and the best setting while jobs still end.
- ``naming``: what varies, and what settings, candidates and data sets are called because of it.
- ``candidates``: what is compared, and how honestly its setting was chosen.
- ``families``: the comparisons of a data set, corrected for all that were looked at; verdicts.
- ``across``: several data sets together.
- ``cautions``: what a person should be warned of.
- ``outcome``: all of it, for one or several sweeps.
- ``calibration``: how often such answers err, as measured by simulation (`tests.simulation`).
"""
