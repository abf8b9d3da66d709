"""From a user's file to columns of text; what is wrong with the file as a file is said here."""

import contextlib
import csv
import io
import math
import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import psutil
from numpy.typing import NDArray

from src.data.dataset import DataError
from src.words import counted, did_you_mean, first_of, near, no_such_user, shortened, special_file

# How a file may write that a value is missing, and how messages say so.
MISSING_CELLS = frozenset({"", "?", "NA", "NaN", "nan", "NAN", "-nan", "-NaN"})
MISSING_CELLS_TEXT = "an empty cell, ?, NA or NaN"

_SEPARATORS = (",", ";", "\t", "|", " ")  # the usual ones
_LINE_END = re.compile(r"\r\n|\r|\n")  # str.splitlines would also break lines where no editor does
_TABLE_SUFFIXES = frozenset({".csv", ".tsv", ".txt", ".data", ".dat"})
_MEMORY_OF_FILE = 20  # bytes of memory for each of a file's, as every cell becomes a text of its own
_PROBED_LINES = 100  # looked at to guess a separator


@dataclass(frozen=True)
class Keys:
    """What messages call a file and the ways to read it: the keys, or the arguments, by which the user gave them.

    Attributes
    ----------
    path, separator : the file and the character between cells.
    mend_separator : what to do where ``{}`` is what separates the cells.
    header, no_header : what says that the first line holds the columns' names, or that it does not.
    mend_text : what to do about text among numbers, other than to write a number.
    impute : what lets missing values be filled in.
    """

    path: str = "data.path"
    separator: str = "data.separator"
    mend_separator: str = """set the separator to '{0}' ('data.separator="{0}"')"""  # for the shell, and for Hydra
    header: str = "set data.header=true"
    no_header: str = "set data.header=false"
    mend_text: str = ", or list the column in data.categorical"
    impute: str = "set data.missing=impute"


KEYS = Keys()  # those of the configuration


@dataclass(frozen=True, kw_only=True)
class Reading:
    """A user's file, and how it is read.

    Attributes
    ----------
    path : the file, in UTF-8 (with or without a byte order mark).
    header : whether the first row holds the columns' names. Without a header they are called x0, x1, ...
    separator : the character between cells.
    missing : 'refuse' raises when a feature's value is missing; 'impute' leaves NaN for `make_preprocessor` to fill in.
    keys : what messages call all this.
    """

    path: str | Path
    header: bool = True
    separator: str = ","
    missing: Literal["refuse", "impute"] = "refuse"
    keys: Keys = KEYS

    @property
    def source(self) -> str:
        """The file's absolute path."""
        return str(Path(self.path).expanduser().resolve())


def parse_number(cell: str) -> float | None:
    """The cell's value, perhaps infinite; None when it is no number (1_000 is Python's notation, not a table's)."""
    try:
        value = float(cell)
    except ValueError:
        return None
    return None if "_" in cell else value


@dataclass(frozen=True, eq=False)
class Column:
    """A column's name, and for each row its cell (text, stripped) and the line of the file it starts on."""

    name: str
    cells: tuple[str, ...]
    lines: tuple[int, ...]

    @cached_property
    def missing_lines(self) -> tuple[int, ...]:
        """The lines whose value is missing."""
        return tuple(line for cell, line in zip(self.cells, self.lines, strict=True) if cell in MISSING_CELLS)

    @cached_property
    def numbers(self) -> tuple[float | None, ...]:
        """For each row its value: NaN where it is missing, None where the cell is no number."""
        return tuple(math.nan if cell in MISSING_CELLS else parse_number(cell) for cell in self.cells)

    @cached_property
    def is_numeric(self) -> bool:
        """Whether any cell holds a finite number, or no cell holds text."""
        return any(value is not None and math.isfinite(value) for value in self.numbers) or None not in self.numbers

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The different cells, by value when each is a finite number, else as text."""
        values = {cell: number if (number := parse_number(cell)) is not None else math.nan for cell in self.cells}
        if all(map(math.isfinite, values.values())):
            return tuple(sorted(values, key=lambda label: (values[label], label)))
        return tuple(sorted(values))

    @cached_property
    def codes(self) -> NDArray[np.int64]:
        """For each row the position of its cell among the labels."""
        code = {label: position for position, label in enumerate(self.labels)}
        return np.array([code[cell] for cell in self.cells], np.int64)

    def rows(self) -> Iterator[tuple[int, str, float | None]]:
        """Line, cell and number of each row."""
        return zip(self.lines, self.cells, self.numbers, strict=True)


@dataclass(frozen=True)
class Table:
    """The columns of a file as text, and the file as the user wrote it (for messages)."""

    file: str
    columns: tuple[Column, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names: the header's, or x0, x1, ... without a header."""
        return tuple(column.name for column in self.columns)

    def position(self, column: int | str, key: str) -> int:
        """The position, from 0, of the column that the configuration's `key` names by name or position.

        Raises DataError when there is no such column.
        """
        names = self.names
        if isinstance(column, str):
            if column in names:
                return names.index(column)
            problem = f"no column {column!r}.{did_you_mean(column, names)}"
        else:
            if -len(names) <= column < len(names):
                return column % len(names)
            problem = f"no column at position {column} (from 0 to {len(names) - 1}; -1 is the last)."
        raise DataError(f"{key}: {self.file} has {problem} Its columns are {first_of(map(repr, names))}.")


