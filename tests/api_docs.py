"""Writes docs/api.md from the docstrings of what `import weakspot` gives: `python -m tests.api_docs`."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from core import api
from core.files import write_text

PAGE = Path(__file__).resolve().parents[1] / "docs" / "api.md"


def describe_api() -> str:
    """Return the page: each function with its signature and what its docstring says."""
    parts = [
        "# From Python",
        inspect.getdoc(api) or "",
        "Made from the docstrings by `python -m tests.api_docs`; a test holds it up to date. "
        "[The notebook](../examples/weak_classes.ipynb) does all of it on the built-in digits.",
    ]
    for name in api.__all__:
        function = getattr(api, name)
        # Annotations that are kept as text stand in quotes, and defaults do too.
        signature = re.sub(r"(: |-> )'([^']*)'", r"\1\2", str(inspect.signature(function)))
        parts += [
            f"## {name}",
            f"```python\nweakspot.{name}{signature}\n```",
            _as_markdown(inspect.getdoc(function) or ""),
        ]
    return "\n\n".join(parts) + "\n"


def _as_markdown(text: str) -> str:
    """Return a docstring with its list of errors as a list."""
    head, raises, errors = text.partition("Raises:\n")
    if not raises:
        return text
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    return f"{head}Raises:\n\n" + "\n".join(f"- {line}" for line in _join(lines))


def _join(lines: list[str]) -> list[str]:
    """Return errors a line each: one that names no error goes on with the line before."""
    joined: list[str] = []
    for line in lines:
        if joined and not line.split(":")[0].endswith("Error"):
            joined[-1] += f" {line}"
        else:
            joined.append(line)
    return joined


if __name__ == "__main__":
    write_text(PAGE, describe_api())
