"""Text that is not ours, made harmless where it is shown or kept: one function for each medium.

Names of classes, features, files and runs come from others. Markdown and HTML have their homes in `src.report.words`
and `src.report.html`.
"""

import json
import re
from typing import Any

# What a terminal obeys: control characters, and marks that turn the direction of what follows.
_OBEYED = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_LONG_WORD = re.compile(r"\S{300,}")  # no sentence has one but as a name that was typed
# What a spreadsheet would calculate (OWASP, "CSV Injection"), and the same behind the apostrophes of `csv_cell`.
_FORMULA = re.compile("'*[=+\\-@\uff1d\uff0b\uff0d\uff20]")  # the last four are the fullwidth forms
# A user's name and password before the host of an address, and what is set to a key that is called like a secret.
# The lengths are bounded, as a long text would take time with its square.
_ACCOUNT = re.compile(
    r"(?i)(\b[a-z][a-z0-9+.]{1,30}:/{1,2})(?:([^\s\"'<>/:@]{0,300}):[^\s\"'<>]{0,300}|[^\s\"'<>/?#]{0,300})@"
)
_SECRET = re.compile(
    r"(?i)((?<![\w.-])[\w.-]{0,100}(?:passw|pwd|secret|token|credential|api_?key|access_?key)[\w.-]{0,100}=)"
    r"(\"[^\"]*\"|'[^']*'|[^\s&,;'\"<>]+)"
)
# The words of an override's value: quoted, an estimator round another, or between what Hydra's grammar gives a meaning
# to; and what it takes bare.
_WORDS = re.compile(r"""'[^']*'|"[^"]*"|[A-Z]\w*\([A-Z]\w*\)|[^'",:=\[\]{}()]+""")
_BARE = re.compile(r"[\w/\\+.$%*@?| \t-]*", re.ASCII)


def visible(text: str) -> str:
    r"""A text with every character that a terminal would obey written out, as ``\x1b``."""
    return _OBEYED.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def json_text(value: Any) -> str:
    """Plain data as JSON in which what a terminal obeys is written as JSON escapes it."""
    text = json.dumps(value, ensure_ascii=False, indent=1, default=str)
    return "\n".join(_OBEYED.sub(lambda found: f"\\u{ord(found[0]):04x}", line) for line in text.split("\n"))


def escaped(line: str) -> str:
    """A line for a terminal: `visible`, and with no endless word."""
    return _LONG_WORD.sub(lambda found: f"{found[0][:60]}... ({len(found[0]):,} characters)", visible(line))


def masked(text: str) -> str:
    """A text with ``***`` for passwords: in addresses, and set to a key whose name says that it is a secret."""

    def account(found: re.Match[str]) -> str:
        return f"{found[1]}{found[2]}:***@" if found[2] else f"{found[1]}***@"

    return _SECRET.sub(r"\1***", _ACCOUNT.sub(account, text))


def readable(argument: str) -> str:
    """An override with quotes round each word of its value that Hydra takes in quotes only: 诊断, ;, ~/my.csv."""

    def quoted(found: re.Match[str]) -> str:
        word = found[0].strip()
        return found[0] if _BARE.fullmatch(word) or word[0] in "'\"" else found[0].replace(word, f"'{word}'")

    if argument.startswith("sweep.dask.options."):  # a mapping without keys of its own, which Hydra wants to be told
        argument = f"++{argument}"
    key, is_set, value = argument.partition("=")
    return argument if "\\" in value else key + is_set + _WORDS.sub(quoted, value)


def csv_cell(value: Any) -> Any:
    """What a CSV file holds of a value: `visible` lines; an apostrophe before what would be a formula; numbers as such.

    A class that is called -1 is a number too. `csv_text` takes the apostrophe off again.
    """
    if not isinstance(value, str):
        return value
    text = "\n".join(map(visible, value.split("\n")))
    return f"'{text}" if _FORMULA.match(text) and not is_number(text) else text


def csv_text(cell: str) -> str:
    """The text of which `csv_cell` made a cell."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def is_number(text: str) -> bool:
    """Whether Python reads a text as a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True
