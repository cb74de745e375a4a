"""Reading whatever images people have; what is no image; the check of a data set's files."""

from __future__ import annotations

import contextlib
import io
import random
import struct
import tracemalloc
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.dataset.folders import drop_bad_images, scan_folders
from core.dataset.images import FORMATS, BadImage, ImageProblem, check_images, count_pixels, read_image
from core.errors import DataError
from tests.corpus.images import chunk, encode, is_upright, marked_corner, png_of_size
from tests.dataset.pictures import RED, make_folders, save_plain

EXTENSIONS = {
    "JPEG": "jpg",
    "PNG": "png",
    "WEBP": "webp",
    "GIF": "gif",
    "TIFF": "tif",
    "BMP": "bmp",
    "AVIF": "avif",
    "HEIF": "heic",
}


def read(content: bytes) -> np.ndarray:
    image = read_image(io.BytesIO(content))
    assert image.mode == "RGB"
    return np.asarray(image).astype(int)


def problem_of(content: bytes) -> str:
    with pytest.raises(ImageProblem) as caught:
        read_image(io.BytesIO(content))
    return str(caught.value)


@pytest.mark.parametrize("source", ["a path", "bytes"])
@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_is_read_from_a_path_and_from_bytes(tmp_path: Path, kind: str, source: str) -> None:
    path = tmp_path / f"image.{EXTENSIONS[kind]}"
    content = encode(Image.new("RGB", (20, 10), RED), kind)
    path.write_bytes(content)
    image = read_image(path if source == "a path" else io.BytesIO(content))
    assert (image.mode, image.size) == ("RGB", (20, 10))
    assert np.abs(np.asarray(image).astype(int) - RED).max() <= 6


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
def test_photos_of_every_format_are_turned_upright_by_their_exif(kind: str, orientation: int) -> None:
    assert is_upright(read(marked_corner(orientation, kind)))


def test_a_photo_whose_exif_has_a_tag_of_an_odd_type_is_read_upright() -> None:
    content = bytearray(marked_corner(6, "JPEG"))
    tag = content.index(b"\x01\x0f\x00\x02")  # "Make", a text
    content[tag + 1] = 0  # now ImageWidth, and still a text
    assert is_upright(read(bytes(content)))


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


@pytest.mark.parametrize("kind", ["16 bits", "float"])
def test_an_image_of_large_numbers_takes_little_more_memory_than_its_pixels(kind: str) -> None:
    values = np.random.default_rng(0).random((2000, 2000))
    image = Image.fromarray((values * 65535).astype(np.uint16) if kind == "16 bits" else values.astype("f4"))
    content = encode(image, "TIFF")
    tracemalloc.start()
    try:
        pixels = np.asarray(read_image(io.BytesIO(content)))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert np.abs(pixels[..., 0] - values * 255).max() <= 1
    assert peak < 40e6, "8 bytes of a number, and as many again, are 64 MB"


def test_a_float_image_of_0_to_1_is_scaled_to_8_bits() -> None:
    values = np.array([[0.0, 1.0, float("nan")]], dtype=np.float32)
    assert read(encode(Image.fromarray(values), "TIFF"))[0, :, 0].tolist() == [0, 255, 0]


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_an_animation_gives_its_first_frame(kind: str) -> None:
    first, second = Image.new("RGB", (8, 8), RED), Image.new("RGB", (8, 8), "blue")
    pixels = read(encode(first, kind, save_all=True, append_images=[second]))
    assert np.abs(pixels - RED).max() <= 6


HEADER = 33  # bytes of a PNG before its first chunk but one
LONG = zlib.compress(b"x" * 2_000_000)


@pytest.mark.parametrize(
    "notes",
    [
        chunk(b"zTXt", b"note\0\0" + LONG),
        chunk(b"iTXt", b"note\0\1\0\0\0" + LONG),
        chunk(b"iCCP", b"profile\0\0" + LONG),
        chunk(b"zTXt", b"Raw profile type exif\0\0" + LONG),
    ],
    ids=["compressed text", "international text", "colour profile", "EXIF as text"],
)
@pytest.mark.parametrize("place", ["before the pixels", "after them"])
def test_a_png_with_long_texts_or_a_large_profile_is_read(tmp_path: Path, notes: bytes, place: str) -> None:
    plain = encode(Image.new("RGB", (8, 4), RED), "PNG")
    at = HEADER if place == "before the pixels" else len(plain) - 12
    path = tmp_path / "noted.png"
    path.write_bytes(plain[:at] + notes + plain[at:])
    for source in (path, io.BytesIO(path.read_bytes())):
        image = read_image(source)
        assert (image.size, image.getpixel((0, 0))) == ((8, 4), RED)


def test_a_png_with_more_texts_than_memory_is_given_to_is_read() -> None:
    plain, notes = (
        encode(Image.new("RGB", (8, 4), RED), "PNG"),
        chunk(b"tEXt", b"note\0" + b"x" * 3_000_000) * 22,
    )
    assert read(plain[:HEADER] + notes + plain[HEADER:]).shape == (4, 8, 3)


def test_a_png_with_a_long_text_is_still_turned_by_what_another_text_says() -> None:
    photo = Image.open(io.BytesIO(marked_corner(6, "PNG")))
    about = photo.getexif().tobytes().removeprefix(b"Exif\0\0").hex()
    plain = encode(Image.fromarray(np.asarray(photo)), "PNG")
    turn = chunk(
        b"zTXt",
        b"Raw profile type exif\0\0" + zlib.compress(f"\nexif\n    {len(about) // 2}\n{about}\n".encode()),
    )
    for notes in (turn, turn + chunk(b"zTXt", b"note\0\0" + LONG)):
        assert is_upright(read(plain[:HEADER] + notes + plain[HEADER:]))


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "TIFF"])
def test_other_formats_with_a_large_profile_are_read(kind: str) -> None:
    assert read(encode(Image.new("RGB", (8, 8), RED), kind, icc_profile=b"x" * 2_000_000)).shape == (8, 8, 3)


# Files that are no image


def test_an_image_of_another_kind_is_not_read() -> None:
    assert problem_of(encode(Image.new("RGB", (4, 4)), "PPM")).startswith(
        "is not an image of a supported kind"
    )


@pytest.mark.parametrize("kind", FORMATS)
def test_a_file_that_is_cut_off_is_told(kind: str) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    content = encode(Image.fromarray(noise), kind)
    assert problem_of(content[: len(content) // 2]).startswith(
        ("is cut off or damaged", "is damaged", "is not an image")
    )


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
    reasons = ["is cut off", "is empty", "has 12000 × 10000 pixels", "is not an image of a supported kind"]
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
        DataError,
        match=r"^4 of 12 files are not readable images: .*“Unreadable files” to skip \(on the command line: --bad-images skip\)\.$",
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


def test_the_pixels_an_image_claims_are_counted_by_its_header_alone() -> None:
    assert count_pixels(io.BytesIO(png_of_size(3000, 2000))) == 6_000_000
    assert count_pixels(io.BytesIO(encode(Image.new("RGB", (20, 10)), "JPEG"))) == 200
    for content in (b"", b"no image", png_of_size(3000, 2000)[:20]):
        assert count_pixels(io.BytesIO(content)) == 0
