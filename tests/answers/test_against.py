"""How well a run tells strangers: measured on images of its own and on those of a folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from core.answers.against import Told, measure_against
from core.errors import DataError
from core.model.strangers import learn_strangers
from core.runs.run import Run


@pytest.fixture
def stripes(tmp_path: Path) -> Path:
    """Return a folder of four striped pictures, which are like no image of the run's data, and a file that is none."""
    folder = tmp_path / "stripes"
    folder.mkdir()
    for width in (2, 3, 4, 5):
        image = Image.new("RGB", (32, 32), "black")
        for column in range(0, 32, 2 * width):
            image.paste("white", (column, 0, column + width, 32))
        image.save(folder / f"{width}.png")
    (folder / "broken.png").write_bytes(b"no image")
    return folder


def test_strangers_are_told_from_the_runs_own_images(run: Run, stripes: Path) -> None:
    learn_strangers(run)
    told = measure_against(run, stripes)
    assert told == Told(strangers=4, told=4, own=6, own_told=0, auroc=1.0)
    assert told.describe() == (
        "100.0 % of 4 strangers recognised, and wrongly 0.0 % of 6 images of the run's own; AUROC 1.000"
    )


def test_what_is_not_learned_cannot_be_measured(run: Run, stripes: Path) -> None:
    with pytest.raises(DataError, match="has not learned to recognise strangers yet"):
        measure_against(run, stripes)
    learn_strangers(run)
    for path in stripes.glob("[0-9].png"):
        path.unlink()
    with pytest.raises(DataError, match=r"No file in .* can be read as an image"):
        measure_against(run, stripes)
