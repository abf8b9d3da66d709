"""The user's own file as a data set: which column is what, and which columns cannot be learned from."""

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from src.data.dataset import DataError, Dataset
from src.data.table import MISSING_CELLS, MISSING_CELLS_TEXT, Column, Keys, Reading, Table, parse_number, read_table
from src.words import counted, first_of, plural, shortened

_LARGEST = 1e100  # the variance of larger numbers overflows
_MOST_CATEGORIES = 1000  # each becomes an input of the network
_MOST_LABELS = 20  # fractional numbers in greater variety, and in more than a tenth of the rows, are no labels
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")


@dataclass(frozen=True, kw_only=True)
class CsvFile(Reading):
    """The user's own file, how it is read, and which of its columns is what.

    A column is named by its name or its position (from 0; -1 is the last).

    Attributes
    ----------
    target : the column of the labels. None is the last column that is not dropped or one of weights, groups or given
        folds.
    categorical : columns to treat as categories although they hold numbers. A column without a number is always
        categorical.
    drop : columns that are left out: neither features nor anything else.
    weights : the column of the samples' weights, which is not a feature.
    groups : the column that says which rows belong together, which is not a feature either.
    fold : the column that says in which test part a row stands, which is not a feature either; each of its values is
        one test part, and it may be the column of groups.
    """

    target: str | int | None = None
    categorical: Sequence[str | int] = ()
    drop: Sequence[str | int] = ()
    weights: str | int | None = None
    groups: str | int | None = None
    fold: str | int | None = None


def load_csv(asked: CsvFile) -> Dataset:
    """Read a CSV file whose rows are samples, as a data set named after it.

    Its classes are the target's labels as they are written, sorted as text, or by value when every label is a number.

    Raises DataError if the file does not fit, or what is asked of it. The text has a line for each faulty column:
    where, what, how to mend it.
    """
    table = read_table(asked)
    if len(table.columns) == 1:
        row, cell = ("header", table.names[0]) if asked.header else ("first row", table.columns[0].cells[0])
        raise DataError(
            f"{table.file} has one column (the {row}: {shortened(cell)!r}); at least two are needed, a feature and the "
            "target: if another character separates the cells, set data.separator."
        )
    labels, roles, features = _roles(table, asked)
    weights, groups, fold = (roles.get(role) for role in ("weights", "groups", "fold"))
    refuse(
        table.file,
        *(_header_problems(table, labels, features) if asked.header else ()),
        *_target_problems(labels),
        *(_weight_problems(weights) if weights else ()),
        *(_split_problems(groups, "groups") if groups else ()),
        *(_split_problems(fold, "fold") if fold else ()),
        *feature_problems(features, asked, learned=True),
    )
    if fold:
        refuse(table.file, *_lost_classes(fold, labels), *(_torn_groups(fold, groups) if groups else ()))
    return Dataset(
        name=Path(asked.path).stem,
        features=feature_frame(features),
        target=labels.codes,
        class_names=labels.labels,
        sample_weight=np.array(weights.numbers, np.float64) if weights else None,
        source=asked.source,
        target_name=labels.name,
        groups=groups.codes if groups else None,
        groups_name=groups.name if groups else None,
        fold=fold.codes if fold else None,
    )


def refuse(file: str, *problems: str) -> None:
    """Raise DataError with a line for each problem, if there are any."""
    if problems:
        raise DataError("\n".join(f"{file}, {problem}" for problem in problems))


def _roles(table: Table, asked: CsvFile) -> tuple[Column, dict[str, Column], dict[Column, bool]]:
    """The target; weights, groups and given folds by their keys; the features, and whether each holds numbers.

    Raises DataError when a column would have two roles, or when no column is left to learn from. Groups and given folds
    may share a column: then each group is one fold.
    """
    categorical = {table.position(column, "data.categorical") for column in asked.categorical}
    dropped = {table.position(column, "data.drop") for column in asked.drop}
    special = {"weights": asked.weights, "groups": asked.groups, "fold": asked.fold}
    roles = {key: table.position(column, f"data.{key}") for key, column in special.items() if column is not None}
    last = len(table.columns) - 1
    free = max(set(range(last + 1)) - set(roles.values()) - dropped, default=last)
    target = free if asked.target is None else table.position(asked.target, "data.target")
    role_at = {target: "the target"}
    for key, at in roles.items():
        word = "given folds" if key == "fold" else key
        if role_at.get(at) in ("the target", "the column of weights"):
            raise DataError(f"data.{key}: {table.names[at]!r} is {role_at[at]}; the {word} need a column of their own.")
        role_at[at] = f"the column of {word}"
    for at in sorted(role_at.keys() & dropped):
        raise DataError(f"data.drop: {table.names[at]!r} is {role_at[at]}; only features can be listed.")
    role_at |= dict.fromkeys(dropped, "dropped")
    for at in sorted(role_at.keys() & categorical):
        raise DataError(f"data.categorical: {table.names[at]!r} is {role_at[at]}; only features can be listed.")
    if len(role_at) == len(table.columns):
        taken = first_of(f"{table.names[at]!r} is {role}" for at, role in role_at.items())
        raise DataError(f"{table.file} has no feature: {taken}; a column to learn from is needed.")
    features = {
        column: at not in categorical and column.is_numeric
        for at, column in enumerate(table.columns)
        if at not in role_at
    }
    return table.columns[target], {key: table.columns[at] for key, at in roles.items()}, features


