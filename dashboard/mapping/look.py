"""How a map is looked at, kept in the URL: what is coloured, and which images are chosen; the figure of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st

from core.marks.marks import Mark
from core.palette import BAD, CLASSES, GOOD, MUTED, RUNS, TRAIN, VAL
from core.runs.run import Run
from core.verdicts.predictions import class_figures
from dashboard.charts.curve_charts import RUN_MARKERS
from dashboard.charts.landscape_chart import Group, Rows, describe_point, draw_confidence, draw_landscape
from dashboard.components.class_box import draw_class_box
from dashboard.components.plot import PackedFigure, pack
from dashboard.guard import guard_callback
from dashboard.state import address, services
from dashboard.state.area import find_inside, unpack_area
from dashboard.state.landscape import Landscape, read_landscape
from dashboard.state.services import RunData

Colour = Literal["class", "right", "split", "confidence", "marks"]
COLOUR_TITLES: dict[Colour, str] = {
    "class": "Class",
    "right": "Right or wrong",
    "split": "Part of the data",
    "confidence": "Confidence",
    "marks": "Marks and tags",
}
MARK_TITLES = {"right": "label right", "relabel": "wrong label", "drop": "left out", "unsure": "unsure"}
UNMARKED = "not marked"
SPLIT_TITLES = {"train": "Training", "val": "Validation", "held": "Held back", "test": "Test"}
_SPLIT_COLOURS = {"train": TRAIN, "val": VAL, "held": RUNS[3], "test": MUTED}
COLOURED = 10  # classes that have a colour of their own, the weakest first
WRONG = "wrong"
NO_LABEL = "no label"  # of test images
_T = TypeVar("_T", bound=str)


@dataclass(frozen=True)
class Look:
    """What is coloured, and which images are chosen: of a class or taken for it, of a split, only the wrong ones."""

    colour: Colour = "class"
    name: str = ""
    split: str = ""
    wrong_only: bool = False

    @property
    def narrows(self) -> bool:
        """Tell whether it leaves images out."""
        return bool(self.name or self.split or self.wrong_only)

    def choose(self, landscape: Landscape) -> npt.NDArray[np.bool_]:
        """Return which images of a map are chosen, (N,)."""
        table, chosen = landscape.table, np.ones(len(landscape.table), dtype=bool)
        if self.name:
            chosen &= ((table["true"] == self.name) | (table["predicted"] == self.name)).to_numpy(dtype=bool)
        if self.split:
            chosen &= (table["split"] == self.split).to_numpy(dtype=bool)
        return chosen & landscape.wrong if self.wrong_only else chosen


def draw_look(landscape: Landscape, data: RunData) -> Look:
    """Offer what is coloured and which images are chosen; the URL keeps it."""
    colour = _choose("Colour by", "by", COLOUR_TITLES, "class", width=160)
    name = address.get_param("class", data.classes)
    draw_class_box(
        "Class", data.classes, name, partial(_write, "class"), key="map-class", label=data.label, none="all",
        width=220, help="Its images, and those taken for it.",
    )  # fmt: skip
    known = {
        split: title for split, title in SPLIT_TITLES.items() if (landscape.table["split"] == split).any()
    }
    split = _choose("Images", "split", {address.ANY: "all", **known}, address.ANY, width=150)
    wrong_only = address.get_param("only") == WRONG
    st.session_state["map-only"] = wrong_only
    st.toggle(
        "Only wrong",
        key="map-only",
        on_change=guard_callback(
            lambda: _write("only", WRONG if st.session_state["map-only"] else address.ANY)
        ),
    )
    return Look(colour, name, split, wrong_only)


def _choose(
    title: str, param: str, titles: Mapping[_T, str], default: _T, *, width: int, help: str | None = None
) -> _T:
    key = f"map-{param}"
    now = next((value for value in titles if value == address.get_param(param)), default)
    st.session_state[key] = now
    st.selectbox(
        title,
        list(titles),
        key=key,
        format_func=titles.__getitem__,
        width=width,
        help=help,
        on_change=guard_callback(
            lambda: _write(param, address.ANY if st.session_state[key] == default else st.session_state[key])
        ),
    )
    return now


def _write(param: str, value: str) -> None:
    address.set_params(**{param: value, "page": address.ANY, "image": address.ANY})


def choose_images(landscape: Landscape, look: Look, area: str, search: str) -> pd.DataFrame:
    """Return the rows of a map's table that are chosen, lie in the area drawn, and whose path has the text searched for."""
    chosen = look.choose(landscape)
    corners = unpack_area(area)
    if corners is not None:
        chosen &= find_inside(corners, landscape.places)
    images = landscape.table[chosen]
    if search:
        images = images[images["path"].str.contains(search, case=False, regex=False)]
    return images


