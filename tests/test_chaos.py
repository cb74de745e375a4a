"""A short form of `make chaos`: a little of each harm that needs no rights of its own."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.chaos import FAULTS, damage_status, do_harm, kill_at_random, set_the_clock, start_two

pytestmark = pytest.mark.slow(20)


def test_nothing_is_lost_whatever_is_done_to_a_training(
    tmp_path: Path, chance: random.Random, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEAKSPOT_RUNS", str(tmp_path / "runs"))
    harms = (kill_at_random, damage_status, set_the_clock, start_two)
    rows = do_harm(tmp_path, 1, chance, {name: harm for name, harm in FAULTS.items() if harm in harms})
    assert [(row.tried, row.lost) for row in rows] == [(1, ())] * len(harms)
