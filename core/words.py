"""Numbers and names in words, the same on every page and in every report."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

_PLURAL_VERBS = {"is": "are", "has": "have"}


def format_accuracy(value: float, low: float, high: float) -> str:
    """Return an accuracy (0..1) with its interval: '88.7 % (84.6–91.8 %)'."""
    return f"{format_share(value)} ({low * 100:.1f}–{high * 100:.1f} %)"


def format_share(value: float) -> str:
    """Return a share (0..1) in per cent: '88.7 %'; what is not all or nothing is not rounded to it: '> 99.9 %'."""
    if 0.9995 <= value < 1:
        return "> 99.9 %"
    return "< 0.1 %" if 0 < value < 0.0005 else f"{value * 100:.1f} %"


def format_confidence(value: float) -> str:
    """Return a network's confidence (0..1) in per cent; none is ever certain, so 1 is a rounding: '> 99.9 %'.

    One that is NaN is 'not known'.
    """
    return "not known" if math.isnan(value) else format_share(min(value, 0.9999))


def format_guess(name: str, confidence: float, word: str = "") -> str:
    """Return a class with the confidence (0..1) in it: 'rose, 93.1 %', with the word 'sure' after it; alone where NaN."""
    return name if math.isnan(confidence) else f"{name}, {format_confidence(confidence)} {word}".rstrip()


def format_count(number: int, noun: str, verb: str = "") -> str:
    """Return so many of a thing, and what it does: '1 run', '1,200 classes', '1 image is', '2 images are'."""
    if number != 1:
        noun += "es" if noun.endswith("s") else "s"
        verb = _PLURAL_VERBS.get(verb, verb)
    return f"{number:,} {noun} {verb}".rstrip()


def format_number(value: float) -> str:
    """Return a number as people write it, in full where it is not very long: '10,000', '0.5', '0.00000001'."""
    if isinstance(value, int):
        return f"{value:,}"
    if value and not 1e-12 <= abs(value) < 1e15:  # or it is none at all
        return f"{value:g}"
    return f"{Decimal(repr(float(value))).normalize():,f}"


def format_duration(seconds: float) -> str:
    """Return a duration in its two largest units: '45 s', '3 min 05 s', '2 h 10 min'."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def format_rough(seconds: float) -> str:
    """Return a duration that is only estimated, in two figures at most: '45 s', '14 min', '2 h 10 min', '3 days'."""
    if seconds < 97.5:
        return f"{max(1, round(seconds))} s" if seconds < 20 else f"{5 * round(seconds / 5)} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 48 * 60:
        minutes = 10 * round(minutes / 10)
        return f"{minutes // 60} h {minutes % 60:02d} min" if minutes % 60 else f"{minutes // 60} h"
    return format_count(round(minutes / 1440), "day")


def format_bytes(count: float) -> str:
    """Return an amount of memory or disk: '640 MB', '1.9 GB'; under a megabyte '< 1 MB'."""
    if count < 1e6:
        return "< 1 MB" if count else "0 MB"
    return f"{count / 1e6:,.0f} MB" if count < 999.5e6 else f"{count / 1e9:,.1f} GB"


def format_size(size: int) -> str:
    """Return a size that somebody chose, with no figure that was not: '50 GB', '1.5 GB', '200 MB'."""
    return f"{size / 1e9:,.12g} GB" if size >= 10**9 else f"{size / 1e6:,.12g} MB"


def format_class(name: str, display: dict[str, str]) -> str:
    """Return what a user reads for a class: its folder name with its display name, unique as the folder is."""
    shown = display.get(name, name)
    return name if shown == name else f"{name} · {shown}"


def show_path(path: str | Path) -> str:
    r"""Return a path as it can be written anywhere: bytes of a name that are no UTF-8 as they count, such as \xe9."""
    text = str(path)
    return text if text.isascii() else text.encode(errors="surrogateescape").decode(errors="backslashreplace")


def shorten(text: str, most: int = 80) -> str:
    """Return the beginning of a text that may be of any length, on one line."""
    line = " ".join(text[: most + 1].split())
    return line if len(text) <= most else f"{line[:most]}…"


def name_some(names: Sequence[str], most: int) -> str:
    """Return the first of some names, and how many more there are: 'a, b, c and 2 more'."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return f"{', '.join(names[:most])}{more}"


def shorten_names(names: Sequence[str], most: int) -> list[str]:
    """Return names cut to `most` letters, so that names that differ still differ where that can be.

    A name is cut at its end. Those that would look alike then lose letters before their end, where they differ.
    """
    cut = [_cut(name, most, head=most - 1) for name in names]
    for share in (0.6, 0.4, 0.2, 0.0):
        count = Counter(cut)
        alike = [place for place, text in enumerate(cut) if count[text] > 1 and len(names[place]) > most]
        for place in alike:
            cut[place] = _cut(names[place], most, head=int(share * most))
    return cut


def shorten_ids(ids: Sequence[str], most: int) -> list[str]:
    """Return the ids of runs cut to `most` letters: without the words that all begin with, where what is left has room."""
    common = os.path.commonprefix(ids)  # noqa: RUF071  letters are meant, of ids, which are no paths
    common = common[: common.rfind("-") + 1]
    left = [name.removeprefix(common) for name in ids]
    if max(map(len, ids), default=0) > most > max(map(len, left), default=0) and len(ids) > 1:
        return [f"…{name}" for name in left]
    return shorten_names(ids, most)


def tell_names_apart(names: Sequence[str], most: int) -> list[str]:
    """Return names as they are, but for those that look alike within `most` letters: these lose letters where they do not differ.

    What is shown cuts the others at their end, and can be searched for all of their letters.
    """
    short = shorten_names(names, most)
    return [cut if "…" in cut[:-1] else name for name, cut in zip(names, short, strict=True)]


def _cut(name: str, most: int, *, head: int) -> str:
    if len(name) <= most:
        return name
    tail = most - 1 - head
    return f"{name[:head].rstrip()}…{name[-tail:].lstrip() if tail else ''}"
