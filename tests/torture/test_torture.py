"""A short selection of what `make torture` does to sweeps."""

from pathlib import Path

import pytest

from tests.processes import Commands
from tests.torture.record import Record, record_of
from tests.torture.rounds import DISTURBANCES, Sweep, undisturbed

RATES = 4  # of the twenty that `make torture` sweeps over


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory, commands: Commands) -> tuple[Record, float]:
    return undisturbed(tmp_path_factory.mktemp("torture-"), commands, ["threads"], RATES)["threads"]


@pytest.mark.parametrize("disturbance", ["kill", "set clock"])
def test_a_sweep_is_whole_again(
    disturbance: str, tmp_path: Path, commands: Commands, expected: tuple[Record, float]
) -> None:
    disturb, _ = DISTURBANCES[disturbance]
    sweep = Sweep(tmp_path / "torture-again" / "sweep", commands, "threads", expected[1], disturbance, RATES)
    _, found = disturb(sweep, 1)
    assert found == []
    assert sweep.finish() == []
    assert record_of(sweep).differences(expected[0]) == []
