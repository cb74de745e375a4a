"""Numbers in words, and users' text in Markdown."""

from __future__ import annotations

import re

import pytest

from core.verdicts.predictions import format_interval
from dashboard.text import (
    escape_markdown,
    format_accuracy,
    format_confidence,
    format_duration,
    format_share,
)

MARKS = set("\\`*_[]{}()#+-.!|~$:<>&")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (45.4, "45 s"),
        (59.6, "1 min 00 s"),
        (185, "3 min 05 s"),
        (3599.4, "59 min 59 s"),
        (3599.6, "1 h 00 min"),
        (7800, "2 h 10 min"),
        (360_000, "100 h 00 min"),
    ],
)
def test_a_duration_is_told_in_its_two_largest_units(seconds: float, words: str) -> None:
    assert format_duration(seconds) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.0, "0.0 %"),
        (0.0004, "< 0.1 %"),
        (0.887, "88.7 %"),
        (0.9994, "99.9 %"),
        (0.99951, "> 99.9 %"),
        (0.999999, "> 99.9 %"),
        (1.0, "100.0 %"),
    ],
)
def test_a_share_is_told_in_per_cent_and_only_all_is_100(value: float, words: str) -> None:
    assert format_share(value) == words


def test_no_confidence_is_told_as_certain() -> None:
    assert [format_confidence(value) for value in (0.5, 0.9999999, 1.0)] == ["50.0 %", "> 99.9 %", "> 99.9 %"]


def test_an_accuracy_comes_with_its_interval() -> None:
    assert format_accuracy(266 / 300, 0.846, 0.918) == "88.7 % (84.6–91.8 %)"


def test_an_interval_is_told_in_whole_per_cent() -> None:
    assert format_interval(0.0, 0.5615) == "0–56 %"


@pytest.mark.parametrize(
    "text",
    [
        "*bold* _it_ ~gone~",
        "`code`",
        "[link](https://example.org)",
        "# title",
        "1. first",
        "a|b",
        "$x^2$",
        ":red[alarm]",
        "<b>tag</b>",
        "back\\slash",
        "&amp;",
    ],
)
def test_every_mark_of_markdown_is_escaped(text: str) -> None:
    escaped = escape_markdown(text)
    assert re.sub(r"\\(.)", r"\1", escaped) == text
    assert not MARKS & set(re.sub(r"\\.", "", escaped))


def test_plain_words_stay_as_they_are() -> None:
    assert escape_markdown("29 · rose, Ärger 漢字") == "29 · rose, Ärger 漢字"
