"""What the search found, in words: a weak kind, several of the same images, nothing, and too little to tell."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from core.errors import RunError
from core.slices.report import SliceReport, TriedSlice, read_report, write_report

DARK = TriedSlice(
    "The darkest images (brightness up to 62 of 255)", False, 61, 34, -0.212, -0.33, -0.094, 0.0001, 0.002,
    ("val/a/1.png",),
)  # fmt: skip
REPORT = SliceReport("val", "d", 243, 216, 24, 0.31, 0, False, 0, (), 0, (), (), ())


def test_a_weak_kind_is_told_with_its_figures() -> None:
    assert DARK.describe() == (
        "The darkest images (brightness up to 62 of 255) are 21 points worse than the other images of the same classes: "
        "34 of 61 right, 43–67 %."
    )
    assert DARK.describe_test(24) == (
        "The darkest images (brightness up to 62 of 255): the difference is 21.2 points, 95 % interval 9.4 to 33.0; "
        "p = 0.0001 alone, 0.002 corrected for 24 kinds."
    )


def test_one_of_a_class_and_one_that_is_mostly_told_already_say_so() -> None:
    within = replace(DARK, within_class=True, shared=40, shared_with="The smallest images")
    assert "worse than the other images of this class" in within.describe()
    assert within.describe().endswith("40 of them belong to another kind above: The smallest images.")


def test_the_verdict_counts_what_stands_out_and_what_was_tried() -> None:
    one = replace(REPORT, weak=(DARK,))
    assert one.describe() == "1 kind of image stands out as weak: 24 kinds were tried on 243 images."
    two = replace(REPORT, weak=(DARK, DARK))
    assert two.describe().startswith("2 kinds of images stand out as weak: ")


def test_nothing_found_is_an_answer_that_says_what_could_have_been_seen() -> None:
    assert REPORT.describe() == (
        "No kind of image stands out: 24 kinds were tried on 243 images. "
        "A difference of less than about 31 points would probably have gone unseen."
    )
    assert replace(REPORT, unseen=math.nan).describe().endswith("no difference could have shown.")
    assert replace(REPORT, right=243).describe().endswith("all 243 images are predicted right.")
    assert "could be tried on 243 images: each needs 10 images" in replace(REPORT, tried=0).describe()


def test_what_was_looked_at_and_what_was_not_is_told() -> None:
    assert REPORT.list_notes() == []
    noted = replace(REPORT, columns=("shop", "age"), matched=240, unused=("size",), unread=1)
    assert noted.list_notes() == [
        "240 of 243 images have a row in your own columns: shop, age.",
        "Not tried, since no value sets 10 images apart from 10 others: size.",
        "1 file is gone or cannot be read, so nothing was measured there.",
    ]
    assert "24 kinds" in noted.describe_method()


def test_a_report_is_read_as_it_was_written(tmp_path: Path) -> None:
    report = replace(REPORT, weak=(DARK,), others=(replace(DARK, paths=()),), columns=("shop",))
    write_report(tmp_path / "slices-val.json", report)
    assert read_report(tmp_path / "slices-val.json") == report


@pytest.mark.parametrize("text", ["", "[]", '{"version": 0}', '{"version": 1, "split": "val"}'])
def test_a_damaged_report_says_what_to_do(tmp_path: Path, text: str) -> None:
    path = tmp_path / "slices-val.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RunError, match="Look for weak kinds again"):
        read_report(path)
