"""What an audit finds in a data set made with one fault of each kind, its cache, and its folder."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from core.dataset.audit import Audit, audit_data, audit_folder, list_splits, read_audit
from core.dataset.findings import KINDS
from core.dataset.folders import scan_folders
from core.errors import DataError, RunError


def paint(seed: int, size: tuple[int, int] = (64, 48)) -> Image.Image:
    """Return a picture of coarse blots, which differ from one seed to the next."""
    blots = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(blots).resize(size, Image.Resampling.BICUBIC)


def save(image: Image.Image, path: Path, **options: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)
    return path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return a sound data set: two classes of 12 training and 4 validation images and a test image."""
    root = tmp_path / "data"
    for label, first in (("cat", 0), ("dog", 100)):
        for number in range(16):
            split = "train" if number < 12 else "val"
            save(paint(first + number), root / split / label / f"{number}.png")
    save(paint(500), root / "test" / "1.png")
    return root


def scan(data: Path, runs_root: Path) -> Audit:
    found = audit_data(data, runs_root)
    assert found is not None
    return found


def kinds(audit: Audit) -> list[str]:
    return [finding.kind for finding in audit.findings]


def test_a_sound_data_set_has_no_finding_and_its_counts(data: Path, runs_root: Path) -> None:
    audit = scan(data, runs_root)
    assert audit.findings == ()
    assert audit.count_images() == {"train": {"cat": 12, "dog": 12}, "val": {"cat": 4, "dog": 4}}
    assert audit.count_split("test") == 1
    assert {(image.width, image.height) for image in audit.images} == {(64, 48)}
    assert read_audit(audit_folder(data, runs_root)) == audit


@pytest.mark.parametrize(
    ("kind", "source", "copy"),
    [
        ("leak", "train/cat/3.png", "val/cat/again.bmp"),
        ("leak", "train/cat/3.png", "test/again.png"),
        ("conflict", "train/cat/3.png", "train/dog/again.png"),
        ("duplicate", "train/cat/3.png", "train/cat/again.png"),
    ],
)
def test_the_same_pixels_are_found_whatever_the_file(
    data: Path, runs_root: Path, kind: str, source: str, copy: str
) -> None:
    save(Image.open(data / source), data / copy)
    (finding,) = scan(data, runs_root).findings
    assert finding.kind == kind
    assert [set(group) for group in finding.groups] == [{source, copy}]
    assert finding.title == KINDS[kind].one


def test_near_copies_are_found_by_what_they_show(data: Path, runs_root: Path) -> None:
    picture = Image.open(data / "train/cat/3.png").convert("RGB")
    save(picture, data / "train/cat/saved-anew.jpg", quality=60)
    save(picture.resize((128, 96)), data / "val/cat/resized.png")
    save(ImageEnhance.Brightness(picture.convert("L")).enhance(0.8), data / "val/dog/grey.png")
    audit = scan(data, runs_root)
    assert kinds(audit) == ["leak-near", "conflict-near"]
    group = {"train/cat/3.png", "train/cat/saved-anew.jpg", "val/cat/resized.png", "val/dog/grey.png"}
    assert [set(g) for finding in audit.findings for g in finding.groups] == [group, group]
    assert audit.findings[0].title == "4 images look like one in another split"


def test_an_exact_copy_across_both_splits_and_classes_is_a_leak_and_a_conflict(
    data: Path, runs_root: Path
) -> None:
    shutil.copy(data / "train/cat/3.png", data / "val/dog/3-again.png")
    assert kinds(scan(data, runs_root)) == ["leak", "conflict"]


