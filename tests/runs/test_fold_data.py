"""The data of a run that validates on a fold: what trains, what judges, what is recorded, and what a fix list may change."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from core.errors import ConfigError, DataError
from core.recipe.config import TrainConfig
from core.runs.run import create_run
from core.runs.run_data import list_findings, read_data, recorded_folders, scan_config
from core.runs.seen import NOTHING, see_data


def config(data: Path, number: int, count: int = 3, **changes: object) -> TrainConfig:
    return TrainConfig.from_dict({"data": str(data), "fold": f"{number}/{count}", **changes})


def test_the_folds_validate_on_each_training_image_once_and_hold_the_val_folder_back(tiny_data: Path) -> None:
    found = [scan_config(config(tiny_data, number)) for number in (1, 2, 3)]
    validated = sorted(sample.path for one in found for sample in one.val)
    assert len(validated) == len(set(validated)) == 18
    assert all(path.startswith("train/") for path in validated)
    for one in found:
        assert not {sample.path for sample in one.train} & {sample.path for sample in one.val}
        assert len(one.train) == 12
        assert [sample.path.partition("/")[0] for sample in one.held] == ["val"] * 6
    assert (
        "12 training and 6 validation images (fold 1 of 3), 6 held back"
        in list_findings(found[0], config(tiny_data, 1))[0]
    )


def test_without_a_val_folder_nothing_is_held_back_unless_asked(tiny_data: Path) -> None:
    shutil.rmtree(tiny_data / "val")
    assert not scan_config(config(tiny_data, 1)).held
    assert len(scan_config(config(tiny_data, 1, hold_back=1)).held) == 3


def test_what_a_run_records_of_its_fold_comes_back(runs_root: Path, tiny_data: Path) -> None:
    one = config(tiny_data, 2)
    run = create_run(one, runs_root)
    folders = read_data(run, one, NOTHING, lambda *_: True)
    assert run.read_json("data.json")["fold"] == "2/3"
    again = recorded_folders(run)
    assert (again.val, again.held, again.train) == (folders.val, folders.held, folders.train)


def test_a_fix_list_changes_training_images_only_where_they_train(tiny_data: Path, tmp_path: Path) -> None:
    path = scan_config(config(tiny_data, 1)).val[0].path
    fixes = tmp_path / "fixes.csv"
    fixes.write_text(f"path,given,suggested,action\n{path},2,10,drop\n", encoding="utf-8")
    sides = [scan_config(config(tiny_data, number, fixes=str(fixes))) for number in (1, 2, 3)]
    assert [path in {sample.path for sample in one.val} for one in sides] == [True, False, False]
    assert [one.dropped for one in sides] == [(), (path,), (path,)]
    fixes.write_text("path,given,suggested,action\nval/2/1.png,2,10,drop\n", encoding="utf-8")
    with pytest.raises(DataError, match="an image held back"):
        scan_config(config(tiny_data, 1, fixes=str(fixes)))


def test_a_fold_without_an_image_is_refused(tiny_data: Path) -> None:
    with pytest.raises(
        DataError, match="too few images that can validate for 20 folds: fold 20 of 20 has none"
    ):
        scan_config(config(tiny_data, 20, 20))


def test_a_fold_that_is_none_is_refused_by_its_field(tiny_data: Path) -> None:
    with pytest.raises(ConfigError, match=r"fold: must be a fold of 2 to 20, .* got '6/5'"):
        config(tiny_data, 6, 5)


def test_what_a_fold_has_seen_leaves_its_own_part_out(runs_root: Path, tiny_data: Path) -> None:
    from core.dataset.contents import read_contents

    one, other = (scan_config(config(tiny_data, number)) for number in (1, 2))
    contents = read_contents(one.root, one.files, runs_root)
    assert contents is not None
    assert set(see_data(one, contents).chosen.tolist()) <= set(see_data(other, contents).trained.tolist())
