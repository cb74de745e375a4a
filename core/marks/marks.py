"""What a user says of single images: label right or wrong, to be left out, unsure, tags. One list a data set; no torch.

The list is a file of lines to which each step of marking is appended, so that any number of pages and people can mark at
once, and each step can be taken back.
"""

from __future__ import annotations

import hashlib
import json
import math
import secrets
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from core.dataset.label_report import ACTIONS as FIX_ACTIONS
from core.dataset.label_report import Fix
from core.errors import RunError, describe_cause
from core.people.acting import TRAIN, demand, needs
from core.places import name_place
from core.words import format_count

FOLDER = ".marks"  # beside the runs
ACTIONS = ("right", "relabel", "drop", "unsure")
_CUT = "#cut"  # the end of a line that a crash cut off
_SLUG = 40  # characters of a data folder's name in the name of its list
_TEXTS = ("path", "given", "action", "to", "run", "predicted")


@dataclass(frozen=True)
class Mark:
    """What was said of an image, whose `path` is relative to the data folder and whose label was `given`.

    `action` is one of ACTIONS or empty; `to` is the right class of a label that is wrong. `run` names the model that was
    looked at, `predicted` and `confidence` (0..1, NaN where it is not known) what it answered; `at` is when, in seconds
    since 1970.
    """

    path: str
    given: str
    action: str = ""
    to: str = ""
    tags: tuple[str, ...] = ()
    run: str = ""
    predicted: str = ""
    confidence: float = math.nan
    at: float = 0.0

    @property
    def empty(self) -> bool:
        """Tell whether nothing is said any more."""
        return not self.action and not self.tags


@dataclass(frozen=True)
class MarkList:
    """The marks of a data set by path, in the order in which the images were first marked.

    `steps` are the names of the steps that count, the last one last. `sources` are the lists from elsewhere that were
    taken over.
    """

    marks: dict[str, Mark] = field(default_factory=dict)
    steps: tuple[str, ...] = ()
    sources: frozenset[str] = frozenset()

    def describe(self) -> str:
        """Return how many images are marked, and how."""
        if not self.marks:
            return "No image is marked."
        words = {
            "right": "label right",
            "relabel": "to be relabelled",
            "drop": "to be left out",
            "unsure": "unsure",
        }
        counts = {action: sum(mark.action == action for mark in self.marks.values()) for action in ACTIONS}
        parts = [f"{count:,} {words[action]}" for action, count in counts.items() if count]
        if tagged := sum(bool(mark.tags) for mark in self.marks.values()):
            parts.append(f"{tagged:,} with tags")
        return f"{format_count(len(self.marks), 'image', 'is')} marked: {', '.join(parts)}."


def list_path(data: Path, root: Path) -> Path:
    """Return where the marks of a data folder are kept, beside the runs in `root`; links to the same folder share one."""
    place = data.expanduser().resolve()
    digest = hashlib.sha256(str(place).encode(errors="surrogateescape")).hexdigest()[:12]
    slug = "".join(letter if letter.isalnum() else "-" for letter in place.name)[:_SLUG]
    return root / FOLDER / f"{slug}-{digest}.jsonl"


def read_marks(path: Path) -> MarkList:
    """Read a list; an empty one where there is no file. A last line that was cut off by a crash is left out.

    Raises:
        RunError: naming the line that is damaged, or why the file cannot be read.
    """
    steps = _read_steps(path)
    undone = {step["undo"] for step in steps if "undo" in step}
    counted = [step for step in steps if "undo" not in step and step["id"] not in undone]
    marks: dict[str, Mark] = {}
    for step in counted:
        for mark in step["marks"]:
            if mark.empty:
                marks.pop(mark.path, None)
            else:
                marks[mark.path] = mark
    sources = frozenset(str(step["source"]) for step in steps if "source" in step)
    return MarkList(marks, tuple(step["id"] for step in counted), sources)


@needs(TRAIN, "mark", lambda path, marks: f"{len(marks):,} of {path.stem}")
def add_marks(path: Path, marks: Sequence[Mark]) -> str:
    """Append a step that says something of images, in place of what was said of them; return the step's name.

    Raises:
        RunError: when the list cannot be written.
    """
    return _add(path, marks)