def test_files_of_no_use_are_told_with_their_reason(data: Path, runs_root: Path) -> None:
    whole = (data / "train/cat/1.png").read_bytes()
    (data / "train/cat/cut.png").write_bytes(whole[: len(whole) // 2])
    (data / "train/cat/notes.txt").write_text("no image")
    save(Image.new("RGB", (64, 48), "white"), data / "train/dog/white.png")
    save(Image.new("RGB", (64, 48), "white"), data / "val/cat/white.png")  # no leak: there is nothing to see
    save(paint(900, (20, 20)), data / "val/dog/small.png")
    save(paint(901, (400, 40)), data / "val/dog/strip.png")
    audit = scan(data, runs_root)
    found = {finding.kind: {path for group in finding.groups for path in group} for finding in audit.findings}
    assert found == {
        "unreadable": {"train/cat/cut.png", "train/cat/notes.txt"},
        "blank": {"train/dog/white.png", "val/cat/white.png"},
        "tiny": {"val/dog/small.png"},
        "elongated": {"val/dog/strip.png"},
    }
    problems = {image.path: image.problem for image in audit.images if image.problem}
    assert "damaged" in problems["train/cat/cut.png"] or "cut off" in problems["train/cat/cut.png"]
    assert "not an image of a supported kind" in problems["train/cat/notes.txt"]


def test_what_is_no_plain_file_or_lies_in_no_class_is_told(data: Path, runs_root: Path) -> None:
    for place in ("train/cat/dead.png", "test/dead.png", "train/fox"):
        (data / place).symlink_to("/nowhere/else")
    os.mkfifo(data / "val/dog/pipe.png")
    save(paint(910), data / "train/dog" / os.fsdecode(b"caf\xe9.png"))
    save(paint(911), data / "train/astray.png")
    save(paint(912), data / "train/dog/2024/deeper.png")
    audit = scan(data, runs_root)
    found = {finding.kind: {path for group in finding.groups for path in group} for finding in audit.findings}
    assert found == {
        "unreadable": {"train/cat/dead.png", "test/dead.png", "val/dog/pipe.png"},
        "misnamed": {r"train/dog/caf\xe9.png"},
        "stray": {"train/astray.png"},
        "closed": {"train/fox"},
    }
    problems = {image.path: image.problem for image in audit.images if image.problem}
    assert problems["train/fox"] == "is a link to /nowhere/else, which does not exist"
    assert audit.count_images()["train"] == {"cat": 13, "dog": 14, "fox": 1}
    assert read_audit(audit_folder(data, runs_root)) == audit


def test_classes_that_differ_between_splits_are_told_where_training_refuses(
    data: Path, runs_root: Path
) -> None:
    save(paint(700), data / "train/fox/1.png")
    save(paint(701), data / "val/owl/1.png")
    (data / "train/yak").mkdir()
    with pytest.raises(DataError):
        scan_folders(data)
    audit = scan(data, runs_root)
    found = {finding.kind: finding.classes for finding in audit.findings}
    assert found == {"unknown": ("owl",), "empty": ("yak",), "unvalidated": ("fox",), "imbalance": ("fox",)}
    assert audit.classes == ("cat", "dog", "fox", "owl", "yak")


def test_a_split_that_is_made_is_the_one_that_training_makes(data: Path, runs_root: Path) -> None:
    shutil.rmtree(data / "val")
    listing = list_splits(data, val_fraction=0.25)
    made = scan_folders(data, val_fraction=0.25)
    assert listing.val_made
    for split, samples in (("train", made.train), ("val", made.val)):
        assert [i.path for i in listing.images if i.split == split] == [s.path for s in samples]
    assert audit_folder(data, runs_root, val_fraction=0.25) != audit_folder(data, runs_root)


@pytest.mark.parametrize("val_made", [False, True])
def test_images_held_back_are_a_split_of_their_own_as_in_training(
    data: Path, runs_root: Path, *, val_made: bool
) -> None:
    if val_made:
        shutil.rmtree(data / "val")
    made = scan_folders(data, val_fraction=0.25, hold_back=3)
    copied = made.held[0].path
    shutil.copy(data / copied, data / "test/again.png")
    audit = audit_data(data, runs_root, val_fraction=0.25, hold_back=3)
    assert audit is not None
    for split in ("train", "val", "held"):
        assert [i.path for i in audit.images if i.split == split] == [s.path for s in getattr(made, split)]
    assert audit.splits == ["train", "val", "held", "test"]
    assert audit.count_images()["held"] == {"cat": 3, "dog": 3}
    assert [(f.kind, f.groups) for f in audit.findings] == [("leak", ((copied, "test/again.png"),))]
    folder = audit_folder(data, runs_root, val_fraction=0.25, hold_back=3)
    assert read_audit(folder) == audit
    assert folder != audit_folder(data, runs_root, val_fraction=0.25)


def test_a_copy_of_an_image_held_back_in_training_is_a_leak(data: Path, runs_root: Path) -> None:
    held = scan_folders(data, hold_back=1).held[0].path
    copy = "train/cat/copy.png"
    shutil.copy(data / held, data / copy)
    made = scan_folders(data, hold_back=1)
    assert {held, copy} & {sample.path for sample in made.held} == {held}
    audit = audit_data(data, runs_root, hold_back=1)
    assert audit is not None
    assert [(f.kind, set(f.groups[0])) for f in audit.findings] == [("leak", {held, copy})]
    assert kinds(scan(data, runs_root)) == ["duplicate"]
    with pytest.raises(DataError, match="hold_back"):
        audit_data(data, runs_root, hold_back=12)


def test_a_stopped_audit_goes_on_and_only_changed_files_are_read_again(
    data: Path, runs_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.dataset import image_facts

    read: list[str] = []

    def count_read(path: Path) -> Image.Image:
        read.append(path.name)
        return original(path)

    original = image_facts.read_image
    monkeypatch.setattr(image_facts, "read_image", count_read)
    monkeypatch.setattr(image_facts, "_CHUNK", 8)
    assert audit_data(data, runs_root, progress=lambda done, _: done < 16) is None
    first = len(read)
    assert 16 <= first <= 33
    read.clear()
    steps: list[tuple[int, int]] = []
    assert audit_data(data, runs_root, progress=lambda *step: not steps.append(step)) is not None
    assert len(read) <= 33 - 16
    assert steps[-1] == (33, 33)
    read.clear()
    os.utime(data / "val/cat/12.png", ns=(1, 1))
    scan(data, runs_root)
    assert read == ["12.png"]


def test_many_files_are_measured_by_processes_alike(
    data: Path, runs_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.dataset import image_facts

    (data / "train/cat/notes.txt").write_text("no image")
    alone = scan(data, runs_root)
    monkeypatch.setattr(image_facts, "PROCESSES_FROM", 1)
    assert replace(scan(data, tmp_path / "other"), created=alone.created) == alone
    assert audit_data(data, tmp_path / "third", progress=lambda *_: False) is None


def test_a_damaged_cache_is_made_anew_and_a_damaged_result_names_the_fix(data: Path, runs_root: Path) -> None:
    scan(data, runs_root)
    (cache,) = (runs_root / ".audit").glob("*.npz")
    cache.write_bytes(cache.read_bytes()[:100])
    assert scan(data, runs_root).findings == ()
    folder = audit_folder(data, runs_root)
    (folder / "audit.json").write_text('{"version": 1', encoding="utf-8")
    with pytest.raises(RunError, match="Scan the data again"):
        read_audit(folder)


def test_every_folder_has_a_place_for_its_audit(runs_root: Path) -> None:
    names = [audit_folder(Path(os.fsdecode(name)), runs_root).name for name in (b"/a", b"/\xe9", b"/\xe8")]
    assert len(set(names)) == 3


@pytest.mark.parametrize("make", [False, True])
def test_a_folder_that_is_no_data_set_is_refused_with_its_name(
    tmp_path: Path, runs_root: Path, make: bool
) -> None:
    folder = tmp_path / "nothing"
    if make:
        folder.mkdir()
    with pytest.raises(DataError, match=f"{folder}.*there (is|are) no"):
        audit_data(folder, runs_root)
