"""A short form of `make chaos`: a little of each harm that needs no rights of its own."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.chaos import FAULTS, do_harm, fill_the_disk, kill_the_launcher

pytestmark = pytest.mark.slow(20)


def test_nothing_is_lost_whatever_is_done_to_a_training(
    tmp_path: Path, chance: random.Random, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEAKSPOT_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr("tests.chaos.OFTEN", 1)
    left_out = (fill_the_disk, kill_the_launcher)  # one needs rights of its own, the other is slow
    harms = {name: harm for name, harm in FAULTS.items() if harm not in left_out}
    rows = do_harm(tmp_path, 1, chance, harms)
    assert [row.lost for row in rows] == [[]] * len(harms)
    assert all(row.tried for row in rows)
