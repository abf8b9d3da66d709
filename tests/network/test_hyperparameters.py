"""What is declared of a hyper-parameter is so: who reads it, and that its default is one of its values."""

import numpy as np
import pytest

from src.network import Data, Part, Settings, train
from src.network.initializers import BIAS_INITIALIZERS, INITIALIZERS
from src.network.optimizers import OPTIMIZERS
from src.network.schedules import SCHEDULES
from src.network.settings import hyperparameters

DECLARED = hyperparameters(Settings)
REGISTRIES = {"optimizer": OPTIMIZERS, "schedule": SCHEDULES, "init": INITIALIZERS, "bias_init": BIAS_INITIALIZERS}
# Two values of each number that some alone read, between which the training of its readers differs.
NUMBERS = {
    **{name: (one.default, one.default / 2) for name, one in DECLARED.items() if one.of},
    "epsilon": (1e-8, 1e-2),
    "decay_every": (2, 3),
    "min_learning_rate": (2.0, 4.0),
    "plateau_patience": (1, 3),
}
READERS = [(registry, reader) for registry, readers in REGISTRIES.items() for reader in readers]


def trained(**chosen):
    """Return the parameters of a network whose loss goes up and down, so that a plateau is met."""
    x = np.random.default_rng(0).normal(size=(2, 12))
    first = {name: values[0] for name, values in NUMBERS.items()}
    settings = Settings((3,), learning_rate=6.0, epochs=12, **{**first, **chosen})
    (network,) = train([settings], [Data(Part(x, np.eye(2)[:, (x[0] > 0).astype(int)]))])
    return network.parameters.tolist()


@pytest.mark.parametrize("registry, reader", READERS)
def test_a_number_is_read_by_those_it_is_declared_for_and_by_nobody_else(registry, reader):
    read = {
        name
        for name, values in NUMBERS.items()
        if len({str(trained(**{registry: reader, name: value})) for value in values}) > 1
    }
    assert read == {name for name, one in DECLARED.items() if reader in one.of}


def test_a_reader_is_known_by_its_name_alone():
    names = [*OPTIMIZERS, *SCHEDULES, *INITIALIZERS]
    assert len(names) == len(set(names))
    assert {reader for one in DECLARED.values() for reader in one.of} <= set(names)


@pytest.mark.parametrize("name", DECLARED)
def test_a_default_is_one_of_the_values(name):
    one = DECLARED[name]
    if isinstance(one.default, str):
        assert one.default in one.choices
    elif one.within is not None and one.default is not None:
        low, high, closed = one.within.low, one.within.high, one.within.closed
        assert one.default >= low if closed in ("left", "both") else one.default > low
        assert high is None or (one.default <= high if closed in ("right", "both") else one.default < high)
        assert isinstance(one.default, int if one.within.whole else float)
