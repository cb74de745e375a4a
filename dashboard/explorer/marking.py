"""Marks on the images of any gallery: shown with them, and kept in the one list of their data set."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
import streamlit as st

from core.marks.marks import Mark, add_marks, change_mark, undo_step
from core.runs.run import Run
from core.verdicts.predictions import list_guesses
from dashboard.components.gallery import PAGE, Card, Tile
from dashboard.components.marking import Item, Known, Review, Step, show_marking
from dashboard.guard import shown_page
from dashboard.state import services
from dashboard.state.services import RunData

LARGE = 640  # pixels of a picture that is looked at alone
_OWN = "marks-own"  # the steps that this visitor made, by page, the last one last


@dataclass(frozen=True)
class Shelf:
    """Images in their order; `make(number, picture)` returns one as an item, its picture at most so many pixels long."""

    paths: Sequence[str]
    make: Callable[[int, int], Item]

    def find(self, path: str) -> Item | None:
        """Return the image of a path, None where it is not among them."""
        return self.make(list(self.paths).index(path), 0) if path in self.paths else None


def shelve_predictions(
    images: pd.DataFrame, data: RunData, make_tile: Callable[[Any, RunData, bytes | None], Tile]
) -> Shelf:
    """Return rows of a predictions table as a shelf; `make_tile(row, data, picture)` draws one."""

    def make(number: int, side: int) -> Item:
        row = images.iloc[number]
        picture = services.thumbnail(data.root / row["path"], side) if side else None
        return Item(
            make_tile(row, data, picture),
            row["path"],
            row["true"],
            tuple(name for name, _ in list_guesses(row)),
            row["predicted"],
            float(row["confidence"]),
        )

    return Shelf(list(images["path"]), make)


def shelve_paths(paths: Sequence[str], given: str, data: RunData) -> Shelf:
    """Return images of a class that no model was asked about as a shelf."""

    def make(number: int, side: int) -> Item:
        path = paths[number]
        picture = services.thumbnail(data.root / path, side) if side else None
        return Item(Tile(picture, path.rsplit("/", 1)[-1], alt=path), path, given)

    return Shelf(paths, make)


def draw_marking(
    run: Run,
    data: RunData,
    shelf: Shelf,
    *,
    key: str,
    page: int = 0,
    size: int = PAGE,
    side: int = 140,
    opener: Callable[[str], None] | None = None,
    label: str = "images",
    cards: Sequence[Card] | None = None,
) -> None:
    """Draw a page of images that can be marked; `opener` gets the path of one that is opened.

    `cards` show those of the page with more beside each, such as its heat maps.
    """
    first = page * size
    numbers = range(first, min(first + size, len(shelf.paths)))
    show_marking(
        [shelf.make(number, 0 if cards else 192) for number in numbers],
        read_known(run, data),
        lambda steps: keep_steps(run, data, shelf, steps),
        key=key,
        opener=None if opener is None else (lambda number: opener(shelf.paths[first + number])),
        review=Review(
            len(shelf.paths), first, lambda start, end: [shelf.make(n, LARGE) for n in range(start, end)]
        ),
        side=side,
        label=label,
        cards=cards,
    )


def draw_row(run: Run, data: RunData, row: pd.Series) -> None:
    """Draw the image of one row of a predictions table, to be marked by keys wherever the focus is."""
    guesses = tuple(name for name, _ in list_guesses(row))
    tile = Tile(services.thumbnail(data.root / row["path"], LARGE), row["path"], alt=row["path"])
    draw_alone(
        run, data, Item(tile, row["path"], row["true"], guesses, row["predicted"], float(row["confidence"]))
    )


def draw_alone(run: Run, data: RunData, item: Item) -> None:
    """Draw one image, to be marked by keys wherever the focus is."""
    shelf = Shelf([item.path], lambda *_: item)
    show_marking(
        [item],
        read_known(run, data),
        lambda steps: keep_steps(run, data, shelf, steps),
        key="mark-alone",
        side=200,
        label="the image",
    )


def read_known(run: Run, data: RunData) -> Known:
    """Return what is marked already, as galleries take it."""
    known = services.read_marks(run, data)
    labels = {name: data.label(name) for name in data.classes}
    return Known(known.marks, labels, any(name in known.steps for name in _list_own()))


def _list_own() -> list[str]:
    """Return the steps that this visitor made on this page; others are not taken back from it, since it may not show them."""
    by_page: dict[str, list[str]] = st.session_state.setdefault(_OWN, {})
    return by_page.setdefault(shown_page(), [])


def keep_steps(run: Run, data: RunData, shelf: Shelf, steps: Sequence[Step]) -> None:
    """Write what was done to the list of the data set."""
    path = services.marks_path(run, data)
    own = _list_own()
    for step in steps:
        known = services.read_marks(run, data)
        if step.undo:
            if last := [name for name in own if name in known.steps][-1:]:
                undo_step(path, last[0])
        elif marks := [
            change_step(known.marks.get(item.path), item, step, run)
            for item in map(shelf.find, step.paths)
            if item is not None
        ]:
            own.append(add_marks(path, marks))


def keep_together(run: Run, data: RunData, shelf: Shelf, steps: Sequence[Step]) -> None:
    """Write steps that say different things of images as one, which is taken back as one."""
    known = services.read_marks(run, data)
    items = {path: shelf.find(path) for step in steps for path in step.paths}
    marks = [
        change_step(known.marks.get(path), item, step, run)
        for step in steps
        for path in step.paths
        if (item := items[path]) is not None
    ]
    _list_own().append(add_marks(services.marks_path(run, data), marks))


def change_step(known: Mark | None, item: Item, step: Step, run: Run) -> Mark:
    """Return what is said of an image after a step."""
    if step.action == "relabel" and step.to == item.given:
        step = replace(step, action="right")  # the class chosen is the one it has
    asked = Mark(
        item.path, item.given, step.action, step.to if step.action == "relabel" else "",
        run=run.id if item.predicted else "", predicted=item.predicted, confidence=item.confidence,
    )  # fmt: skip
    if not step.tag:
        return change_mark(known, asked)
    return change_mark(known, asked, **{"add" if step.on else "remove": [step.tag]})
