"""All that people may hand in: each case answered rightly or refused in words, soon, and within memory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.corpus import addresses, archives, folders, images, settings, tables, weights
from tests.corpus.case import Case, judge
from tests.corpus.run_folders import DAMAGES

KINDS = {
    "image": images,
    "archive": archives,
    "folder": folders,
    "setting": settings,
    "table": tables,
    "weights": weights,
}
pytestmark = pytest.mark.slow(30)
CASES = [(kind, name) for kind, room in KINDS.items() for name in room.CASES]


def test_the_corpus_is_large() -> None:
    addresses_count = sum(len(names) for names in addresses.PARAMS.values())
    assert len(CASES) >= 200
    assert len(CASES) + len(DAMAGES) + addresses_count >= 320


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Yield an empty folder that every user of the machine may look into, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        yield Path(name)


@pytest.mark.timeout(60)
@pytest.mark.filterwarnings("ignore")  # of Pillow, about what is refused
@pytest.mark.parametrize(("kind", "name"), CASES, ids=lambda text: text)
def test_bad_input_is_answered_or_refused_in_words(open_folder: Path, kind: str, name: str) -> None:
    case: Case = KINDS[kind].CASES[name]
    judge(case, KINDS[kind].read, open_folder)
