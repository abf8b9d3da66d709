"""Tables of texts, and how the terminal shows them: laid out for its width, in letters its encoding has."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from src.language import say
from src.report.words import markdown, plain

_LONGEST_WORD = 32  # letters that are kept together
_MANY = 1000
# What is not broken: a Chinese letter, or others up to a space, with the marks that begin or end no line.
_WIDE, _OPENING, _CLOSING = "\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff01-\uff60", "（“《", "，。；：、）？！”》"
_PIECE = re.compile(rf" *[{_OPENING}]*(?:[{_WIDE}]|[^ {_WIDE}“”]+)?[{_CLOSING}]*")


@dataclass(frozen=True)
class Cells:
    """A table as texts, the common source of its terminal, Markdown and HTML forms.

    Attributes
    ----------
    headers, rows
        Texts; every row as long as the headers.
    numeric
        Which columns are aligned right.
    best
        The row to mark.
    notes, warnings
        Lines that belong under the table: how to read it, and what is wrong.
    narrower
        What a terminal shows for which it is too wide, the widest first.
    """

    headers: tuple[str, ...]
    numeric: tuple[bool, ...]
    rows: tuple[tuple[str, ...], ...]
    best: int | None = None
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    narrower: tuple["Cells", ...] = ()

    def without(self, *headers: str) -> "Cells":
        """The table without some columns."""
        keep = [place for place, header in enumerate(self.headers) if header not in headers]
        return replace(
            self,
            headers=tuple(self.headers[place] for place in keep),
            numeric=tuple(self.numeric[place] for place in keep),
            rows=tuple(tuple(row[place] for place in keep) for row in self.rows),
        )


class FittedTable:
    """A table that rich prints in the first of its layouts that fits the console."""

    def __init__(self, cells: Cells, title: str | None = None, left_out: int = 0) -> None:
        """Keep the table, a line to stand above it, and how many of its rows were left out."""
        self.cells, self.title, self.left_out = cells, title, left_out

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Lay the table out for the console's width."""
        layouts = (self.cells, *self.cells.narrower)
        tables = [(self.cells, _rich_table(self.cells, options, break_headers=False))]
        tables += [(cells, _rich_table(cells, options, break_headers=True)) for cells in layouts]
        tables += [(layouts[-1], _rich_table(layouts[-1], options, break_headers=True, most_lines=_MANY))]
        if self.title:
            yield Text(encodable(plain(self.title), options), style="bold")
        fitting = (one for one in tables if _least_width(one[1], console) <= options.max_width)
        shown, table = next(fitting, tables[-1])
        yield _fitted(table, console, options.max_width)
        if self.left_out:
            yield Text(say("and {count} more, in the full table", count=self.left_out), style="dim")
        yield from (paragraph(note, options, "dim") for note in shown.notes)
        yield from (paragraph(warning, options, "red") for warning in shown.warnings)


def cells_markdown(cells: Cells) -> str:
    """A Markdown table (GitHub's form), the best row in bold; its notes as paragraphs below."""
    rule = ["---:" if right else ":---" for right in cells.numeric]
    rows = [[markdown(text) for text in row] for row in cells.rows]
    if cells.best is not None:
        rows[cells.best] = [f"**{text}**" if text else text for text in rows[cells.best]]
    lines = [[markdown(header) for header in cells.headers], rule, *rows]
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return "\n\n".join([table, *(markdown(note) for note in (*cells.notes, *cells.warnings))]) + "\n"


def encodable(text: str, options: ConsoleOptions) -> str:
    r"""The text in what the console can write: an ASCII terminal gets +/- for ± and \u escapes for the rest."""
    if not options.ascii_only:  # it writes some form of Unicode
        return text
    for sign, letters in (("±", "+/-"), ("★", "*"), ("–", "-"), ("−", "-"), ("×", "x"), ("…", "...")):
        if sign.encode(options.encoding, "ignore") == b"":
            text = text.replace(sign, letters)
    return text.encode(options.encoding, "backslashreplace").decode(options.encoding)


def paragraph(text: str, options: ConsoleOptions, style: str = "") -> Text:
    """A text for the console's width: rich breaks lines at spaces only, Chinese is broken between any two letters."""
    shown = encodable(plain(text), options)
    if cell_len(shown) == len(shown):
        return Text(shown, style=style)
    lines = [""]
    for piece in _PIECE.findall(shown):
        if cell_len(lines[-1] + piece.rstrip()) > options.max_width:
            lines.append("")
        lines[-1] += piece if lines[-1] else piece.lstrip()
    return Text("\n".join(line.rstrip() for line in lines), style=style)


def _rich_table(cells: Cells, options: ConsoleOptions, *, break_headers: bool, most_lines: int = 2) -> Table:
    """A table whose columns know the fewest and the most letters they have a use for."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True, header_style="bold")
    if cells.best is not None:
        table.add_column("", width=1)
    for place, (header, right) in enumerate(zip(cells.headers, cells.numeric, strict=True)):
        texts = [encodable(row[place], options) for row in cells.rows]
        shown = encodable(header.replace("_", "_\n").replace(" ", "\n") if break_headers else header, options)
        heads = max(map(cell_len, shown.split("\n")))
        least = max([heads, *(cell_len(text) if right else _least(text, most_lines) for text in texts)])
        most = max([heads, *map(cell_len, texts)])
        table.add_column(
            Text(shown),
            justify="right" if right else "left",
            no_wrap=most <= least,
            overflow="fold",
            min_width=least,
            max_width=most,
        )
    for place, row in enumerate(cells.rows):
        best = place == cells.best
        mark = [] if cells.best is None else ["★" if best else ""]
        table.add_row(*(Text(encodable(text, options)) for text in (*mark, *row)), style="bold green" if best else "")
    return table


def _least(text: str, most_lines: int) -> int:
    """The fewest columns of the terminal in which a text folds, between its words, into so many lines."""
    words = [min(cell_len(word), _LONGEST_WORD) for word in text.split(" ")]
    widths = range(max(words), sum(words) + len(words))
    return next(width for width in widths if _folded(words, width) <= most_lines)


def _folded(words: Sequence[int], width: int) -> int:
    """How many lines words of these lengths take."""
    lines, used = 1, -1
    for word in words:
        if used + 1 + word > width:
            lines, used = lines + 1, -1
        used += 1 + word
    return lines


def _least_width(table: Table, console: Console) -> int:
    """The fewest columns of the terminal in which the table loses nothing."""
    return console.measure(table, options=console.options.update(width=10_000)).minimum


def _fitted(table: Table, console: Console, width: int) -> Table:
    """The table with its columns narrowed, the widest first, to so many columns of the terminal.

    Rich would narrow some columns below what they need, and cut off the table's right side for it.
    """
    needed = _least_width(table, console)
    if needed > width:  # its right side is cut off, which is seen; a number without its last digits would not be
        return table
    widths = [column.width or column.max_width or 1 for column in table.columns]
    least = [column.width or column.min_width or 1 for column in table.columns]
    excess = needed - sum(least) + sum(widths) - width
    for _ in range(excess):
        place = max((place for place in range(len(widths)) if widths[place] > least[place]), key=widths.__getitem__)
        widths[place] -= 1
    for column, narrowed in zip(table.columns, widths, strict=True):
        column.width = narrowed
    return table
