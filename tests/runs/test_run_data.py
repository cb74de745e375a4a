"""What a run records of its data, and what it says when the data is another by the time it goes on."""

from __future__ import annotations

import io
import json
import os
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from core.dataset.folders import ImageFolders
from core.errors import DataError
from core.files import write_text
from core.job.job import TrainingJob
from core.runs import run_data
from core.runs.run import Run, create_run
from core.runs.run_data import (
    CHECKING,
    COMPARING,
    LISTING,
    RECORDING,
    list_findings,
    read_data,
    recorded_folders,
    reopen_data,
    scan_config,
)
from core.runs.seen import NOTHING
from tests.dataset.pictures import make_folders, save_plain
from tests.processes import tiny_config
from tests.shards.same_flowers import make_shards


def begin(data: Path, **changes: Any) -> Run:
    """Make a run that has read its data."""
    config = tiny_config(data, "first", **changes)
    run = create_run(config, data.parent / "runs")
    read_data(run, config, NOTHING, lambda *_: True)
    return run


def make_old(run: Run) -> None:
    """Make a run's record one of the version that knew of names and sizes only."""
    record = run.read_json("data.json")
    for key in ("contents", "left_out"):
        del record[key]
    write_text(run.folder / "data.json", json.dumps({**record, "fingerprint": "0123456789abcdef"}))


def reopen(run: Run) -> ImageFolders:
    return reopen_data(run, lambda *_: True)


