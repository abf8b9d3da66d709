"""The configuration: what a valid job is (schema), how problems are told (messages), what identifies it (identity)."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from src.config.identity import canonical, digest, flatten, ignored, model_parameters, network_settings
from src.config.messages import MOVED, problems
from src.config.schema import JobConfig
from src.errors import UserError

__all__ = [
    "ConfigError",
    "JobConfig",
    "canonical",
    "check",
    "digest",
    "flatten",
    "ignored",
    "model_parameters",
    "network_settings",
    "recorded",
    "validated",
]


Schema = TypeVar("Schema", bound=JobConfig)


class ConfigError(UserError):
    """A configuration that is not valid; its text has one line for each problem."""


def check(config: Mapping[str, Any]) -> JobConfig:
    """The job that a plain nested mapping describes; keys that are absent have the schema's defaults.

    Raises ConfigError with all problems of the configuration at once.
    """
    return validated(config, JobConfig)


def validated(config: Mapping[str, Any], schema: type[Schema]) -> Schema:
    """What a plain nested mapping describes by a schema; raises as `check`."""
    try:
        return schema.model_validate(config)
    except ValidationError as error:
        raise ConfigError("\n".join(problems(error, config, schema))) from None


def recorded(config: Mapping[str, Any]) -> JobConfig:
    """The job of a recorded configuration: as `check`, after renamed keys have been given their new names.

    Raises ConfigError if it is still not valid: it was written by a version whose keys meant something else.
    """
    moved = {section: dict(keys) if isinstance(keys, Mapping) else keys for section, keys in config.items()}
    for old, new in MOVED.items():
        (section, key), (new_section, new_key) = old.split("."), new.split(".")
        if key in (moved.get(section) or {}):
            moved.setdefault(new_section, {})[new_key] = moved[section].pop(key)
    return check(moved)