def _header_problems(table: Table, labels: Column, columns: Mapping[Column, bool]) -> Iterator[str]:
    """A row of data taken for the header: it calls numeric columns by numbers and the target by one of its labels."""
    numeric = [column.name for column, is_numeric in columns.items() if is_numeric]
    counting = [[str(at + start) for at in range(len(table.columns))] for start in (0, 1)]
    if (
        numeric
        and all(parse_number(name) is not None for name in numeric)
        and labels.name in labels.cells
        and list(table.names) not in counting
    ):
        yield f"first row: {first_of(table.names)} looks like data, not like a header: set data.header=false."


def _target_problems(labels: Column) -> Iterator[str]:
    where = f"target column {labels.name!r}"
    if labels.missing_lines:
        yield (
            f"{where}: no label in {_lines(labels.missing_lines)}; a missing target is never filled in: write the "
            "label or remove the row."
        )
        return
    rows = counted(len(labels.cells), "row")
    classes = labels.labels
    if len(classes) == 1:
        yield (
            f"{where}: constant, nothing but {classes[0]!r} in {rows}; at least two classes are needed: is it the "
            "right column (data.target)?"
        )
    elif _is_measured(classes, len(labels.cells)):
        yield (
            f"{where}: {len(classes):,} different numbers in {rows}, which looks like a measured quantity "
            "(regression); labels of classes are needed: choose another column (data.target), or put the values "
            "into groups."
        )
    elif len(classes) == len(labels.cells):
        yield (
            f"{where}: {len(classes):,} different labels in {rows}; a class needs several rows: is it the right column "
            "(data.target)?"
        )
    else:
        yield from _same_numbers(where, classes, "classes")


def _is_measured(classes: Sequence[str], rows: int) -> bool:
    """Whether the labels are numbers that differ in every row, or fractions in great variety."""
    numbers = [number for number in map(parse_number, classes) if number is not None]
    if len(numbers) < len(classes):
        return False
    fractional = not all(number.is_integer() for number in numbers)
    return len(classes) == rows or (fractional and len(classes) > max(_MOST_LABELS, rows / 10))


def _same_numbers(where: str, labels: Sequence[str], what: str) -> Iterator[str]:
    """Labels that write one number in several ways, such as 1 and 1.0."""
    by_value: dict[Decimal, list[str]] = {}
    for label in labels:
        if parse_number(label) is not None:
            by_value.setdefault(Decimal(label), []).append(label)  # exact: long identifiers are one float64
    for same in by_value.values():
        if len(same) > 1:
            yield (
                f"{where}: {first_of(map(repr, same))} are the same number: write it in one way, or, if these are "
                f"different {what}, add a letter."
            )


def _weight_problems(column: Column) -> Iterator[str]:
    bad = [(line, cell) for line, cell, number in column.rows() if number is None or not 0 < number <= _LARGEST]
    if bad:
        yield (
            f"line {bad[0][0]}, weights column {column.name!r}: {bad[0][1]!r}{_further(bad)}; a weight is a positive, "
            "finite number and none may be missing: mend or remove the row."
        )


def _split_problems(column: Column, key: Literal["groups", "fold"]) -> Iterator[str]:
    """What is wrong with the column of groups or of given folds, taken by itself."""
    where, word = f"{key} column {column.name!r}", key.removesuffix("s")
    if column.missing_lines:
        yield f"{where}: no {word} in {_lines(column.missing_lines)}: write the {word} or remove the row."
    elif len(column.labels) == 1:
        yield (
            f"{where}: one {word} only, {column.labels[0]!r}, in {counted(len(column.cells), 'row')}; at least two are "
            f"needed for a training and a test part: is it the right column (data.{key})?"
        )
    else:
        yield from _same_numbers(where, column.labels, f"{word}s")


