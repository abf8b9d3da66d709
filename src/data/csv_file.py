"""The user's own file as a data set: which column is what, and which columns cannot be learned from."""

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from src.data.column import MISSING_CELLS, MISSING_CELLS_TEXT, Column, parse_number
from src.data.dataset import DataError, Dataset, content_digest
from src.data.table import Table, read_table
from src.words import counted, first_of, plural

Missing = Literal["refuse", "impute"]

_LARGEST = 1e100  # the variance of larger numbers overflows
_MOST_CATEGORIES = 1000  # each becomes an input of the network
_MOST_LABELS = 20  # fractional numbers in greater variety, and in more than a tenth of the rows, are no labels
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")


def load_csv(
    path: str | Path,
    *,
    target: str | int | None = None,
    header: bool = True,
    separator: str = ",",
    missing: Missing = "refuse",
    categorical: Sequence[str | int] = (),
    weights: str | int | None = None,
    groups: str | int | None = None,
    fold: str | int | None = None,
) -> Dataset:
    """Read a CSV file whose rows are samples.

    Parameters
    ----------
    path
        The file, in UTF-8.
    target
        The column of the labels, by name or by position (from 0; negative counts from the end). None is the last
        column that is not one of weights, groups or given folds.
    header
        Whether the first row holds the columns' names. Without a header they are called x0, x1, ...
    separator
        The character between cells.
    missing
        'refuse' raises when a feature's value is missing; 'impute' leaves NaN for `make_preprocessor` to fill in.
    categorical
        Columns to treat as categories although they hold numbers, by name or by position. A column that holds no number
        is always categorical.
    weights
        The column of the samples' weights, which is not a feature.
    groups
        The column that says which rows belong together, which is not a feature either.
    fold
        The column that says in which test part a row stands, which is not a feature either; each of its values is one
        test part, and it may be the column of groups.

    Returns
    -------
    Dataset
        Named after the file. Its classes are the target's labels as they are written, sorted as text, or by value when
        every label is a number.

    Raises
    ------
    DataError
        The file or a setting does not fit. The text has a line for each faulty column: where, what, how to mend it.
    """
    table = read_table(path, separator=separator, header=header)
    special = {"weights": weights, "groups": groups, "fold": fold}
    roles = {key: table.position(column, f"data.{key}") for key, column in special.items() if column is not None}
    if target is None:
        last = len(table.columns) - 1
        target_at = max(set(range(last + 1)) - set(roles.values()), default=last)
    else:
        target_at = table.position(target, "data.target")
    chosen = {table.position(column, "data.categorical") for column in categorical}
    _check_roles(table, target_at, roles, chosen)

    labels = table.columns[target_at]
    weight_column, group_column, fold_column = (table.columns[roles[key]] if key in roles else None for key in special)
    columns = {
        column: at not in chosen and column.is_numeric
        for at, column in enumerate(table.columns)
        if at not in (target_at, *roles.values())
    }
    problems = [
        *(_header_problems(table, labels, columns) if header else ()),
        *_target_problems(labels),
        *(_weight_problems(weight_column) if weight_column else ()),
        *(_split_problems(group_column, "groups", "group") if group_column else ()),
        *(_split_problems(fold_column, "fold", "fold") if fold_column else ()),
        *(_missing_problems(columns) if missing == "refuse" else ()),
        *(
            problem
            for column, is_numeric in columns.items()
            for problem in (_number_problems(column, header) if is_numeric else _category_problems(column))
        ),
    ]
    if problems:
        raise DataError("\n".join(f"{table.file}, {problem}" for problem in problems))

    features = pd.DataFrame(
        {column.name: _values(column, is_numeric) for column, is_numeric in columns.items()},
    )
    features.columns = features.columns.astype(object)  # the same whichever text type pandas prefers
    class_names = _sorted_labels(labels.cells)
    codes = _codes(labels)
    sample_weight = None if weight_column is None else np.array(weight_column.numbers, np.float64)
    group_codes = None if group_column is None else _codes(group_column)
    fold_codes = None if fold_column is None else _codes(fold_column)
    if fold_column is not None:
        _check_given_folds(table.file, fold_column, labels, group_column)
    return Dataset(
        name=Path(path).stem,
        features=features,
        target=codes,
        class_names=class_names,
        sample_weight=sample_weight,
        digest=content_digest(features, codes, class_names, sample_weight, group_codes, fold_codes),
        source=str(Path(path).expanduser().resolve()),
        target_name=labels.name,
        groups=group_codes,
        groups_name=None if group_column is None else group_column.name,
        fold=fold_codes,
    )


