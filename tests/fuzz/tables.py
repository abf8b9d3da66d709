"""The CSV files that the fuzzer tries: mutations of valid ones, drawn by hypothesis, always the same."""

import base64
import dataclasses
import functools
from collections.abc import Callable

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.fuzz.cases import ANY, DRY, QUICK, REFUSED, SEED, Case

FILES = 320
Rows = list[list[str]]

HOSTILE = (
    *(
        "\x1b[31mred\x1b[0m",
        "\x1b]8;;http://evil.example\x07click\x1b]8;;\x07",
        "\x1b]0;title\x07",
        "\x9b31m",
        "a\x08\x08b",
    ),
    *(
        "\u202eexe.txt",
        "\u2066iso\u2069",
        "\u200bzero",
        "\ufeffmark",
        "=1+1",
        "=cmd|'/C calc'!A0",
        "+1",
        "@SUM(A1)",
        "-2+3",
    ),
    *(
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "&lt;b&gt;",
        "a|b",
        "**bold**",
        "[x](javascript:alert(1))",
    ),
    *(
        "$\\frac{",
        "$x^{$",
        "{{7*7}}",
        "{% raw %}",
        "../../etc/passwd",
        "/etc/passwd",
        "a/b",
        "..",
        "NUL",
        "None",
        "nan",
        "x" * 300,
    ),
    *("label", "Ünïcödé", "😀", "[bold]rich[/bold]", "[/]", "%s", "{0}", "a,b", "a;b", "  spaces  ", "\t", "'", "`"),
)
NUMBERS = (
    *(
        "1e308",
        "-1e308",
        "1e309",
        "1e-320",
        "nan",
        "NaN",
        "inf",
        "-Infinity",
        "1e400",
        "9" * 400,
        "0x1F",
        "1_000",
        "1,5",
        "١٢",
    ),
    *(
        "",
        " ",
        "?",
        "NA",
        "null",
        "None",
        "-",
        "1e",
        "--1",
        "TRUE",
        "2001-01-01",
        "99999999999999999999",
        "-0.0",
        "1.",
        ".5",
    ),
)


def valid_rows(count: int, classes: int) -> Rows:
    """A table that can be learnt from: a head, two numbers, a category, a group and a class."""
    names = ("yes", "no", "perhaps")[:classes]
    head = ["a", "b", "site", "person", "label"]
    return [
        head,
        *(
            [str(row), f"{row * row % 7}.5", "xyz"[row % 3], f"p{row // 3}", names[row % classes]]
            for row in range(count)
        ),
    ]


# Each takes the rows and hypothesis' draw and changes the rows; what is then to be refused stands beside it.
Draw = Callable[[st.SearchStrategy], object]


def _cell(rows: Rows, draw: Draw, values: tuple[str, ...], first: int = 1) -> None:
    row = draw(st.integers(min(first, len(rows) - 1), len(rows) - 1)) if rows else 0
    if rows and rows[row]:
        rows[row][draw(st.integers(0, len(rows[row]) - 1))] = draw(st.sampled_from(values))


def number(rows: Rows, draw: Draw) -> None:
    _cell(rows, draw, NUMBERS)


def hostile_cell(rows: Rows, draw: Draw) -> None:
    _cell(rows, draw, HOSTILE)


def hostile_name(rows: Rows, draw: Draw) -> None:
    if rows and rows[0]:
        rows[0][draw(st.integers(0, len(rows[0]) - 1))] = draw(st.sampled_from(HOSTILE))


def hostile_class(rows: Rows, draw: Draw) -> None:
    """One class gets another name, in all its rows."""
    new = draw(st.sampled_from(HOSTILE))
    for row in rows[1:]:
        if row and row[-1] == "yes":
            row[-1] = new


def hostile_category(rows: Rows, draw: Draw) -> None:
    new = draw(st.sampled_from(HOSTILE))
    for row in rows[1:]:
        if len(row) > 2 and row[2] == "x":
            row[2] = new


def ragged(rows: Rows, draw: Draw) -> None:
    if len(rows) > 1:
        row = rows[draw(st.integers(1, len(rows) - 1))]
        if draw(st.booleans()):
            row += ["1"] * draw(st.integers(1, 3))
        else:
            del row[draw(st.integers(1, 3)) :]


def no_rows(rows: Rows, draw: Draw) -> None:
    del rows[draw(st.integers(0, 3)) :]


def one_column(rows: Rows, draw: Draw) -> None:
    kept = draw(st.sampled_from([0, 2, 4]))
    rows[:] = [row[kept : kept + 1] for row in rows]


def one_class(rows: Rows, _: Draw) -> None:
    for row in rows[1:]:
        if row:
            row[-1] = "yes"


def class_for_each_row(rows: Rows, _: Draw) -> None:
    for place, row in enumerate(rows[1:]):
        if row:
            row[-1] = f"c{place}"


