"""A CSV of labels and a folder of images become a data folder; what does not fit is told by its line and column."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from core.__main__ import main
from core.arrivals import arrange as room
from core.arrivals.arrange import Arranged, arrange
from core.arrivals.label_table import Columns, suggest_columns
from core.csv_table import read_head, read_table
from core.dataset.folders import scan_folders
from core.errors import DataError
from tests.arrivals.sending import image_bytes


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Return a folder of images as a contest gives them, named by ids: three of two breeds and one more."""
    folder = tmp_path / "images"
    (folder / "more").mkdir(parents=True)
    for name in ("0a1", "0b2", "0c3", "0d4", "more/0e5"):
        (folder / f"{name}.jpg").write_bytes(image_bytes("red", "JPEG"))
    return folder


def label(images: Path, text: str, *, skip_missing: bool = False, name: str = "dogs") -> Arranged:
    table = images.parent / "labels.csv"
    table.write_text(text, encoding="utf-8")
    columns = suggest_columns(read_head(table)) or Columns("image", "label")
    made = arrange(
        images, table, columns, out=images.parent / name, skip_missing=skip_missing, progress=lambda *_: True
    )
    assert made is not None
    return made


def files_of(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_ids_without_an_ending_find_their_images_and_these_stay_where_they_are(images: Path) -> None:
    made = label(images, "id,breed\n0a1,boxer\n0b2,pug\n0c3,boxer\n0d4,pug\n0e5,pug\n")
    assert made.folder == images.parent / "dogs"
    assert files_of(made.folder) == [
        "train/boxer/0a1.jpg", "train/boxer/0c3.jpg", "train/pug/0b2.jpg", "train/pug/0d4.jpg", "train/pug/0e5.jpg",
    ]  # fmt: skip
    assert made.describe() == f"2 classes (5 train) are in {made.folder}."
    assert (images / "more/0e5.jpg").exists()
    assert (made.folder / "train/pug/0e5.jpg").samefile(images / "more/0e5.jpg")
    assert scan_folders(made.folder, val_fraction=0.3).classes == ("boxer", "pug")


def test_a_column_may_name_the_split_and_semicolons_may_separate(images: Path) -> None:
    made = label(
        images,
        "\ufefffilename;label;split\n0a1.jpg;boxer;train\n0b2.jpg;pug;Training\n0c3.jpg;boxer;valid\n0d4.jpg;pug;val\n"
        "more/0e5.jpg;?;test\n",
    )
    assert files_of(made.folder) == [
        "test/0e5.jpg", "train/boxer/0a1.jpg", "train/pug/0b2.jpg", "val/boxer/0c3.jpg", "val/pug/0d4.jpg",
    ]  # fmt: skip
    folders = scan_folders(made.folder)
    assert (len(folders.train), len(folders.val), folders.test) == (2, 2, ("test/0e5.jpg",))


def test_labels_that_no_folder_can_have_are_kept_as_display_names(images: Path) -> None:
    made = label(images, "image,label\n0a1,cat/dog\n0b2,pug\n")
    assert (made.folder / "class_names.csv").read_text() == "label,name\ncat-dog,cat/dog\n"
    assert files_of(made.folder) == ["class_names.csv", "train/cat-dog/0a1.jpg", "train/pug/0b2.jpg"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("image,label\n0a1,a\n9z9,b\n", "labels.csv: line 3, column image: there is no image '9z9'."),
        ("image,label\n0a1,a\n0b2,\n", "labels.csv: line 3, column label is empty."),
        ("image,label\n0a1,a\n0a1.jpg,b\n", "line 3, column label: 0a1.jpg has 'a' on line 2 and 'b' here"),
        ("image,label,split\n0a1,a,train\n0b2,b,some\n", "line 3, column split: 'some' is not train, val or test"),
        ("image,label\n0a1,a\n0b2,b,c\n", "labels.csv, line 3 has 3 cells, but the first line names 2 columns."),
        ("image,label\n0a1,a\n0b2,a\n", "column label has 1 label, but at least 2 are needed"),
        ("image,image\n0a1,a\n", "two columns called 'image'"),
        ("image,label\n", "has no rows"),
        ("image,label\n1,a\n2,a\n3,a\n4,a\n5,a\n", "'3'; and 2 more rows."),
        ("image,label,split\n0a1,a,val\n0b2,b,val\n", "column split: no row is marked train"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_told_by_line_and_column_and_makes_nothing(
    images: Path, text: str, words: str
) -> None:
    with pytest.raises(DataError) as caught:
        label(images, text)
    assert words in str(caught.value)
    assert sorted(path.name for path in images.parent.iterdir()) == ["images", "labels.csv"]


def test_a_name_that_may_be_two_images_is_told_and_a_path_tells_them_apart(images: Path) -> None:
    (images / "more/0a1.jpg").write_bytes(image_bytes("blue", "JPEG"))
    with pytest.raises(
        DataError, match=r"line 2, column image: '0a1' could be (more/)?0a1\.jpg or (more/)?0a1\.jpg"
    ):
        label(images, "image,label\n0a1,a\n0b2,b\n")
    made = label(images, "image,label\n./more/0a1.jpg,a\n0a1.jpg,a\n0b2,b\n")
    assert files_of(made.folder) == ["train/a/0a1-2.jpg", "train/a/0a1.jpg", "train/b/0b2.jpg"]


def test_rows_without_an_image_can_be_left_out(images: Path) -> None:
    made = label(images, "image,label\n0a1,a\n9z9,a\n0b2,b\n", skip_missing=True)
    assert made.counts == {"train": 2, "val": 0, "test": 0}
    with pytest.raises(DataError, match="no row names an image"):
        label(images, "image,label\n9z9,a\n8z8,b\n", skip_missing=True)


def test_where_no_link_can_be_made_images_are_copied(images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError("no links here")

    monkeypatch.setattr(room.os, "link", refuse)
    monkeypatch.setattr(room.os, "symlink", refuse)
    made = label(images, "image,label\n0a1,a\n0b2,b\n")
    assert made.copied == 2
    assert made.describe().endswith("2 images had to be copied.")
    assert not (made.folder / "train/a/0a1.jpg").samefile(images / "0a1.jpg")


def test_across_disks_the_links_are_symbolic(images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError("another disk")

    monkeypatch.setattr(room.os, "link", refuse)
    made = label(images, "image,label\n0a1,a\n0b2,b\n")
    assert made.copied == 0
    assert Path(os.readlink(made.folder / "train/a/0a1.jpg")) == (images / "0a1.jpg").resolve()  # noqa: PTH115


@pytest.mark.parametrize(
    ("head", "columns"),
    [
        (("id", "breed"), Columns("id", "breed")),
        (("Image", "Label", "Split"), Columns("Image", "Label", "Split")),
        (("label", "image name"), Columns("image name", "label")),
        (("what", "where"), Columns("what", "where")),
        (("file", "species"), Columns("file", "species")),
        (("a", "b", "c"), None),
        (("id", "image", "label"), Columns("image", "label")),
    ],
)
def test_columns_are_told_by_their_usual_names(head: tuple[str, ...], columns: Columns | None) -> None:
    assert suggest_columns(head) == columns


def test_a_table_that_is_no_text_is_told(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_bytes(b"PK\x03\x04 of a spreadsheet")
    with pytest.raises(DataError, match=r"labels\.csv is an Excel workbook"):
        read_table(path)
    with pytest.raises(DataError, match=r"labels\.csv is an Excel workbook"):
        read_head(path)


def test_the_columns_are_read_without_the_rows_however_the_table_was_saved(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    for content in (b"image;label\n1;2;3\n", "\ufeffimage,label".encode(), "image\tlabel\n".encode("utf-16")):
        path.write_bytes(content)
        assert read_head(path) == ("image", "label")


def test_the_command_makes_the_folder_and_names_the_columns_where_it_cannot_tell(
    images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table, out = images.parent / "t.csv", images.parent / "my dogs"
    table.write_text("a,b,c\n0a1,x,boxer\n0b2,y,pug\n")
    assert main(["arrange", str(images), str(table), str(out)]) == 2
    assert (
        "has the columns a, b, c. Say which names the image and which the label: --image COLUMN"
        in capsys.readouterr().err
    )
    assert main(["arrange", str(images), str(table), str(out), "--image", "a", "--label", "c"]) == 0
    assert capsys.readouterr().out == f"2 classes (2 train) are in {out}.\n"
    assert files_of(out) == ["train/boxer/0a1.jpg", "train/pug/0b2.jpg"]