def _check_roles(table: Table, target_at: int, roles: Mapping[str, int], chosen: set[int]) -> None:
    """Raise DataError when a column would have two roles, or when no column is left to learn from.

    `roles` gives the position of each column with a role besides the target, by the last word of its key. Groups and
    given folds may share a column: then each group is one fold.
    """
    words = {"weights": "weights", "groups": "groups", "fold": "given folds"}
    role_at = {target_at: "the target"}
    for key, at in roles.items():
        if at == target_at or role_at.get(at) == "the column of weights":
            raise DataError(
                f"data.{key}: {table.names[at]!r} is {role_at[at]}; the {words[key]} need a column of their own."
            )
        role_at[at] = f"the column of {words[key]}"
    for at in sorted(chosen & role_at.keys()):
        raise DataError(f"data.categorical: {table.names[at]!r} is {role_at[at]}; only features can be listed.")
    if len(role_at) == len(table.columns):
        taken = first_of(f"{table.names[at]!r} is {role}" for at, role in role_at.items())
        raise DataError(f"{table.file} has no feature: {taken}; a column to learn from is needed.")


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
    classes = _sorted_labels(labels.cells)
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
        yield from (
            f"{where}: {first_of(map(repr, same))} are the same number: write it in one way, or, if these are "
            "different classes, add a letter."
            for same in _same_numbers(classes)
        )


def _codes(column: Column) -> NDArray[np.int64]:
    """For each row the position of its label among the column's sorted labels."""
    code = {label: position for position, label in enumerate(_sorted_labels(column.cells))}
    return np.array([code[label] for label in column.cells], np.int64)


def _sorted_labels(labels: Iterable[str]) -> tuple[str, ...]:
    """The different labels, by value when each is a finite number, else as text."""
    values = {label: parse_number(label) for label in labels}
    numbers = {label: value for label, value in values.items() if value is not None and math.isfinite(value)}
    if len(numbers) == len(values):
        return tuple(sorted(numbers, key=lambda label: (numbers[label], label)))
    return tuple(sorted(values))


def _is_measured(classes: Sequence[str], rows: int) -> bool:
    """Whether the labels are numbers that differ in every row, or fractions in great variety."""
    numbers = [number for number in map(parse_number, classes) if number is not None]
    if len(numbers) < len(classes):
        return False
    fractional = not all(number.is_integer() for number in numbers)
    return len(classes) == rows or (fractional and len(classes) > max(_MOST_LABELS, rows / 10))


def _same_numbers(classes: Sequence[str]) -> list[list[str]]:
    """The labels that write one number in several ways, such as 1 and 1.0."""
    by_value: dict[Decimal, list[str]] = {}
    for label in classes:
        if parse_number(label) is not None:
            by_value.setdefault(Decimal(label), []).append(label)  # exact: long identifiers are one float64
    return [same for same in by_value.values() if len(same) > 1]


def _weight_problems(column: Column) -> Iterator[str]:
    bad = [
        (line, cell)
        for line, cell, number in zip(column.lines, column.cells, column.numbers, strict=True)
        if number is None or not 0 < number <= _LARGEST
    ]
    if bad:
        yield (
            f"line {bad[0][0]}, weights column {column.name!r}: {bad[0][1]!r}{_further(bad)}; a weight is a positive, "
            "finite number and none may be missing: mend or remove the row."
        )


def _split_problems(column: Column, key: str, word: str) -> Iterator[str]:
    """What is wrong with the column of groups or of given folds, taken by itself."""
    where = f"{key} column {column.name!r}"
    labels = _sorted_labels(column.cells)
    if column.missing_lines:
        yield f"{where}: no {word} in {_lines(column.missing_lines)}: write the {word} or remove the row."
    elif len(labels) == 1:
        yield (
            f"{where}: one {word} only, {labels[0]!r}, in {counted(len(column.cells), 'row')}; at least two are needed "
            f"for a training and a test part: is it the right column (data.{key})?"
        )
    else:
        yield from (
            f"{where}: {first_of(map(repr, same))} are the same number: write it in one way, or, if these are "
            f"different {word}s, add a letter."
            for same in _same_numbers(labels)
        )