def duplicated_head(rows: Rows, draw: Draw) -> None:
    if rows and len(rows[0]) > 1:
        rows[0][0] = rows[0][draw(st.integers(1, len(rows[0]) - 1))]


def blank_line(rows: Rows, draw: Draw) -> None:
    rows.insert(draw(st.integers(0, len(rows))), [])


def constant_column(rows: Rows, draw: Draw) -> None:
    value = draw(st.sampled_from(["7", "", "1e308", "x"]))
    for row in rows[1:]:
        if row:
            row[0] = value


def any_text(rows: Rows, draw: Draw) -> None:
    _cell(rows, draw, (draw(st.text(max_size=8)),), first=0)


# The hostile ones more often, as most others end with a refusal.
ROW_CHANGES = (
    *(4 * (hostile_name, hostile_class, hostile_category)),
    *(number, hostile_cell, blank_line, any_text, class_for_each_row, constant_column, ragged, one_column),
    *(no_rows, one_class, duplicated_head),
)
HOPELESS = ([no_rows], [one_class], [duplicated_head])
BYTE_CHANGES: dict[str, Callable[[bytes, Draw], bytes]] = {
    "none": lambda content, _: content,
    "UTF-16": lambda content, _: content.decode(errors="replace").encode("utf-16"),
    "UTF-32": lambda content, _: content.decode(errors="replace").encode("utf-32"),
    "latin-1": lambda content, _: content.replace(b"yes", b"j\xe4"),
    "with a mark": lambda content, _: b"\xef\xbb\xbf" + content,
    "NUL": lambda content, draw: _put(content, b"\0", draw),
    "quote": lambda content, draw: _put(content, b'"', draw),
    "bytes": lambda content, draw: _put(content, draw(st.binary(min_size=1, max_size=4)), draw),
    "return": lambda content, _: content.replace(b"\n", b"\r"),
    "cut": lambda content, draw: content[: draw(st.integers(0, len(content)))],
    "semicolons": lambda content, _: content.replace(b",", b";"),
    "long line": lambda content, _: content + b"1," * 200_000,
    "base64": lambda content, _: base64.b64encode(content),
    "zip": lambda content, _: b"PK\x03\x04" + content,
    "escapes": lambda content, _: b"\x1b[2J" + content,
}
OPTIONS = (
    *((), (), (), (), ("data.header=false",), ("data.missing=impute",), ("data.separator=';'",), ("data.target=0",)),
    *(
        ("data.groups=person",),
        ("data.fold=person",),
        ("data.weights=a",),
        ("data.categorical=[a,b]",),
        ("data.target=site",),
    ),
    *(("data.scale=minmax",), ("data.scale=none",), ("cv.stratified=false",), ("cv.folds=5",), ("data.target=-2",)),
)
SWEEP = ("model=bp,logistic", "training.epochs=2", "cv.folds=2")  # with every figure, table and page
RUNS = ((*QUICK, *DRY), QUICK, QUICK, SWEEP)


@st.composite
def tables(draw: Draw) -> Case:
    rows = valid_rows(draw(st.integers(9, 30)), draw(st.integers(2, 3)))
    changes = draw(st.lists(st.sampled_from(ROW_CHANGES), min_size=1, max_size=3))
    for change in changes:
        change(rows, draw)
    content = "\n".join(",".join(_cell_text(cell) for cell in row) for row in rows).encode(errors="surrogateescape")
    how = draw(st.sampled_from(["none"] * 12 + list(BYTE_CHANGES)))
    content = BYTE_CHANGES[how](content, draw)
    options, run = draw(st.sampled_from(OPTIONS)), draw(st.sampled_from(RUNS))
    flags = ("-m",) if run is SWEEP else ()
    hopeless = changes in HOPELESS and how == "none" and options == ()
    hostile = tuple(text for text in HOSTILE if any(text in row for row in rows))
    return Case(
        "csv", (*flags, "data=csv", "data.path=table.csv", *options, *run), REFUSED if hopeless else ANY, "src.run",
        {"table.csv": content}, hostile,
    )  # fmt: skip


def _cell_text(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if any(char in cell for char in ',"\n\r') else cell


def _put(content: bytes, new: bytes, draw: Draw) -> bytes:
    at = draw(st.integers(0, len(content)))
    return content[:at] + new + content[at:]


@functools.cache
def all_tables() -> list[Case]:
    """Every file with its command."""
    drawn: list[Case] = []

    @seed(SEED)
    @settings(
        max_examples=2 * FILES,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(tables())
    def collect(case: Case) -> None:
        drawn.append(case)

    collect()
    distinct = list({case.files["table.csv"]: case for case in drawn}.values())[:FILES]
    return [dataclasses.replace(case, name=f"csv-{number}") for number, case in enumerate(distinct, 1)]
