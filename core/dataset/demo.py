"""Two small picture sets to try Weakspot on, made from data that comes with the installed libraries."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.random import default_rng  # loaded here: it swallows a Ctrl-C while it loads
from PIL import Image, ImageDraw, ImageFont

from core.errors import DataError
from core.files import draft_folder

Progress = Callable[[int, int], object]

DEMOS = ("digits", "glyphs")
VERSIONS = {"digits": 1, "glyphs": 2}  # raised when the pictures change: an old folder is not a new one
MARKER = ".weakspot-demo.json"
SIDE = 64

DIGIT_NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
DIGITS_TRAIN, DIGITS_VAL = 1200, 300

# One character a class; the place in the string is the label. Left out on purpose: letters that only size or
# position tells apart once a picture is cropped (c/C, k/K, o/O/0, p/P, s/S, u/U, v/V, w/W, x/X, z/Z, l/I/1).
CHARACTERS = (
    "0123456789"
    "AÆBCDEFGHJKLMNŒPQRSTUVWXYZ"  # 10 to 35
    "aæbdefghijmnqrtß"  # 36 to 51
    "\N{GREEK CAPITAL LETTER ALPHA}ΓΔΛΞΠΣΦΨΩαδεζλμξπσω"  # 52 to 71
    "БДЖИЇЦЧЩЪЫЭЮЯЉ"  # 72 to 85
    "\N{GREEK CAPITAL LETTER TAU}\N{CYRILLIC CAPITAL LETTER TE}"  # 86 and 87
    "&@#%?+=€§∞♥→"  # 88 to 99
)
# The classes drawn with the same shape as another one, so no model can tell them apart: two A and three T.
LOOKALIKES = {10: "Latin", 52: "Greek", 29: "Latin", 86: "Greek", 87: "Cyrillic"}

GLYPHS_TRAIN, GLYPHS_VAL, GLYPHS_TEST = 20, 3, 230  # the first two are for each class
DRAWN_SIZE = 72  # font size in pixels: glyphs are drawn large, then shrunk, which is smoother
LONGER_SIDE = (36, 54)  # of the finished glyph, in pixels
MAX_TURN = 12.0  # degrees
MIN_CONTRAST = 100.0  # between the brightness of glyph and background, out of 255
LUMA = (0.299, 0.587, 0.114)


def make_demo(name: str, folder: Path, progress: Progress | None = None) -> None:
    """Make the demo set called name in folder, or return at once when it is already there.

    The pictures are made in a temporary folder beside the target, which is renamed at the end: an error or an
    interruption leaves nothing behind. progress is called as progress(pictures done, pictures in all) about a
    hundred times. The same library versions give the same bytes every time.

    Raises:
        ValueError: name is not in DEMOS.
        DataError: folder holds anything but this set made by this version; nothing in it is touched.
    """
    makers = {"digits": make_digits, "glyphs": make_glyphs}
    if name not in makers:
        raise ValueError(f"no demo set is called {name!r}; the sets are: {', '.join(DEMOS)}")
    folder = Path(folder).resolve()
    if _is_made(name, folder):
        return
    _refuse_if_used(name, folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with draft_folder(folder) as made:
        makers[name](made, progress)
        (made / MARKER).write_text(json.dumps(_marker(name)) + "\n", encoding="utf-8")
        _put_in_place(made, name, folder)


def make_digits(folder: Path, progress: Progress | None = None) -> None:
    """Write scikit-learn's handwritten digits as a set of pictures.

    The source is sklearn.datasets.load_digits, a part of UCI's "Optical Recognition of Handwritten Digits":
    1,797 real 8x8 pictures of 10 classes, here enlarged to 64x64 grey PNG. 1,200 go to train/<class>/, 300 to
    val/<class>/ (both with the classes in proportion) and 297 to test/, without labels. class_names.csv names
    the classes. Files already in folder are written over.
    """
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    grey, labels = load_digits(return_X_y=True)
    order = np.arange(len(labels))
    train, rest = train_test_split(order, train_size=DIGITS_TRAIN, stratify=labels, random_state=0)
    val, test = train_test_split(rest, train_size=DIGITS_VAL, stratify=labels[rest], random_state=0)

    def pictures() -> Iterator[tuple[str, Image.Image]]:
        for split, chosen in (("train", train), ("val", val), ("test", test)):
            for number, index in enumerate(chosen):
                place = split if split == "test" else f"{split}/{labels[index]}"
                yield f"{place}/{number:04d}.png", _enlarge(grey[index])

    _write(folder, pictures(), len(order), DIGIT_NAMES, progress)


def make_glyphs(folder: Path, progress: Progress | None = None) -> None:
    """Draw 100 characters in the DejaVu typefaces that come with matplotlib as a set of pictures.

    Every class has 20 pictures in train/<class>/ and 3 in val/<class>/; 230 more lie in test/ without labels.
    They are 64x64 RGB PNG that vary in typeface, place, size, colours, rotation and noise. Five classes (see
    LOOKALIKES) share their shape with another class, so they stay weak for a reason a person can see; their
    names in class_names.csv tell the script, such as "A (Latin)". Files already in folder are written over.

    Raises:
        DataError: no typeface has all the characters.
    """
    rng = default_rng(0)
    faces = [_load(path) for path in glyph_faces()]
    per_class = GLYPHS_TRAIN + GLYPHS_VAL
    test_labels = rng.permutation(np.arange(GLYPHS_TEST) % len(CHARACTERS))

    def pictures() -> Iterator[tuple[str, Image.Image]]:
        for label, character in enumerate(CHARACTERS):
            for number in range(per_class):
                split = "train" if number < GLYPHS_TRAIN else "val"
                # In turn, not by chance, so that the training pictures of a class show every typeface.
                picture = draw_glyph(character, faces[number % len(faces)], rng)
                yield f"{split}/{label}/{number:04d}.png", picture
        for number, label in enumerate(test_labels):
            face = faces[rng.integers(len(faces))]
            yield f"test/{number:04d}.png", draw_glyph(CHARACTERS[label], face, rng)

    total = per_class * len(CHARACTERS) + GLYPHS_TEST
    _write(folder, pictures(), total, glyph_names(), progress)


def glyph_names() -> list[str]:
    """Return the display names of the glyph classes, in the order of their labels.

    A name is the character itself; where another class looks the same, the script follows in brackets.
    """
    return [
        f"{character} ({LOOKALIKES[label]})" if label in LOOKALIKES else character
        for label, character in enumerate(CHARACTERS)
    ]


def glyph_faces() -> list[Path]:
    """List the font files of matplotlib's DejaVu typefaces that have every one of CHARACTERS: twelve.

    That leaves out the two "Display" faces, which have no letters and would show empty boxes.

    Raises:
        RuntimeError: none is left.
    """
    import matplotlib
    from fontTools.ttLib import TTFont

    wanted = {ord(character) for character in CHARACTERS}
    found = []
    for path in sorted(Path(matplotlib.get_data_path(), "fonts", "ttf").glob("DejaVu*.ttf")):
        with TTFont(path, lazy=True) as font:
            if wanted <= set(font.getBestCmap()):
                found.append(path)
    if not found:
        raise DataError("matplotlib's fonts lack some characters of the glyph set; reinstall matplotlib.")
    return found


def draw_glyph(character: str, face: ImageFont.FreeTypeFont, rng: np.random.Generator) -> Image.Image:
    """Draw one character as a 64x64 RGB picture; rng chooses place, size, colours, rotation and noise.

    The whole glyph is always inside the picture, and always at least MIN_CONTRAST darker than its
    background (before the noise).
    """
    shape = _shape(character, face, rng.uniform(-MAX_TURN, MAX_TURN), int(rng.integers(*LONGER_SIDE)))
    left = int(rng.integers(2, SIDE - shape.width - 1))
    top = int(rng.integers(2, SIDE - shape.height - 1))
    mask = Image.new("L", (SIDE, SIDE))
    mask.paste(shape, (left, top))
    cover = np.asarray(mask, dtype=np.float64)[..., None] / 255.0
    ink, paper = _colours(rng)
    noise = rng.normal(0.0, rng.uniform(2.0, 10.0), (SIDE, SIDE, 1))
    pixels = cover * ink + (1.0 - cover) * paper + noise
    return Image.fromarray(np.clip(np.rint(pixels), 0, 255).astype(np.uint8))


def _shape(character: str, face: ImageFont.FreeTypeFont, turn: float, longer: int) -> Image.Image:
    """Draw a turned glyph, white on black, cut to its edges and with its longer side as long as asked."""
    canvas = Image.new("L", (DRAWN_SIZE * 3, DRAWN_SIZE * 3))
    middle = DRAWN_SIZE * 3 / 2
    ImageDraw.Draw(canvas).text((middle, middle), character, fill=255, font=face, anchor="mm")
    canvas = canvas.rotate(turn, Image.Resampling.BICUBIC)
    glyph = canvas.crop(canvas.getbbox())
    scale = longer / max(glyph.size)
    size = (max(1, round(glyph.width * scale)), max(1, round(glyph.height * scale)))
    return glyph.resize(size, Image.Resampling.LANCZOS)


def _colours(rng: np.random.Generator) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Choose two colours by chance, the ink darker than the paper by enough to read it.

    Light on dark as well would double what 20 pictures a class have to teach.
    """
    while True:
        ink, paper = rng.uniform(0.0, 255.0, (2, 3))
        if float(np.dot(paper - ink, LUMA)) >= MIN_CONTRAST:
            return ink, paper


