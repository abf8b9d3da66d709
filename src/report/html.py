"""HTML pages from the files in `templates`, where all text is escaped."""

import functools
from pathlib import Path
from typing import Any

import jinja2

from src.language import chosen, say, say_number
from src.report.words import plain


def filled(template: str, **values: Any) -> str:
    """Return a template filled with values, in the language that is spoken. Raises for a value not given."""
    lang = {"zh": "zh-CN"}.get(chosen(), chosen())
    return _environment().get_template(template).render(values, lang=lang)


@functools.cache
def _environment() -> jinja2.Environment:
    """What fills templates; it remembers those it has read."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["plain"] = plain
    environment.globals |= {"say": say, "say_number": say_number}
    return environment
