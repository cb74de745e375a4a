"""Numbers in words, as in `core.words`, and users' text in Markdown."""

from __future__ import annotations

import re

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
    "label_markdown",
]


def escape_markdown(text: str) -> str:
    """Return a user's text so that Markdown shows it letter by letter."""
    return text.translate({ord(c): f"\\{c}" for c in "\\`*_[]{}()#+-.!|~$:<>&"})


def label_markdown(text: str) -> str:
    r"""Return a user's text for a label, which is read aloud as it is written: escaped only where Markdown would take it.

    'shop-2.1_b' stays as it is, where `escape_markdown` makes it 'shop\-2\.1\_b'.
    """
    plain = escape_markdown(text).replace("\\-", "-").replace("\\.", ".")
    return re.sub(r"(?<=\w)\\_(?=\w)", "_", plain)