def _add(path: Path, marks: Sequence[Mark], *, source: str = "") -> str:
    at, name = time.time(), secrets.token_hex(6)
    rows = [_pack(mark if mark.at else replace(mark, at=at)) for mark in marks]
    _append(path, {"id": name, "marks": rows} | ({"source": source} if source else {}))
    return name


@needs(TRAIN, "take a mark back", lambda path, *_: path.stem)
def undo_step(path: Path, name: str) -> None:
    """Take a step back, whatever came after it; nothing happens where it was taken back already.

    Raises:
        RunError: when the list cannot be written.
    """
    _append(path, {"undo": name})


def take_over(path: Path, fixes: Iterable[Fix], source: str) -> None:
    """Add what a fix list from elsewhere decides, once for each `source`; what is marked already stays.

    Raises:
        NotAllowed: where whoever acts may only look: to them `add_fixes` shows the same, and nothing is written.
        RunError: when the list cannot be read or written.
    """
    demand(TRAIN)
    known = read_marks(path)
    if source in known.sources:
        return
    marks = _list_marks(known, fixes)
    if marks:
        _add(path, marks, source=source)


def add_fixes(known: MarkList, fixes: Iterable[Fix], source: str) -> MarkList:
    """Return marks with those of a fix list from elsewhere, as they are once `take_over` has written them."""
    if source in known.sources:
        return known
    more = {mark.path: mark for mark in _list_marks(known, fixes)}
    return replace(known, marks={**known.marks, **more}, sources=known.sources | {source})


def _list_marks(known: MarkList, fixes: Iterable[Fix]) -> list[Mark]:
    return [
        Mark(fix.path, fix.given, fix.action, fix.suggested if fix.action == "relabel" else "")
        for fix in fixes
        if fix.action != FIX_ACTIONS[0] and fix.path not in known.marks
    ]


def change_mark(
    known: Mark | None, asked: Mark, *, add: Sequence[str] = (), remove: Sequence[str] = ()
) -> Mark:
    """Return what is said of an image after a step: what is asked for, with the tags known before.

    Where tags are added or removed, the action known before stays.
    """
    before = known or replace(asked, action="", to="", tags=())
    tags = tuple(tag for tag in dict.fromkeys((*before.tags, *add)) if tag not in remove)
    if add or remove:
        return replace(asked, action=before.action, to=before.to, tags=tags)
    return replace(asked, tags=tags)


def _append(path: Path, step: dict[str, Any]) -> None:
    text = json.dumps(step, ensure_ascii=False) + "\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab+") as file:
            if file.tell():
                file.seek(-1, 2)
                if file.read(1) != b"\n":
                    text = f"{_CUT}\n{text}"
            file.write(text.encode(errors="surrogateescape"))
    except OSError as error:
        raise RunError(
            f"Nothing was marked: {name_place(path)} cannot be written ({describe_cause(error)})."
        ) from None


def _read_steps(path: Path) -> list[dict[str, Any]]:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise RunError(f"{name_place(path)} cannot be read ({describe_cause(error)}).") from None
    steps = []
    # What no newline ends was cut off, on a full disk too, and was told as not marked, whole as it may look.
    lines = data.decode(errors="surrogateescape").split("\n")[:-1]
    for number, line in enumerate(lines, start=1):
        try:
            steps.append(_read_step(line))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            if line and not line.endswith(_CUT):
                raise RunError(
                    f"{name_place(path)}, line {number} cannot be read as a mark. Remove this line; the others count without it."
                ) from None
    return steps


def _read_step(line: str) -> dict[str, Any]:
    step = json.loads(line)
    if "undo" in step:
        return {"undo": str(step["undo"])}
    return dict(step) | {"id": str(step["id"]), "marks": [_unpack(row) for row in step["marks"]]}


def _pack(mark: Mark) -> dict[str, Any]:
    known = {name: value for name, value in asdict(mark).items() if value not in ("", ())}
    if math.isnan(mark.confidence):
        del known["confidence"]
    return known


def _unpack(row: dict[str, Any]) -> Mark:
    texts = {name: str(row[name]) for name in _TEXTS if name in row}
    mark = Mark(
        **texts,
        tags=tuple(str(tag) for tag in row.get("tags", ())),
        confidence=float(row.get("confidence", math.nan)),
        at=float(row.get("at", 0)),
    )
    if mark.action and mark.action not in ACTIONS:
        raise ValueError(mark.action)
    return mark
