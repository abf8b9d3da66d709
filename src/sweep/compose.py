"""Composing the jobs of a sweep, as Hydra does but without composing each from its files.

Hydra needs about 40 ms to compose one configuration. Jobs that make the same choices of groups differ in values only,
so those choices are composed once, and the values are applied by Hydra's own function: to a copy, which takes 4 ms, or,
where each job overwrites the same keys, to one configuration again and again.
"""

import copy
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf


@dataclass(frozen=True)
class Composed:
    """One job as typed: its overrides, and the resolved configuration they lead to, nested plain data."""

    overrides: tuple[str, ...]
    config: dict[str, Any]


def plain(config: DictConfig) -> dict[str, Any]:
    """Return a configuration, resolved, as plain data, without Hydra's own node (which it may refer to)."""
    values = {str(name): config[name] for name in config if name != "hydra"}
    return {
        name: OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
        for name, value in values.items()
    }


def compose_jobs(
    loader: ConfigLoader, sweep_config: DictConfig, job_overrides: Sequence[Sequence[str]]
) -> list[Composed]:
    """Compose every job of a sweep; equal to ``loader.load_sweep_config`` for each of them.

    `sweep_config` is the sweep's own configuration, with Hydra's node; `job_overrides` are what distinguishes each job,
    as the sweeper hands it over. Raises HydraException for an override that does not fit the configuration.
    """
    parse = functools.cache(OverridesParser.create(config_loader=loader).parse_override)
    is_group = functools.cache(lambda key: bool(loader.get_group_options(key)))
    bases: dict[tuple[str, ...], DictConfig] = {}
    overwritten: dict[tuple[Any, ...], DictConfig] = {}
    jobs = []
    for overrides in job_overrides:
        parsed = [(text, parse(text)) for text in overrides]
        values = [override for _, override in parsed if _is_value(override, is_group)]
        choices = tuple(text for text, override in parsed if not _is_value(override, is_group))
        if choices not in bases:
            bases[choices] = loader.load_sweep_config(sweep_config, list(choices))
        # A mapping is merged, and what is added or deleted is gone after: of all else nothing of before is left.
        if not any(each.is_add() or each.is_delete() or isinstance(each.value(), dict) for each in values):
            same_keys = (choices, *(override.key_or_group for override in values))
            if same_keys not in overwritten:
                overwritten[same_keys] = copy.deepcopy(bases[choices])
            config = overwritten[same_keys]
        else:
            config = copy.deepcopy(bases[choices])
        ConfigLoaderImpl._apply_overrides_to_config(values, config)
        jobs.append(Composed(tuple(overrides), plain(config)))
    return jobs


def _is_value(override: Override, is_group: Callable[[str], bool]) -> bool:
    """Whether an override sets a value of the job, rather than choosing from a group or configuring Hydra."""
    key = override.key_or_group
    return not (key.startswith("hydra.") or (is_group(key) and not isinstance(override.value(), dict)))
