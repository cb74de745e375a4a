"""Heat maps of pages: computed in one batch, kept image by image, anew with a new model or image, never kept when lost."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pytest
import streamlit as st
from PIL import Image

from core.model.evidence import EIGENCAM, Evidence
from core.runs.run import Run
from dashboard.guard import NotYet
from dashboard.state import maps
from dashboard.state.maps import Explained
from tests.made_run import make_run

BOTH = (Evidence("2"), Evidence("10"))
PATHS = ["val/10/1.png", "val/10/2.png", "val/35/1.png"]


@pytest.fixture
def run(runs_root: Path, tiny_data: Path, best_model: Path) -> Run:
    st.cache_data.clear()
    st.cache_resource.clear()
    run = make_run(runs_root, tiny_data)
    run.best_path.hardlink_to(best_model)
    return run


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the list that gets the number of images of each batch which is computed."""
    batches: list[int] = []
    before = maps._compute

    def compute(predictor, lacking):  # type: ignore[no-untyped-def]
        batches.append(len(lacking))
        return before(predictor, lacking)

    monkeypatch.setattr(maps, "_compute", compute)
    return batches


def explain(
    run: Run, *paths: str, evidence: tuple[Evidence, ...] = BOTH, **options: object
) -> list[Explained]:
    found = maps.explain_images(run, [(path, evidence) for path in paths], **options)  # type: ignore[arg-type]
    assert None not in found
    return found  # type: ignore[return-value]


def side(content: bytes) -> tuple[int, int]:
    return Image.open(io.BytesIO(content), formats=["WEBP"]).size


def test_an_image_comes_as_seen_and_under_each_map_asked_for(run: Run) -> None:
    (found,) = explain(run, PATHS[0])
    assert set(found.maps) == set(BOTH)
    assert {side(found.seen), *(side(one.overlay) for one in found.maps.values())} == {(192, 192)}
    for one in found.maps.values():
        assert (one.heat.shape, one.heat.dtype) == ((32, 32), np.uint8)
        assert one.blank == (one.heat.max() == 0)


def test_only_what_is_missing_is_computed_and_in_one_batch(run: Run, computed: list[int]) -> None:
    first = explain(run, *PATHS[:2])
    assert explain(run, *PATHS[:2]) == first
    assert computed == [2]
    assert explain(run, *PATHS)[:2] == first  # the next page shares two images
    assert computed == [2, 1]
    wider = explain(run, PATHS[0], evidence=(*BOTH, Evidence("2", rather_than="10")))
    assert computed == [2, 1, 1]
    assert set(wider[0].maps) > set(BOTH)
    explain(run, PATHS[0], method=EIGENCAM)
    explain(run, PATHS[0], stage=2)
    explain(run, PATHS[0], stage=1)  # the one that suits 32 px, so known already
    assert computed == [2, 1, 1, 1, 1]


@pytest.mark.parametrize("what", ["model", "image"])
def test_a_new_model_or_image_is_explained_anew(
    run: Run, tiny_data: Path, computed: list[int], what: str
) -> None:
    explain(run, PATHS[0])
    os.utime(run.best_path if what == "model" else tiny_data / PATHS[0], (1, 1))
    explain(run, PATHS[0])
    assert computed == [1, 1]


def test_a_lost_image_leaves_the_others_and_is_shown_when_it_is_back(run: Run, tiny_data: Path) -> None:
    path, broken = tiny_data / PATHS[0], tiny_data / PATHS[1]
    content = path.read_bytes()
    path.unlink()
    broken.write_bytes(b"no image")
    found = maps.explain_images(run, [(name, BOTH) for name in PATHS])
    assert [one is None for one in found] == [True, True, False]
    path.write_bytes(content)
    assert maps.explain_images(run, [(PATHS[0], BOTH)])[0] is not None


def test_what_is_kept_has_a_limit(run: Run, computed: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    (first,) = explain(run, PATHS[0])
    monkeypatch.setattr(maps, "KEPT_BYTES", int(1.5 * first.nbytes))
    explain(run, PATHS[1])
    explain(run, PATHS[1])
    assert computed == [1, 1]
    explain(run, PATHS[0])
    assert computed == [1, 1, 1]


def test_a_run_without_a_model_says_so(runs_root: Path, tiny_data: Path) -> None:
    with pytest.raises(NotYet, match="has no model yet"):
        maps.explain_images(make_run(runs_root, tiny_data), [(PATHS[0], BOTH)])


def test_a_map_is_redrawn_at_another_strength(run: Run) -> None:
    (found,) = explain(run, PATHS[0])
    heat = next(one for one in found.maps.values() if not one.blank)
    assert maps.redraw(run, PATHS[0], heat, 0.75) == heat.overlay
    assert maps.redraw(run, PATHS[0], heat, 0.2) != heat.overlay


def test_a_map_is_measured_once(run: Run) -> None:
    (found,) = explain(run, PATHS[0])
    evidence, heat = next((key, one) for key, one in found.maps.items() if not one.blank)
    first = maps.measure(run, PATHS[0], heat, evidence.name)
    assert first is not None
    assert 0 < first.share <= 0.2
    assert maps.measure(run, PATHS[0], heat, evidence.name) == first
