import io
from typing import Any

from rich.console import Console


def plain_text(renderable: Any, width: int = 100) -> str:
    """What a rich object prints, without color, `width` columns wide, no spaces at the ends of lines."""
    page = io.StringIO()
    Console(file=page, width=width, color_system=None, force_terminal=False, legacy_windows=False).print(renderable)
    return "\n".join(line.rstrip() for line in page.getvalue().splitlines()) + "\n"