def _lost_classes(fold: Column, labels: Column) -> Iterator[str]:
    """Given folds without which one class is left to train on."""
    counts = pd.crosstab(np.array(fold.cells, object), np.array(labels.cells, object))
    left = counts.sum() - counts
    for name, classes in left[(left > 0).sum(axis=1) == 1].iterrows():
        yield (
            f"fold column {fold.name!r}: without the rows of {name!r} nothing but the class {classes.idxmax()!r} is "
            "left to train on; a training part needs two classes: put these rows into several folds, or choose another "
            "column (data.fold)."
        )


def _torn_groups(fold: Column, groups: Column) -> Iterator[str]:
    """Groups whose rows stand in several of the given folds."""
    lines: dict[str, dict[str, int]] = {}
    for group, part, line in zip(groups.cells, fold.cells, fold.lines, strict=True):
        lines.setdefault(group, {}).setdefault(part, line)
    torn = {group: parts for group, parts in lines.items() if len(parts) > 1}
    if torn:
        group, parts = next(iter(torn.items()))
        places = first_of(f"{part!r} (line {line})" for part, line in parts.items())
        further = f", and {counted(len(torn) - 1, 'other group')} too" if len(torn) > 1 else ""
        yield (
            f"groups column {groups.name!r}: the group {group!r} stands in several folds of data.fold "
            f"{fold.name!r}: {places}{further}; a group is tested as a whole: put its rows into one fold, or leave "
            "out one of the two keys."
        )


def feature_problems(columns: Mapping[Column, bool], asked: Reading, *, learned: bool) -> Iterator[str]:
    """What is wrong with features, of which each holds numbers or does not; `learned` where a model is to be fitted."""
    if asked.missing == "refuse":
        yield from _missing_problems(columns, asked.keys)
    for column, is_numeric in columns.items():
        if learned and len(column.missing_lines) == len(column.cells):
            yield f"column {column.name!r}: no value in any row: remove the column."
        elif is_numeric:
            yield from _number_problems(column, asked)
        elif learned:
            yield from _category_problems(column)


def _missing_problems(columns: Iterable[Column], keys: Keys) -> Iterator[str]:
    holes = [column for column in columns if column.missing_lines]
    lines = sorted({line for column in holes for line in column.missing_lines})
    if lines:
        yield (
            f"{_lines(lines)}: values are missing ({plural('column', len(holes))} "
            f"{first_of(repr(column.name) for column in holes)}): write the values, remove the rows, or {keys.impute}."
        )


def _number_problems(column: Column, asked: Reading) -> Iterator[str]:
    there = [row for row in column.rows() if row[1] not in MISSING_CELLS]
    text = [(line, cell) for line, cell, number in there if number is None]
    beyond = [(line, cell) for line, cell, number in there if number is not None and not abs(number) <= _LARGEST]
    if text:
        line, cell = text[0]
        mend = f"write a number (missing: {MISSING_CELLS_TEXT}){asked.keys.mend_text}"
        if not asked.header and line == column.lines[0]:
            mend = f"{asked.keys.header} if that line is the header"
        yield f"line {line}, column {column.name!r}: the text {cell!r} among numbers{_further(text)}: {mend}."
    if beyond:
        line, cell = beyond[0]
        yield (
            f"line {line}, column {column.name!r}: {cell!r}{_further(beyond)} is not a finite number of at most "
            f"{_LARGEST:g}: write such a number (missing: {MISSING_CELLS_TEXT})."
        )


def _category_problems(column: Column) -> Iterator[str]:
    present = set(column.cells) - MISSING_CELLS
    if all(_DECIMAL_COMMA.fullmatch(cell) for cell in present):
        yield f"column {column.name!r}: decimal commas ({min(present)!r}): write the numbers with a point."
    elif len(present) > _MOST_CATEGORIES:
        yield (
            f"column {column.name!r}: text with {len(present):,} different values; each becomes an input, and at most "
            f"{_MOST_CATEGORIES:,} are allowed: remove the column, or put its values into groups."
        )


def feature_frame(columns: Mapping[Column, bool]) -> pd.DataFrame:
    """The columns, each float64 if it holds numbers, else text of dtype object; NaN where a value is missing."""
    features = pd.DataFrame(
        {
            column.name: pd.Series(column.numbers, dtype=np.float64)
            if is_numeric
            else pd.Series([math.nan if cell in MISSING_CELLS else cell for cell in column.cells], dtype=object)
            for column, is_numeric in columns.items()
        }
    )
    features.columns = features.columns.astype(object)  # the same whichever text type pandas prefers
    return features


def _lines(lines: Sequence[int]) -> str:
    return f"{plural('line', len(lines))} {first_of(lines)}"


def _further(bad: Sequence[tuple[int, str]]) -> str:
    """' (and in lines ...)' for the (line, cell) pairs after the first."""
    return f" (and in {_lines([line for line, _ in bad[1:]])})" if len(bad) > 1 else ""
