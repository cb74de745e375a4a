"""Tables of predictions from elsewhere: what is recognised, what is refused and how, and how long it takes."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from core.csv_table import parse_table, read_table
from core.errors import DataError
from core.imports.reading import Reading, understand_table
from tests.imports.tables import PATHS, PLAIN, PREDICTED, SURE, WHOLE, understand


def guesses(reading: Reading) -> list[str]:
    return [reading.classes[index] for index in reading.predicted]


def test_a_plain_table_is_read(tiny_data: Path) -> None:
    reading = understand(PLAIN, tiny_data)
    assert reading.classes == ("2", "10", "35")
    assert reading.paths == PATHS
    assert guesses(reading) == list(PREDICTED)
    assert [reading.classes[index] for index in reading.true] == ["2", "2", "10", "10", "35", "35"]
    assert reading.confidence is None
    assert reading.accuracy == pytest.approx(4 / 6)


def test_confidences_are_those_of_the_predicted_class(tiny_data: Path) -> None:
    reading = understand(SURE, tiny_data)
    assert reading.confidence is not None
    assert reading.confidence.tolist() == pytest.approx([0.9, 0.8, 0.7, 0.6, 0.5, 0.4])


def test_probabilities_stand_under_the_names_of_their_classes(tiny_data: Path) -> None:
    reading = understand(WHOLE, tiny_data)
    assert reading.probabilities is not None
    assert reading.probabilities[2].tolist() == pytest.approx([0.1, 0.8, 0.1])  # of 2, 10 and 35
    assert reading.confidence is not None
    assert reading.confidence.tolist() == pytest.approx([0.8] * 6)


def test_the_likeliest_class_is_the_prediction_where_no_column_has_it(tiny_data: Path) -> None:
    text = "\n".join(",".join([line.split(",")[0], *line.split(",")[2:]]) for line in WHOLE.splitlines())
    assert guesses(understand(text, tiny_data)) == list(PREDICTED)


# How the users of other programs write their predictions; 10 is class 0 and 2 is class 1 in the order of text.
KERAS = "filename,y_true,y_pred\n" + "".join(
    f"{path.removeprefix('val/')},{('10', '2', '35').index(path.split('/')[1])},{('10', '2', '35').index(name)}\n"
    for path, name in zip(PATHS, PREDICTED, strict=True)
)
FASTAI = "fname,pred,actual,prob\n" + "".join(
    f"/content/tiny/{path},{name},{path.split('/')[1]},0.75\n"
    for path, name in zip(PATHS, PREDICTED, strict=True)
)
ULTRALYTICS = "im_name,class,pred,conf\n" + "".join(
    f"{path},{path.split('/')[1]},{name},0.5\n" for path, name in zip(PATHS, PREDICTED, strict=True)
)
SCIKIT = ",path,label,prediction,p_10,p_2,p_35\n" + "".join(
    f"{row},{path},{path.split('/')[1]},{name}," + ",".join("0.6" if one == name else "0.2" for one in ("10", "2", "35")) + "\n"
    for row, (path, name) in enumerate(zip(PATHS, PREDICTED, strict=True))
)  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        KERAS,
        FASTAI,
        ULTRALYTICS,
        SCIKIT,
        "\ufeff" + PLAIN,
        PLAIN.replace(",", ";"),
        PLAIN.replace(",", "\t"),
        PLAIN.replace("\n", "\r\n"),
        PLAIN.replace("/", "\\"),
        PLAIN.replace(".png", ""),
        PLAIN + "\n\n",
        PLAIN.replace("path", "Image Name").replace("predicted", "Y_PRED"),
        PLAIN.replace("val/", "./val/"),
        PLAIN.replace(",2,", ",rose,").replace(",10,", ",tulip,"),
    ],
    ids=[
        "Keras", "fastai", "Ultralytics", "scikit-learn", "a mark of UTF-8", "semicolons", "tabs", "lines of Windows",
        "paths of Windows", "no endings", "empty lines at the end", "other spellings", "paths from here", "display names",
    ],
)  # fmt: skip
def test_what_other_programs_write_is_understood(tiny_data: Path, text: str) -> None:
    reading = understand(text, tiny_data)
    assert reading.paths == PATHS
    assert guesses(reading) == list(PREDICTED)
    assert reading.accuracy == pytest.approx(4 / 6)


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "utf-16"])
def test_names_with_accents_are_read_in_any_usual_encoding(tiny_data: Path, encoding: str) -> None:
    (tiny_data / "val" / "2").rename(tiny_data / "val" / "café")
    (tiny_data / "train" / "2").rename(tiny_data / "train" / "café")
    text = PLAIN.replace("val/2/", "val/café/").replace(",2,", ",café,").replace(",2\n", ",café\n")
    reading = understand(text.encode(encoding), tiny_data)
    assert guesses(reading) == [name.replace("2", "café") for name in PREDICTED]


def test_decimal_commas_are_read(tiny_data: Path) -> None:
    text = SURE.replace(",", ";").replace("0.", "0,")
    confidence = understand(text, tiny_data).confidence
    assert confidence is not None
    assert confidence[0] == pytest.approx(0.9)


def test_true_classes_are_the_folders_where_no_column_has_them(tiny_data: Path) -> None:
    text = "\n".join(",".join(line.split(",")[::2]) for line in PLAIN.splitlines())
    reading = understand(text, tiny_data)
    assert [reading.classes[index] for index in reading.true] == ["2", "2", "10", "10", "35", "35"]
    assert "true class from the folders" in reading.notes[0]


def test_test_images_in_folders_of_classes_have_their_class(tiny_data: Path) -> None:
    (tiny_data / "test" / "35").mkdir()
    (tiny_data / "test" / "1.png").rename(tiny_data / "test" / "35" / "one.png")
    reading = understand("path,predicted\none.png,rose\n", tiny_data)
    assert reading.paths == ("test/35/one.png",)
    assert [reading.classes[index] for index in reading.true] == ["35"]


def test_probabilities_may_stand_under_the_numbers_of_the_classes(tiny_data: Path) -> None:
    text = WHOLE.replace("prob_10,prob_2,prob_35", "0,1,2")
    assert guesses(understand(text, tiny_data)) == list(PREDICTED)


def test_columns_of_any_name_can_be_given(tiny_data: Path) -> None:
    text = PLAIN.replace("path,true,predicted", "a,b,c")
    reading = understand(text, tiny_data, path="a", true="b", predicted="c")
    assert guesses(reading) == list(PREDICTED)


def test_a_file_name_alone_is_enough_where_only_one_file_has_it(tiny_data: Path) -> None:
    for path in PATHS:
        (tiny_data / path).rename((tiny_data / path).with_name(path.replace("/", "-")))
    bare = PLAIN
    for path in PATHS:
        bare = bare.replace(path, path.replace("/", "-"))
    assert understand(bare, tiny_data).paths[0] == "val/2/val-2-1.png"


def test_images_need_no_folders_of_classes(tiny_data: Path, tmp_path: Path) -> None:
    text = PLAIN
    (tmp_path / "flat").mkdir()
    for path in PATHS:
        (tiny_data / path).rename(tmp_path / "flat" / path.replace("/", "-"))
        text = text.replace(path, path.replace("/", "-"))
    reading = understand(text, tmp_path / "flat")
    assert reading.classes == ("2", "10", "35")
    assert guesses(reading) == list(PREDICTED)


def test_numbers_that_may_be_names_are_told_by_the_folders(tiny_data: Path) -> None:
    for split in ("train", "val"):
        (tiny_data / split / "35").rename(tiny_data / split / "0")
    text = KERAS.replace("35/", "0/")  # the classes are 0, 2 and 10: as text 0, 10, 2
    for old, new in (
        ("10/1.png,0,0", "10/1.png,1,1"),
        ("2/1.png,1,1", "2/1.png,2,2"),
        ("2/2.png,1,1", "2/2.png,2,2"),
    ):
        text = text.replace(old, new)
    text = (
        text.replace("10/2.png,0,1", "10/2.png,1,2")
        .replace("0/1.png,2,1", "0/1.png,0,2")
        .replace("0/2.png,2,2", "0/2.png,0,0")
    )
    reading = understand(text, tiny_data)
    assert guesses(reading) == [name.replace("35", "0") for name in PREDICTED]
    assert any("numbers from 0 in alphabetical order" in note for note in reading.notes)


def test_numbers_are_told_with_what_they_were_taken_for(tiny_data: Path) -> None:
    notes = " ".join(understand(KERAS, tiny_data).notes)
    assert "0 is '10', 1 is '2', 2 is '35'" in notes


def test_images_left_out_and_other_labels_are_told(tiny_data: Path) -> None:
    text = "".join(line + "\n" for line in PLAIN.splitlines()[:-1]).replace("val/2/1.png,2", "val/2/1.png,10")
    notes = " ".join(understand(text, tiny_data).notes)
    assert "1 image of 5 is in the folder of another class" in notes
    assert "leaves out 1 of 6 validation images" in notes


def change(old: str, new: str, text: str = PLAIN) -> str:
    assert old in text
    return text.replace(old, new, 1)


BAD = {
    "no table at all": ("", "has no rows"),
    "columns alone": ("path,true,predicted\n", "has no rows"),
    "a workbook": ("PK\x03\x04more", "is an Excel workbook or an archive. Save the table as CSV."),
    "bytes": ("path\0,true", "is not text"),
    "a cell too many": (change("val/2/2.png,2,2", "val/2/2.png,2,2,2"), "line 3 has 4 cells, but the first line names 3"),
    "a quote that does not end": (change("val/2/2.png", '"val/2/2.png'), "Check its double quotes"),
    "two columns of a name": (change("true", "path"), "two columns called 'path'"),
    "two columns for the truth": (change("true,predicted", "label,target"), "the columns 'label' and 'target' could both be true. Say which one it is (--true-column)."),
    "no path": (change("path", "what"), "no column is named like a path"),
    "no prediction": (change("predicted", "what"), "no column is named like a prediction"),
    "an empty path": (change("val/2/2.png", ""), "line 3, column 'path': is empty. Fill it in, or remove the row."),
    "a file that is not there": (change("val/2/2.png", "val/2/9.png"), "line 3, column 'path': there is no image 'val/2/9.png' in"),
    "a file of another class": (change("val/2/2.png", "rose/2.png"), "there is no image 'rose/2.png' in"),
    "a name that many files have": (change("val/2/2.png", "2.png"), "'2.png' could be"),
    "a row twice": (change("val/2/2.png", "val/2/1.png"), "line 3, column 'path': 'val/2/1.png' is the same image as line 2. Remove one"),
    "the same image in other words": (change("val/2/2.png", "2/1.png"), "is the same image as line 2"),
    "a class that there is not": (change("2/2.png,2,2", "2/2.png,2,351"), "line 3, column 'predicted': '351' is not a class of the data; did you mean '35'?"),
    "a true class that there is not": (change("2/2.png,2,2", "2/2.png,oak,2"), "column 'true': 'oak' is not a class of the data"),
    "an empty class": (change("2/2.png,2,2", "2/2.png,2,"), "line 3, column 'predicted': is empty"),
    "a number above the classes": (change("10/1.png,0,0", "10/1.png,0,3", KERAS), "'3' is not the number of a class: there are 3 classes, numbered from 0 to 2"),
    "an empty confidence": (change("0.8", "", SURE), "line 3, column 'confidence': is empty"),
    "no number": (change("0.8", "high", SURE), "'high' is not a number"),
    "NaN": (change("0.8", "NaN", SURE), "line 3, column 'confidence': 'NaN' is not a number"),
    "per cent": (change("0.8", "80", SURE), "80 is not a probability: probabilities are between 0 and 1. Divide percentages by 100."),
    "a negative one": (change("0.8", "-3.2", SURE), "Write the output of softmax"),
    "infinity": (change("0.8", "inf", SURE), "is not a probability"),
    "probabilities of other outputs": (change("0.1,0.8,0.1", "0.9,0.9,0.9", WHOLE), "add up to 2.7, not 1"),
    "columns mixed up": (change("prob_10,prob_2", "prob_2,prob_10", WHOLE), "line 2, column 'predicted': says '2', but the highest probability is that of '10'"),
    "a class without its column": (change("prob_35", "loss", WHOLE), "but none for '35'. Give one for every class, or for none."),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
def test_a_bad_table_is_refused_with_the_place_and_the_remedy(tiny_data: Path, what: str) -> None:
    text, words = BAD[what]
    with pytest.raises(DataError) as raised:
        understand(text, tiny_data)
    assert words in str(raised.value)
    assert str(raised.value).startswith("table.csv")


def test_what_may_be_names_or_numbers_is_asked_for(tiny_data: Path) -> None:
    for split in ("train", "val"):
        (tiny_data / split / "35").rename(tiny_data / split / "1")  # as text: 1, 10, 2
    text = "path,y_pred\n" + "".join(f"val/{name}/{n}.png,2\n" for name in ("1", "2", "10") for n in (1, 2))
    assert guesses(understand(text, tiny_data)) == ["2"] * 6  # the same either way
    text = text.replace("val/10/1.png,2", "val/10/1.png,1")
    with pytest.raises(
        DataError, match=r"'1' could be the class of that name, or .* which is '10'.*names or numbers"
    ):
        understand(text, tiny_data)
    assert guesses(understand(text, tiny_data, classes="names")).count("1") == 1
    assert guesses(understand(text, tiny_data, classes="numbers")).count("10") == 1


def test_a_given_column_that_there_is_not_is_refused(tiny_data: Path) -> None:
    with pytest.raises(DataError, match="no column 'guess' for predicted"):
        understand(PLAIN, tiny_data, predicted="guess")


def test_a_table_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_table(tmp_path / "nothing.csv")


def test_images_in_no_folder_of_a_class_need_their_class(tiny_data: Path) -> None:
    with pytest.raises(DataError, match=r"is not in a class folder\. Say which column"):
        understand("path,predicted\ntest/1.png,2\n", tiny_data)


def test_paths_that_name_no_split_mean_validation_and_that_is_told(tiny_data: Path) -> None:
    reading = understand(PLAIN.replace("val/2/", "2/"), tiny_data)
    assert reading.paths == PATHS
    assert (
        "2 paths of 6 could mean images in several splits; the validation image was taken." in reading.notes
    )
    assert not any("several splits" in note for note in understand(PLAIN, tiny_data).notes)


def test_columns_that_are_not_used_are_told(tiny_data: Path) -> None:
    rows = [line.split(",") for line in SURE.splitlines()]
    text = "\n".join(",".join([*row, "loss" if row == rows[0] else "2.5"]) for row in rows)
    assert "Columns not used: 'loss'." in understand(text, tiny_data).notes
    assert not any("not used" in note for note in understand(SURE, tiny_data).notes)


def test_a_confidence_beside_probabilities_is_not_used_and_that_is_told(tiny_data: Path) -> None:
    text = "\n".join(f"{line},{'conf' if line.startswith('path') else '0.5'}" for line in WHOLE.splitlines())
    reading = understand(text, tiny_data)
    assert reading.confidence is not None
    assert reading.confidence.tolist() == pytest.approx([0.8] * 6)
    assert "Columns not used: 'conf'." in reading.notes


def test_twenty_thousand_rows_of_a_hundred_classes_are_understood_in_under_three_seconds(
    tmp_path: Path,
) -> None:
    classes = [f"c{number:02d}" for number in range(100)]
    for name in classes:
        (tmp_path / name).mkdir()
        for number in range(200):
            (tmp_path / name / f"{number}.jpg").touch()
    rest = ",".join(["0.005"] * 99)
    # Paths of another machine, each with a file's name that all classes have, take the longest to find.
    lines = [
        f"/elsewhere/{name}/{number}.jpg,{name},0.505,{rest}" for name in classes for number in range(200)
    ]
    data = ("path,true," + ",".join(f"prob_{name}" for name in classes) + "\n" + "\n".join(lines)).encode()
    begun = time.process_time()
    reading = understand_table(parse_table("big.csv", data), tmp_path)
    assert time.process_time() - begun < 3
    assert (reading.accuracy, len(reading.paths)) == (0.01, 20_000)
    assert reading.paths[-1] == "c99/199.jpg"


@pytest.mark.parametrize("cell", ["9" * 5000, "0" * 5000 + "9", "\u0661"])
def test_a_number_without_end_is_told_as_one_of_no_class(tiny_data: Path, cell: str) -> None:
    text = PLAIN.replace("val/35/2.png,35,35", f"val/35/2.png,35,{cell}")
    with pytest.raises(DataError, match=r"line 7, column 'predicted'"):
        understand(text, tiny_data)
