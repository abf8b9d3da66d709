"""One column of a user's file: its cells as text, and what they are as numbers."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

# How a file may write that a value is missing, and how messages say so.
MISSING_CELLS = frozenset({"", "?", "NA", "NaN", "nan", "NAN", "-nan", "-NaN"})
MISSING_CELLS_TEXT = "an empty cell, ?, NA or NaN"


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
