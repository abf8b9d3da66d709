"""Tables of texts, and how the terminal shows them: laid out for its width, in letters its encoding has."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from rich import box
from rich.cells import cell_len, chop_cells
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from src.language import listed, say
from src.report.words import markdown, plain

_LONGEST_WORDS = (32, 16, 12, 10, 8)  # letters that are kept together, and where there is no room for them
_MANY = 1000
# What is not broken: a Chinese letter, or others up to a space, with the marks that begin or end no line.
_WIDE, _OPENING, _CLOSING = "\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff01-\uff60", "（“《", "，。；：、）？！”》"
_PIECE = re.compile(rf" *[{_OPENING}]*(?:[{_WIDE}]|[^ {_WIDE}“”]+)?[{_CLOSING}]*")


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes
    ----------
    header, texts : what stands above it, and in each of its rows.
    numeric : whether it is aligned right.
    note : how to read it.
    spared : the step in which a terminal that is too narrow goes without it, 1 for the first; 0 for never.
    """

    header: str
    texts: tuple[str, ...]
    numeric: bool = False
    note: str = ""
    spared: int = 0

    @staticmethod
    def of(items: Iterable[Any], header: str, text: Callable[[Any], str], **how: Any) -> "Column":
        """A column with a text of each item; `how` are the other attributes."""
        return Column(header, tuple(map(text, items)), **how)


