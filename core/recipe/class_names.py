"""Class names and pairs of them: what a config holds, the text of them that a person types, and which name is which class."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

Names = tuple[str, ...]
Pairs = tuple[tuple[str, str], ...]


def parse_names(text: str) -> Names:
    """Return the class names of a text such as `10,29`; one with a comma in it stands in double quotes, as in CSV.

    Raises:
        ValueError: naming what has a double quote out of place.
    """
    return tuple(name for name, _, _ in _split(text, ",") if name)


def parse_pairs(text: str) -> Pairs:
    """Return the pairs of a text such as `10:52,29:86`; a name with a comma or a colon in it stands in double quotes.

    Raises:
        ValueError: naming the part that is not a pair, or has a double quote out of place.
    """
    pairs: list[tuple[str, str]] = []
    part: list[str] = []
    begin = 0
    for name, separator, end in _split(text, ",:"):
        part.append(name)
        if separator == ":":
            continue
        if len(part) == 2 and all(part):
            pairs.append((part[0], part[1]))
        elif part != [""]:
            what = text[begin:end].strip(" ,")
            raise ValueError(
                f"{what!r} is not a pair; write two folder names with a colon between, such as 10:52"
            )
        part, begin = [], end
    return tuple(pairs)


def write_names(names: Iterable[str]) -> str:
    """Return the text that `parse_names` makes these names of."""
    return ",".join(_quote(name, ",") for name in names)


def write_pairs(pairs: Iterable[tuple[str, str]]) -> str:
    """Return the text that `parse_pairs` makes these pairs of."""
    return ",".join(":".join(_quote(name, ",:") for name in pair) for pair in pairs)


def normalise(name: str) -> str:
    """Return a class name in the one form of Unicode (NFC) in which names are compared."""
    return unicodedata.normalize("NFC", name)


def find_class(name: str, classes: Sequence[str]) -> int | None:
    """Return the index of the class of this name, None for none; an accent may be a part of its letter or stand by itself."""
    if name in classes:
        return classes.index(name)
    wanted = normalise(name)
    return next((index for index, known in enumerate(classes) if normalise(known) == wanted), None)


def _quote(name: str, separators: str) -> str:
    plain = name and name == name.strip() and name[0] != '"' and not set(separators) & set(name)
    return name if plain else '"' + name.replace('"', '""') + '"'


def _split(text: str, separators: str) -> Iterator[tuple[str, str, int]]:
    """Yield each name of a text with the separator after it, '' at the end, and where that ends."""
    item = re.compile(
        rf'(?:"(?P<quoted>(?:[^"]|"")*)"\s*|(?P<bare>(?!")[^{separators}]*))([{separators}]|\Z)'
    )
    end, separator = 0, ","
    while separator:
        start = end + len(text[end:]) - len(text[end:].lstrip())
        found = item.match(text, start)
        if found is None:
            raise ValueError(
                f'{text[start:]!r} begins with a double quote that does not end before a comma; write "" for a double quote'
            )
        end, separator = found.end(), found[3]
        quoted = found["quoted"]
        yield (found["bare"].strip() if quoted is None else quoted.replace('""', '"')), separator, end
