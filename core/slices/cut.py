"""Kinds of images, called slices here: the ends of each number, each word, over all classes and within a large class."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from core.slices.properties import Floats, Property, Sort
from core.slices.stratified import Rows

SHARES = (0.1, 0.2)  # of the images, at either end of a number
CLASS_SHARE = 0.2  # the same within a class, where that is enough images
LEAST = 10  # images in a slice, and as many outside it; fewer tell nothing


@dataclass(frozen=True, eq=False)
class Slice:
    """Some of the images, by their rows in the predictions table, and what a reader calls them.

    It is cut from the property `source`, at the `end` named or by a word; `class_name` is empty where it is of all classes.
    """

    title: str
    source: Property
    end: str
    class_name: str
    rows: Rows

    @property
    def family(self) -> tuple[int, str, str]:
        """Return what is alike for slices that differ in their size only."""
        return id(self.source), self.end, self.class_name


def cut_slices(
    properties: Sequence[Property], true: Sequence[str], label: Callable[[str], str] = str
) -> list[Slice]:
    """Return the slices to be tried of images whose classes are `true` (N,); `label` names a class to a reader.

    Within a class a number's ends are cut anew, since its images may all be darker than those of others.
    """
    names = np.asarray(true, dtype=object)
    everything = np.arange(len(names))
    found = [
        piece
        for one in properties
        for piece in _cut_property(one, everything, SHARES, class_name="", label=label)
    ]
    known = {(id(one.source), one.rows.tobytes()) for one in found}
    for name in dict.fromkeys(true):
        rows = np.flatnonzero(names == name)
        if len(rows) * CLASS_SHARE >= LEAST:
            pieces = [
                piece
                for one in properties
                for piece in _cut_property(one, rows, (CLASS_SHARE,), class_name=name, label=label)
            ]
            # A word that one class alone has is told already.
            found += [one for one in pieces if (id(one.source), one.rows.tobytes()) not in known]
    return found


def _cut_property(
    one: Property, rows: Rows, shares: Sequence[float], *, class_name: str, label: Callable[[str], str]
) -> Iterator[Slice]:
    """Yield the slices of some of the images by one of their properties."""
    of_class = f" of {label(class_name)}" if class_name else ""
    if isinstance(one, Sort):
        yield from _cut_words(one, rows, class_name, of_class)
        return
    for highest, end, (before, after) in ((False, "lowest", one.lowest), (True, "highest", one.highest)):
        for cut in _cut_ends(one.values[rows], shares, highest=highest):
            inside = rows[cut]
            values = one.values[inside]
            reach = one.tell_end(float(values.min() if highest else values.max()), highest=highest)
            yield Slice(f"{before}{of_class}{after} ({reach})", one, end, class_name, inside)


def _cut_words(one: Sort, rows: Rows, class_name: str, of_class: str) -> Iterator[Slice]:
    words = np.asarray(one.values, dtype=object)[rows]
    for word in sorted(set(words.tolist()) - {""}):
        inside = rows[words == word]
        if LEAST <= len(inside) <= len(rows) - LEAST:
            before, after = one.tell(word)
            yield Slice(f"{before}{of_class}{after}", one, word, class_name, inside)


def _cut_ends(values: Floats, shares: Sequence[float], *, highest: bool) -> Iterator[Rows]:
    """Yield which of the values (N,) are at an end, as near to each share (0..1) as equal values allow.

    An end is half of the values at most, and LEAST of them at least; where two shares give the same, it comes once.
    """
    known = values[~np.isnan(values)]
    steps, counts = np.unique(known, return_counts=True)
    if highest:
        steps, counts = steps[::-1], counts[::-1]
    reached = np.cumsum(counts)
    allowed = np.flatnonzero((reached >= LEAST) & (reached <= len(known) / 2))
    if not len(allowed):
        return
    nearest = (int(allowed[np.abs(reached[allowed] - share * len(known)).argmin()]) for share in shares)
    for place in dict.fromkeys(nearest):
        yield np.flatnonzero(values >= steps[place] if highest else values <= steps[place])
