"""A user's own columns: numbers and words, of the images that were judged; what is wrong is named by line and column."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.csv_table import parse_table
from core.errors import DataError
from core.slices.columns import Columns, take_columns
from core.slices.properties import Amount, Sort

ROOT = Path("/data/shop")
PATHS = ["val/a/1.png", "val/a/2.png", "val/b/1.png"]


def parse(text: str) -> Columns:
    return take_columns(parse_table("mine.csv", text.encode()), PATHS, ROOT)


def test_numbers_and_words_are_told_apart_and_put_in_the_order_of_the_images() -> None:
    found = parse("path,age,shop\nval/b/1.png,3.5,ICA\nval/a/1.png,1,Coop\nval/c/9.png,7,ICA\n")
    age, shop = found.properties
    assert isinstance(age, Amount)
    assert isinstance(shop, Sort)
    assert (age.name, shop.name, found.matched) == ("age", "shop", 2)
    np.testing.assert_array_equal(age.values, [1, np.nan, 3.5])
    assert shop.values == ("Coop", "", "ICA")


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffpath,shop\nval/a/1.png,ICA\n",
        "path;shop\r\nval/a/1.png;ICA\r\n",
        "path\tshop\n/data/shop/val/a/1.png\tICA\n\n",
        ' path , shop \n"./val/a/1.png", ICA \n',
        "shop,path\nICA,val\\a\\1.png\n",
    ],
    ids=["with a mark", "of a spreadsheet", "with whole paths", "with blanks", "of Windows"],
)
def test_a_file_is_read_however_it_was_saved(text: str) -> None:
    (shop,) = parse(text).properties
    assert isinstance(shop, Sort)
    assert shop.values == ("ICA", "", "")


def test_empty_cells_are_not_known() -> None:
    (age,) = parse("path,age\nval/a/1.png,\nval/a/2.png,2\nval/b/1.png,3\n").properties
    assert isinstance(age, Amount)
    np.testing.assert_array_equal(age.values, [np.nan, 2, 3])


def test_a_column_that_is_half_of_numbers_is_of_words() -> None:
    (code,) = parse("path,code\nval/a/1.png,12\nval/a/2.png,12b\n").properties
    assert isinstance(code, Sort)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "mine.csv has no rows"),
        ("image,shop\n1.png,ICA\n", "mine.csv, line 1: there is no column path"),
        ("path\nval/a/1.png\n", "mine.csv, line 1: there is no column besides path"),
        ("path,shop,shop\n", "mine.csv has two columns called 'shop'"),
        ("path,\na,b\n", "mine.csv, line 1: column 2 has no name"),
        (
            "path,shop\nval/a/1.png\n",
            "mine.csv, line 2 has 1 cell, but the first line names 2 columns",
        ),
        (
            "path,shop\nval/a/1.png,ICA,3\n",
            "mine.csv, line 2 has 3 cells, but the first line names 2 columns",
        ),
        ("path,shop\n,ICA\n", "mine.csv, line 2, column path: the cell is empty"),
        (
            "path,shop\nval/a/1.png,ICA\nval/a/2.png,ICA\nval/a/1.png,Coop\n",
            "mine.csv, line 4, column path: val/a/1.png is already in line 2",
        ),
        (
            "path,shop\nelsewhere.png,ICA\n",
            "mine.csv: its column path names none of the 3 judged images. Write paths like this one: val/a/1.png",
        ),
        (
            "path,age\nval/a/1.png,1\n" + "".join(f"{n}.png,{n}\n" for n in range(20)) + "x.png,old\n",
            "mine.csv, line 23, column age: 'old' is not a number",
        ),
        (
            "path,age\nval/a/1.png,1\n" + "".join(f"{n}.png,{n}\n" for n in range(20)) + "x.png,nan\n",
            "mine.csv, line 23, column age: 'nan' is not a number",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text: str, told: str) -> None:
    with pytest.raises(DataError) as caught:
        parse(text)
    assert str(caught.value).startswith(told)


def test_what_is_no_text_is_told_so() -> None:
    with pytest.raises(DataError, match=r"mine\.csv is an Excel workbook"):
        take_columns(parse_table("mine.csv", b"PK\x03\x04\xff\xfe"), PATHS, ROOT)
