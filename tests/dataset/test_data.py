"""The data: folders, names and splits, reading whatever people have, the report's transforms, repeatable batches."""

from __future__ import annotations

import contextlib
import io
import random
import shutil
import struct
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from core.dataset.folders import (
    Sample,
    drop_bad_images,
    natural_key,
    read_display_names,
    scan_folders,
    split_stratified,
)
from core.dataset.images import FORMATS, BadImage, ImageProblem, check_images, read_image
from core.errors import DataError
from core.networks.table import IMAGENET
from core.recipe.config import TrainConfig
from core.recipe.presets import from_preset
from core.training import loaders
from core.training.loaders import EpochBatches, ImageTable

# isort: split
from torchvision import transforms
from torchvision.transforms import InterpolationMode

RED = (200, 40, 40)
EXTENSIONS = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp", "GIF": "gif", "TIFF": "tif", "BMP": "bmp"}


def save_plain(path: Path, colour: tuple[int, int, int] = RED, size: int = 16) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (size, size), colour).save(path)


def make_folders(root: Path, counts: dict[str, int], under: str = "train") -> Path:
    for name, count in counts.items():
        (root / under / name).mkdir(parents=True)
        for number in range(count):
            save_plain(root / under / name / f"{number}.png")
    return root


def encode(image: Image.Image, kind: str, **options: object) -> bytes:
    content = io.BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


def read(content: bytes) -> np.ndarray:
    image = read_image(io.BytesIO(content))
    assert image.mode == "RGB"
    return np.asarray(image).astype(int)


def problem_of(content: bytes) -> str:
    with pytest.raises(ImageProblem) as caught:
        read_image(io.BytesIO(content))
    return str(caught.value)


