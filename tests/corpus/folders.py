"""Data folders as people have them: names of all sorts, links in circles, what is no file, what may not be looked into."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from core.dataset.audit import audit_data
from core.dataset.folders import drop_bad_images, scan_folders
from core.dataset.images import check_images
from tests.corpus.case import Case
from tests.dataset.pictures import make_folders, save_plain

REMEDY = "Remove or replace them, or set “Unreadable files” to skip (on the command line: --bad-images skip)."
LONG = "ö" * 100  # 200 bytes
Change = Callable[[Path], object]


def read(data: Path) -> str:
    """Take a folder as a training does, and audit it; say what was found in it."""
    folders = scan_folders(data)
    drop_bad_images(folders, [*folders.unread, *check_images(data, folders.files)], policy="refuse")
    audit = audit_data(data, data.parent / "runs")
    assert audit is not None
    assert set(audit.classes) == set(folders.classes)
    left = "".join(f"; left out {item.path}: {item.reason}" for item in folders.left_out)
    names = "".join(f"; {label} is {name}" for label, name in folders.display.items())
    counts = f"{len(folders.train) + len(folders.val)} images, {len(folders.test)} to test"
    return f"{counts} of {' | '.join(folders.classes)}{names}{left}"


def _changed(change: Change) -> Callable[[Path], Path]:
    """Return what makes a data set of two classes of three images, and changes it."""

    def make(folder: Path) -> Path:
        data = make_folders(folder / "data", {"a": 3, "b": 3})
        change(data)
        return data

    return make


def _called(name: str) -> Case:
    """Return a data set that has one more class of three images, it and one of them of a name."""

    def change(data: Path) -> None:
        for number in (1, 2):
            save_plain(data / "train" / name / f"{number}.png")
        save_plain(data / "train" / name / f"x{name[:60]}.png")

    return Case(_changed(change), ("9 images", name))


def _hidden(data: Path) -> None:
    save_plain(data / "train" / ".rose" / "1.png")


def _touch(path: Path, content: bytes = b"x") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _names(table: bytes) -> Change:
    return lambda data: _touch(data / "class_names.csv", table)


def _lock(place: str) -> Change:
    def change(data: Path) -> None:
        for folder in (data.parent, data, *data.rglob("*")):
            folder.chmod(0o777)
        (data / place).chmod(0)

    return change


def _two_forms(data: Path) -> None:
    for name in ("caf\N{LATIN SMALL LETTER E WITH ACUTE}", "cafe\N{COMBINING ACUTE ACCENT}"):
        save_plain(data / "train" / name / "1.png")


def _circle(data: Path) -> None:
    (data / "train" / "a" / "again").symlink_to(data / "train")
    (data / "train" / "b" / "self").symlink_to(".")


def _as_file(folder: Path) -> Path:
    _touch(folder / "data")
    return folder / "data"


NAMES = {
    "quotes": "the \"rose\" of 'Ann'", "commas and semicolons": "rose, red; wild", "HTML": "<b onclick=hit()>rose<b>",
    "a script": "<script>window.hit=1<script>", "Markdown and a formula": "**rose** $x^2$ [a](b)", "a newline": "rose\nred",
    "a tab and a bell": "rose\t\a", "an emoji": "🌹 rose 👩‍🌾", "200 bytes": LONG, "a spreadsheet's formula": "=1+1",
    "per cent signs": "100 %25 %s {0}", "a backslash": "rose\\red", "a space at its ends": " rose ", "right-to-left letters": "\N{RIGHT-TO-LEFT OVERRIDE}rose ورد",
    "a dash in front": "--help", "a device's name": "con", "numbers with zeros": "0010", "dots inside": "rose..red.",
}  # fmt: skip

CASES: dict[str, Case] = {
    **{f"a class called with {kind}": _called(name) for kind, name in NAMES.items()},
    "a class whose name begins with a dot": Case(_changed(_hidden), ("6 images, 0 to test of a | b",)),
    "classes that differ in their case": _called("A"),
    "one class in two forms of Unicode": Case(_changed(_two_forms), ("two folders are called 'café'", "They are one class: merge them.")),
    "a name that is not UTF-8": Case(_changed(lambda data: save_plain(data / "train" / "a" / os.fsdecode(b"caf\xe9.png"))), (r"train/a/caf\xe9.png", REMEDY)),
    "a class whose name is not UTF-8": Case(_changed(lambda data: save_plain(data / "train" / os.fsdecode(b"caf\xe9") / "1.png")), (r"caf\xe9", "Repair or remove it.")),
    "links in circles": Case(_changed(_circle), ("train/a/again is a link to a folder that contains it", REMEDY)),
    "a link to a folder of images elsewhere": Case(_changed(lambda data: (data / "train" / "c").symlink_to(data / "train" / "a")), ("9 images", "a | b | c")),
    "a link that leads nowhere": Case(_changed(lambda data: (data / "train" / "a" / "9.png").symlink_to("/nowhere/9.png")), ("train/a/9.png is a link to /nowhere/9.png, which does not exist", REMEDY)),
    "a link to itself": Case(_changed(lambda data: (data / "train" / "a" / "9.png").symlink_to("9.png")), ("train/a/9.png cannot be opened (Too many levels of symbolic links)", REMEDY)),
    "a split that is a dead link": Case(_changed(lambda data: (data / "val").symlink_to("/nowhere")), ("/data/val is a link to /nowhere, which does not exist. Put the val split there, or remove it.",)),
    "a pipe": Case(_changed(lambda data: os.mkfifo(data / "train" / "a" / "9.png")), ("train/a/9.png is not a file but a pipe", REMEDY)),
    "a pipe in a class folder's place": Case(_changed(lambda data: os.mkfifo(data / "train" / "c")), ("6 images, 0 to test of a | b; left out train/c: is not a file but a pipe",)),
    "a device": Case(_changed(lambda data: (data / "train" / "a" / "9.png").symlink_to("/dev/zero")), ("train/a/9.png is not a file but a device", REMEDY)),
    "an unreadable file": Case(_changed(_lock("train/a/1.png")), ("train/a/1.png cannot be opened (Permission denied)", REMEDY), locked=True),
    "an unreadable class": Case(_changed(_lock("train/a")), ("/data/train/a cannot be opened (Permission denied), so its images would be missed. Repair or remove it.",), locked=True),
    "an unreadable data set": Case(_changed(_lock("train")), ("/data/train cannot be opened (Permission denied)",), locked=True),
    "an empty class": Case(_changed(lambda data: (data / "train" / "c").mkdir()), ("no images in class 'c'. Add images or remove the folder.",)),
    "one class": Case(lambda folder: make_folders(folder / "data", {"a": 3}), ("found 1 class folder, but at least 2 are needed",)),
    "no folder": Case(lambda folder: folder / "gone", ("/gone: there is no such folder.",)),
    "a file in its place": Case(_as_file, ("/data is a file, not a folder. Give the folder of the images.")),
    "images in no class": Case(_changed(lambda data: save_plain(data / "train" / "0.png")), ("6 images, 0 to test of a | b; left out train/0.png: is not in a class folder of train/",)),
    "a data set in a data set": Case(lambda folder: make_folders(folder / "data" / "deeper", {"a": 3, "b": 3}).parent, ("the data set is one folder deeper, in deeper. Give ",)),
    "classes of val that training has not": Case(_changed(lambda data: save_plain(data / "val" / "c" / "1.png")), ("the training data has no class 'c'. Rename, move or remove it.",)),
    "a hundred folders deep": Case(_changed(lambda data: save_plain(data / "train" / "a" / Path(*["d"] * 100) / "9.png")), ("7 images",)),
    "names: with a BOM": Case(_changed(_names("\ufefflabel,name\na,rose\n".encode())), ("a is rose",)),
    "names: in Latin-1": Case(_changed(_names("label,name\na,rösé\n".encode("latin-1"))), ("class_names.csv cannot be read",)),
    "names: by semicolons": Case(_changed(_names(b"label;name\na;rose\n")), ("class_names.csv: the first line must be 'label,name'.",)),
    "names: a column less": Case(_changed(_names(b"label\na\n")), ("class_names.csv: the first line must be 'label,name'.",)),
    "names: one label twice": Case(_changed(_names(b"label,name\na,rose\na,tulip\n")), ("class_names.csv, line 3: 'a' is called 'tulip' here and 'rose' in line 2. Keep one",)),
    "names: one name for two classes": Case(_changed(_names(b"label,name\na,rose\nb,rose\n")), ("a is rose; b is rose",)),
    "names: HTML and a formula": Case(_changed(_names(b'label,name\na,"<script>x</script>"\nb,=1+1\n')), ("a is <script>x</script>; b is =1+1",)),
    "names: a folder": Case(_changed(lambda data: (data / "class_names.csv").mkdir()), ("6 images",)),
    "names: JSON that nests": Case(_changed(lambda data: _touch(data / "cat_to_name.json", b"[" * 100_000)), ("cat_to_name.json cannot be read: its brackets are nested too deeply",)),
}  # fmt: skip
