"""Tables of texts, and how the terminal shows them: laid out for its width, in letters its encoding has."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from rich import box
from rich.cells import cell_len
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
        What a terminal shows for which it is too wide, the widest first. Of the last, columns are left out from the
        right, so what is dispensable stands there.
    explains
        By header, the one of the notes that says how to read the column: it goes where its columns go.
    left_out
        Headers of the columns that it is without.
    file
        The result's file that holds the columns left out.
    """

    headers: tuple[str, ...]
    numeric: tuple[bool, ...]
    rows: tuple[tuple[str, ...], ...]
    best: int | None = None
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    narrower: tuple["Cells", ...] = ()
    explains: Mapping[str, str] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    file: str = "comparison.html"

    def without(self, *headers: str) -> "Cells":
        """The table without some columns, and without the notes that explain these alone."""
        return self._of([place for place, header in enumerate(self.headers) if header not in headers])

    def first(self, count: int) -> "Cells":
        """The table of its first columns."""
        return self._of(range(count))

    def _of(self, keep: Sequence[int]) -> "Cells":
        headers = tuple(self.headers[place] for place in keep)
        useless = set(self.explains.values()) - {self.explains.get(header) for header in headers}
        return replace(
            self,
            headers=headers,
            numeric=tuple(self.numeric[place] for place in keep),
            rows=tuple(tuple(row[place] for place in keep) for row in self.rows),
            notes=tuple(note for note in self.notes if note not in useless),
            left_out=(*self.left_out, *(each for place, each in enumerate(self.headers) if place not in keep)),
        )


class FittedTable:
    """A table that rich prints in the first of its layouts that fits the console."""

    def __init__(self, cells: Cells, title: str | None = None, left_out: int = 0) -> None:
        """Keep the table, a line to stand above it, and how many of its rows were left out."""
        self.cells, self.title, self.left_out = cells, title, left_out

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Lay the table out for the console's width."""
        if self.title:
            yield Text(encodable(plain(self.title), options), style="bold")
        for layout in _layouts(self.cells, options):  # the last is shown where none fits
            if _least_width(layout[1], console) <= options.max_width:
                break
        shown, table = layout
        yield _fitted(table, console, options.max_width)
        if self.left_out:
            yield Text(say("and {count} more, in the full table", count=self.left_out), style="dim")
        yield from (paragraph(note, options, "dim") for note in shown.notes)
        if missing := shown.left_out[len(self.cells.left_out) :]:
            told = say("No room here, but in {file}: {columns}.", file=shown.file, columns=listed(map(plain, missing)))
            yield paragraph(told, options, "dim")
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


def _layouts(cells: Cells, options: ConsoleOptions) -> Iterator[tuple[Cells, Table]]:
    """The table in ever less room: columns that can be spared go first, then lines fold, then words, then columns."""
    yield cells, _rich_table(cells, options, break_headers=False)
    layouts = (cells, *cells.narrower)
    for each in layouts:
        yield each, _rich_table(each, options, break_headers=True)
    for longest in _LONGEST_WORDS:
        for each in layouts[-2:]:
            yield each, _rich_table(each, options, break_headers=True, most_lines=_MANY, longest=longest)
    for count in range(len(layouts[-1].headers) - 1, 0, -1):
        fewer = layouts[-1].first(count)
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


def _parts(word: str, longest: int) -> Iterator[str]:
    """A word in parts of at most so many columns of the terminal."""
    part = ""
    for letter in word:
        if cell_len((part + letter).rstrip()) > longest:
            yield part
            part = ""
        part += letter
    if part:
        yield part


def _rich_table(
    cells: Cells,
    options: ConsoleOptions,
    *,
    break_headers: bool,
    most_lines: int = 2,
    longest: int = _LONGEST_WORDS[0],
) -> Table:
    """A table whose columns know the fewest and the most letters they have a use for."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True, header_style="bold")
    if cells.best is not None:
        table.add_column("", width=1, max_width=1)
    columns = [[encodable(row[place], options) for row in cells.rows] for place in range(len(cells.headers))]
    if longest < _LONGEST_WORDS[0]:
        columns = [
            texts if right else [_folded_name(text, longest) for text in texts]
            for texts, right in zip(columns, cells.numeric, strict=True)
        ]
    for place, (header, right) in enumerate(zip(cells.headers, cells.numeric, strict=True)):
        texts = columns[place]
        shown = encodable(_broken(header, longest) if break_headers else header, options)
        heads = max(map(cell_len, shown.split("\n")))
        lines = [line for text in texts for line in text.split("\n")]
        least = max([heads, *(cell_len(line) if right else _least(line, most_lines) for line in lines)])
        most = max([heads, *map(cell_len, lines)])
        table.add_column(
            Text(shown),
            justify="right" if right else "left",
            no_wrap=most <= least,
            overflow="fold",
            width=least,
            max_width=most,
        )
    for place in range(len(cells.rows)):
        best = place == cells.best
        mark = [] if cells.best is None else [encodable("★" if best else "", options)]
        table.add_row(*map(Text, (*mark, *(texts[place] for texts in columns))), style="bold green" if best else "")
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
