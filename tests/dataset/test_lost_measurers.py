"""A process that measures images is killed: that is told in words, what was measured is kept, and the next scan ends."""

from __future__ import annotations

from multiprocessing import active_children
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.dataset import image_facts
from core.dataset.image_facts import measure_images
from core.errors import DataError

COUNT = 400


@pytest.fixture
def paths(tmp_path: Path) -> list[str]:
    noise = np.random.default_rng(0)
    for number in range(COUNT):
        # Large enough that a part of the work is left when the first of it is heard of.
        pixels = noise.integers(0, 255, (192, 192, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png", compress_level=0)
    return [f"{number}.png" for number in range(COUNT)]


def test_a_killed_process_is_told_and_what_it_and_others_measured_is_kept(
    tmp_path: Path, paths: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_facts, "PROCESSES_FROM", 1)
    monkeypatch.setattr(image_facts.os, "cpu_count", lambda: 2)
    cache, seen = tmp_path / "cache.npz", []

    def kill_at_the_first(done: int, total: int) -> bool:
        if not seen:
            for process in active_children():
                process.kill()
                process.join()
        seen.append(done)
        return True

    with pytest.raises(DataError, match=r"ended by the system, .* Start again: what was measured is kept\.$"):
        measure_images(tmp_path, paths, cache=cache, progress=kill_at_the_first)
    again: list[int] = []
    found = measure_images(
        tmp_path, paths, cache=cache, processes=False, progress=lambda d, _: not again.append(d)
    )
    assert found is not None
    assert found.values["measured"].all()
    assert again[0] > seen[0]