def draw_figure(run: Run, landscape: Landscape, look: Look) -> PackedFigure:
    """Return the figure of a run's map."""
    path = run.predictions_path()  # by it the weakest classes are known
    said = marks_of(run, landscape) if look.colour == "marks" else ()
    return _draw(run.folder, landscape.stamp, path.stat().st_mtime_ns if path.exists() else 0, look, said)


def marks_of(run: Run, landscape: Landscape) -> tuple[str, ...]:
    """Return in a word what its user said of each image of a map: its first own tag, else the mark."""
    marks = services.read_marks(run, services.read_data(run)).marks
    return tuple(_name_mark(marks.get(path)) for path in landscape.table["path"])


def _name_mark(mark: Mark | None) -> str:
    if mark is None:
        return UNMARKED
    return f"#{mark.tags[0]}" if mark.tags else MARK_TITLES[mark.action]


@st.cache_resource(max_entries=8, show_spinner="Drawing the map …")
def _draw(folder: Path, stamp: int, judged: int, look: Look, said: tuple[str, ...]) -> PackedFigure:  # noqa: ARG001
    run = Run(folder)
    landscape, data = read_landscape(run), services.read_data(run)
    assert landscape is not None
    chosen = look.choose(landscape)
    rows, rest = np.flatnonzero(chosen), np.flatnonzero(~chosen)
    words = _describe_points(folder, stamp)
    if look.colour == "confidence":
        confidence = landscape.table["confidence"].to_numpy()
        return pack(draw_confidence(landscape.places, words, confidence, rows, rest))
    if look.colour == "right":
        unknown = (landscape.table["true"] == "").to_numpy()[rows]
        groups = [
            Group(NO_LABEL, rows[unknown], MUTED, opacity=0.35),
            Group("right", rows[~landscape.wrong[rows] & ~unknown], GOOD, opacity=0.6),
            Group("wrong", rows[landscape.wrong[rows]], BAD),
        ]
    elif look.colour == "split":
        groups = [
            Group(title, rows[(landscape.table["split"] == split).to_numpy()[rows]], _SPLIT_COLOURS[split])
            for split, title in SPLIT_TITLES.items()
        ]
    elif look.colour == "marks":
        groups = _group_marks(np.array(said, dtype=object)[rows], rows)
    else:
        groups = _group_classes(run, landscape, data, look, rows)
    return pack(draw_landscape(landscape.places, words, [group for group in groups if len(group.rows)], rest))


def _group_classes(run: Run, landscape: Landscape, data: RunData, look: Look, rows: Rows) -> list[Group]:
    """Return the groups by true class: the one looked for and the weakest in colour, all others grey below them."""
    true = landscape.table["true"].to_numpy()[rows]
    here = set(true) - {""}
    coloured = [name for name in [look.name, *rank_classes(run, data)] if name in here]
    coloured = list(dict.fromkeys(coloured))[:COLOURED]
    others = rows[~np.isin(true, coloured)]
    groups = [
        Group(
            data.label(name),
            rows[true == name],
            CLASSES[place % len(CLASSES)],
            RUN_MARKERS[place // len(CLASSES)],
        )
        for place, name in enumerate(coloured)
    ]
    return [Group("all others", others, MUTED, opacity=0.35), *reversed(groups)]


def _group_marks(said: npt.NDArray[np.object_], rows: Rows) -> list[Group]:
    """Return the groups by what was said of the images, the most frequent in colour, below them what is not marked."""
    names = Counter(said.tolist())
    del names[UNMARKED]
    coloured = [name for name, _ in names.most_common(COLOURED)]
    others = rows[(said != UNMARKED) & ~np.isin(said, coloured)]
    groups = [
        Group(name, rows[said == name], CLASSES[place % len(CLASSES)], RUN_MARKERS[place // len(CLASSES)])
        for place, name in enumerate(coloured)
    ]
    return [
        Group(UNMARKED, rows[said == UNMARKED], MUTED, opacity=0.35), Group("other tags", others, MUTED), *reversed(groups),
    ]  # fmt: skip


def rank_classes(run: Run, data: RunData) -> list[str]:
    """Return the classes of a run, the weakest on validation first; in their order where that is not known."""
    if not run.predictions_path().exists():
        return data.classes
    return list(class_figures(services.read_predictions(run), data.classes)["class"])


@st.cache_resource(max_entries=4, show_spinner=False)
def _describe_points(folder: Path, stamp: int) -> list[str]:  # noqa: ARG001
    run = Run(folder)
    landscape, data = read_landscape(run), services.read_data(run)
    assert landscape is not None
    table = landscape.table
    labels = {"": NO_LABEL, **dict(zip(data.classes, data.labels, strict=True))}
    columns = zip(table["path"], table["true"], table["predicted"], table["split"], strict=True)
    return [
        describe_point(
            (path.rsplit("/", 1)[-1], f"{labels[true]} → {labels[predicted]}", SPLIT_TITLES[split])
        )
        for path, true, predicted, split in columns
    ]
