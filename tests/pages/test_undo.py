"""Undo takes back what was marked on its own page, and nothing else."""

from __future__ import annotations

import pytest

from core.marks.marks import Mark, add_marks
from core.runs.run import Run
from dashboard import guard
from dashboard.components.gallery import Tile
from dashboard.components.marking import Item, Step
from dashboard.explorer import marking
from dashboard.state import services

PATHS = ("val/35/0.png", "val/35/1.png", "val/2/0.png")
SHELF = marking.Shelf(
    PATHS, lambda number, _: Item(Tile(None, ""), PATHS[number], PATHS[number].split("/")[1])
)
UNDO = Step((), undo=True)


def test_undo_takes_back_only_what_its_own_page_did(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamlit.session_state", {})
    data = services.read_data(run)
    add_marks(services.marks_path(run, data), [Mark(PATHS[2], "2", "drop")])  # another visitor's

    def act(page: str, step: Step) -> tuple[set[str], bool]:
        """Return what is marked after a step on a page, and whether one more can be taken back from there."""
        guard.forget_elsewhere(page)
        marking.keep_steps(run, data, SHELF, [step])
        known = marking.read_known(run, data)
        return set(known.marks), known.undoable

    confusion, compare = Step(PATHS[:1], "drop"), Step(PATHS[1:2], "unsure")
    assert act("confusion", confusion) == ({PATHS[0], PATHS[2]}, True)
    assert act("compare", UNDO) == ({PATHS[0], PATHS[2]}, False)
    assert act("compare", compare) == (set(PATHS), True)
    assert act("compare", UNDO) == ({PATHS[0], PATHS[2]}, False)
    assert act("confusion", UNDO) == ({PATHS[2]}, False)
