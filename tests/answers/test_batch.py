"""Many images from memory as one table: what is shown is what is saved."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from core.answers.arriving import Arrived
from core.answers.batch import Batch, ask_batch, tabulate, write_csv, write_parquet
from core.dataset.images import read_image
from core.model.evidence import Evidence
from core.model.predict import Predictor
from core.runs.run import Run


@pytest.fixture
def batch(tiny_data: Path, predictor: Predictor) -> Batch:
    """Return a batch of three images, a file that is none, and one that its archive refused."""
    images = [Arrived(f"{n}.png", (tiny_data / f"test/{n}.png").read_bytes()) for n in (1, 2, 3)]
    asked = ask_batch(
        predictor,
        [images[0], Arrived("broken.png", b"no image"), *images[1:], Arrived("link", b"", "is a link")],
    )
    assert asked is not None
    return asked


def test_every_file_has_its_row_with_an_answer_or_a_problem(batch: Batch) -> None:
    table = tabulate(batch, 0.5, {"2": "2 · rose", "10": "10 · tulip", "35": "35 · iris"}.__getitem__)
    assert list(table["image_name"]) == ["1.png", "broken.png", "2.png", "3.png", "link"]
    assert list(table["pred_label"]) == ["2", "", "10", "35", ""]
    assert list(table["pred_name"]) == ["2 · rose", "", "10 · tulip", "35 · iris", ""]
    assert list(table["confidence"].notna()) == [True, False, True, True, False]
    assert list(table["sure"]) == ["yes", "", "yes", "yes", ""]
    assert table["problem"].iloc[4] == "is a link"
    assert [name for name in table if name.startswith("top")] == [
        name for rank in (1, 2, 3) for name in (f"top{rank}", f"top{rank}_confidence")
    ]


def test_thumbnails_are_of_their_own_images(batch: Batch) -> None:
    assert [bool(picture) for picture in batch.thumbnails] == [True, False, True, True, False]
    for number, channel in ((0, 0), (2, 1), (3, 2)):
        pixel = (
            Image.open(io.BytesIO(batch.thumbnails[number])).convert("RGB").resize((1, 1)).getpixel((0, 0))
        )
        assert isinstance(pixel, tuple)
        assert pixel.index(max(pixel)) == channel


def test_below_the_threshold_it_is_not_sure(batch: Batch) -> None:
    assert list(tabulate(batch, 1.0, str)["sure"]) == ["no", "", "no", "no", ""]


def test_both_files_hold_the_table_as_it_is(batch: Batch) -> None:
    table = tabulate(batch, 0.5, str)
    parquet = pd.read_parquet(io.BytesIO(write_parquet(table)))
    assert parquet["confidence"].dtype == "float64"
    pd.testing.assert_frame_equal(parquet, table)
    texts = {name: str for name in table if not name.endswith("confidence")}
    read = pd.read_csv(
        io.BytesIO(write_csv(table)), dtype=texts, keep_default_na=False, na_values={"confidence": [""]}
    )
    assert list(read["pred_label"]) == list(table["pred_label"])
    assert list(read["confidence"].dropna()) == list(table["confidence"].dropna())


def test_a_stop_gives_no_batch(predictor: Predictor, tiny_data: Path) -> None:
    one = Arrived("1.png", (tiny_data / "test/1.png").read_bytes())
    assert ask_batch(predictor, [one], progress=lambda *_: False) is None


def test_files_of_which_none_is_an_image_are_a_table_of_problems(predictor: Predictor) -> None:
    asked = ask_batch(predictor, [Arrived("a", b"x"), Arrived("b", b"", "is a link")])
    assert asked is not None
    table = tabulate(asked, 0.5, str)
    assert list(table["problem"] == "") == [False, False]
    assert "top1" not in table


def test_a_name_that_begins_like_a_formula_is_text_in_the_csv_file(predictor: Predictor) -> None:
    asked = ask_batch(predictor, [Arrived("=cmd()", b"x"), Arrived("fine", b"x")])
    assert asked is not None
    lines = write_csv(tabulate(asked, 0.5, str)).decode().splitlines()
    assert [line.split(",")[0] for line in lines] == ["image_name", "'=cmd()", "fine"]


def test_of_a_few_images_what_the_network_sees_is_kept_for_their_heat_maps(run: Run) -> None:
    file = io.BytesIO()
    Image.effect_noise((400, 300), 90).convert("RGB").save(file, "JPEG")
    predictor, image = Predictor.from_run(run), read_image(file)
    files = [Arrived("a", file.getvalue()), Arrived("b", b"x")]
    many, few = (ask_batch(predictor, files, few=count) for count in (1, 2))
    assert many is not None
    assert few is not None
    assert many.seen == (None, None)
    seen, lost = few.seen
    assert seen is not None
    assert lost is None
    assert np.array_equal(seen, predictor.see(image))
    assert Image.open(io.BytesIO(few.thumbnails[0])).size == (320, 240)
    wanted = [[Evidence("2")]]
    (shown, maps), (known, same) = predictor.explain([image], wanted), predictor.explain_seen([seen], wanted)
    assert np.array_equal(shown, known)
    assert np.array_equal(maps[0][0], same[0][0])