@dataclass(frozen=True)
class Cells:
    """A table as texts, the common source of its terminal, Markdown and HTML forms.

    Attributes
    ----------
    columns : all with equally many texts. Where a terminal has no room for those that cannot be spared, they are left
        out from the right.
    best : the row to mark.
    about, warnings : lines that belong under the table: how to read it, beside its columns' notes, and what is wrong.
    title : a line to stand above it on a terminal.
    more : how many rows there are besides.
    joined : the same with fewer columns that say more, for a narrow terminal.
    file : the result's file that holds the columns left out.
    """

    columns: tuple[Column, ...]
    best: int | None = None
    about: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    title: str = ""
    more: int = 0
    joined: "Cells | None" = None
    file: str = "comparison.html"

    @staticmethod
    def of_rows(
        headers: Sequence[str],
        rows: Iterable[Sequence[str]],
        numbers: Collection[int],
        spared: Collection[int] = (),
        **more: Any,
    ) -> "Cells":
        """A table by its rows, one at least, given the places of numbers and of what can be spared; `more` as above."""
        texts = zip(*rows, strict=True)
        columns = (
            Column(header, each, numeric=place in numbers, spared=int(place in spared))
            for place, (header, each) in enumerate(zip(headers, texts, strict=True))
        )
        return Cells(tuple(columns), **more)

    @cached_property
    def headers(self) -> tuple[str, ...]:
        """Those of all columns."""
        return tuple(column.header for column in self.columns)

    @cached_property
    def rows(self) -> tuple[tuple[str, ...], ...]:
        """The texts row by row."""
        return tuple(zip(*(column.texts for column in self.columns), strict=True))

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """How to read the table and its columns, each sentence once."""
        return (*self.about, *dict.fromkeys(column.note for column in self.columns if column.note))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Lay the table out for the console, in the first of its layouts that fits the width."""
        if self.title:
            yield Text(encodable(plain(self.title), options), style="bold")
        for layout in _layouts(self, options):  # the last is shown where none fits
            if _least_width(layout[1], console) <= options.max_width:
                break
        shown, table = layout
        yield _fitted(table, console, options.max_width)
        if self.more:
            yield Text(say("and {count} more, in the full table", count=self.more), style="dim")
        yield from (paragraph(note, options, "dim") for note in shown.notes)
        whole = self if shown is self else self.joined or self
        if missing := [plain(header) for header in whole.headers if header not in shown.headers]:
            told = say("No room here, but in {file}: {columns}.", file=self.file, columns=listed(missing))
            yield paragraph(told, options, "dim")
        yield from (paragraph(warning, options, "red") for warning in shown.warnings)


def cells_markdown(cells: Cells, escaped: Callable[[str], str] = markdown, *, with_notes: bool = True) -> str:
    """A Markdown table (GitHub's form), the best row in bold; its notes as paragraphs below."""
    rule = ["---:" if column.numeric else ":---" for column in cells.columns]
    rows = [list(map(escaped, row)) for row in cells.rows]
    if cells.best is not None:
        rows[cells.best] = [f"**{text}**" if text else text for text in rows[cells.best]]
    lines = [map(escaped, cells.headers), rule, *rows]
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return "\n\n".join([table, *map(markdown, (*cells.notes * with_notes, *cells.warnings))])


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


def _layouts(cells: Cells, options: ConsoleOptions) -> Iterator[tuple[Cells, Table]]:
    """The table in ever less room: columns that can be spared go first, then lines fold, then words, then columns."""
    yield cells, _rich_table(cells, options, break_headers=False)
    whole = cells.joined or cells
    layouts = [cells] if whole is cells else [cells, whole]
    for step in sorted({column.spared for column in whole.columns} - {0}):
        kept = tuple(column for column in whole.columns if not 0 < column.spared <= step)
        layouts.append(replace(whole, columns=kept))
    for each in layouts:
        yield each, _rich_table(each, options, break_headers=True)
    for longest in _LONGEST_WORDS:
        for each in layouts[-2:]:
            yield each, _rich_table(each, options, break_headers=True, most_lines=_MANY, longest=longest)
    for count in range(len(layouts[-1].columns) - 1, 0, -1):
        fewer = replace(layouts[-1], columns=layouts[-1].columns[:count])
        for longest in _LONGEST_WORDS[1:]:
            yield fewer, _rich_table(fewer, options, break_headers=True, most_lines=_MANY, longest=longest)


def _broken(header: str, longest: int) -> str:
    """A header in lines: broken after each space, hyphen, underscore, and within a word longer than this."""
    parts = [part for word in re.findall("[^ _-]*[ _-]|[^ _-]+", header) for part in _parts(word, longest)]
    return "\n".join(part.rstrip() for part in parts if part.strip())


def _folded_name(text: str, longest: int) -> str:
    """A text in lines of so many letters, broken at spaces and hyphens, before capitals, else within a word."""
    lines = [""]
    for word in re.findall("[A-Z]*[^A-Z _-]*[ _-]*", text):
        for part in _parts(word, longest):
            if cell_len((lines[-1] + part).rstrip()) > longest:
                lines.append("")
            lines[-1] += part
    return "\n".join(line.rstrip() for line in lines if line.strip())


def _parts(word: str, longest: int) -> list[str]:
    """A word in parts of at most so many columns of the terminal, not counting the blank at its end."""
    letters = word.rstrip()
    *before, last = chop_cells(letters, longest) or [""]
    return [*before, last + word[len(letters) :]]


def _rich_table(
    cells: Cells, options: ConsoleOptions, *, break_headers: bool, most_lines: int = 2, longest: int = _LONGEST_WORDS[0]
) -> Table:
    """A table whose columns know the fewest and the most letters they have a use for."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True, header_style="bold")
    if cells.best is not None:
        table.add_column("", width=1, max_width=1)
    columns = []
    for column in cells.columns:
        texts = [encodable(text, options) for text in column.texts]
        if longest < _LONGEST_WORDS[0] and not column.numeric:
            texts = [_folded_name(text, longest) for text in texts]
        columns.append(texts)
        shown = encodable(_broken(column.header, longest) if break_headers else column.header, options)
        heads = max(map(cell_len, shown.split("\n")))
        lines = [line for text in texts for line in text.split("\n")]
        least = max([heads, *(cell_len(line) if column.numeric else _least(line, most_lines) for line in lines)])
        most = max([heads, *map(cell_len, lines)])
        table.add_column(
            Text(shown),
            justify="right" if column.numeric else "left",
            no_wrap=most <= least,
            overflow="fold",
            width=least,
            max_width=most,
        )
    for place, row in enumerate(zip(*columns, strict=True)):
        best = place == cells.best
        mark = [] if cells.best is None else [encodable("★" if best else "", options)]
        table.add_row(*map(Text, (*mark, *row)), style="bold green" if best else "")
    return table


def _least(text: str, most_lines: int) -> int:
    """The fewest columns of the terminal in which a text folds, between its words, into so many lines."""
    words = [min(cell_len(word), _LONGEST_WORDS[0]) for word in text.split(" ")]
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
    if needed > width:  # a single column in a place of few letters
        return table
    widths = [column.max_width or 1 for column in table.columns]
    least = [column.width or 1 for column in table.columns]
    excess = needed - sum(least) + sum(widths) - width
    for _ in range(excess):
        place = max((place for place in range(len(widths)) if widths[place] > least[place]), key=widths.__getitem__)
        widths[place] -= 1
    for column, narrowed in zip(table.columns, widths, strict=True):
        column.width = narrowed
    return table
