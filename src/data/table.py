"""From a user's file to columns of text; what is wrong with the file as a file is said here."""

import contextlib
import csv
import io
import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from src.data.column import Column
from src.data.dataset import DataError
from src.words import counted, did_you_mean, first_of, near, no_such_user, shortened, special_file

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


def read_table(path: str | Path, *, separator: str = ",", header: bool = True, keys: Keys = KEYS) -> Table:
    r"""Read a file of separated values in UTF-8 (with or without a byte order mark) as text; `keys` are for messages.

    Cells may be quoted with ``"``; blank lines are skipped; line ends may be any of \n, \r\n, \r.

    Raises DataError if the file is missing, a folder, a device or the like, too large for what memory is free, not
    readable, not UTF-8 or empty; if it has no rows, rows of different lengths, unnamed or repeated columns; if a quote
    is not closed.
    """
    file = str(path)
    text = _decode(_read_bytes(file, keys), file, keys)
    if len(separator) != 1 or separator in '"\r\n':
        raise DataError(
            f"{keys.separator}: {separator!r} cannot separate cells: give one character, such as ',', ';', '|', a tab, "
            "or ' ' for any number of spaces."
        )
    try:
        numbered = list(_cells(text, separator))
    except csv.Error as problem:
        _check_separator(text, separator, file, keys)  # another one follows each quote, perhaps
        raise DataError(f'{file}, {problem}: close each quoted cell with ", and write a " inside it as "".') from None
    rows, lines = [row for _, row in numbered], [line for line, _ in numbered]
    if not rows:
        raise DataError(f"{keys.path}: {file} is empty; a table with a row for each sample is needed.")
    _check_shape(rows, lines, text, separator, header, file, keys)
    if header:
        names, rows, lines = rows[0], rows[1:], lines[1:]
        _check_names(names, file, keys)
    else:
        names = [f"x{position}" for position in range(len(rows[0]))]
    cells, starts = zip(*rows, strict=True), tuple(lines)
    return Table(file, tuple(Column(name, column, starts) for name, column in zip(names, cells, strict=True)))


def _read_bytes(file: str, keys: Keys) -> bytes:
    try:
        path = Path(file).expanduser()
    except RuntimeError:
        raise DataError(f"{keys.path}: {no_such_user(file)}") from None
    try:
        found = path.stat()
        if stat.S_ISDIR(found.st_mode):
            inside = sorted(entry.name for entry in path.iterdir() if entry.suffix.lower() in _TABLE_SUFFIXES)
            choices = f" (it holds {first_of(inside)})" if inside else ""
            raise DataError(f"{keys.path}: {file} is a folder; give the path of a file{choices}.")
        if not stat.S_ISREG(found.st_mode):  # it may have no end, or wait for ever
            raise DataError(
                f"{keys.path}: {file} is no regular file ({special_file(found.st_mode)}); save its rows in a file."
            )
        free = psutil.virtual_memory().available
        if found.st_size * _MEMORY_OF_FILE > free:
            raise DataError(
                f"{keys.path}: {file} has {found.st_size:,} bytes; with {free:,} bytes of free memory at most "
                f"{free // _MEMORY_OF_FILE:,} can be read. Take fewer rows."
            )
        # A file of the kernel's says that it has no bytes; it may have no end, or wait for ever.
        return path.read_bytes() if found.st_size else b""
    except FileNotFoundError:
        raise DataError(f"{keys.path}: there is no file {file}.{_files_near(path)}") from None
    except OSError as problem:
        raise DataError(f"{keys.path}: {file} cannot be read ({problem.strerror}).") from None


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


