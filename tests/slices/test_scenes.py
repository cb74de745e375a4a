"""Photos of one scene are right or wrong together: one of each counts, or a kind of few scenes would be accused by luck."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.runs.run import FOLD
from core.slices.properties import list_measured
from core.slices.report import SliceReport
from core.slices.scenes import keep_one_each, read_scenes, scenes_path, write_scenes
from core.slices.search import search_run, search_table
from tests.made_run import make_run
from tests.slices.planted import draw_judged, plant_dark


def test_one_image_of_each_scene_of_a_class_is_kept() -> None:
    table = pd.DataFrame({"path": list("abcdefg"), "true": ["x", "x", "x", "y", "y", "y", "y"]})
    kept = keep_one_each(table, {"a": 1, "b": 1, "c": 2, "d": 1, "e": 1})
    assert list(kept["path"]) == ["a", "c", "d", "f", "g"]  # of f and g nothing is known


def test_scenes_are_read_as_they_were_written_and_damaged_ones_are_not_known(tmp_path: Path) -> None:
    assert read_scenes(tmp_path, FOLD) == {}
    write_scenes(tmp_path, FOLD, ["a", "b"], [3, 3])
    assert read_scenes(tmp_path, FOLD) == {"a": 3, "b": 3}
    for text in ("[1]", "{", '{"a": "b"}'):
        scenes_path(tmp_path, FOLD).write_text(text, encoding="utf-8")
        assert read_scenes(tmp_path, FOLD) == {}


def search_bursts(seed: int, *, known: bool) -> SliceReport:
    """Search images of which each is taken eight times, the same in all but its path, without a fault."""
    table, facts = draw_judged(np.random.default_rng(seed), images=250, classes=25)
    times = np.repeat(np.arange(250), 8)
    burst = table.iloc[times].assign(path=[f"{number}" for number in range(2000)]).reset_index(drop=True)
    scenes = dict(zip(burst["path"], times.tolist(), strict=True)) if known else {}
    rows = keep_one_each(burst, scenes).index.to_numpy()
    facts = type(facts)(tuple(burst["path"][rows]), ("",) * len(rows), facts.values[times][rows])
    return search_table(burst.iloc[rows], list_measured(facts), shuffles=200)


def test_bursts_accuse_by_luck_and_one_of_each_does_not() -> None:
    assert np.mean([bool(search_bursts(seed, known=False).weak) for seed in range(8)]) > 0.5
    assert np.mean([bool(search_bursts(seed, known=True).weak) for seed in range(25)]) <= 0.12


@pytest.mark.parametrize("known", [True, False])
def test_a_search_of_all_training_images_says_how_scenes_count(
    runs_root: Path, tiny_data: Path, known: bool
) -> None:
    run = make_run(runs_root, tiny_data)
    plant_dark(run, tiny_data, split=FOLD)
    if known:
        scenes = {f"shop/{name}/{number}.png": number // 2 for name in ("2", "10") for number in range(40)}
        scenes_path(run.folder, FOLD).write_text(json.dumps(scenes), encoding="utf-8")
    found = search_run(run, FOLD)
    assert found is not None
    assert (found.images, found.same_scene) == ((40, 40) if known else (80, 0))
    notes = "\n".join(found.list_notes())
    assert ("40 images that show the same scene as another of their class were left aside" in notes) is known
    assert ("Judge them again" in notes) is not known
    assert ("Of several photos of one scene only one counts." in found.describe_method()) is known
