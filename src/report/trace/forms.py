"""The three forms of a traced update: on the terminal, in Markdown, and as one HTML page."""

import re
from dataclasses import replace
from itertools import pairwise

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from src.report.html import filled
from src.report.terminal import Cells, cells_markdown, encodable, paragraph
from src.report.trace.blocks import Formula, Heading, Line, blocks_of
from src.report.trace.formula import is_formula, terms, to_latex, to_markup, to_text
from src.report.trace.terms import TracedUpdate
from src.report.words import markdown, plain

_BETWEEN_FACTORS = re.compile(r"(?<![·−+*=←])(?<![ <]-) (?![=← ]|<-)")  # a space not beside a sign


def print_trace(console: Console, shown: TracedUpdate) -> None:
    """Print the update for the width and the letters of the console."""

    def written(formula: str) -> str:
        return encodable(to_text(formula, ascii_only=console.options.ascii_only), console.options)

    def letters(text: str) -> str:
        return written(text) if is_formula(text) else encodable(plain(text), console.options)

    for before, block in pairwise([None, *blocks_of(shown)]):
        are_sentences = isinstance(before, Line) and isinstance(block, Line)
        if not (before is None or isinstance(before, Heading) or are_sentences):
            console.print()
        match block:
            case Heading():
                console.print(Text(encodable(block, console.options), style="bold"))
            case Line():
                console.print(paragraph(block, console.options))
            case Formula():
                if block.label:
                    console.print(Text(encodable(plain(block.label), console.options), style="dim"))
                for formula in block.formulas:
                    console.print(Text(_folded(written(formula), console.width)))
            case Cells():
                columns = (
                    replace(each, header=letters(each.header), texts=tuple(map(letters, each.texts)))
                    for each in block.columns
                )
                console.print(replace(block, columns=tuple(columns)))


def _folded(formula: str, width: int) -> str:
    """The formula on lines that are set in by two, broken between terms; within one that is longer, not at a sign."""
    lines: list[str] = []
    for term in terms(formula):
        pieces = [term] if cell_len(term) + 2 <= width else _BETWEEN_FACTORS.split(term)
        for piece in pieces:
            if lines and cell_len(f"{lines[-1]} {piece}") <= width:
                lines[-1] += f" {piece}"
            else:
                lines.append(f"  {piece}")
    return "\n".join(map(str.rstrip, lines))


def to_markdown(shown: TracedUpdate) -> str:
    """The update in Markdown, its formulas in LaTeX between dollars."""

    def cell(text: str) -> str:
        return to_latex(text) if is_formula(text) else markdown(text)

    parts: list[str] = []
    for block in blocks_of(shown):
        match block:
            case Heading():
                parts.append(f"{'##' if parts else '#'} {markdown(block)}")
            case Line():
                parts.append(markdown(block))
            case Formula():
                parts += [f"*{markdown(block.label)}*"] if block.label else []
                parts += [to_latex(formula) for formula in block.formulas]
            case Cells():
                parts += [f"**{markdown(block.title)}**", cells_markdown(block, cell)]
    return "\n\n".join(parts) + "\n"


def to_html(shown: TracedUpdate) -> str:
    """One page that needs no other file and no network."""
    title, *blocks = blocks_of(shown)
    named = [(type(block).__name__, block) for block in blocks]
    return filled("trace.html", title=title, blocks=named, formula=to_markup, is_formula=is_formula)
