"""The tests' own generator leaves no pair of values out, and needs few cases for it."""

from itertools import combinations

import pytest

from tests.network.covering import pairwise


@pytest.mark.parametrize(
    "sizes, at_most", [((9, 6, 3, 3, 2, 2, 2, 3), 60), ((2, 2, 2), 4), ((5,) * 4, 40), ((1, 3), 3), ((1, 1, 1), 1)]
)
def test_every_two_values_of_different_factors_meet(sizes, at_most):
    factors = {f"factor{number}": range(size) for number, size in enumerate(sizes)}
    cases = pairwise(**factors)
    for one, other in combinations(factors, 2):
        met = {(case[one], case[other]) for case in cases}
        assert met == {(a, b) for a in factors[one] for b in factors[other]}
    assert len(cases) <= at_most
