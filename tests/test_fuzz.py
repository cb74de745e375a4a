"""A short form of `make fuzz`: a few inputs drawn by chance for each reader of other people's files."""

from __future__ import annotations

import random

import pytest

from tests.fuzz import Target, fuzz, targets


@pytest.mark.parametrize("target", targets(), ids=lambda target: target.name)
def test_whatever_a_file_holds_it_is_read_or_refused_in_words(target: Target, chance: random.Random) -> None:
    fuzz(target, 30, chance.randrange(2**32))
