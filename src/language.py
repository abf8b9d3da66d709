"""The language of what is printed, drawn and written for a person: English or, by the catalogue `zh.po`, Chinese.

Where something is said its English stands in full, as a template with named fields: ``say("best of {all}", all=3)``. It
is the key of the catalogue, which is in gettext's format and read by Babel when its language is chosen. Errors, keys,
names and numbers are the same in both languages.
"""

import io
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache, reduce
from gettext import GNUTranslations, NullTranslations
from pathlib import Path
from typing import TYPE_CHECKING

from src.errors import UserError

if TYPE_CHECKING:
    from babel.messages.catalog import Catalog

ENGLISH = "en"
CATALOGUES = {"zh": Path(__file__).with_name("zh.po")}
LANGUAGES = (ENGLISH, *CATALOGUES)

_VARIABLES = ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")  # the first that is set counts, as for gettext
_chosen: str | None = None


def choose(lang: str | None) -> None:
    """Speak one of `LANGUAGES` from now on; None for the environment's, where the output has letters for it.

    Raises UserError if the output's encoding has no letters for `lang`.
    """
    global _chosen
    if lang is not None and not _can_be_written(lang):
        raise UserError(
            f"lang: the output is in {sys.stdout.encoding}, which has no letters for '{lang}'. "
            "Set PYTHONUTF8=1, or lang=en."
        )
    _chosen = _of_environment() if lang is None else lang


def chosen() -> str:
    """The language that is spoken: one of `LANGUAGES`."""
    if _chosen is None:
        choose(None)
    assert _chosen is not None
    return _chosen


@contextmanager
def speaking(lang: str) -> Iterator[None]:
    """Speak one of `LANGUAGES` for as long as the context lasts."""
    global _chosen
    before, _chosen = _chosen, lang
    try:
        yield
    finally:
        _chosen = before


def say(text: str, /, **fields: object) -> str:
    """A text in the language that is spoken, with its fields filled in."""
    return translated(text).format(**fields)


def translated(text: str) -> str:
    """A text without fields, which may be somebody else's: a study's question."""
    return translations(chosen()).gettext(text) if text else text


def say_number(one: str, many: str, number: int, /, **fields: object) -> str:
    """Likewise a text that depends on a number, its field: ``say_number("{number} job", "{number} jobs", 3)``."""
    return translations(chosen()).ngettext(one, many, number).format(number=f"{number:,}", **fields)


def listed(words: Iterable[object], most: int | None = None) -> str:
    """Words in a sentence: `a`, `a and b`, `a, b and c`; of more than `most` the first, and how many more."""
    every = [str(word) for word in words]
    if most is not None and len(every) > most:
        return say("{words} and {count} more", words=say(", ").join(every[:most]), count=len(every) - most)
    *before, last = every
    return say("{words} and {last}", words=say(", ").join(before), last=last) if before else last


def sentences(texts: Iterable[str]) -> str:
    """Sentences one after the other, as the language sets them apart."""
    return reduce(lambda text, following: say("{text} {following}", text=text, following=following), texts)


@cache
def translations(lang: str) -> NullTranslations:
    """A language's texts by their English."""
    if lang == ENGLISH:
        return NullTranslations()
    from babel.messages.mofile import write_mo

    compiled = io.BytesIO()
    write_mo(compiled, catalogue(lang))
    compiled.seek(0)
    return GNUTranslations(compiled)


def letters(lang: str) -> frozenset[str]:
    """The letters of all texts of a language other than English."""
    texts = ("".join(message.string or ()) for message in catalogue(lang) if message.id)
    return frozenset("".join(texts)) - {"\n"}


@cache
def catalogue(lang: str) -> "Catalog":
    """The catalogue of a language other than English."""
    from babel.messages.pofile import read_po

    with CATALOGUES[lang].open("rb") as file:
        return read_po(file, locale=lang)


def _of_environment() -> str:
    """The first of its languages that there is: `zh_CN.UTF-8` is Chinese; English if there is none."""
    named = next(filter(None, map(os.environ.get, _VARIABLES)), ENGLISH)
    known = (name[:2] for name in named.split(":") if name[:2] in LANGUAGES and not name[2:3].isalpha())
    found = next(known, ENGLISH)
    return found if _can_be_written(found) else ENGLISH


def _can_be_written(lang: str) -> bool:
    try:
        translations(lang).gettext("accuracy").encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return False
    return True