def png_of_size(width: int, height: int) -> bytes:
    """Return a PNG that claims a size, without the pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


# Folders, classes and splits


def test_a_data_set_is_read_with_its_splits_and_names(tiny_data: Path) -> None:
    folders = scan_folders(tiny_data)
    assert folders.classes == ("2", "10", "35")
    assert folders.display == {"2": "rose", "10": "tulip", "35": "iris"}
    assert (len(folders.train), len(folders.val), folders.val_made) == (18, 6, False)
    assert folders.test == ("test/1.png", "test/2.png", "test/3.png")
    assert folders.train[0] == Sample("train/2/1.png", 0)
    assert folders.val[-1] == Sample("val/35/2.png", 2)
    assert len(folders.files) == 24


def test_names_are_sorted_as_people_count() -> None:
    names = ["10", "b2", "2", "B10", "a", "1", "b1", "class 100", "class 20"]
    assert sorted(names, key=natural_key) == [
        "1", "2", "10", "a", "b1", "b2", "B10", "class 20", "class 100",
    ]  # fmt: skip


@pytest.mark.parametrize("names", [["2", "02", "002"], ["Rose", "rose"], ["a1", "a", "a01", "A"]])
def test_names_that_count_alike_still_have_one_order(names: list[str]) -> None:
    orders = {tuple(sorted(names[i:] + names[:i], key=natural_key)) for i in range(len(names))}
    assert len(orders) == 1


@pytest.mark.parametrize("val", ["val", "valid", "validation"])
def test_the_validation_folder_may_have_any_usual_name(tmp_path: Path, val: str) -> None:
    make_folders(tmp_path, {"a": 3, "b": 3})
    make_folders(tmp_path, {"a": 1, "b": 1}, val)
    assert [s.path for s in scan_folders(tmp_path).val] == [f"{val}/a/0.png", f"{val}/b/0.png"]


def test_class_folders_may_lie_in_the_root_itself(tmp_path: Path) -> None:
    make_folders(tmp_path, {"a": 4, "b": 4, "test": 2}, "")
    folders = scan_folders(tmp_path)
    assert folders.classes == ("a", "b")
    assert folders.val_made
    assert len(folders.test) == 2


def test_hidden_and_system_files_and_folders_are_no_data(tmp_path: Path) -> None:
    make_folders(tmp_path, {"a": 2, "b": 2, ".cache": 1, "__MACOSX": 1})
    for name in (".DS_Store", "Thumbs.db", "desktop.ini"):
        (tmp_path / "train" / "a" / name).write_bytes(b"x")
    folders = scan_folders(tmp_path, val_fraction=0.5)
    assert folders.classes == ("a", "b")
    assert len(folders.files) == 4


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone: there is no such folder\."):
        scan_folders(tmp_path / "gone")


@pytest.mark.parametrize("counts", [{}, {"a": 3}])
def test_fewer_than_two_classes_are_refused_with_the_layout_expected(
    tmp_path: Path, counts: dict[str, int]
) -> None:
    make_folders(tmp_path, counts)
    with pytest.raises(DataError, match=rf"found {len(counts)} class folders, at least 2 .*train/<class>/"):
        scan_folders(tmp_path)


def test_classes_without_images_are_refused_by_name(tmp_path: Path) -> None:
    make_folders(tmp_path, {"a": 3, "b": 0, "c": 3, "d": 0})
    with pytest.raises(DataError, match=r"no images in classes 'b', 'd'\. Add images or remove the folder"):
        scan_folders(tmp_path)


def test_a_validation_class_that_training_lacks_is_refused_by_name(tmp_path: Path) -> None:
    make_folders(tmp_path, {"a": 3, "b": 3})
    make_folders(tmp_path, {"a": 1, "c": 1}, "val")
    with pytest.raises(DataError, match="class 'c' not among the training classes"):
        scan_folders(tmp_path)


def test_an_empty_validation_folder_is_refused(tmp_path: Path) -> None:
    make_folders(tmp_path, {"a": 3, "b": 3})
    make_folders(tmp_path, {"a": 0}, "val")
    with pytest.raises(DataError, match=r"val: no images in its class folders.*remove the folder"):
        scan_folders(tmp_path)


def test_a_class_without_validation_images_is_taken(tmp_path: Path) -> None:
    make_folders(tmp_path, {"a": 3, "b": 3})
    make_folders(tmp_path, {"b": 2}, "val")
    assert {s.target for s in scan_folders(tmp_path).val} == {1}


def test_many_names_in_a_message_are_cut_to_the_first_eight(tmp_path: Path) -> None:
    make_folders(tmp_path, {f"c{n}": 0 for n in range(12)})
    with pytest.raises(DataError, match="'c7' and 4 more"):
        scan_folders(tmp_path)


def samples_of(counts: dict[int, int]) -> list[Sample]:
    return [Sample(f"train/{c}/{n}.png", c) for c, count in counts.items() for n in range(count)]


def test_the_split_is_the_same_each_time_and_not_the_same_places_of_every_class() -> None:
    samples = samples_of(dict.fromkeys(range(4), 20))
    first = split_stratified(samples, fraction=0.15)
    assert split_stratified(samples, fraction=0.15) == first
    assert len({tuple(s.path.rpartition("/")[2] for s in first[1] if s.target == c) for c in range(4)}) > 1


def test_the_split_does_not_depend_on_the_order_of_the_files() -> None:
    samples = samples_of({0: 20, 1: 20})
    one = split_stratified(samples, fraction=0.2)
    other = split_stratified(samples[::-1], fraction=0.2)
    assert set(one[1]) == set(other[1])


@pytest.mark.parametrize(("count", "held_back"), [(1, 0), (2, 1), (3, 1), (10, 2), (100, 15)])
def test_each_class_gives_its_share_to_validation_and_keeps_one(count: int, held_back: int) -> None:
    train, val = split_stratified(samples_of({0: count, 1: 40}), fraction=0.15)
    assert sum(s.target == 0 for s in val) == held_back
    assert sum(s.target == 0 for s in train) == count - held_back > 0
    assert not set(train) & set(val)


def test_even_a_large_share_leaves_every_class_one_to_train_on() -> None:
    train, _ = split_stratified(samples_of({0: 2, 1: 3}), fraction=0.5)
    assert {s.target for s in train} == {0, 1}


def test_data_too_small_to_split_is_refused(tmp_path: Path) -> None:
    make_folders(tmp_path, {"a": 1, "b": 1})
    with pytest.raises(DataError, match="no class has the 2 images a validation split needs"):
        scan_folders(tmp_path)


# Display names


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("class_names.csv", "label,name\n2, rose \n10,tulip\n99,not a class\n"),
        ("class_names.csv", "\ufefflabel,name,count\r\n2,rose,5\r\n10,tulip,6\r\n35,,1\r\n"),
        ("class_names.csv", "name,label\nrose,2\n\ntulip,10\n"),
        ("cat_to_name.json", '{"10": "tulip", "2": "rose", "99": "not a class"}'),
        ("cat_to_name.json", '\ufeff{"10": "tulip", "2": "rose"}'),
    ],
)
def test_display_names_are_read_from_either_file(tmp_path: Path, file: str, content: str) -> None:
    (tmp_path / file).write_bytes(content.encode())
    assert read_display_names(tmp_path, ["2", "10", "35"]) == {"2": "rose", "10": "tulip"}


def test_without_a_names_file_there_are_no_display_names(tmp_path: Path) -> None:
    assert read_display_names(tmp_path, ["2", "10"]) == {}


def test_display_names_keep_commas_and_every_script(tmp_path: Path) -> None:
    (tmp_path / "class_names.csv").write_text('label,name\n2,"Ä, „Ω“ 花"\n', encoding="utf-8")
    assert read_display_names(tmp_path, ["2"]) == {"2": "Ä, „Ω“ 花"}


@pytest.mark.parametrize(
    ("file", "content", "what"),
    [
        ("class_names.csv", b"", "the first line must be 'label,name'"),
        ("class_names.csv", b"2,rose\n10,tulip\n", "the first line must be 'label,name'"),
        ("class_names.csv", b"label;name\n2;rose\n", "the first line must be 'label,name'"),
        ("class_names.csv", b"label,name\n2,rose\n10\n", "line 3: needs a label and a name"),
        ("class_names.csv", b"label,name\n2,ros\xe9\n", "cannot be read"),
        ("cat_to_name.json", b'{"2": "rose"', "cannot be read"),
        ("cat_to_name.json", b'["rose"]', "must be one JSON object of label: name"),
        ("cat_to_name.json", b'{"2": 7}', "must be one JSON object of label: name"),
    ],
)
def test_a_malformed_names_file_is_named(tmp_path: Path, file: str, content: bytes, what: str) -> None:
    (tmp_path / file).write_bytes(content)
    with pytest.raises(DataError, match=what) as caught:
        read_display_names(tmp_path, ["2", "10"])
    assert str(tmp_path / file) in str(caught.value)


# Reading images


@pytest.mark.parametrize("source", ["a path", "bytes"])
@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_is_read_from_a_path_and_from_bytes(tmp_path: Path, kind: str, source: str) -> None:
    path = tmp_path / f"image.{EXTENSIONS[kind]}"
    content = encode(Image.new("RGB", (20, 10), RED), kind)
    path.write_bytes(content)
    image = read_image(path if source == "a path" else io.BytesIO(content))
    assert (image.mode, image.size) == ("RGB", (20, 10))
    assert np.abs(np.asarray(image).astype(int) - RED).max() <= 6


def test_the_format_is_told_by_the_content_not_by_the_name(tmp_path: Path) -> None:
    (tmp_path / "image.jpg").write_bytes(encode(Image.new("RGB", (4, 4), RED), "PNG"))
    assert read_image(tmp_path / "image.jpg").getpixel((0, 0)) == RED


def marked_corner(orientation: int, kind: str) -> bytes:
    """Return a picture, blue at its upper left once it is upright, stored turned as cameras do."""
    upright = Image.new("RGB", (48, 32), "red")
    upright.paste("blue", (0, 0, 16, 16))
    turn_back = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = upright if orientation == 1 else upright.transpose(turn_back[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "camera"
    return encode(stored, kind, exif=exif)


def is_upright(pixels: np.ndarray) -> bool:
    blue = pixels[..., 2] > 128
    return (
        pixels.shape == (32, 48, 3)
        and blue[4:12, 4:12].all()
        and not blue[20:].any()
        and not blue[:, 20:].any()
    )


@pytest.mark.parametrize("orientation", range(1, 9))
def test_photos_are_turned_upright_by_their_exif(orientation: int) -> None:
    assert is_upright(read(marked_corner(orientation, "JPEG")))


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_other_formats_are_turned_by_their_exif_too(kind: str) -> None:
    assert is_upright(read(marked_corner(6, kind)))


def test_a_photo_whose_exif_has_a_tag_of_an_odd_type_is_read_upright() -> None:
    content = bytearray(marked_corner(6, "JPEG"))
    tag = content.index(b"\x01\x0f\x00\x02")  # "Make", a text
    content[tag + 1] = 0  # now ImageWidth, and still a text
    assert is_upright(read(bytes(content)))


def test_a_photo_whose_exif_is_damaged_is_read_as_it_lies() -> None:
    content = marked_corner(1, "JPEG").replace(b"Exif\0\0MM\0*", b"Exif\0\0XX\0*")
    assert is_upright(read(content))


def test_grey_images_become_rgb() -> None:
    assert (read(encode(Image.new("L", (4, 4), 77), "PNG")) == 77).all()
    assert (read(encode(Image.new("1", (4, 4), 1), "PNG")) == 255).all()


def test_transparency_is_put_on_white() -> None:
    image = Image.new("RGBA", (2, 1), (255, 0, 0, 0))
    image.putpixel((1, 0), (255, 0, 0, 128))
    assert read(encode(image, "PNG"))[0].tolist() == [[255, 255, 255], [255, 127, 127]]


def test_grey_with_alpha_is_put_on_white() -> None:
    assert (read(encode(Image.new("LA", (2, 2), (0, 0)), "PNG")) == 255).all()


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_a_palette_with_a_transparent_colour_is_put_on_white(kind: str) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 40, 40])
    image.putpixel((1, 0), 1)
    assert read(encode(image, kind, transparency=0))[0].tolist() == [[255, 255, 255], [200, 40, 40]]


def test_a_colour_declared_transparent_is_put_on_white() -> None:
    image = Image.new("RGB", (2, 1), (1, 2, 3))
    image.putpixel((1, 0), RED)
    assert read(encode(image, "PNG", transparency=(1, 2, 3)))[0].tolist() == [[255] * 3, list(RED)]


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_becomes_rgb(kind: str) -> None:
    pixels = read(encode(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), kind))
    assert np.abs(pixels - (255, 0, 0)).max() <= 6


@pytest.mark.parametrize(("kind", "order"), [("PNG", "<u2"), ("TIFF", "<u2"), ("TIFF", ">u2")])
def test_16_bit_grey_is_scaled_to_8_bits(kind: str, order: str) -> None:
    values = np.array([[0, 257 * 100, 65535, 300]], dtype=order)
    assert read(encode(Image.fromarray(values), kind))[0, :, 0].tolist() == [0, 100, 255, 1]


def test_a_float_image_of_0_to_1_is_scaled_to_8_bits() -> None:
    values = np.array([[0.0, 1.0, float("nan")]], dtype=np.float32)
    assert read(encode(Image.fromarray(values), "TIFF"))[0, :, 0].tolist() == [0, 255, 0]


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_an_animation_gives_its_first_frame(kind: str) -> None:
    first, second = Image.new("RGB", (8, 8), RED), Image.new("RGB", (8, 8), "blue")
    pixels = read(encode(first, kind, save_all=True, append_images=[second]))
    assert np.abs(pixels - RED).max() <= 6


# Files that are no image


def test_an_empty_file_says_that_it_is_empty() -> None:
    assert problem_of(b"") == "is empty (0 bytes)"


def test_a_text_renamed_says_which_kinds_are_read() -> None:
    assert problem_of(b"not a picture at all") == (
        "is no image of a kind that is read (JPEG, PNG, WEBP, GIF, TIFF, BMP)"
    )


def test_an_image_of_another_kind_is_not_read() -> None:
    assert problem_of(encode(Image.new("RGB", (4, 4)), "PPM")).startswith(
        "is no image of a kind that is read"
    )


@pytest.mark.parametrize("kind", FORMATS)
def test_a_file_that_is_cut_off_is_told(kind: str) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    content = encode(Image.fromarray(noise), kind)
    assert problem_of(content[: len(content) // 2]).startswith(
        ("is cut off or damaged", "is damaged", "is no image")
    )


def test_a_photo_that_is_cut_off_is_called_so() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    content = encode(Image.fromarray(noise), "JPEG")
    assert problem_of(content[: len(content) // 2]).startswith("is cut off or damaged (")


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("size", [(10_001, 10_000), (20_000, 20_000), (2**30, 2**30)])
def test_an_image_of_too_many_pixels_is_refused_before_it_is_decoded(size: tuple[int, int]) -> None:
    assert "pixels; at most 100,000,000 are read" in problem_of(png_of_size(*size))


@pytest.mark.parametrize("name", ["", "gone.png"], ids=["a folder", "missing"])
def test_a_path_that_is_no_file_says_so_instead_of_damage(tmp_path: Path, name: str) -> None:
    with pytest.raises(ImageProblem, match=r"^cannot be opened \((No such file|Is a directory)"):
        read_image(tmp_path / name)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", FORMATS)
def test_whatever_is_damaged_nothing_but_an_image_problem_is_raised(kind: str) -> None:
    chance = random.Random(0)
    exif = Image.Exif()
    exif[0x0112] = 6
    options = {} if kind in ("GIF", "BMP") else {"exif": exif}
    content = encode(Image.effect_noise((24, 24), 80).convert("RGB"), kind, **options)
    for _ in range(400):
        damaged = bytearray(content)
        for _ in range(chance.choice((1, 2, 8))):
            damaged[chance.randrange(min(len(damaged), 200))] = chance.randrange(256)
        with contextlib.suppress(ImageProblem):
            assert read_image(io.BytesIO(bytes(damaged))).mode == "RGB"


def test_an_error_no_one_thought_of_is_an_image_problem_too() -> None:
    # A TIFF whose strip offset is of type float ends in a TypeError inside Pillow.
    content = bytearray(encode(Image.new("RGB", (4, 4), RED), "TIFF"))
    entry = content.index(struct.pack("<HH", 273, 4))
    struct.pack_into("<HHIf", content, entry, 273, 11, 1, 8.5)
    assert problem_of(bytes(content)).startswith("is damaged (")


@pytest.fixture
def dirty(tmp_path: Path) -> Path:
    """Return a data folder with one file of each kind of badness among good ones."""
    make_folders(tmp_path, {"a": 3, "b": 3})
    make_folders(tmp_path, {"a": 1, "b": 1}, "val")
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8))
    jpeg = encode(noise, "JPEG")
    (tmp_path / "train" / "a" / "cut.jpg").write_bytes(jpeg[: len(jpeg) // 2])
    (tmp_path / "train" / "a" / "empty.png").write_bytes(b"")
    (tmp_path / "train" / "b" / "huge.png").write_bytes(png_of_size(12_000, 10_000))
    (tmp_path / "val" / "b" / "notes.jpg").write_text("dear diary")
    return tmp_path


BAD = ["train/a/cut.jpg", "train/a/empty.png", "train/b/huge.png", "val/b/notes.jpg"]


def test_the_check_finds_every_bad_file_and_says_why(dirty: Path) -> None:
    folders = scan_folders(dirty)
    found = check_images(dirty, folders.files)
    assert [item.path for item in found] == BAD
    reasons = ["is cut off", "is empty", "has 12000 × 10000 pixels", "is no image of a kind that is read"]
    assert all(item.reason.startswith(why) for item, why in zip(found, reasons, strict=True))


def test_the_check_of_good_files_finds_nothing(tiny_data: Path) -> None:
    assert check_images(tiny_data, scan_folders(tiny_data).files) == []


def test_the_check_tells_its_progress_and_can_be_ended(tmp_path: Path) -> None:
    paths = [f"{number}.png" for number in range(200)]
    for path in paths:
        save_plain(tmp_path / path, size=2)
    calls: list[tuple[int, int]] = []
    check_images(tmp_path, paths, progress=lambda *call: calls.append(call) or True)
    assert calls == [(64, 200), (128, 200), (192, 200), (200, 200)]
    calls.clear()
    check_images(tmp_path, paths, progress=lambda *call: calls.append(call) or False)
    assert calls == [(64, 200)]


def test_the_check_leaves_the_processs_warning_filters_alone(tmp_path: Path) -> None:
    paths = [f"{number}.png" for number in range(300)]
    for path in paths:
        save_plain(tmp_path / path, size=64)
    before = list(warnings.filters)
    for _ in range(10):
        check_images(tmp_path, paths)
        assert list(warnings.filters) == before


def test_bad_files_are_refused_by_name_with_what_to_do(dirty: Path) -> None:
    folders = scan_folders(dirty)
    bad = check_images(dirty, folders.files)
    with pytest.raises(
        DataError, match=r"^4 of 12 files are no readable image: .*bad_images = skip\.$"
    ) as caught:
        drop_bad_images(folders, bad, policy="refuse")
    assert all(path in str(caught.value) for path in BAD)


def test_bad_files_are_skipped_where_asked_and_remembered(dirty: Path) -> None:
    folders = scan_folders(dirty)
    bad = check_images(dirty, folders.files)
    kept = drop_bad_images(folders, bad, policy="skip")
    assert set(folders.files) - set(kept.files) == set(BAD)
    assert kept.skipped == tuple(bad)


def test_without_bad_files_either_policy_gives_the_same(tiny_data: Path) -> None:
    folders = scan_folders(tiny_data)
    assert drop_bad_images(folders, [], policy="refuse") is folders


def test_skipping_a_whole_class_is_refused(tmp_path: Path) -> None:
    folders = scan_folders(make_folders(tmp_path, {"a": 2, "b": 6}))
    bad = [BadImage(s.path, "is empty") for s in folders.train if s.target == 0]
    with pytest.raises(DataError, match="no readable image is left in class 'a'"):
        drop_bad_images(folders, bad, policy="skip")


def test_skipping_all_validation_images_is_refused(tmp_path: Path) -> None:
    folders = scan_folders(make_folders(tmp_path, {"a": 4, "b": 4}))
    bad = [BadImage(s.path, "is empty") for s in folders.val]
    with pytest.raises(DataError, match="no readable validation image is left"):
        drop_bad_images(folders, bad, policy="skip")


# Transforms


def test_training_has_the_reports_eight_transforms_in_its_order() -> None:
    steps = loaders.train_transforms(from_preset("seed", data="flowers"), IMAGENET).transforms
    crop, flip, rotate, shift, jitter, to_tensor, normalise, erase = steps
    assert isinstance(crop, transforms.RandomResizedCrop)
    assert (crop.size, crop.scale) == ((224, 224), (0.08, 1.0))
    assert crop.ratio == pytest.approx((3 / 4, 4 / 3))
    assert crop.interpolation is InterpolationMode.BILINEAR
    assert isinstance(flip, transforms.RandomHorizontalFlip)
    assert flip.p == 0.5
    assert isinstance(rotate, transforms.RandomRotation)
    assert rotate.degrees == [-15, 15]
    assert isinstance(shift, transforms.RandomAffine)
    assert (shift.degrees, shift.translate, shift.scale, shift.shear) == ([0, 0], (0.1, 0.1), None, None)
    assert isinstance(jitter, transforms.ColorJitter)
    assert (jitter.brightness, jitter.contrast, jitter.saturation) == ((0.7, 1.3),) * 3
    assert jitter.hue is None
    assert isinstance(to_tensor, transforms.ToTensor)
    assert isinstance(normalise, transforms.Normalize)
    assert (normalise.mean, normalise.std) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    assert isinstance(erase, transforms.RandomErasing)
    assert (erase.p, erase.scale, erase.ratio, erase.value) == (0.5, (0.02, 0.33), (0.3, 3.3), 0)


def test_validation_has_the_reports_four_transforms_in_its_order() -> None:
    resize, crop, to_tensor, normalise = loaders.eval_transforms(224, 256, IMAGENET).transforms
    assert isinstance(resize, transforms.Resize)
    assert resize.size == 256
    assert isinstance(crop, transforms.CenterCrop)
    assert crop.size == (224, 224)
    assert isinstance(to_tensor, transforms.ToTensor)
    assert isinstance(normalise, transforms.Normalize)
    assert (normalise.mean, normalise.std) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@pytest.mark.parametrize("size", [(500, 375), (20, 300), (7, 7)])
def test_images_of_any_shape_become_squares_of_the_networks_size(size: tuple[int, int]) -> None:
    image = Image.new("RGB", size, RED)
    for transform in (
        loaders.train_transforms(from_preset("seed", data="x"), IMAGENET),
        loaders.eval_transforms(224, 256, IMAGENET),
    ):
        tensor = transform(image)
        assert (tensor.shape, tensor.dtype) == ((3, 224, 224), torch.float32)


def test_every_augmentation_can_be_turned_off() -> None:
    config = TrainConfig(
        data="x", image_size=32, resize_size=32, crop_scale_min=1.0, hflip=0, rotation=0, translate=0, jitter=0, erasing=0,
    )  # fmt: skip
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (32, 32, 3), dtype=np.uint8))
    assert torch.equal(
        loaders.train_transforms(config, IMAGENET)(image), loaders.eval_transforms(32, 32, IMAGENET)(image)
    )


def test_pixels_come_back_from_the_networks_input_unchanged() -> None:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8))
    pixels = loaders.to_pixels(loaders.eval_transforms(32, 32, IMAGENET)(image)[None], IMAGENET)
    assert pixels.dtype == np.uint8
    assert np.array_equal(pixels[0], np.asarray(image))


# Tables and batches


def make_table(root: Path, seed: int = 7) -> ImageTable:
    config = TrainConfig(data=str(root), image_size=32, resize_size=32)
    return ImageTable(root, scan_folders(root).train, loaders.train_transforms(config, IMAGENET), seed)


def load(table: ImageTable, *, workers: int, epoch: int = 0, first_batch: int = 0) -> list[torch.Tensor]:
    batches = EpochBatches(len(table), 4, seed=7)
    batches.epoch, batches.first_batch = epoch, first_batch
    return [images for images, _ in loaders.make_loader(table, batches, workers=workers, pin_memory=False)]


def test_batches_are_the_same_for_any_number_of_workers(tiny_data: Path) -> None:
    table = make_table(tiny_data)
    alone, helped = load(table, workers=0), load(table, workers=2)
    assert len(alone) == len(helped) == 5
    assert all(torch.equal(a, b) for a, b in zip(alone, helped, strict=True))


def test_an_epoch_that_is_resumed_ends_as_the_whole_one_does(tiny_data: Path) -> None:
    table = make_table(tiny_data)
    whole, rest = load(table, workers=0, epoch=3), load(table, workers=0, epoch=3, first_batch=2)
    assert len(rest) == 3
    assert all(torch.equal(a, b) for a, b in zip(whole[2:], rest, strict=True))


def test_an_image_is_changed_alike_whatever_was_drawn_before(tiny_data: Path) -> None:
    table = make_table(tiny_data)
    first = table[0, 5][0]
    table[0, 1], torch.rand(3)
    assert torch.equal(table[0, 5][0], first)


def test_an_image_is_changed_anew_each_epoch_and_by_seed(tiny_data: Path) -> None:
    table = make_table(tiny_data)
    assert not torch.equal(table[0, 5][0], table[1, 5][0])
    assert not torch.equal(table[0, 5][0], make_table(tiny_data, seed=8)[0, 5][0])


def test_two_images_are_changed_differently(tmp_path: Path) -> None:
    table = make_table(make_folders(tmp_path, {"a": 4, "b": 4}))
    assert not torch.equal(table[0, 0][0], table[0, 1][0])


def test_loading_leaves_the_global_random_numbers_alone(tiny_data: Path) -> None:
    before = torch.get_rng_state()
    make_table(tiny_data)[0, 0]
    assert torch.equal(torch.get_rng_state(), before)


def test_targets_follow_the_order_of_the_classes(tiny_data: Path) -> None:
    table = make_table(tiny_data)
    assert [table[0, index][1] for index in (0, 6, 17)] == [0, 1, 2]


def test_a_file_that_broke_after_the_check_is_named(tiny_data: Path) -> None:
    (tiny_data / "train" / "2" / "1.png").unlink()
    table = ImageTable(tiny_data, [Sample("train/2/1.png", 0)], loaders.eval_transforms(32, 32, IMAGENET))
    with pytest.raises(DataError, match=r"^train/2/1\.png cannot be opened .* Mend or replace it"):
        table[0, 0]


def test_every_epoch_asks_for_every_image_once_in_another_order() -> None:
    batches = EpochBatches(10, 4, seed=3)
    orders = []
    for epoch in (0, 1):
        batches.epoch = epoch
        found = list(batches)
        assert [len(batch) for batch in found] == [4, 4, 2]
        assert {key[0] for batch in found for key in batch} == {epoch}
        orders.append([index for batch in found for _, index in batch])
    assert sorted(orders[0]) == sorted(orders[1]) == list(range(10))
    assert orders[0] != orders[1]


def test_an_image_left_alone_joins_the_batch_before_in_training() -> None:
    # Batch normalisation cannot train on a single image of 32 px.
    assert [len(batch) for batch in EpochBatches(9, 4, seed=3)] == [4, 5]
    assert len(EpochBatches(9, 4, seed=3)) == 2
    assert [len(batch) for batch in EpochBatches(9, 4, seed=None)] == [4, 4, 1]


def test_the_order_depends_on_the_seed_alone() -> None:
    assert list(EpochBatches(10, 4, seed=3)) == list(EpochBatches(10, 4, seed=3))
    assert list(EpochBatches(10, 4, seed=3)) != list(EpochBatches(10, 4, seed=4))


def test_batches_from_a_later_one_on_are_the_tail_of_the_same_order() -> None:
    batches = EpochBatches(11, 4, seed=3)
    whole = list(batches)
    for first in range(4):
        batches.first_batch = first
        assert list(batches) == whole[first:]
        assert len(batches) == 3 - first


def test_without_a_seed_the_order_is_the_tables() -> None:
    assert [i for batch in EpochBatches(5, 2, seed=None) for _, i in batch] == [0, 1, 2, 3, 4]


def test_the_number_of_workers_is_as_asked_or_by_the_device() -> None:
    assert loaders.choose_workers(0, "cuda") == 0
    assert loaders.choose_workers(5, "cpu") == 5
    assert 1 <= loaders.choose_workers(-1, "cpu") <= 2
    assert 2 <= loaders.choose_workers(-1, "cuda") <= 8


# Fingerprint


def test_the_fingerprint_of_a_copy_is_the_same(tiny_data: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_data, tmp_path / "copy")
    assert scan_folders(tmp_path / "copy").fingerprint() == scan_folders(tiny_data).fingerprint()


CHANGES: dict[str, Callable[[Path], object]] = {
    "a file more": lambda root: save_plain(root / "train" / "2" / "7.png"),
    "a file less": lambda root: (root / "val" / "10" / "1.png").unlink(),
    "another file": lambda root: save_plain(root / "train" / "2" / "1.png", size=50),
    "another name": lambda root: (root / "val" / "10" / "1.png").rename(root / "val" / "10" / "9.png"),
    "another class": lambda root: (root / "val" / "10" / "1.png").rename(root / "val" / "2" / "9.png"),
    "another split": lambda root: (root / "val" / "10" / "1.png").rename(root / "train" / "10" / "9.png"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_fingerprint_changes_with_the_data(tiny_data: Path, change: str) -> None:
    before = scan_folders(tiny_data).fingerprint()
    CHANGES[change](tiny_data)
    assert scan_folders(tiny_data).fingerprint() != before


def test_the_fingerprint_changes_with_the_split(tmp_path: Path) -> None:
    make_folders(tmp_path, {"a": 20, "b": 20})
    assert scan_folders(tmp_path, val_fraction=0.1).fingerprint() != scan_folders(tmp_path).fingerprint()