def _check_given_folds(file: str, fold: Column, labels: Column, groups: Column | None) -> None:
    """Raise DataError for a fold without which one class is left to train on, and for a group in several folds."""
    problems = []
    counts = pd.crosstab(np.array(fold.cells, object), np.array(labels.cells, object))
    left = counts.sum() - counts
    for name, classes in left[(left > 0).sum(axis=1) == 1].iterrows():
        problems.append(
            f"fold column {fold.name!r}: without the rows of {name!r} nothing but the class {classes.idxmax()!r} is "
            "left to train on; a training part needs two classes: put these rows into several folds, or choose another "
            "column (data.fold)."
        )
    if groups is not None:
        lines: dict[str, dict[str, int]] = {}
        for group, part, line in zip(groups.cells, fold.cells, fold.lines, strict=True):
            lines.setdefault(group, {}).setdefault(part, line)
        torn = {group: parts for group, parts in lines.items() if len(parts) > 1}
        if torn:
            group, parts = next(iter(torn.items()))
            places = first_of(f"{part!r} (line {line})" for part, line in parts.items())
            further = f", and {counted(len(torn) - 1, 'other group')} too" if len(torn) > 1 else ""
            problems.append(
                f"groups column {groups.name!r}: the group {group!r} stands in several folds of data.fold "
                f"{fold.name!r}: {places}{further}; a group is tested as a whole: put its rows into one fold, or leave "
                "out one of the two keys."
            )
    if problems:
        raise DataError("\n".join(f"{file}, {problem}" for problem in problems))


def _missing_problems(columns: Iterable[Column]) -> Iterator[str]:
    holes = [column for column in columns if column.missing_lines]
    lines = sorted({line for column in holes for line in column.missing_lines})
    if lines:
        yield (
            f"{_lines(lines)}: values are missing ({plural('column', len(holes))} "
            f"{first_of(repr(column.name) for column in holes)}): write the values, remove the rows, or set "
            "data.missing=impute."
        )


def _number_problems(column: Column, header: bool) -> Iterator[str]:
    bad = [row for row in column.rows() if row[2] is None or not abs(row[2]) <= _LARGEST]
    text = [(line, cell) for line, cell, number in bad if number is None]
    beyond = [(line, cell) for line, cell, number in bad if number is not None]
    if text:
        line, cell = text[0]
        no_header = not header and line == column.lines[0]
        mend = (
            "set data.header=true if that line is the header"
            if no_header
            else f"write a number (missing: {MISSING_CELLS_TEXT}), or list the column in data.categorical"
        )
        yield f"line {line}, column {column.name!r}: the text {cell!r} among numbers{_further(text)}: {mend}."
    if beyond:
        line, cell = beyond[0]
        yield (
            f"line {line}, column {column.name!r}: {cell!r}{_further(beyond)} is not a finite number of at most "
            f"{_LARGEST:g}: write such a number (missing: {MISSING_CELLS_TEXT})."
        )
    if len(column.missing_lines) == len(column.cells):
        yield f"column {column.name!r}: no value in any row: remove the column."


def _category_problems(column: Column) -> Iterator[str]:
    present = {cell for _, cell, _ in column.rows()}
    if not present:
        yield f"column {column.name!r}: no value in any row: remove the column."
    elif all(_DECIMAL_COMMA.fullmatch(cell) for cell in present):
        yield f"column {column.name!r}: decimal commas ({min(present)!r}): write the numbers with a point."
    elif len(present) > _MOST_CATEGORIES:
        yield (
            f"column {column.name!r}: text with {len(present):,} different values; each becomes an input, and at most "
            f"{_MOST_CATEGORIES:,} are allowed: remove the column, or put its values into groups."
        )


def _values(column: Column, is_numeric: bool) -> pd.Series:
    """The column as float64, or as text of dtype object; NaN where a value is missing."""
    if is_numeric:
        return pd.Series(column.numbers, dtype=np.float64)
    return pd.Series([math.nan if cell in MISSING_CELLS else cell for cell in column.cells], dtype=object)


def _lines(lines: Sequence[int]) -> str:
    return f"{plural('line', len(lines))} {first_of(lines)}"


def _further(bad: Sequence[tuple[int, str]]) -> str:
    """' (and in lines ...)' for the (line, cell) pairs after the first."""
    return f" (and in {_lines([line for line, _ in bad[1:]])})" if len(bad) > 1 else ""
