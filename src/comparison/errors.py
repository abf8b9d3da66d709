"""The room's error."""

from src.errors import UserError


class ComparisonError(UserError):
    """A comparison that cannot be made; the text says why and what to do instead."""
