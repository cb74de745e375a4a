"""What belongs together: by file names, by a table, by copies."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import DataError
from core.splits.belonging import Belonging, find_beginning, group_by_name, name_example
from core.splits.group_table import read_groups

PATHS = ["train/a/1.png", "train/a/2.png", "train/b/1.png", "train/b/x.png"]


@pytest.mark.parametrize(
    ("path", "beginning"),
    [
        ("train/a/film7_001.jpg", "film7"),
        ("train/a/film-7-001.jpg", "film-7"),
        ("a/p1_left-2.jpg", "p1_left"),
        ("a/_1.jpg", ""),
        ("a/001.jpg", ""),
        ("some_folder/001.jpg", ""),
    ],
)
def test_the_beginning_of_a_name_is_what_stands_before_its_last_dash(path: str, beginning: str) -> None:
    assert find_beginning(path) == beginning


def test_groups_that_share_a_copy_are_one() -> None:
    groups = group_by_name(["a/f_1.png", "a/f_2.png", "a/g_1.png", "b/f_3.png"])
    paths = [*groups, "a/lone.png"]
    apart = Belonging(groups).number_all(paths).tolist()
    assert apart[0] == apart[1] == apart[3]
    assert len(set(apart)) == 3
    joined = Belonging(groups, [("a/f_2.png", "a/g_1.png")]).number_all(paths)
    assert len(set(joined.tolist())) == 2


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ({"a": ["f1_1", "f1_2", "f2_1", "f2_2"], "b": ["g1_1", "g1_2", "g1_3", "g2_1"]}, "g1"),
        ({"a": ["img_1", "img_2", "img_3"], "b": ["img_4", "img_5"]}, ""),  # a counter
        ({"a": ["a_1", "a_2"], "b": ["b_1", "b_2"]}, ""),  # the class's name
        ({"a": ["1", "2", "3"], "b": ["4", "5"]}, ""),
        ({"a": ["u1_1", "u2_1", "u3_1"], "b": ["v1_1", "v2_1"]}, ""),  # each has its own
        ({}, ""),
    ],
)
def test_names_seem_to_tell_groups_only_where_several_images_share_one(
    names: dict[str, list[str]], told: str
) -> None:
    paths = {label: [f"train/{label}/{name}.png" for name in own] for label, own in names.items()}
    assert name_example(paths) == told


def write(folder: Path, text: str) -> Path:
    (folder / "films.csv").write_text(text, encoding="utf-8")
    return folder / "films.csv"


def test_a_table_names_images_by_path_or_by_a_name_that_only_one_has(tmp_path: Path) -> None:
    table = write(
        tmp_path, "\ufeffimage;group;patient\ntrain/a/1.png;one;7\nx;one;8\n2.png;;7\nval/a/9.png;two;9\n"
    )
    assert read_groups(str(table), PATHS, ["val/a/9.png"]) == {"train/a/1.png": "one", "train/b/x.png": "one"}
    assert set(read_groups(f"{table}#patient", PATHS, ["val/a/9.png"]).values()) == {"7", "8"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "image,film\nx,1\n",
            r"films\.csv has no column 'group'; it has image, film\. .* films\.csv#patient",
        ),
        ("file,group\nx,1\n", "has no column 'image'"),
        (
            "image,group\nx,1\ny.png,1\n",
            r"films\.csv, line 3, column image: 'y\.png' is not an image of this data",
        ),
        (
            "image,group\n1.png,1\n",
            r"line 2, column image: 2 images are called '1\.png'.* such as train/a/1\.png",
        ),
        (
            "image,group\nx,1\nx.png,2\n",
            r"line 3, column group: 'x\.png' is in the group '2' here and in '1'",
        ),
        ("", r"films\.csv has no rows"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_with_row_and_column(
    tmp_path: Path, text: str, said: str
) -> None:
    with pytest.raises(DataError, match=said):
        read_groups(str(write(tmp_path, text)), PATHS)


def test_a_table_that_is_not_there_is_refused_with_what_can_be_given(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"there is no file .*nmae\. Give copies, name, none or the path of a CSV"
    ):
        read_groups(str(tmp_path / "nmae"), PATHS)
