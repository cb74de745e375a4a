"""Numbers in words, as in `core.words`, and users' text in Markdown."""

from __future__ import annotations

from core.words import (
    format_accuracy,
    format_bytes,
    format_class,
    format_confidence,
    format_count,
    format_duration,
    format_guess,
    format_share,
)

__all__ = [
    "escape_markdown",
    "format_accuracy",
    "format_bytes",
    "format_class",
    "format_confidence",
    "format_count",
    "format_duration",
    "format_guess",
    "format_share",
]


def escape_markdown(text: str) -> str:
    """Return a user's text so that Markdown shows it letter by letter."""
    return text.translate({ord(c): f"\\{c}" for c in "\\`*_[]{}()#+-.!|~$:<>&"})
