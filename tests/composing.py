"""What Hydra makes of the files in `conf/`, made once for each choice of groups: it is half of a small command."""

import copy
import os
import pickle
import runpy
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any
from unittest import mock

from hydra._internal import defaults_list
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import IConfigRepository
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

CONF = Path(__file__).resolve().parents[1] / "conf"
LIST_FILES, PUT_TOGETHER = defaults_list._create_defaults_list, ConfigLoaderImpl._compose_config_from_defaults_list


def _places(repo: IConfigRepository) -> tuple[str, ...]:
    """Where configurations are looked for; empty if it is among files that a test may change."""
    places = tuple(f"{source.provider} {source.scheme()}://{source.path}" for source in repo.get_sources())
    theirs = [source for source in repo.get_sources() if source.scheme() == "file" and Path(source.path) != CONF]
    return () if theirs else places


def _copies(made: Any) -> Callable[[], Any]:
    """Return what gives a copy each time, as it is now."""
    try:
        return partial(pickle.loads, pickle.dumps(made))  # several times as fast
    except pickle.PicklingError:  # of a class in a plugin's file, which Hydra runs more than once
        return partial(copy.deepcopy, copy.deepcopy(made))


@contextmanager
def composed_once() -> Iterator[None]:
    """Remember what a file of YAML says, which files a choice of groups names, and what these hold together.

    That is before any value is overridden. What is not remembered is asked of Hydra; what is returned is a copy.
    """
    read = OmegaConf.load
    loaded: dict[str, bytes] = {}
    lists: dict[str, tuple[Any, Callable[[], Any]]] = {}
    configs: dict[str, Callable[[], Any]] = {}

    def load(file: Any) -> Any:
        text = file.read() if hasattr(file, "read") else Path(file).read_text(encoding="utf-8")
        if text not in loaded:
            if hasattr(file, "seek"):
                file.seek(0)  # as it is: an error names the file
            loaded[text] = pickle.dumps(read(file))
        return pickle.loads(loaded[text])

    def listed(repo: Any, config_name: Any, overrides: Any, **how: Any) -> Any:
        chosen = {name: value for name, value in vars(overrides).items() if name != "config_overrides"}
        places = _places(repo)
        if overrides.append_group_defaults or not places:
            return LIST_FILES(repo, config_name, overrides, **how)
        key = repr((places, config_name, chosen, how))
        if key not in lists:
            made = LIST_FILES(repo, config_name, overrides, **how)
            lists[key] = made, _copies(chosen)
        made, after = lists[key]
        vars(overrides).update(after())  # which of them were used
        return made

    def composed(self: Any, defaults: Any, repo: Any) -> Any:
        places = _places(repo)
        if not places:
            return PUT_TOGETHER(self, defaults, repo)
        key = repr((places, [vars(default) for default in defaults]))
        if key not in configs:
            configs[key] = _copies(PUT_TOGETHER(self, defaults, repo))
        return configs[key]()

    with (
        mock.patch.object(OmegaConf, "load", load),
        mock.patch.object(defaults_list, "_create_defaults_list", listed),
        mock.patch.object(ConfigLoaderImpl, "_compose_config_from_defaults_list", composed),
    ):
        yield


@contextmanager
def composed_anew() -> Iterator[None]:
    """Remember nothing inside this block."""
    with (
        mock.patch.object(defaults_list, "_create_defaults_list", LIST_FILES),
        mock.patch.object(ConfigLoaderImpl, "_compose_config_from_defaults_list", PUT_TOGETHER),
    ):
        yield


def warm_hydra() -> None:
    """Let Hydra find its plugins and compose a configuration, before commands are forked from this process."""
    kept, sys.argv = sys.argv, ["src.run", "--cfg", "job"]
    with redirect_stdout(StringIO()), suppress(SystemExit):
        runpy.run_module("src.run", run_name="__main__", alter_sys=True)
    sys.argv = kept
    os.environ.pop("HYDRA_FULL_ERROR", None)
    GlobalHydra.instance().clear()
    HydraConfig.instance().cfg = None
