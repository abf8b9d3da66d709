"""One sentence for each problem of a configuration: the key, what was found, what is allowed, what was likely meant."""

import json
import types
from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from operator import getitem
from typing import Annotated, Any, Literal, TypeGuard, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from src.config.kinds import Kind
from src.config.schema import JobConfig
from src.escaping import is_number
from src.folders import reason
from src.words import did_you_mean, near, shortened

# Keys that have a new name; an old record or an old command is told it.
MOVED = {"sweep.metric": "comparison.metric", "tracking.question": "comparison.question"}


def problems(error: ValidationError, config: Mapping[str, Any], schema: type[BaseModel]) -> list[str]:
    """All problems of ``config`` that pydantic found, one sentence for each key, in the schema's order."""
    found: dict[str, str] = {}
    for problem in error.errors(include_url=False):
        path = [str(part) for part in problem["loc"]]
        if problem["type"] == "extra_forbidden":
            found[".".join(path)] = unknown_key(".".join(path), schema)
            continue
        parts, annotation = _resolve(path, schema)
        key = ".".join(parts)
        if problem["type"] == "value_error":
            found[key] = f"{key}: {problem['ctx']['error']}" if key else str(problem["ctx"]["error"])
        else:
            found.setdefault(key, bad_value(key, reduce(getitem, parts, config), kind_of(annotation)))
    return list(found.values())


def bad_value(key: str, value: Any, kind: Kind) -> str:
    """``key: 'sigmod' is not an activation. Did you mean 'sigmoid'? (identity, ...)``."""
    if kind.choices and isinstance(value, Sequence) and not isinstance(value, str):
        value = next((item for item in value if item not in kind.choices), value)
    sentence = f"{key}: {shown(value)} is not {kind.text}."
    if kind.choices:
        return sentence + did_you_mean(str(value), kind.choices) + f" ({', '.join(sorted(kind.choices))})"
    if isinstance(value, str) and "number" in kind.text and is_number(value):
        return sentence + " It is text: write it without quotes."
    return sentence


def unknown_key(key: str, schema: type[BaseModel] = JobConfig) -> str:
    """The sentence for a dotted key that does not exist."""
    if key in MOVED:
        return f"{key}: this key is now called {MOVED[key]}."
    parts, annotation = _resolve(key.split("."), schema)
    above = ".".join(parts)
    if _takes_mapping(annotation):
        return (
            f"{key}: {above} does not hold this yet. Add it with a plus sign: +{key}=VALUE, "
            f"or several, in quotes: '+{above}={{NAME: VALUE, NAME: VALUE}}'."
        )
    if not _is_section(annotation):
        return f"{key}: {above} is {kind_of(annotation).text} and has no keys of its own."
    if above == key:  # --hydra-help knows Hydra's own keys only
        return f"{key}: it cannot be set here."
    wrong = key.split(".")[len(parts)]
    beside = {name: ".".join([*parts, name]) for name in sorted(annotation.model_fields)}
    anywhere = {leaf.rpartition(".")[2]: leaf for leaf in leaves(schema)}
    name = key.rpartition(".")[2]
    likely = [beside[match] for match in near(wrong, beside)] or [anywhere[match] for match in near(name, anywhere)]
    meant = f" Did you mean '{likely[0]}'?" if likely else ""
    return f"{key}: there is no such key.{meant} ({', '.join(beside)})"


def no_folder(key: str, error: OSError) -> str:
    """The sentence for a folder that cannot be made."""
    return f"{key}: {error.filename} cannot be made: {reason(error)}; choose another folder."


def shown(value: Any) -> str:
    """A value as the user would write it, shortened where it is long."""
    plain = value is None or isinstance(value, bool)
    return shortened(json.dumps(value) if plain else repr(list(value) if isinstance(value, tuple) else value))


def leaves(section: type[BaseModel] = JobConfig, prefix: str = "") -> Iterator[str]:
    """The dotted keys that hold a value, in the schema's order."""
    for name, field in section.model_fields.items():
        if _is_section(field.annotation):
            yield from leaves(field.annotation, f"{prefix}{name}.")
        else:
            yield prefix + name


def kind_of(annotation: Any) -> Kind:
    """The kind that a type annotation stands for; ``Count | None`` reads "null or a whole number from 1 to ..."."""
    if get_origin(annotation) is Annotated:
        told = next((item for item in annotation.__metadata__ if isinstance(item, Kind)), Kind(""))
        words = get_args(annotation.__origin__) if get_origin(annotation.__origin__) is Literal else ()
        return Kind(told.text, told.choices or words)
    if get_origin(annotation) in (Union, types.UnionType):
        options = sorted(
            map(kind_of, get_args(annotation)), key=lambda kind: kind.text != "null"
        )  # the rest may be long
        return Kind(" or ".join(kind.text for kind in options), sum((kind.choices for kind in options), ()))
    if _is_section(annotation):
        return Kind("a group of keys", tuple(sorted(annotation.model_fields)))
    return Kind({type(None): "null", bool: "true or false", str: "text"}[annotation])


def _is_section(annotation: Any) -> TypeGuard[type[BaseModel]]:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _takes_mapping(annotation: Any) -> bool:
    return get_origin(annotation) is dict or any(_takes_mapping(part) for part in get_args(annotation))


def _resolve(path: Sequence[str], schema: type[BaseModel]) -> tuple[list[str], Any]:
    """The longest beginning of ``path`` that is a key of the schema, and what that key may hold."""
    parts: list[str] = []
    annotation: Any = schema
    for part in path:
        if not _is_section(annotation) or part not in annotation.model_fields:
            break
        annotation = annotation.model_fields[part].rebuild_annotation()
        parts.append(part)
    return parts, annotation
