"""Shards become a folder to train on: every image once, whatever stops it in between, and none outside of it."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from filelock import FileLock

from core.arrivals import unpack as room
from core.arrivals.bring_in import Arrival
from core.arrivals.unpack import unfinished_folder, unpack
from core.dataset.folders import scan_folders
from core.errors import DataError
from tests.arrivals.sending import image_bytes
from tests.arrivals.shard_files import (
    CLASSES,
    make_flowers,
    make_rows,
    make_samples,
    make_table,
    picture,
    write_arrow,
    write_parquet,
    write_tar,
)


def run(source: Path, **columns: str) -> Arrival:
    found = unpack(source, source.parent / "made", lambda *_: True, **columns)
    assert found is not None
    return found


def files_in(folder: Path | str) -> dict[str, bytes]:
    root = Path(folder)
    return {
        path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()
    }


def reasons(found: Arrival) -> dict[str, str]:
    return {item.path: item.reason for item in found.refused}


def end_at_once(*_: int) -> bool:
    raise KeyboardInterrupt


def test_parquet_files_become_a_data_set_with_their_splits_classes_and_names(tmp_path: Path) -> None:
    found = run(make_flowers(tmp_path / "flowers"))
    assert found.describe() == f"18 images (< 1 MB) are in {tmp_path / 'made'}."
    folders = scan_folders(tmp_path / "made")
    assert folders.classes == CLASSES
    assert [len(folders.train), len(folders.val), len(folders.test)] == [12, 4, 2]
    files = files_in(found.folder)
    assert files["train/tulip/photo_7.jpg"] == picture(7)
    assert files["val/rose/photo_12.jpg"] == picture(12)
    assert files["test/photo_16.jpg"] == picture(16)


def test_arrow_files_hold_the_same(tmp_path: Path) -> None:
    write_arrow(tmp_path / "cache/train/data-00000-of-00001.arrow", make_table(make_rows(7)))
    assert sorted(files_in(run(tmp_path / "cache").folder)) == sorted(
        f"train/{CLASSES[number % 2]}/photo_{number}.jpg" for number in range(7)
    )


@pytest.mark.parametrize(
    ("names", "folders"), [("rose\ntulip\n", CLASSES), (None, ("0", "1"))], ids=["named", "numbers"]
)
def test_tar_shards_become_a_data_set(tmp_path: Path, names: str | None, folders: tuple[str, ...]) -> None:
    source = tmp_path / "shards"
    write_tar(source / "train/000.tar", make_samples(4))
    write_tar(source / "train/001.tar", make_samples(3, 4))
    write_tar(source / "val/000.tar", make_samples(2, 7))
    if names:
        (source / "classes.txt").write_text(names)
    files = files_in(run(source).folder)
    assert len(files) == 9
    assert files[f"train/{folders[1]}/sample005.jpg"] == picture(5)
    assert files[f"val/{folders[1]}/sample007.jpg"] == picture(7)


def test_a_sample_may_have_its_class_as_text_or_in_json(tmp_path: Path) -> None:
    write_tar(
        tmp_path / "shards/a.tar",
        {
            "1.jpg": picture(1), "1.cls": b"rose\n", "2.seg.png": image_bytes(), "2.json": b'{"label": "tulip"}',
            "3.txt": b"no image", "4.jpg": picture(4), "4.json": b"[",
        },
    )  # fmt: skip
    found = run(tmp_path / "shards")
    assert set(files_in(found.folder)) == {"train/rose/1.jpg", "train/tulip/2.seg.png"}
    assert list(reasons(found)) == ["a.tar, row 2"]


def test_each_image_gets_the_ending_of_what_it_is(tmp_path: Path) -> None:
    rows = [(image_bytes("red", kind), f"{kind}.jpeg", 0) for kind in ("PNG", "WEBP", "GIF", "JPEG")]
    write_parquet(tmp_path / "in/data.parquet", make_table(rows))
    assert sorted(name.rsplit("/", 1)[1] for name in files_in(run(tmp_path / "in").folder)) == [
        "GIF.gif", "JPEG.jpg", "PNG.png", "WEBP.webp",
    ]  # fmt: skip


def test_images_without_a_name_are_called_by_shard_and_row_and_no_image_takes_anothers_place(
    tmp_path: Path,
) -> None:
    rows = [
        (picture(0), None, 0),
        (picture(1), "a.jpg", 0),
        (picture(2), "x/A.jpg", 0),
        (picture(3), "a.jpg", 0),
    ]
    write_parquet(tmp_path / "in/train-0.parquet", make_table(rows))
    write_parquet(tmp_path / "in/more/train-0.parquet", make_table([*rows[:1], *rows[3:], *rows[3:]]))
    files = files_in(run(tmp_path / "in").folder)
    assert sorted(files.values()) == sorted([picture(n) for n in (0, 1, 2, 3, 0, 3, 3)])
    assert {"train/rose/train-0-0.jpg", "train/rose/a.jpg"} <= set(files)


@pytest.mark.parametrize(
    "name",
    [
        "../../out.jpg",
        "/etc/out.jpg",
        "..\\..\\out.jpg",
        "C:\\out.jpg",
        "..",
        "a\x00b.jpg",
        "con",
        ".x.jpg",
        "x" * 300,
    ],
)
def test_no_name_in_a_shard_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    place = tmp_path / "deep/er"
    write_parquet(place / "in/p.parquet", make_table([(picture(1), name, 0)], classes=[name]))
    made = run(place / "in").folder
    assert [path.count("/") for path in files_in(made) if path.startswith("train")] == [2]
    key = name.removesuffix(".jpg")
    write_tar(
        place / "tars/t.tar", {f"{key}.jpg": picture(1), f"{key}.cls": name.encode(), **make_samples(1)}
    )
    assert 1 <= run(place / "tars").images <= 2
    assert {path.name for path in tmp_path.iterdir()} == {"deep"}
    assert {path.name for path in (tmp_path / "deep").iterdir()} == {"er"}
    assert {path.name for path in place.iterdir()} == {"in", "tars", "made", "made-2"}


def test_shards_with_other_classes_are_no_one_data_set(tmp_path: Path) -> None:
    write_parquet(tmp_path / "in/p.parquet", make_table(make_rows(2)))
    write_parquet(tmp_path / "in/q.parquet", make_table(make_rows(2), classes=["oak", "ash"]))
    with pytest.raises(DataError, match=r"q\.parquet has other classes than p\.parquet"):
        run(tmp_path / "in")


def test_links_in_an_archive_are_left_out(tmp_path: Path) -> None:
    write_tar(
        tmp_path / "in/t.tar", make_samples(1), {"secret.jpg": "/etc/passwd", "secret.cls": "/etc/hostname"}
    )
    assert set(files_in(run(tmp_path / "in").folder)) == {"train/0/sample000.jpg"}


def test_names_that_no_folder_can_have_stay_the_names_of_their_classes(tmp_path: Path) -> None:
    write_parquet(tmp_path / "in/p.parquet", make_table(make_rows(4), classes=["a/b", "CON"]))
    folders = scan_folders(Path(run(tmp_path / "in").folder), val_fraction=0.5)
    assert [folders.display[name] for name in folders.classes] == ["a/b", "CON"]


def test_what_is_no_image_with_a_class_is_refused_with_its_row(tmp_path: Path) -> None:
    rows = [
        (picture(0), "good.jpg", 0), (b"no image", "a.jpg", 0), (b"", "b.jpg", 0), (None, "c.jpg", 1), (picture(4), "d.jpg", 2),
        (picture(5), "e.jpg", -1),
    ]  # fmt: skip
    write_parquet(tmp_path / "in/train.parquet", make_table(rows))
    found = run(tmp_path / "in")
    assert (found.images, found.refused_count) == (1, 5)
    told = reasons(found)
    assert told["train.parquet, row 1"].startswith("is not an image of a supported kind")
    assert told["train.parquet, row 2"] == "is empty (0 bytes)"
    assert told["train.parquet, row 3"] == "has no bytes, only the path 'c.jpg'"
    assert told["train.parquet, row 4"] == "has the label 2, and there are 2 classes, from 0 on"
    assert told["train.parquet, row 5"] == "has no label"


def test_the_columns_can_be_named(tmp_path: Path) -> None:
    table = make_table(make_rows(4), coarse=["plant", "tree"] * 2, thumb=[picture(9)] * 4)
    write_parquet(tmp_path / "in/p.parquet", table)
    files = files_in(run(tmp_path / "in", image="thumb", label="coarse").folder)
    assert {name.rsplit("/", 1)[0] for name in files} == {"train/plant", "train/tree"}
    assert set(files.values()) == {picture(9)}


@pytest.mark.parametrize(
    ("columns", "asked", "told"),
    [
        ({"text": ["a"]}, {}, "has no column of images, with their bytes. Its columns are text"),
        ({"image": [b"x"]}, {}, "has no column of labels that is recognised"),
        ({"image": [b"x"], "label": [0]}, {"image": "picture"}, "'picture' is not a column of images"),
        ({"image": [b"x"], "label": [0]}, {"label": "class"}, "'class' is not a column of labels"),
        ({"image": [b"x"], "label": [0]}, {}, "There is no image in 1 Parquet file"),
        ({"image": pa.array([], pa.binary()), "label": pa.array([], pa.int8())}, {}, "There is no image in"),
    ],
)  # fmt: skip
def test_tables_without_images_are_refused_in_words(
    tmp_path: Path, columns: dict[str, object], asked: dict[str, str], told: str
) -> None:
    write_parquet(tmp_path / "in/p.parquet", pa.table(columns))
    with pytest.raises(DataError, match=told):
        run(tmp_path / "in", **asked)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_what_datasets_says_of_its_columns_may_be_nonsense(tmp_path: Path) -> None:
    for number, said in enumerate(("[" * 5000, '{"info": 3}', '{"info": {"features": {"label": []}}}')):
        table = make_table(make_rows(2), classes=None).replace_schema_metadata({"huggingface": said})
        write_parquet(tmp_path / f"{number}/p.parquet", table)
        assert {name.split("/")[1] for name in files_in(run(tmp_path / str(number)).folder)} == {"0", "1"}


@pytest.mark.parametrize("kind", ["parquet", "arrow", "tar"])
def test_half_a_shard_is_named_and_a_whole_one_in_its_place_is_gone_on_with(
    tmp_path: Path, kind: str
) -> None:
    source = tmp_path / "in"
    if kind == "tar":
        write_tar(source / "a.tar", make_samples(3))
        bad = write_tar(source / "b.tar", make_samples(9, 3))
    elif kind == "arrow":
        write_arrow(source / "a.arrow", make_table(make_rows(3)))
        bad = write_arrow(source / "b.arrow", make_table(make_rows(9, 3)))
    else:
        write_parquet(source / "a.parquet", make_table(make_rows(3)))
        bad = write_parquet(source / "b.parquet", make_table(make_rows(9, 3)))
    whole = bad.read_bytes()
    bad.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=rf"b\.{kind} is cut off or damaged.*Get this file again"):
        run(source)
    bad.write_bytes(whole)
    found = run(source)
    assert found.images == len(files_in(found.folder)) == 12
    assert not list(tmp_path.glob("*.unfinished"))


def test_a_stop_keeps_what_is_unpacked_and_the_next_goes_on_from_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "_AT_ONCE", 4)
    source = make_flowers(tmp_path / "flowers")
    whole = files_in(run(source).folder)
    for _ in range(2):
        assert unpack(source, tmp_path / "other", lambda *_: False) is None
    place = unfinished_folder(tmp_path / "other", source)
    kept = {path: path.stat().st_mtime_ns for path in place.rglob("*.jpg")}
    assert len(kept) == 6
    with pytest.raises(KeyboardInterrupt):
        unpack(source, tmp_path / "other", end_at_once)
    (last, *_) = set(place.rglob("*.jpg")) - set(kept)
    last.write_bytes(last.read_bytes()[:50])  # as a kill leaves what it was writing
    found = unpack(source, tmp_path / "other", lambda *_: True)
    assert found is not None
    assert (found.images, found.bytes) == (18, sum(map(len, whole.values())))
    assert files_in(found.folder) == whole
    made = {Path(found.folder) / path.relative_to(place): when for path, when in kept.items()}
    assert {path: path.stat().st_mtime_ns for path in made} == made


def test_shards_that_changed_since_the_stop_are_unpacked_anew(tmp_path: Path) -> None:
    source = make_flowers(tmp_path / "flowers")
    assert unpack(source, tmp_path / "made", lambda *_: False) is None
    write_parquet(source / "train-00000-of-00002.parquet", make_table(make_rows(4, 100)))
    files = files_in(run(source).folder)
    assert len(files) == 16
    assert "train/rose/photo_0.jpg" not in files


def test_progress_counts_megabytes_to_the_end(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    unpack(make_flowers(tmp_path / "in"), tmp_path / "made", lambda *two: told.append(two) or True)
    assert told[-1] == (1, 1)
    assert all(done <= total for done, total in told)


def test_nothing_begins_where_the_disk_is_too_small_or_another_process_is_at_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make_flowers(tmp_path / "in")
    place = unfinished_folder(tmp_path / "made", source)
    with monkeypatch.context() as small:
        small.setattr(room, "_SPARE", 10**18)
        with pytest.raises(DataError, match=r"The disk of .* free"):
            run(source)
    assert not place.exists()
    assert unpack(source, tmp_path / "made", lambda *_: False) is None
    with monkeypatch.context() as small:
        small.setattr(room, "_refuse_small_disk", lambda *_: None)  # it fills up later
        small.setattr(room, "_SPARE", 10**18)
        with pytest.raises(DataError, match=r"is nearly full.*unpack again"):
            run(source)
    assert len(list(place.rglob("*.jpg"))) == 2  # of the first shard
    with FileLock(place / ".lock"), pytest.raises(DataError, match="is being unpacked by another process"):
        run(source)


def test_nobody_else_begins_while_the_folder_is_put_in_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make_flowers(tmp_path / "in")
    free_folder = room.free_folder

    def free_and_try(*asked: Any) -> Path:
        monkeypatch.setattr(room, "free_folder", free_folder)
        with pytest.raises(DataError, match="is being unpacked by another process"):
            run(source)
        return free_folder(*asked)

    monkeypatch.setattr(room, "free_folder", free_and_try)
    found = run(source)
    assert not list(Path(found.folder).glob(".*"))


def test_a_folder_without_shards_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nothing: there is no such folder\."):
        run(tmp_path / "nothing")
    (tmp_path / "nothing").mkdir()
    with pytest.raises(DataError, match="holds no shards"):
        run(tmp_path / "nothing")


@pytest.mark.parametrize("kind", ["parquet", "arrow", "tar"])
def test_a_shard_with_wrong_bytes_is_read_or_told_and_never_ends_the_process(
    tmp_path: Path, kind: str
) -> None:
    """An Arrow file whose offsets lead out of it did, before each batch was checked."""
    path = tmp_path / f"in/a.{kind}"
    if kind == "tar":
        write_tar(path, make_samples(8))
    else:
        (write_arrow if kind == "arrow" else write_parquet)(path, make_table(make_rows(8)))
    whole, chance, told = path.read_bytes(), random.Random(0), 0
    for number in range(60):
        data = bytearray(whole)
        for _ in range(1 + number % 5):
            data[chance.randrange(len(data))] = chance.randrange(256)
        path.write_bytes(data)
        try:
            unpack(tmp_path / "in", tmp_path / f"made-{number}", lambda *_: True)
        except DataError:
            told += 1
    assert told
