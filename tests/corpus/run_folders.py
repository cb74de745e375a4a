"""What can be wrong with the files of a run folder: a corpus of damages, each made by code on a run that is whole."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Spoil = Callable[[Path], None]
NESTED = "[" * 100_000
DIGITS = "7" * 5_000


@dataclass(frozen=True)
class Damage:
    """What becomes of a run's file, the pages that read it, and what the first of them says; nothing where none minds."""

    file: str
    spoil: Spoil
    pages: tuple[str, ...]
    says: str = ""

    def apply(self, folder: Path) -> None:
        """Spoil the file of the run in a folder."""
        self.spoil(folder / self.file)


def text(content: str | bytes) -> Spoil:
    """Write something else in the file's place."""

    def spoil(path: Path) -> None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())

    return spoil


def fields(**changes: Any) -> Spoil:
    """Change fields of the JSON object that the file holds."""

    def spoil(path: Path) -> None:
        values = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        path.write_text(json.dumps({**values, **changes}), encoding="utf-8")

    return spoil


def raw(name: str, value: str) -> Spoil:
    """Change a field to a value written just so, which Python would not write."""

    def spoil(path: Path) -> None:
        values = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps({**values, name: "HERE"}).replace('"HERE"', value), encoding="utf-8")

    return spoil


def without(name: str) -> Spoil:
    """Leave a field of the JSON object out."""

    def spoil(path: Path) -> None:
        values = json.loads(path.read_text(encoding="utf-8"))
        del values[name]
        path.write_text(json.dumps(values), encoding="utf-8")

    return spoil


def line(content: str | bytes) -> Spoil:
    """Append a line."""

    def spoil(path: Path) -> None:
        with path.open("ab") as file:
            file.write((content if isinstance(content, bytes) else content.encode()) + b"\n")

    return spoil


def swapped(old: str, new: str) -> Spoil:
    """Put another text in the place of the first such one."""

    def spoil(path: Path) -> None:
        before = path.read_text(encoding="utf-8")
        assert old in before
        path.write_text(before.replace(old, new, 1), encoding="utf-8")

    return spoil


def size(count: int) -> Spoil:
    """Make the file so many bytes long, without taking up the room."""

    def spoil(path: Path) -> None:
        with path.open("ab") as file:
            file.truncate(count)

    return spoil


