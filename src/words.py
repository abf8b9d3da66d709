"""Small words that every room's sentences need."""

from collections.abc import Sequence


def counted(number: int, noun: str) -> str:
    """A number with its noun: `1 row`, `2 rows`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def listed(words: Sequence[str], last: str = "and", most: int | None = None) -> str:
    """Words in a sentence: `a`, `a and b`, `a, b and c`; of more than `most` the first, and how many more."""
    shown = list(words)
    if most is not None and len(shown) > most:
        shown = [*shown[:most], f"{len(words) - most} more"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} {last} {shown[-1]}"