def read_table(asked: Reading) -> Table:
    r"""Read a file of separated values as text.

    Cells may be quoted with ``"``; blank lines are skipped; line ends may be any of \n, \r\n, \r.

    Raises DataError if the file is missing, a folder, a device or the like, too large for what memory is free, not
    readable, not UTF-8 or empty; if it has no rows, rows of different lengths, unnamed or repeated columns; if a quote
    is not closed.
    """
    file, separator = asked.path, asked.separator
    text = _decode(_read_bytes(asked), asked)
    if len(separator) != 1 or separator in '"\r\n':
        raise DataError(
            f"{asked.keys.separator}: {separator!r} cannot separate cells: give one character, such as ',', ';', '|', "
            "a tab, or ' ' for any number of spaces."
        )
    try:
        rows = list(_cells(text, separator))
    except csv.Error as problem:
        _check_separator(text, asked)  # another one follows each quote, perhaps
        raise DataError(f'{file}, {problem}: close each quoted cell with ", and write a " inside it as "".') from None
    if not rows:
        raise DataError(f"{asked.keys.path}: {file} is empty; a table with a row for each sample is needed.")
    _check_shape(rows, text, asked)
    names = [f"x{position}" for position in range(len(rows[0][1]))]
    if asked.header:
        (_, names), *rows = rows
        _check_names(names, asked)
    lines = tuple(line for line, _ in rows)
    columns = zip(*(row for _, row in rows), strict=True)
    return Table(str(file), tuple(Column(name, cells, lines) for name, cells in zip(names, columns, strict=True)))


def _read_bytes(asked: Reading) -> bytes:
    file, key = str(asked.path), asked.keys.path
    try:
        path = Path(file).expanduser()
    except RuntimeError:
        raise DataError(f"{key}: {no_such_user(file)}") from None
    try:
        found = path.stat()
        if stat.S_ISDIR(found.st_mode):
            inside = sorted(entry.name for entry in path.iterdir() if entry.suffix.lower() in _TABLE_SUFFIXES)
            choices = f" (it holds {first_of(inside)})" if inside else ""
            raise DataError(f"{key}: {file} is a folder; give the path of a file{choices}.")
        if not stat.S_ISREG(found.st_mode):  # it may have no end, or wait for ever
            raise DataError(
                f"{key}: {file} is no regular file ({special_file(found.st_mode)}); save its rows in a file."
            )
        free = psutil.virtual_memory().available
        if found.st_size * _MEMORY_OF_FILE > free:
            raise DataError(
                f"{key}: {file} has {found.st_size:,} bytes; with {free:,} bytes of free memory at most "
                f"{free // _MEMORY_OF_FILE:,} can be read. Take fewer rows."
            )
        # A file of the kernel's says that it has no bytes; it may have no end, or wait for ever.
        return path.read_bytes() if found.st_size else b""
    except FileNotFoundError:
        raise DataError(f"{key}: there is no file {file}.{_files_near(path)}") from None
    except OSError as problem:
        raise DataError(f"{key}: {file} cannot be read ({problem.strerror}).") from None


def _files_near(path: Path) -> str:
    folder = path.parent
    if not folder.is_dir():
        return f" There is no folder {folder} either; relative paths start from {Path.cwd()}."
    if not os.access(folder, os.R_OK):
        return " Its folder cannot be listed."
    names = sorted(entry.name for entry in folder.iterdir() if entry.is_file())
    tables = [name for name in names if Path(name).suffix.lower() in _TABLE_SUFFIXES]
    if likely := near(path.name, names, most=3):
        return f" Did you mean {' or '.join(repr(str(folder / name)) for name in likely)}?"
    if tables:
        return f" Its folder holds {first_of(tables)}."
    return f" Its folder, {folder.resolve()}, holds no table."


