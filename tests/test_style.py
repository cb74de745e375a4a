"""The sentences that users read keep out of the habits that docs/style.md names."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# Phrases that had to be read twice, or that say nothing.
BANNED = (
    r"as far as so many images can tell", r"keeps? its word", r"the kind reading", r"\bmend", r"\btold right\b",
    r"of every figure less", r"is told somewhat", r"are told somewhat", r"to be believed", r"no more than it keeps",
    r"\bplease\b", r"\boops\b", r"\bsorry\b", r"\bsimply\b", r"\bjust click\b", r"in order to", r"\butili[sz]e",
    r"as far as (?:it|that) goes", r"of which this seems", r"is called so\b",
    r"of no use\b", r"for which luck", r"stands in double quotes", r"what is nearly right",
    r"and leaves\.", r"is no (?:class of|number|zip|weights|role|kind|report|pair|text|CSV|tensor|probability)\b",
    r"files are no readable",
)  # fmt: skip
NO_UNIT_SPACE = re.compile(r"\d%(?! \w*d\b)")  # a percentage is written 88.7 %


def sentences_of(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the texts of a Python file that are no docstrings, with their lines; f-strings without their values."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    silent: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            silent.add(node.value)
        if isinstance(node, ast.FormattedValue) and node.format_spec is not None:
            silent.update(ast.walk(node.format_spec))
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in silent:
            yield node.lineno, node.value


def find_banned(texts: Iterator[tuple[int, str]]) -> list[str]:
    return [
        f"line {line}: {found[0]!r}"
        for line, text in texts
        for phrase in BANNED
        if (found := re.search(phrase, text, re.IGNORECASE))
    ]


CODE = sorted(path for top in ("core", "dashboard") for path in (ROOT / top).rglob("*.py"))
PAGES = [
    ROOT / "README.md",
    *(path for path in sorted((ROOT / "docs").glob("*.md")) if path.name not in ("log.md", "style.md")),
    ROOT / "core/report/report.html",
]


@pytest.mark.parametrize("path", CODE, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_sentence_of_the_program_has_a_banned_phrase(path: Path) -> None:
    assert find_banned(sentences_of(path)) == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_no_page_has_a_banned_phrase(path: Path) -> None:
    assert find_banned(enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)) == []


def test_the_test_finds_a_banned_phrase_in_a_sentence_and_not_in_a_docstring(tmp_path: Path) -> None:
    path = tmp_path / "page.py"
    path.write_text(
        '"""What a user can mend."""\nSAID = f"Of {1} images 5 were told right."\n', encoding="utf-8"
    )
    assert find_banned(sentences_of(path)) == ["line 2: 'told right'"]


@pytest.mark.parametrize("path", CODE, ids=lambda path: str(path.relative_to(ROOT)))
def test_percentages_have_a_space_before_their_sign(path: Path) -> None:
    said = [
        f"line {line}: {text}"
        for line, text in sentences_of(path)
        if " " in text
        and NO_UNIT_SPACE.search(text)
        and "%{" not in text
        and "style" not in text
        and ";" not in text
    ]
    assert said == []
