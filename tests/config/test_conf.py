"""The YAML under conf/ and experiments/: complete, annotated, and valid by the schema."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, OmegaConf
from yaml import YAMLError

from src.config import JobConfig, check, flatten
from src.config.messages import leaves
from src.run import ROOT, offer_experiments

CONF = ROOT / "conf"
CHOICES = {
    folder.name: sorted(file.stem for file in folder.glob("*.yaml")) for folder in CONF.iterdir() if folder.is_dir()
}
OURS = re.findall(r"^## (\w+)$", (ROOT / "experiments" / "README.md").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.fixture(autouse=True)
def hydra() -> Iterator[None]:
    offer_experiments(ROOT / "experiments")
    with initialize_config_dir(str(CONF), version_base="1.3"):
        yield


def composed(*overrides: str, whole: bool = False) -> DictConfig:
    return compose("config", list(overrides), return_hydra_config=whole)


def job(*overrides: str) -> JobConfig:
    plain = OmegaConf.to_container(composed(*overrides), resolve=True)
    assert isinstance(plain, dict)
    return check({str(key): value for key, value in plain.items()})


def test_a_study_is_read_when_it_is_chosen_and_no_sooner(tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("seed: [")
    (tmp_path / "mine.yaml").write_text("seed: 7")
    offer_experiments(tmp_path)
    try:
        assert (composed("experiments=mine").seed, composed("experiments=mine").experiments) == (7, "mine")
        with pytest.raises(YAMLError):
            composed("experiments=broken")
    finally:
        for name in ("broken.yaml", "mine.yaml"):
            del ConfigStore.instance().repo["experiments"][name]


def test_the_defaults_of_conf_are_those_of_the_schema() -> None:
    assert job() == JobConfig()


def test_every_key_of_the_schema_can_be_overridden() -> None:
    assert sorted(flatten(OmegaConf.to_container(composed()))) == sorted(leaves())


@pytest.mark.parametrize("place", range(max(map(len, CHOICES.values()))))
def test_every_choice_is_a_valid_job_with_every_key(place: int) -> None:
    """One of each group at once."""
    chosen = {group: names[place % len(names)] for group, names in CHOICES.items()}
    needed = ["data.path=my.csv"] if chosen["data"] == "csv" else []
    plain = OmegaConf.to_container(
        composed(*(f"{group}={name}" for group, name in chosen.items()), *needed), resolve=True
    )
    job = check(plain)
    assert sorted(flatten({**plain, "model": {**plain["model"], "params": {}}})) == sorted(leaves())
    assert job.data.name == chosen["data"]
    assert job.model.name == chosen["model"] or (job.model.name == "sklearn" and job.model.estimator)


def annotated(file: Path) -> list[str]:
    """The lines of a file that hold a key, without the text of a block scalar."""
    lines, block = [], -1
    for line in file.read_text().splitlines():
        indent = len(line) - len(line.lstrip())
        if line.strip() and indent <= block:
            block = -1
        if line.strip() and block < 0:
            lines.append(line)
        if line.partition("#")[0].rstrip().endswith(("|", ">-")):
            block = indent
    return lines


def test_every_line_says_what_it_is() -> None:
    files = [
        *CONF.rglob("*.yaml"),
        *(ROOT / "experiments" / f"{name}.yaml" for name in OURS),  # a user's own may be as they like
        *(ROOT / "experiments" / "traces").glob("*.yaml"),  # and not what `make experiments` has recorded
    ]
    assert [(file, line) for file in files for line in annotated(file) if "#" not in line] == []


@pytest.mark.parametrize("name", OURS)
def test_a_study_is_a_sweep_under_its_own_name(name: str) -> None:
    """That every job of it is valid is tested by planning it, in tests/test_studies.py."""
    study = composed(f"experiments={name}", whole=True)
    assert study.hydra.mode.name == "MULTIRUN"
    assert study.experiments == name
    assert study.tracking.experiment == name
    assert len(study.hydra.sweeper.params) > 0
