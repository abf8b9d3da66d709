"""What the tests remember of Hydra's work is what Hydra would do again."""

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.errors import ConfigCompositionException
from omegaconf import DictConfig, OmegaConf

from src.run import ROOT, offer_experiments
from tests.composing import composed_anew

LINES = (
    [],
    ["model=softmax", "data=iris", "training.l2=0.1"],
    ["training.l2=0.1", "data=iris", "model=logistic"],
    ["experiments=homework5", "cv.folds=3"],
    ["experiments=baselines", "~training"],
    ["+model.params={a: 1}", "training={l2: 1}"],
    ["hydra/sweeper=basic", "hydra.job.name=other"],
)


def composed(folder: Path, line: list[str]) -> DictConfig:
    with initialize_config_dir(str(folder), version_base="1.3"):
        return compose("config", line, return_hydra_config=True)


@pytest.mark.parametrize("line", LINES, ids=" ".join)
def test_the_same_is_composed_again(line: list[str]) -> None:
    offer_experiments(ROOT / "experiments")
    first = composed(ROOT / "conf", line)
    first.seed, first.data.scale = 17, "changed"
    again = composed(ROOT / "conf", line)
    with composed_anew():
        expected = composed(ROOT / "conf", line)
    assert OmegaConf.to_yaml(again) == OmegaConf.to_yaml(expected)  # as written: ${now:} is another time


def test_what_is_refused_is_refused_again() -> None:
    for _ in range(2):
        with pytest.raises(ConfigCompositionException):
            composed(ROOT / "conf", ["+model=softmax", "model=bp"])


def test_files_elsewhere_are_read_each_time(tmp_path: Path) -> None:
    for seed in (1, 2):
        (tmp_path / "config.yaml").write_text(f"seed: {seed}\n")
        assert composed(tmp_path, []).seed == seed
