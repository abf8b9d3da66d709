"""Pairwise covering: few cases in which every value of a factor meets every value of every other factor."""

from collections.abc import Iterable
from itertools import combinations, product
from typing import Any

Value = tuple[str, Any]  # a factor's name with one of its values


def pairwise(**factors: Iterable[Any]) -> list[dict[str, Any]]:
    """Return cases, one value of each factor in each, so that every pair of values occurs in at least one.

    Greedy: a case starts from a pair that none has yet, and takes from each other factor the value that adds most
    pairs, the least used one where several do. A fault that needs three values at once may slip through.
    """
    values = {name: [(name, value) for value in each] for name, each in factors.items()}
    missing = dict.fromkeys(pair for one, other in combinations(values.values(), 2) for pair in product(one, other))
    used: dict[Value, int] = dict.fromkeys((value for each in values.values() for value in each), 0)
    cases = []
    while missing:
        chosen = dict(next(iter(missing)))
        for name in values:
            if name not in chosen:
                gains = {value: _gain(value, chosen, missing) for value in values[name]}
                chosen[name] = max(gains, key=lambda value: (gains[value], -used[value]))[1]
        case = {name: chosen[name] for name in values}
        for value in case.items():
            used[value] += 1
        for pair in combinations(case.items(), 2):
            missing.pop(pair, None)
        cases.append(case)
    return cases


def _gain(value: Value, chosen: dict[str, Any], missing: dict[tuple[Value, Value], None]) -> int:
    """Return how many missing pairs this value makes with those chosen."""
    return sum((value, other) in missing or (other, value) in missing for other in chosen.items())