def _decode(content: bytes, file: str, keys: Keys) -> str:
    mend = (
        "save it as 'CSV UTF-8', or convert it with `iconv -f ENCODING -t UTF-8 OLD > NEW` "
        "(ENCODING: UTF-16, ISO-8859-1 for western European text, GB18030 for Chinese, ...)"
    )
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DataError(f"{keys.path}: {file} is UTF-16, not UTF-8: {mend}.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        # The position counts from the end of the byte order mark, which the decoder has taken off.
        position = problem.start + (3 if content.startswith(b"\xef\xbb\xbf") else 0)
        line = len(content[:position].splitlines() or [b""]) + content[:position].endswith((b"\n", b"\r"))
        raise DataError(
            f"{keys.path}: {file}, line {line}: byte 0x{content[position]:02x} is not UTF-8: {mend}."
        ) from None
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise DataError(f"{keys.path}: {file}, line {line}: a zero byte; this is not a text file in UTF-8: {mend}.")
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
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as problem:
            raise csv.Error(f"line {line}: the quotes of this row do not match ({problem})") from None
        cells = [cell.strip() for cell in row]
        if separator == " ":
            cells = [cell for cell in cells if cell]
        if len(cells) > 1 or any(cells):
            yield line, cells
        line = reader.line_num + 1


def _check_shape(
    rows: Sequence[Sequence[str]],
    lines: Sequence[int],
    text: str,
    separator: str,
    header: bool,
    file: str,
    keys: Keys,
) -> None:
    """Raise DataError unless there are rows, all of the same length, as the separator cuts them."""
    width = len(rows[0])
    ragged = [(line, len(row)) for row, line in zip(rows, lines, strict=True) if len(row) != width]
    if width == 1 or ragged:
        _check_separator(text, separator, file, keys)
    first = "the header" if header else "the first row"
    if ragged:
        line, found = ragged[0]
        if 1 < len(ragged) == len(rows) - 1:
            raise DataError(
                f"{file}, line {lines[0]}: {first} has {counted(width, 'cell')} and no other row has as many "
                f"(line {line}: {found}); each row needs the same number: complete it."
            )
        further = f" (and {counted(len(ragged) - 1, 'more line')} differ)" if len(ragged) > 1 else ""
        raise DataError(
            f"{file}, line {line}: {counted(found, 'cell')} where {first} in line {lines[0]} has {width}{further}; "
            "each row needs the same number: mend the line, and quote a cell that holds the separator."
        )
    if header and len(rows) == 1:
        raise DataError(
            f"{file} has a header and no rows; a table with a row for each sample is needed. If the file has no "
            f"header, {keys.no_header}."
        )


def _check_separator(text: str, separator: str, file: str, keys: Keys) -> None:
    """Raise DataError if another of the usual separators cuts each of the first lines into as many cells, above one.

    Of several the one that makes most cells is told.
    """
    probe = "\n".join(_LINE_END.split(text, _PROBED_LINES)[:_PROBED_LINES])
    widths: dict[str, int] = {}
    for other in set(_SEPARATORS) - {separator}:
        with contextlib.suppress(csv.Error):
            found = {len(cells) for _, cells in _cells(probe, other)}
            if len(found) == 1 and max(found) > 1:
                widths[other] = max(found)
    if widths:
        better = max(sorted(widths), key=lambda other: widths[other])
        line, first = next((at, line) for at, line in enumerate(_LINE_END.split(text), 1) if line.strip())
        raise DataError(
            f"{file}: the cells are not separated by {separator!r}, line {line} is {shortened(first)!r}: "
            f"{keys.mend_separator.format(repr(better)[1:-1])}."
        )


def _check_names(names: Sequence[str], file: str, keys: Keys) -> None:
    """Raise DataError for columns without a name or with the same name."""
    places: dict[str, list[int]] = {}
    for position, name in enumerate(names):
        places.setdefault(name, []).append(position)
    problems = [
        f"{file}: {len(positions)} columns are named {name!r} (positions {first_of(positions)}, counted from 0): give "
        f"each its own name, or {keys.no_header} if the file has no header."
        for name, positions in places.items()
        if name and len(positions) > 1
    ]
    if "" in places:
        problems.append(
            f"{file}: the header gives no name to the column at position {first_of(places[''])} (counted from 0): name "
            "it, or remove it if it only numbers the rows (pandas writes such a column unless index=False)."
        )
    if problems:
        raise DataError("\n".join(problems))
