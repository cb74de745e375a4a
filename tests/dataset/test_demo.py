"""The demo sets: what is in them, that they are always the same, and that nobody's files are harmed."""

from __future__ import annotations

import csv
import hashlib
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fontTools.ttLib import TTFont
from PIL import Image, ImageChops, ImageDraw, ImageFont

from core.dataset import demo
from core.errors import DataError

COUNTS = {
    "digits": {"train": 1200, "val": 300, "test": 297},
    "glyphs": {"train": 2000, "val": 300, "test": 230},
}
CLASSES = {"digits": 10, "glyphs": 100}
WEAK = (10, 29, 52, 86, 87)

each_set = pytest.mark.parametrize("name", demo.DEMOS)


class Stop(BaseException):
    """What a person pressing Ctrl-C looks like: not an Exception."""


@pytest.fixture(scope="module")
def told() -> dict[str, list[tuple[int, int]]]:
    """What the sets have told of their progress while they were made."""
    return {name: [] for name in demo.DEMOS}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, told: dict[str, list[tuple[int, int]]]) -> dict[str, Path]:
    """Both sets, made once for all tests, which only look at them."""
    sets = {name: tmp_path_factory.mktemp("made") / name for name in demo.DEMOS}
    for name, folder in sets.items():
        demo.make_demo(name, folder, lambda *call, name=name: told[name].append(call))
    return sets


