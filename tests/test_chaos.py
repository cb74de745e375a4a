"""A short form of `make chaos`: a little of each harm that needs neither rights of its own nor a browser."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.chaos import FAULTS, OF_BROWSERS, OF_MOUNTS, do_harm, kill_the_launcher, lend_many_hands
from tests.harms import suspend_everything

pytestmark = pytest.mark.slow(45)


def test_nothing_is_lost_whatever_is_done_to_a_training(
    tmp_path: Path, chance: random.Random, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEAKSPOT_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr("tests.chaos.OFTEN", 1)
    monkeypatch.setattr("tests.half_copies.COPIES", 2)
    # These need rights of their own, or a browser, or are slow, or have a test of their own.
    left_out = (*OF_MOUNTS, *OF_BROWSERS, kill_the_launcher, lend_many_hands, suspend_everything)
    harms = {name: harm for name, harm in FAULTS.items() if harm not in left_out}
    rows = do_harm(tmp_path, 1, chance, harms)
    assert [row.lost for row in rows] == [[]] * len(harms)
    assert all(row.tried for row in rows)