def _load(path: Path) -> ImageFont.FreeTypeFont:
    """Open a font file with Pillow's own layout, so that optional text libraries change no picture."""
    return ImageFont.truetype(str(path), DRAWN_SIZE, layout_engine=ImageFont.Layout.BASIC)


def _enlarge(grey: npt.NDArray[np.float64]) -> Image.Image:
    """Turn 64 grey values from 0 to 16 into a 64x64 grey picture."""
    pixels = np.rint(grey.reshape(8, 8) * (255.0 / 16.0)).astype(np.uint8)
    return Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.BICUBIC)


def _write(
    folder: Path,
    pictures: Iterator[tuple[str, Image.Image]],
    total: int,
    names: list[str] | tuple[str, ...],
    progress: Progress | None,
) -> None:
    """Save the pictures at their places below folder, and the classes' names beside them."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "class_names.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(("label", "name"))
        rows.writerows(enumerate(names))
    step = max(1, total // 100)
    for done, (place, picture) in enumerate(pictures, start=1):
        path = folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.save(path)
        if progress is not None and (done % step == 0 or done == total):
            progress(done, total)


def _marker(name: str) -> dict[str, Any]:
    """Return what the marker file of a finished set says."""
    return {"name": name, "version": VERSIONS[name]}


def _is_made(name: str, folder: Path) -> bool:
    """Tell whether folder holds this set, made by this version; only finished sets have a marker."""
    try:
        return bool(json.loads((folder / MARKER).read_text(encoding="utf-8")) == _marker(name))
    except (OSError, ValueError):
        return False


def _refuse_if_used(name: str, folder: Path) -> None:
    """Raise DataError when something else is where the set should go."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if (folder / MARKER).is_file():
        raise DataError(
            f"{folder} holds another demo set, or another version of it; "
            f"delete it or choose another folder for the {name} set."
        )
    raise DataError(
        f"{folder} already exists and is not a demo set; choose a new or empty folder for the {name} set."
    )


def _put_in_place(made: Path, name: str, folder: Path) -> None:
    """Rename a finished set to its final folder."""
    try:
        if folder.exists():
            folder.rmdir()  # it was empty at the start; Windows renames onto no folder at all
        made.rename(folder)
    except OSError:
        # Someone else may have made the same set meanwhile (a second browser tab): theirs is as good.
        if not _is_made(name, folder):
            raise