def digests(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def class_names(folder: Path) -> dict[str, str]:
    with (folder / "class_names.csv").open(encoding="utf-8", newline="") as file:
        return {row["label"]: row["name"] for row in csv.DictReader(file)}


def stop_after(calls: int) -> Callable[[int, int], None]:
    left = iter(range(calls))

    def progress(done: int, total: int) -> None:
        if next(left, None) is None:
            raise Stop

    return progress


@each_set
def test_each_split_has_its_number_of_pictures(made: dict[str, Path], name: str) -> None:
    found = {split: len(list((made[name] / split).rglob("*.png"))) for split in ("train", "val", "test")}
    assert found == COUNTS[name]


@each_set
def test_a_set_holds_its_splits_the_names_and_the_marker_only(made: dict[str, Path], name: str) -> None:
    found = {path.name for path in made[name].iterdir()}
    assert found == {"train", "val", "test", "class_names.csv", demo.MARKER}


@each_set
@pytest.mark.parametrize("split", ["train", "val"])
def test_every_class_has_a_folder_named_by_its_label(made: dict[str, Path], name: str, split: str) -> None:
    folders = {path.name for path in (made[name] / split).iterdir()}
    assert folders == {str(label) for label in range(CLASSES[name])}


@each_set
def test_test_pictures_lie_flat(made: dict[str, Path], name: str) -> None:
    assert all(path.is_file() and path.suffix == ".png" for path in (made[name] / "test").iterdir())


def test_every_glyph_class_has_20_pictures_to_train_and_3_to_validate(made: dict[str, Path]) -> None:
    for split, count in (("train", 20), ("val", 3)):
        sizes = Counter(path.parent.name for path in (made["glyphs"] / split).rglob("*.png"))
        assert set(sizes.values()) == {count}


def test_digit_classes_keep_their_proportions(made: dict[str, Path]) -> None:
    for split, low, high in (("train", 110, 125), ("val", 27, 33)):
        sizes = Counter(path.parent.name for path in (made["digits"] / split).rglob("*.png"))
        assert low <= min(sizes.values())
        assert max(sizes.values()) <= high


@each_set
def test_pictures_have_64_by_64_pixels_and_none_is_blank(made: dict[str, Path], name: str) -> None:
    for path in made[name].rglob("*.png"):
        with Image.open(path) as picture:
            assert picture.size == (64, 64), path
            assert picture.mode == ("L" if name == "digits" else "RGB"), path
            assert np.asarray(picture.convert("L"), dtype=float).std() > 12, path


def test_no_picture_of_a_set_is_in_it_twice(made: dict[str, Path]) -> None:
    found = digests(made["glyphs"])
    assert len(set(found.values())) == len(found)


def test_a_digits_picture_is_the_one_that_scikit_learn_has(made: dict[str, Path]) -> None:
    from sklearn.datasets import load_digits

    grey, labels = load_digits(return_X_y=True)
    with Image.open(next((made["digits"] / "val" / "3").iterdir())) as picture:
        small = np.asarray(picture.resize((8, 8), Image.Resampling.BOX), dtype=float) * 16 / 255
    nearest = np.abs(grey.reshape(-1, 8, 8) - small).mean(axis=(1, 2)).argmin()
    assert labels[nearest] == 3


def test_digits_are_named_in_words(made: dict[str, Path]) -> None:
    names = class_names(made["digits"])
    assert len(names) == 10
    assert (names["0"], names["9"]) == ("zero", "nine")


def test_glyph_names_are_100_and_all_different(made: dict[str, Path]) -> None:
    names = class_names(made["glyphs"])
    assert list(names) == [str(label) for label in range(100)]
    assert len(set(names.values())) == 100
    assert len(set(demo.CHARACTERS)) == 100


def test_names_of_look_alikes_tell_the_script(made: dict[str, Path]) -> None:
    names = class_names(made["glyphs"])
    assert names["10"] == "A (Latin)"
    assert names["52"] == "\N{GREEK CAPITAL LETTER ALPHA} (Greek)"
    assert names["29"] == "T (Latin)"
    assert names["86"] == "\N{GREEK CAPITAL LETTER TAU} (Greek)"
    assert names["87"] == "\N{CYRILLIC CAPITAL LETTER TE} (Cyrillic)"


def bitmap(character: str, face: Path) -> Image.Image:
    font = ImageFont.truetype(str(face), 64, layout_engine=ImageFont.Layout.BASIC)
    canvas = Image.new("L", (192, 192))
    ImageDraw.Draw(canvas).text((96, 96), character, fill=255, font=font, anchor="mm")
    return canvas.crop(canvas.getbbox()).resize((48, 48), Image.Resampling.LANCZOS)


def difference(one: Image.Image, other: Image.Image) -> float:
    return float(np.asarray(ImageChops.difference(one, other), dtype=float).mean())


@pytest.mark.parametrize("face", demo.glyph_faces(), ids=lambda face: face.stem)
def test_exactly_the_five_weak_classes_share_their_shape_with_another(face: Path) -> None:
    shapes = [bitmap(character, face) for character in demo.CHARACTERS]
    alike = {
        label
        for label, shape in enumerate(shapes)
        if any(difference(shape, other) < 2 for place, other in enumerate(shapes) if place != label)
    }
    assert alike == set(WEAK) == set(demo.LOOKALIKES)


def test_every_face_used_has_every_character() -> None:
    faces = demo.glyph_faces()
    assert len(faces) == 12
    for face in faces:
        with TTFont(face, lazy=True) as font:
            assert {ord(character) for character in demo.CHARACTERS} <= set(font.getBestCmap())


def test_glyphs_are_never_cut_off() -> None:
    rng = np.random.default_rng(1)
    faces = [ImageFont.truetype(str(face), demo.DRAWN_SIZE) for face in demo.glyph_faces()]
    for number, character in enumerate(demo.CHARACTERS):
        grey = np.asarray(
            demo.draw_glyph(character, faces[number % len(faces)], rng).convert("L"), dtype=float
        )
        edge = np.concatenate((grey[0], grey[-1], grey[:, 0], grey[:, -1]))
        assert np.abs(edge - np.median(edge)).max() < demo.MIN_CONTRAST / 2, character


def test_the_ink_is_always_darker_than_the_paper() -> None:
    rng = np.random.default_rng(1)
    face = ImageFont.truetype(str(demo.glyph_faces()[0]), demo.DRAWN_SIZE)
    for _ in range(40):
        grey = np.asarray(demo.draw_glyph("&", face, rng).convert("L"), dtype=float)
        paper = np.median(np.concatenate((grey[0], grey[-1], grey[:, 0], grey[:, -1])))
        assert grey.min() < paper - demo.MIN_CONTRAST / 2 > grey.max() - paper


def test_making_a_set_again_gives_the_same_bytes(made: dict[str, Path], tmp_path: Path) -> None:
    demo.make_demo("glyphs", tmp_path / "again")
    assert digests(tmp_path / "again") == digests(made["glyphs"])


@each_set
def test_progress_rises_to_the_number_of_pictures(
    made: dict[str, Path], told: dict[str, list[tuple[int, int]]], name: str
) -> None:
    calls, count = told[name], sum(COUNTS[name].values())
    assert [done for done, _ in calls] == sorted({done for done, _ in calls})
    assert {total for _, total in calls} == {count}
    assert calls[-1] == (count, count)
    assert len(calls) < 150


@each_set
def test_an_interruption_leaves_nothing(tmp_path: Path, name: str) -> None:
    with pytest.raises(Stop):
        demo.make_demo(name, tmp_path / "set", stop_after(3))
    assert list(tmp_path.iterdir()) == []


def test_an_interruption_leaves_an_empty_folder_empty_and_the_next_try_gives_the_same_bytes(
    made: dict[str, Path], tmp_path: Path
) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    with pytest.raises(Stop):
        demo.make_demo("digits", folder, stop_after(3))
    assert list(folder.iterdir()) == []
    demo.make_demo("digits", folder)
    assert digests(folder) == digests(made["digits"])
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_a_folder_of_someone_elses_is_refused_and_untouched(tmp_path: Path) -> None:
    (tmp_path / "mine" / "train").mkdir(parents=True)
    (tmp_path / "mine" / "train" / "holiday.png").write_bytes(b"mine")
    before = digests(tmp_path)
    with pytest.raises(DataError, match="choose a new or empty folder"):
        demo.make_demo("digits", tmp_path / "mine")
    assert digests(tmp_path) == before


def test_a_file_in_the_place_of_the_folder_is_refused_and_untouched(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(DataError, match="choose a new or empty folder"):
        demo.make_demo("digits", tmp_path / "mine")
    assert (tmp_path / "mine").read_text() == "mine"


def test_a_broken_marker_counts_as_another_set(tmp_path: Path) -> None:
    (tmp_path / demo.MARKER).write_text("{")
    with pytest.raises(DataError, match="delete it"):
        demo.make_demo("digits", tmp_path)


@pytest.mark.parametrize(
    "marker", [{"name": "glyphs", "version": demo.VERSIONS["glyphs"]}, {"name": "digits", "version": 0}]
)
def test_another_set_or_version_is_refused_with_what_to_do(tmp_path: Path, marker: dict[str, object]) -> None:
    (tmp_path / demo.MARKER).write_text(json.dumps(marker))
    with pytest.raises(DataError, match="delete it or choose another folder"):
        demo.make_demo("digits", tmp_path)


@each_set
def test_a_second_call_does_nothing(made: dict[str, Path], name: str) -> None:
    before = {path: path.stat().st_mtime_ns for path in made[name].rglob("*")}
    demo.make_demo(name, made[name], stop_after(0))
    assert {path: path.stat().st_mtime_ns for path in made[name].rglob("*")} == before


def test_when_another_process_finishes_the_same_set_first_its_set_stays(tmp_path: Path) -> None:
    folder = tmp_path / "set"

    def other_is_faster(done: int, total: int) -> None:
        if done == total:
            folder.mkdir()
            (folder / demo.MARKER).write_text(
                json.dumps({"name": "digits", "version": demo.VERSIONS["digits"]})
            )

    demo.make_demo("digits", folder, other_is_faster)
    assert [path.name for path in folder.iterdir()] == [demo.MARKER]
    assert list(tmp_path.iterdir()) == [folder]


def test_an_unknown_name_is_refused_with_the_names_there_are(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="digits, glyphs"):
        demo.make_demo("flowers", tmp_path / "set")
    assert list(tmp_path.iterdir()) == []


def test_importing_the_module_loads_neither_scikit_learn_nor_matplotlib() -> None:
    import subprocess
    import sys

    code = (
        "import sys, core.dataset.demo; sys.exit(bool({'sklearn', 'matplotlib', 'torch'} & set(sys.modules)))"
    )
    root = Path(demo.__file__).resolve().parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0