def change_in_place(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    before = path.stat()
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_data_that_is_as_it_was_is_opened_again(tiny_data: Path) -> None:
    run = begin(tiny_data)
    assert reopen(run) == recorded_folders(run)


def test_an_image_changed_in_place_is_named_and_nothing_is_trained_on_it(tiny_data: Path) -> None:
    run = begin(tiny_data)
    change_in_place(tiny_data / "val/10/2.png")
    told = r"is not the data set this run began with: 1 file changed \(val/10/2\.png\)\. Put it back"
    with pytest.raises(DataError, match=told):
        reopen(run)
    status = TrainingJob(run, io.StringIO()).execute()
    assert status.state == "failed"
    assert "1 file changed (val/10/2.png)" in status.message


def test_every_kind_of_change_is_told(tiny_data: Path) -> None:
    run = begin(tiny_data)
    (tiny_data / "train/2/1.png").unlink()
    save_plain(tiny_data / "train/2/deeper/1.png")
    save_plain(tiny_data / "train/10/1.png", size=50)
    change_in_place(tiny_data / "train/35/1.png")
    change_in_place(tiny_data / "train/35/2.png")
    make_folders(tiny_data, {"40": 1})
    with pytest.raises(DataError) as caught:
        reopen(run)
    assert (
        "class '40' added, 2 files added (first train/2/deeper/1.png), 1 file gone (train/2/1.png), 1 file of "
        "another size (train/10/1.png), 2 files changed (first train/35/1.png)." in str(caught.value)
    )


def test_the_record_of_an_older_version_is_opened_by_names_and_sizes(tiny_data: Path) -> None:
    image = tiny_data / "train/35/1.png"
    Image.new("RGB", (32, 32), "red").save(image, "BMP")
    run = begin(tiny_data)
    make_old(run)
    Image.new("RGB", (32, 32), "blue").save(image, "BMP")
    # What that version did not look for is no news.
    save_plain(tiny_data / "train/2/deeper/1.png")
    assert reopen(run).files == recorded_folders(run).files
    assert TrainingJob(run, io.StringIO()).execute().state == "finished"
    save_plain(tiny_data / "train/2/more.png")
    save_plain(tiny_data / "train/10/1.png", size=50)
    with pytest.raises(DataError, match=r"1 file added \(train/2/more.png\), 1 file of another size"):
        reopen(run)


def test_the_record_of_an_older_version_is_opened_beside_a_split_it_did_not_know(tmp_path: Path) -> None:
    data = make_folders(tmp_path / "data", {"a": 4, "b": 4})
    run = begin(data)
    make_old(run)
    make_folders(data, {"a": 1}, "Dev")
    assert reopen(run).val_made


def test_the_record_of_an_older_version_may_have_its_classes_in_another_form(tmp_path: Path) -> None:
    data = make_folders(tmp_path / "data", {"cafe\u0301": 4, "b": 4})
    run = begin(data)
    text = (run.folder / "data.json").read_text(encoding="utf-8")
    record = {**json.loads(text), "display": {}}
    record["classes"] = [unicodedata.normalize("NFD", name) for name in record["classes"]]
    for split in ("train", "val"):
        record[split] = [[path, unicodedata.normalize("NFD", name)] for path, name in record[split]]
    write_text(run.folder / "data.json", json.dumps(record))
    assert reopen(run).classes == ("b", "cafe\u0301")


@pytest.fixture
def spoilt(tiny_data: Path) -> Path:
    """Return the tiny data with a dead link, a damaged file, and what no run takes."""
    (tiny_data / "train/2/9.png").symlink_to("/nowhere/9.png")
    (tiny_data / "train/10/9.png").write_bytes(b"")
    (tiny_data / "test/9.png").symlink_to("/nowhere/9.png")
    save_plain(tiny_data / "train/astray.png")
    (tiny_data / "val").rename(tiny_data / "Valid")
    return tiny_data


def test_links_that_lead_nowhere_are_refused_before_an_image_is_opened(spoilt: Path) -> None:
    with pytest.raises(
        DataError, match=r"^1 of 26 files are not readable images: train/2/9.png is a link to"
    ):
        scan_config(tiny_config(spoilt, "first"))


def test_all_that_is_not_taken_is_told_on_the_console_and_on_record(spoilt: Path) -> None:
    run = begin(spoilt, bad_images="skip")
    folders = recorded_folders(run)
    assert [item.path for item in folders.skipped] == ["train/2/9.png", "train/10/9.png"]
    config = run.read_config()
    assert list_findings(read_data(run, config, NOTHING, lambda *_: True), config) == [
        "Data tiny: 3 classes, 18 training and 6 validation images (from Valid/)",
        "Skipped train/2/9.png: is a link to /nowhere/9.png, which does not exist",
        "Skipped train/10/9.png: is empty (0 bytes)",
        "Not taken: test/9.png is a link to /nowhere/9.png, which does not exist",
        "Not taken: train/astray.png is not in a class folder of train/",
    ]
    assert [path for path, _ in run.read_json("data.json")["left_out"]] == ["test/9.png", "train/astray.png"]
    assert reopen(run) == folders


def test_of_many_files_that_are_not_taken_the_number_is_told(tiny_data: Path) -> None:
    for number in range(25):
        save_plain(tiny_data / "train" / f"{number}.png", size=2)
    config = tiny_config(tiny_data, "first")
    lines = list_findings(scan_config(config), config)
    assert lines[1] == "Not taken: train/0.png is not in a class folder of train/"
    assert len(lines) == 12
    assert lines[-1] == "Not taken: 15 more files"


def test_a_stop_while_contents_are_read_records_nothing(tiny_data: Path) -> None:
    config = tiny_config(tiny_data, "first")
    run = create_run(config, tiny_data.parent / "runs")
    phases: list[str] = []
    assert read_data(run, config, NOTHING, lambda *_: phases[-1] != RECORDING, phases.append) is None
    assert phases == [LISTING, CHECKING, RECORDING]
    assert not (run.folder / "data.json").exists()


def test_shards_are_indexed_with_progress_and_a_stop_is_obeyed(tmp_path: Path, runs_root: Path) -> None:
    shards = make_shards(tmp_path / "shards", "tar")
    config = tiny_config(shards, "first")
    run = create_run(config, runs_root)
    told: list[tuple[int, int]] = []
    assert read_data(run, config, NOTHING, lambda *far: told.append(far) or False) is None
    ((found, total),) = told
    assert 0 <= found <= total > 0
    assert not list((runs_root / ".shards").glob("*"))
    assert read_data(run, config, NOTHING, lambda *_: True) is not None
    assert reopen_data(run, lambda *_: True) is not None


def test_images_are_decoded_once_and_what_was_bad_is_looked_at_again(
    tmp_path: Path, runs_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To keep copies together all are measured, which says that they can be read."""
    data = make_folders(tmp_path / "data", {"a": 5, "b": 5})
    (data / "train/a/bad.png").write_bytes(b"no image")
    config = tiny_config(data, "first", group_by="copies", bad_images="skip")
    checked: list[str] = []
    check = run_data.check_images
    monkeypatch.setattr(
        run_data,
        "check_images",
        lambda root, paths, **more: checked.extend(paths) or check(root, paths, **more),
    )
    phases: list[str] = []
    found = read_data(create_run(config, runs_root), config, NOTHING, lambda *_: True, phases.append)
    assert found is not None
    assert checked == ["train/a/bad.png"]
    assert [item.path for item in found.skipped] == checked
    assert phases == [LISTING, CHECKING, COMPARING, LISTING, CHECKING, RECORDING]
