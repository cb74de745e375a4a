"""The search on a run: images measured once, what is found kept, a user's columns, splits there are, and refusals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.errors import DataError, RunError
from core.runs.run import FOLD
from core.slices.columns import Columns
from core.slices.properties import make_amount, make_sort
from core.slices.report import read_report, report_path
from core.slices.search import digest_table, list_splits, search_run, search_table
from tests.made_run import make_run
from tests.slices.planted import plant_dark


def test_dark_images_that_are_wrong_are_found_and_kept_with_the_run(runs_root: Path, tiny_data: Path) -> None:
    run = make_run(runs_root, tiny_data)
    plant_dark(run, tiny_data)
    found = search_run(run, "val")
    assert found is not None
    first = found.weak[0]
    assert first.title.startswith("The darkest images (brightness up to ")
    assert (found.images, found.right) == (80, 42)
    assert all(int(path.split("/")[2].split(".")[0]) < 20 for path in first.paths)
    assert len(first.paths) == first.images
    assert "size" in found.unused
    assert read_report(report_path(run.folder, "val")) == found
    assert found.digest == digest_table(run.predictions_path())


def test_a_stopped_search_keeps_what_it_measured_and_a_lost_file_is_counted(
    runs_root: Path, tiny_data: Path
) -> None:
    run = make_run(runs_root, tiny_data)
    plant_dark(run, tiny_data)
    assert search_run(run, "val", progress=lambda done, _: done < 40) is None
    assert not report_path(run.folder, "val").exists()
    (tiny_data / "shop/2/39.png").unlink()
    steps: list[int] = []
    found = search_run(run, "val", progress=lambda done, _: not steps.append(done))
    assert steps[0] > 32
    assert found is not None
    assert found.unread == 1


def test_a_users_columns_are_searched_too(runs_root: Path, tiny_data: Path) -> None:
    run = make_run(runs_root, tiny_data)
    plant_dark(run, tiny_data)
    rows = [
        f"shop/{name}/{number}.png,{'ICA' if number < 19 else 'Coop'}"
        for name in ("2", "10")
        for number in range(40)
    ]
    columns = tiny_data / "mine.csv"
    columns.write_text("\n".join(["path,colour", *rows]), encoding="utf-8")  # as a property of ours is called
    found = search_run(run, "val", columns=columns)
    assert found is not None
    assert (found.columns, found.matched) == (("colour",), 80)
    (shop,) = [one for one in found.weak if one.title == "The images whose colour is ICA"]
    assert (shop.right, shop.images) == (2, 38)
    columns.write_text("path,shop\nnone.png,ICA\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"mine\.csv: its column path names none"):
        search_run(run, "val", columns=columns)


def test_a_kind_whose_images_are_told_already_says_so() -> None:
    wrong = np.arange(400) % 10 == 0
    table = pd.DataFrame(
        {
            "path": [f"{number}" for number in range(400)],
            "true": "a",
            "predicted": np.where(wrong, "b", "a"),
        }
    )
    shop = make_sort("shop", tuple("ICA" if bad else "Coop" for bad in wrong))
    camera = make_sort("camera", tuple("old" if n % 10 == 0 and n < 300 else "new" for n in range(400)))
    found = search_table(table, [shop, camera], Columns((), 0), shuffles=200)
    assert [one.title for one in found.weak] == [
        "The images whose shop is ICA",
        "The images whose camera is old",
    ]
    assert (found.weak[1].shared, found.weak[1].shared_with) == (30, "The images whose shop is ICA")


def test_of_the_ends_of_a_number_only_the_clearest_is_told() -> None:
    age = np.random.default_rng(0).permutation(600).astype(float)
    table = pd.DataFrame(
        {
            "path": [f"{number}" for number in range(600)],
            "true": [f"{number % 60}" for number in range(600)],
            "predicted": np.where(age < 60, "wrong", [f"{number % 60}" for number in range(600)]),
        }
    )
    found = search_table(table, [make_amount("age", age)], shuffles=200)
    assert [one.title for one in found.weak] == ["The images with the lowest age (age up to 59)"]
    assert found.tried == 4
    assert len(found.others) == 3


def test_six_images_are_too_few_to_try_anything(runs_root: Path, tiny_data: Path) -> None:
    found = search_run(make_run(runs_root, tiny_data), "val")
    assert found is not None
    assert found.tried == 0
    assert "No kind of image could be tried on 6 images" in found.describe()


def test_the_split_with_most_to_tell_comes_first(runs_root: Path, tiny_data: Path) -> None:
    run = make_run(runs_root, tiny_data)
    assert list_splits(run) == ["val"]
    plant_dark(run, tiny_data, split=FOLD)
    plant_dark(run, tiny_data, split="held")
    assert list_splits(run) == [FOLD, "val", "held"]


@pytest.mark.parametrize(("split", "told"), [("held", "hold_back"), (FOLD, "judge"), ("val", "first epoch")])
def test_a_split_that_was_not_judged_is_refused_with_the_way_to_it(
    runs_root: Path, tiny_data: Path, split: str, told: str
) -> None:
    run = make_run(runs_root, tiny_data)
    run.predictions_path().unlink()
    with pytest.raises(RunError, match=f"no predictions of the split {split}.*{told}"):
        search_run(run, split)
