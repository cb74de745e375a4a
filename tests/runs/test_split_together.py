"""The data of a run in which what belongs together stays on one side, and what the run says and records of that."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from core.dataset.audit import audit_data
from core.dataset.folders import ImageFolders
from core.errors import DataError
from core.runs.run import Run, create_run
from core.runs.run_data import list_findings, read_data, recorded_folders, scan_config
from core.runs.seen import NOTHING
from tests.processes import make_images, tiny_config


def read(root: Path, data: Path, name: str, **changes: object) -> tuple[Run, ImageFolders]:
    """Read the data of a run that begins."""
    config = tiny_config(data, name=name, **changes)
    run = create_run(config, root)
    return run, read_data(run, config, NOTHING, lambda *_: True)


def sides_of(folders: ImageFolders, paths: list[str]) -> set[str]:
    sides = {split: {s.path for s in getattr(folders, split)} for split in ("train", "val", "held")}
    return {split for split, known in sides.items() if known & set(paths)}


def test_copies_stay_on_one_side_and_the_run_says_how_many_images_moved(
    runs_root: Path, tmp_path: Path
) -> None:
    data = make_images(tmp_path / "data", train=10, val=0)
    _, plain = read(runs_root, data, "plain", group_by="none", val_fraction=0.2, hold_back=1)
    apart = [plain.val[0].path, plain.train[0].path]
    shutil.copy(data / apart[0], data / apart[1])
    assert sides_of(scan_config(tiny_config(data, name="x", val_fraction=0.2, hold_back=1)), apart) == {
        "train",
        "val",
    }
    run, folders = read(runs_root, data, "kept", val_fraction=0.2, hold_back=1)
    assert len(sides_of(folders, apart)) == 1
    assert folders.kept is not None
    assert (folders.kept.groups, folders.kept.images) == (1, 2)
    assert 1 <= folders.kept.moved <= 2
    lines = list_findings(folders, run.read_config())
    moved = "1 image" if folders.kept.moved == 1 else "2 images"
    assert f"Kept together: 2 images in 1 group; for that {moved} changed sides" in lines
    assert [len(getattr(folders, split)) for split in ("val", "held")] == [len(plain.val), len(plain.held)]
    again = recorded_folders(run)
    assert (again.train, again.val, again.held) == (folders.train, folders.val, folders.held)
    audit = audit_data(data, runs_root, val_fraction=0.2, hold_back=1, group_by="copies")
    assert audit is not None
    assert {image.path for image in audit.images if image.split == "val"} == {s.path for s in folders.val}
    assert "leak" not in {finding.kind for finding in audit.findings}


def test_which_images_are_kept_together_does_not_hang_on_a_fix_list(runs_root: Path, tmp_path: Path) -> None:
    data = make_images(tmp_path / "data", train=10, val=0)
    _, before = read(runs_root, data, "before", val_fraction=0.2)
    fixes = tmp_path / "fixes.csv"
    fixes.write_text(f"path,given,suggested,action\n{before.train[0].path},,,drop\n", encoding="utf-8")
    _, after = read(runs_root, data, "after", val_fraction=0.2, fixes=str(fixes))
    assert after.val == before.val
    assert len(after.train) == len(before.train) - 1


@pytest.mark.parametrize("by", ["name", "table"])
def test_known_groups_stay_on_one_side_and_are_recorded(runs_root: Path, tmp_path: Path, by: str) -> None:
    data, group_by = make_images(tmp_path / "data", train=12, val=0), "name"
    films: dict[str, list[str]] = {}
    for path in sorted((data / "train").rglob("*.png")):
        film = f"{path.parent.name}f{int(path.stem) // 3}"
        if by == "name":
            path = path.rename(path.with_stem(f"{film}_{path.stem}"))
        films.setdefault(film, []).append(path.relative_to(data).as_posix())
    if by == "table":
        table = tmp_path / "films.csv"
        rows = [f"{path},{film}" for film, paths in films.items() for path in paths]
        table.write_text("image,film\n" + "\n".join(rows) + "\n", encoding="utf-8")
        group_by = f"{table}#film"
    run, folders = read(runs_root, data, "films", group_by=group_by, val_fraction=0.25)
    assert all(len(sides_of(folders, paths)) == 1 for paths in films.values())
    assert len(folders.val) == 9
    assert recorded_folders(run).groups == {path: film for film, paths in films.items() for path in paths}
    told = scan_config(replace(run.read_config(), group_by="none"))
    assert told.groups == {}


def test_a_class_that_is_one_group_is_refused_by_name(runs_root: Path, tmp_path: Path) -> None:
    data = make_images(tmp_path / "data", train=6, val=0)
    for path in sorted((data / "train" / "10").iterdir()):
        path.rename(path.with_stem(f"film_{path.stem}"))
    with pytest.raises(
        DataError, match=r"group_by: all 6 images of class '10' belong to one group \('film'\)"
    ):
        read(runs_root, data, "films", group_by="name")


def test_where_nothing_is_split_off_nothing_is_measured(runs_root: Path, tmp_path: Path) -> None:
    run, folders = read(runs_root, make_images(tmp_path / "data"), "fixed")
    assert folders.kept is None
    assert not (runs_root / ".audit").exists()
    assert run.read_json("data.json")["kept"] is None


def test_a_stop_while_images_are_compared_records_nothing(runs_root: Path, tmp_path: Path) -> None:
    config = tiny_config(make_images(tmp_path / "data", val=0), name="stopped")
    run = create_run(config, runs_root)
    read_data(run, config, NOTHING, lambda *_: False)
    assert not run.read_json("data.json")