def pipe(path: Path) -> None:
    """Put a pipe in the file's place, which nobody writes to."""
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def half(path: Path) -> None:
    """Leave the first half of the file, as a copy does that was stopped."""
    os.truncate(path, path.stat().st_size // 2)


def folder(path: Path) -> None:
    """Put a folder in the file's place."""
    path.unlink(missing_ok=True)
    path.mkdir()


def newer_task(path: Path) -> None:
    """Leave a task in the run's folder, as a newer version would."""
    path.parent.mkdir()
    path.write_text('{"state": "dreaming"}')


LISTS = ("runs",)
LIVE = ("live",)
STATUS, CONFIG, DATA, METRICS = "status.json", "config.json", "data.json", "metrics.jsonl"
TABLE, CALIBRATION = "predictions-val.csv", "calibration.json"
UNREAD = "status.json cannot be read"
ROW = "val/2/1.png,2,2,0.7,0.7,0.3,2,0.7,10,0.2,35,0.1"

DAMAGES = {
    "status: a time that is null": Damage(STATUS, fields(created=None), ("runs", "start"), "created must be a number, got None"),
    "status: a pid that is a text": Damage(STATUS, fields(pid="12"), LISTS, "pid must be a whole number from 0, got '12'"),
    "status: a pid that is true": Damage(STATUS, fields(pid=True), LISTS, "pid must be a whole number from 0, got True"),
    "status: a pid beyond any": Damage(STATUS, fields(pid=2**40), LISTS, "pid must be a whole number"),
    "status: a state of a newer version": Damage(STATUS, fields(state="dreaming"), ("runs", "live"), "state must be one of"),
    "status: brackets": Damage(STATUS, text(NESTED), LISTS, "its brackets are nested too deeply"),
    "status: 100 MB": Damage(STATUS, size(100_000_000), LISTS, "it has 100,000,000 bytes; the limit is"),
    "status: a number of 5,000 digits": Damage(STATUS, raw("epoch", DIGITS), LISTS, "a number in it has 5,000 digits"),
    "status: a number of 400 digits": Damage(STATUS, raw("worked", "7" * 400), LISTS, "a number in it has 400 digits"),
    "status: a number that no float holds": Damage(STATUS, raw("worked", "1e999"), LISTS, "worked must be a number, got inf"),
    "status: a time that no clock shows": Damage(STATUS, fields(created=1e300), LISTS, "created must be a number"),
    "status: an accuracy above 1": Damage(STATUS, fields(best_val_acc=7.0), LISTS, "best_val_acc must be a number, got 7.0"),
    "status: half a letter": Damage(STATUS, raw("message", r'"\ud800"'), ("runs", "live"), "half a letter"),
    "status: letters of another coding": Damage(STATUS, text(b'{"state": "\xff"}'), LISTS, "it is not UTF-8 text"),
    "status: empty": Damage(STATUS, text(""), LISTS, UNREAD),
    "status: a list": Damage(STATUS, text("[]"), LISTS, "it is not a JSON object"),
    "status: a pipe": Damage(STATUS, pipe, ("runs", "live"), "it is not a file but a pipe"),
    "status: a folder": Damage(STATUS, folder, LISTS, "Is a directory"),
    "status: gone": Damage(STATUS, lambda path: path.unlink(), LISTS, UNREAD),
    "config: empty": Damage(CONFIG, text(""), ("runs", "live"), "config.json cannot be used"),
    "config: brackets": Damage(CONFIG, text(NESTED), LISTS, "its brackets are nested too deeply"),
    "config: a pipe": Damage(CONFIG, pipe, ("runs", "train"), "it is not a file but a pipe"),
    "config: a folder": Damage(CONFIG, folder, LISTS, "Is a directory"),
    "config: a path with NUL": Damage(CONFIG, fields(data="a\0b"), ("runs", "data"), "NUL character"),
    "config: epochs of 5,000 digits": Damage(CONFIG, raw("epochs", DIGITS), LISTS, "a number in it has 5,000 digits"),
    "config: a network there is not": Damage(CONFIG, fields(arch="resnet19"), LISTS, "unknown network 'resnet19'"),
    "config: 11 MB": Damage(CONFIG, size(11_000_000), LISTS, "it has 11,000,000 bytes"),
    "data: cut off": Damage(DATA, text("{"), ("confusion", "weak"), "data.json is damaged"),
    "data: no classes": Damage(DATA, without("classes"), ("confusion", "live"), "classes is missing"),
    "data: classes that are a text": Damage(DATA, fields(classes="abc"), ("confusion",), "classes must be a list"),
    "data: a class twice": Damage(DATA, fields(classes=["2", "2", "10", "35"]), ("weak",), "list of different names"),
    "data: a class that there is not": Damage(DATA, fields(train=[["a.png", "7"]]), ("weak",), "which is not one of its classes"),
    "data: a path that leads out": Damage(DATA, fields(train=[["../../etc/passwd", "2"]]), ("confusion",), "path inside a data folder"),
    "data: names that are a list": Damage(DATA, fields(display=["rose"]), ("predict",), "display must give names"),
    "data: half a letter": Damage(DATA, raw("root", r'"\ud800"'), ("confusion",), "half a letter"),
    "data: brackets": Damage(DATA, text(NESTED), ("confusion",), "its brackets are nested too deeply"),
    "data: sizes that are texts": Damage(DATA, fields(sizes={"a.png": "1"}), ("confusion",), "sizes must give whole numbers"),
    "data: a pipe": Damage(DATA, pipe, ("confusion", "compare"), "it is not a file but a pipe"),
    "figures: a line of 5": Damage(METRICS, line("5"), ("live", "compare")),
    "figures: an epoch beyond counting": Damage(METRICS, line('{"kind":"epoch","epoch":1e300}'), LIVE),
    "figures: an epoch that is not a number": Damage(METRICS, line('{"kind":"epoch","epoch":Infinity}'), LIVE),
    "figures: an epoch that is a text": Damage(METRICS, line('{"kind":"epoch","epoch":"3"}'), LIVE),
    "figures: counts that are a text": Damage(METRICS, line('{"kind":"epoch","epoch":3,"val_correct":"abc"}'), LIVE),
    "figures: counts that are texts": Damage(METRICS, line('{"kind":"epoch","epoch":3,"val_correct":["a","b","c"]}'), LIVE),
    "figures: a loss that is a list": Damage(METRICS, line('{"kind":"epoch","epoch":3,"val_loss":[1]}'), ("live", "compare")),
    "figures: a number of 5,000 digits": Damage(METRICS, line(f'{{"kind":"step","step":{DIGITS}}}'), LIVE),
    "figures: brackets": Damage(METRICS, line(NESTED), LIVE),
    "figures: zeros": Damage(METRICS, line(b"\0" * 1000), LIVE),
    "figures: a pipe": Damage(METRICS, pipe, ("live", "train"), "it is not a file but a pipe"),
    "predictions: a class that there is not": Damage(TABLE, line(ROW.replace(",2,2,0.7", ",7,2,0.7", 1)), ("confusion", "weak"), "not among the classes of the data: '7'"),
    "predictions: a confidence that is not a number": Damage(TABLE, line(ROW.replace("0.7", "nan", 1)), ("confusion", "compare"), "confidence in line 8 is nan"),
    "predictions: a confidence of 7": Damage(TABLE, line(ROW.replace("0.7", "7", 1)), ("weak",), "confidence in line 8 is 7"),
    "predictions: a path that leads out": Damage(TABLE, line("../../" + ROW), ("confusion",), "path inside a data folder"),
    "predictions: a whole path": Damage(TABLE, line("/etc/" + ROW), ("confusion",), "path inside a data folder"),
    "predictions: bytes of anything": Damage(TABLE, text(bytes(range(256)) * 40), ("confusion",), "is not a predictions table"),
    "predictions: a column less": Damage(TABLE, swapped("loss", "lost"), ("confusion",), "lacks the column loss"),
    "predictions: a pipe": Damage(TABLE, pipe, ("confusion", "weak"), "it is not a file but a pipe"),
    "log: a pipe": Damage("train.log", pipe, LIVE, "train.log cannot be read"),
    "log: one line of 30 MB": Damage("train.log", size(30_000_000), LIVE),
    "predictions: empty": Damage(TABLE, text(""), ("runs", "confusion"), "lacks the column confidence"),
    "data: nothing": Damage(DATA, text("{}"), ("runs", "confusion", "live", "weak"), "root is missing"),
    "best model: anything": Damage("best.pt", text("anything"), ("runs", "predict"), "best.pt is damaged: it is cut off, or not a checkpoint"),
    "best model: half": Damage("best.pt", half, ("runs", "predict"), "best.pt is damaged: it is cut off, or not a checkpoint"),
    "best model: a pipe": Damage("best.pt", pipe, ("confusion",)),
    "confidences: a list": Damage(CALIBRATION, text("[]"), ("confidence", "predict"), "it is not a JSON object"),
    "confidences: a pipe": Damage(CALIBRATION, pipe, ("predict",), "it is not a file but a pipe"),
    "confidences: brackets": Damage(CALIBRATION, text(NESTED), ("confidence",), "its brackets are nested too deeply"),
    "threshold: a wish that is a text": Damage("threshold.json", text('{"version":1,"value":0.5,"epoch":2,"temperature":1.0,"wanted":"much"}'), ("predict",), "wanted must be a number, got 'much'"),
    "threshold: a pipe": Damage("threshold.json", pipe, ("predict",), "it is not a file but a pipe"),
    "labels: issues that are a text": Damage("label-issues-val.json", text('{"version":1,"split":"val","count":6,"model":2,"issues":"abc","overlaps":[],"weak":[]}'), ("data",), "issues must be a list, got 'abc'"),
    "labels: a score that is a text": Damage("label-issues-val.json", text('{"version":1,"split":"val","count":6,"model":2,"issues":[{"path":"a","given":"2","suggested":"10","score":"x","confidence":1}],"overlaps":[],"weak":[]}'), ("data",), "score must be a number, got 'x'"),
    "seen: a number": Damage("seen.json", text('{"trained": 5, "chosen": "", "unknown": []}'), ("compare",)),
    "seen: names that are numbers": Damage("seen.json", text('{"trained": "", "chosen": "", "unknown": [5]}'), ("compare",)),
    "out of fold: a text": Damage("out-of-fold.json", text('{"judged": "many"}'), ("confusion",)),
    "a task: of a newer version": Damage(".report/status.json", newer_task, LISTS),
    "a request: a folder": Damage("stop", folder, LISTS),
}  # fmt: skip
