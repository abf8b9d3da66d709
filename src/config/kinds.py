"""The kinds of value a key may hold, each with the words that name it in a message.

What is refused and what is said follow from the same range or the same words, so that they cannot drift apart.
NaN and infinity are refused for every number by the schema (``allow_inf_nan=False``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, ByteSize, Field, JsonValue

from src.network.settings import COUNT, LARGEST_COUNT, NOT_NEGATIVE, PART, POSITIVE, Range


@dataclass(frozen=True)
class Kind:
    """What a value must be: ``text`` ends the sentence "0 is not ...", ``choices`` are the words allowed, if any."""

    text: str
    choices: tuple[str, ...] = ()


def _whole(value: Any) -> Any:
    """1e3 is a whole number; 1.5 stays a float and is refused as one."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def as_tuple(value: Any) -> Any:
    """YAML has lists where a frozen configuration has tuples."""
    return tuple(value) if isinstance(value, list) else value


def _text_keys(value: Any) -> Any:
    """Class names are text, so {0: 1} and {"0": 1} are the same weights."""
    if not isinstance(value, Mapping):
        return value
    return {str(name) if type(name) in (int, float) else name: weight for name, weight in value.items()}


def of_test_part(value: Any) -> Any:
    """`log_loss` is `test/log_loss`: models are compared by nothing else."""
    return f"test/{value}" if isinstance(value, str) and "/" not in value else value


def a_list(text: str) -> tuple[Any, ...]:
    """What an annotation needs to take a list for a tuple; ``text`` is what it must be: `a list of names`."""
    return BeforeValidator(as_tuple), Kind(text)


MANY = "4 billion"  # LARGEST_COUNT, as a person says it


def within(numbers: Range) -> tuple[Any, ...]:
    """What an annotation needs to hold a value to a range: pydantic's limits, and the words for them."""
    low = "ge" if numbers.closed in ("left", "both") else "gt"
    high = "le" if numbers.closed in ("right", "both") else "lt"
    limits: dict[str, Any] = {low: numbers.low, high: numbers.high}
    number = "a whole number" if numbers.whole else "a finite number" if numbers.high is None else "a number"
    said = " and ".join(f"{_LIMITS[name]} {limit}" for name, limit in limits.items() if limit is not None)
    if numbers.closed == "both":
        said = f"from {numbers.low} to {MANY if numbers.high == LARGEST_COUNT else numbers.high}"
    # -0.0 and 0.0 are the same value and must give the same job.
    as_one_type = BeforeValidator(_whole) if numbers.whole else AfterValidator(lambda value: value + 0.0)
    return as_one_type, Field(**limits), Kind(f"{number} {said}")


def among(text: str, words: Sequence[str]) -> tuple[Any, ...]:
    """What an annotation needs to hold a text to some words; ``text`` is what one of them is called."""
    return Field(pattern=f"^({'|'.join(words)})$"), Kind(text, tuple(words))


_LIMITS = {"gt": "greater than", "ge": "of at least", "lt": "below", "le": "at most"}

# Numbers
Positive = Annotated[float, *within(POSITIVE)]
NotNegative = Annotated[float, *within(NOT_NEGATIVE)]
Part = Annotated[float, *within(PART)]
Count = Annotated[int, *within(COUNT)]
TwoOrMore = Annotated[int, *within(Range(2, LARGEST_COUNT, closed="both", whole=True))]
Workers = Annotated[Literal[-1] | Count, Kind(f"a whole number from 1 to {MANY}, or -1 for all cores")]
Seed = Annotated[int, BeforeValidator(_whole), Field(ge=0, lt=2**32), Kind("a whole number from 0 to 4294967295")]
Memory = Annotated[ByteSize, Field(gt=0), Kind("a size such as 500MB or 2GiB, or a number of bytes")]

# Text
Name = Annotated[str, Field(pattern=r"\S"), Kind("text with at least one visible character")]
ExperimentName = Annotated[
    str, Field(pattern=r"\S", max_length=500), Kind("text with a visible character, at most 500 in all")
]
RegisteredName = Annotated[
    str,
    Field(pattern=r"^\w[^/:]*$", max_length=256),
    Kind("text without / and : that begins with a letter or digit, at most 256 characters"),
]
Separator = Annotated[
    str,
    BeforeValidator(lambda value: "\t" if value == r"\t" else value),  # as a shell hands over what is meant for a tab
    Field(min_length=1, max_length=1),
    Kind("a single character"),
]
Address = Annotated[str, Field(pattern=r"^\w+://\S+$"), Kind("an address such as tcp://10.0.0.1:8786")]
Estimator = Annotated[
    str,
    Field(pattern=r"^[a-zA-Z]\w*(\.[a-z]\w*)*\.[A-Z]\w*$"),
    Kind("the full name of a class, such as sklearn.ensemble.RandomForestClassifier"),
]

# Columns of a table
Column = Annotated[str | int, Kind("a column's name or position")]
Columns = Annotated[tuple[Column, ...], *a_list("a list of columns' names or positions, such as [sex, 3]")]

# Collections
Names = Annotated[tuple[Name, ...], *a_list("a list of names, such as [logistic, softmax]")]
Modules = Annotated[
    tuple[Annotated[str, Field(pattern=r"^[a-zA-Z_]\w*$")], ...],
    *a_list("a list of modules by their first name, such as [xgboost, my_models]"),
]
Layers = Annotated[tuple[Count, ...], *a_list(f"a list of whole numbers from 1 to {MANY}, such as [16, 8]")]
ClassWeights = Annotated[
    Literal["balanced"] | dict[str, Positive],
    BeforeValidator(_text_keys),
    Kind("'balanced' or a positive weight for each class, such as {yes: 2, no: 1}"),
]
Parameters = Annotated[
    dict[str, JsonValue],
    Kind("a mapping of parameters to text, finite numbers, true, false or null, such as {n_estimators: 200}"),
]
Options = Annotated[dict[str, JsonValue], Kind("a mapping of options to values, such as {queue: normal, memory: 4GB}")]