def _decode(content: bytes, asked: Reading) -> str:
    file = f"{asked.keys.path}: {asked.path}"
    mend = (
        "save it as 'CSV UTF-8', or convert it with `iconv -f ENCODING -t UTF-8 OLD > NEW` "
        "(ENCODING: UTF-16, ISO-8859-1 for western European text, GB18030 for Chinese, ...)"
    )
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DataError(f"{file} is UTF-16, not UTF-8: {mend}.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        # The position counts from the end of the byte order mark, which the decoder has taken off.
        position = problem.start + (3 if content.startswith(b"\xef\xbb\xbf") else 0)
        line = len(content[:position].splitlines() or [b""]) + content[:position].endswith((b"\n", b"\r"))
        raise DataError(f"{file}, line {line}: byte 0x{content[position]:02x} is not UTF-8: {mend}.") from None
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise DataError(f"{file}, line {line}: a zero byte; this is not a text file in UTF-8: {mend}.")
    return text


def _cells(text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Each row that is not blank: the line on which it starts, and its cells without the white space around them.

    Between spaces as separators there is no empty cell: a run of spaces is one separator. Raises csv.Error.
    """
    # Without skipinitialspace a quote after ", " would not count as one.
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=separator != " ", strict=True
    )
    line = 1
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if separator == " ":
                cells = [cell for cell in cells if cell]
            if len(cells) > 1 or any(cells):
                yield line, cells
            line = reader.line_num + 1
    except csv.Error as problem:
        raise csv.Error(f"line {line}: the quotes of this row do not match ({problem})") from None


def _check_shape(rows: Sequence[tuple[int, Sequence[str]]], text: str, asked: Reading) -> None:
    """Raise DataError unless there are rows, all of the same length, as the separator cuts them."""
    start, width = rows[0][0], len(rows[0][1])
    ragged = [(line, len(row)) for line, row in rows if len(row) != width]
    if width == 1 or ragged:
        _check_separator(text, asked)
    first = "the header" if asked.header else "the first row"
    if ragged:
        line, found = ragged[0]
        if 1 < len(ragged) == len(rows) - 1:
            raise DataError(
                f"{asked.path}, line {start}: {first} has {counted(width, 'cell')} and no other row has as many "
                f"(line {line}: {found}); each row needs the same number: complete it."
            )
        further = f" (and {counted(len(ragged) - 1, 'more line')} differ)" if len(ragged) > 1 else ""
        raise DataError(
            f"{asked.path}, line {line}: {counted(found, 'cell')} where {first} in line {start} has {width}{further}; "
            "each row needs the same number: mend the line, and quote a cell that holds the separator."
        )
    if asked.header and len(rows) == 1:
        raise DataError(
            f"{asked.path} has a header and no rows; a table with a row for each sample is needed. If the file has no "
            f"header, {asked.keys.no_header}."
        )


def _check_separator(text: str, asked: Reading) -> None:
    """Raise DataError if another of the usual separators cuts each of the first lines into as many cells, above one.

    Of several the one that makes most cells is told.
    """
    probe = "\n".join(_LINE_END.split(text, _PROBED_LINES)[:_PROBED_LINES])
    widths: dict[str, int] = {}
    for other in sorted(set(_SEPARATORS) - {asked.separator}):
        with contextlib.suppress(csv.Error):
            found = {len(cells) for _, cells in _cells(probe, other)}
            if len(found) == 1 and max(found) > 1:
                widths[other] = max(found)
    if widths:
        better = max(widths, key=lambda other: widths[other])
        line, first = next((at, line) for at, line in enumerate(_LINE_END.split(text), 1) if line.strip())
        raise DataError(
            f"{asked.path}: the cells are not separated by {asked.separator!r}, line {line} is {shortened(first)!r}: "
            f"{asked.keys.mend_separator.format(repr(better)[1:-1])}."
        )


def _check_names(names: Sequence[str], asked: Reading) -> None:
    """Raise DataError for columns without a name or with the same name."""
    places: dict[str, list[int]] = {}
    for position, name in enumerate(names):
        places.setdefault(name, []).append(position)
    problems = [
        f"{asked.path}: {len(positions)} columns are named {name!r} (positions {first_of(positions)}, counted from 0): "
        f"give each its own name, or {asked.keys.no_header} if the file has no header."
        for name, positions in places.items()
        if name and len(positions) > 1
    ]
    if "" in places:
        problems.append(
            f"{asked.path}: the header gives no name to the column at position {first_of(places[''])} (counted from "
            "0): name it, or remove it if it only numbers the rows (pandas writes such a column unless index=False)."
        )
    if problems:
        raise DataError("\n".join(problems))
