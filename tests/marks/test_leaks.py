"""Training images that validation has too: counted, and left out by a fix list."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from core.__main__ import main
from core.dataset.audit import audit_data
from core.dataset.fixes import apply_fixes
from core.dataset.folders import scan_folders
from core.dataset.label_report import Fix, read_fixes
from core.errors import DataError
from core.marks.leaks import find_leaks, write_leak_list


def leak(data: Path) -> None:
    """Put a copy of two training images of class 2 into validation."""
    for number in (1, 2):
        shutil.copy(data / f"train/2/{number}.png", data / f"val/2/again-{number}.png")


def test_what_leaks_is_left_out_of_training_and_validation_stays(
    runs_root: Path, tiny_data: Path, tmp_path: Path
) -> None:
    clean = audit_data(tiny_data, runs_root)
    assert clean is not None
    assert find_leaks(clean) is None
    leak(tiny_data)
    audit = audit_data(tiny_data, runs_root)
    assert audit is not None
    leaks = find_leaks(audit)
    assert leaks is not None
    assert leaks.train == (("train/2/1.png", "2"), ("train/2/2.png", "2"))
    assert leaks.describe().startswith("2 of 8 validation images (25.0 %) have a copy in training")
    other = Fix("train/10/1.png", "10", "2", "relabel", 0, float("nan"))
    place = write_leak_list(tmp_path / "list.csv", audit, leaks, [other])
    assert [(fix.path, fix.action) for fix in read_fixes(place)] == [
        ("train/10/1.png", "relabel"), ("train/2/1.png", "drop"), ("train/2/2.png", "drop")
    ]  # fmt: skip
    before = scan_folders(tiny_data)
    after = apply_fixes(before, place, named="list")
    assert after.val == before.val
    assert len(after.train) == len(before.train) - 2


def test_a_known_group_on_both_sides_is_a_leak_too(runs_root: Path, tiny_data: Path) -> None:
    for split, number in (("train", 1), ("train", 2), ("val", 1)):
        path = tiny_data / split / "35" / f"{number}.png"
        path.rename(path.with_stem(f"film_{number}"))
    audit = audit_data(tiny_data, runs_root, group_by="name")
    assert audit is not None
    (finding,) = [finding for finding in audit.findings if finding.kind == "leak-group"]
    assert finding.title == "3 images belong to groups that are in more than one split"
    leaks = find_leaks(audit)
    assert leaks is not None
    assert leaks.describe().endswith("(16.7 %) has a copy or another image of the same group in training")
    assert [path for path, _ in leaks.train] == ["train/35/film_1.png", "train/35/film_2.png"]


def test_a_class_that_would_be_left_empty_is_named_with_what_to_do(runs_root: Path, tiny_data: Path) -> None:
    for path in (tiny_data / "train" / "10").iterdir():
        path.rename(path.with_stem(f"film_{path.stem}"))
    (tiny_data / "val/10/1.png").rename(tiny_data / "val/10/film_1.png")
    audit = audit_data(tiny_data, runs_root, group_by="name")
    assert audit is not None
    leaks = find_leaks(audit)
    assert leaks is not None
    assert leaks.emptied == ("10",)
    with pytest.raises(DataError, match=r"All training images of 10 · tulip have a copy, .* Move each group"):
        write_leak_list(tiny_data / "list.csv", audit, leaks)


def test_the_command_writes_the_list(
    runs_root: Path, tiny_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "list.csv"
    assert main(["audit", str(tiny_data), "--out", str(out)]) == 2
    assert "nothing to leave out" in capsys.readouterr().err
    leak(tiny_data)
    assert main(["audit", str(tiny_data), "--out", str(out)]) == 0
    assert capsys.readouterr().out.endswith(f"{out}\n")
    assert len(read_fixes(out)) == 2
