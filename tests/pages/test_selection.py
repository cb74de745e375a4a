"""Selections: the URL names them whatever the order, and what it names wrongly selects nothing."""

from __future__ import annotations

import numpy as np
import pytest
import streamlit as st

from dashboard.state.selection import Selection, pack_names, read_selection, select, unpack_names

CLASSES = ["2", "10", "35", "a"]
THOUSAND = [f"class {n}" for n in range(1000)]


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Return the parameters of the URL."""
    params: dict[str, str] = {}

    class Params(dict[str, str]):
        def to_dict(self) -> dict[str, str]:
            return dict(self)

        def from_dict(self, values: dict[str, str]) -> None:
            params.clear()
            params.update(values)
            self.clear()
            self.update(values)

    shown = Params()
    monkeypatch.setattr(st, "query_params", shown)
    return shown


@pytest.mark.parametrize(
    "selection",
    [
        Selection(("2",), ("35",)),
        Selection(("2",)),
        Selection((), ("a",), wrong_only=True),
        Selection(("2", "a"), ("10", "35"), wrong_only=True),
        Selection(("2", "10", "35", "a"), ("10",)),
        Selection(("2", "a"), ("2", "a")),
    ],
    ids=["cell", "row", "column", "block", "wide", "square"],
)
def test_a_selection_comes_back_from_the_url(url: dict[str, str], selection: Selection) -> None:
    url.update(run="first", page="3", image="x.png")
    select(selection, CLASSES)
    assert read_selection(CLASSES) == selection
    assert url["run"] == "first"
    assert not {"page", "image"} & set(url)


def test_a_new_selection_takes_the_place_of_a_block(url: dict[str, str]) -> None:
    select(Selection(("2", "a"), ("10", "35"), wrong_only=True), CLASSES)
    select(Selection(("2",), ("10",)), CLASSES)
    assert url == {"true": "2", "pred": "10"}


@pytest.mark.parametrize(
    "query",
    [
        {"true": "no such"},
        {"block": "!.!"},
        {"block": "AAAA.AAAA"},
        {"block": "AA"},
        {"block": "AA.AA"},
        {"block": "CA.gA"},
    ],
)
def test_what_the_url_names_wrongly_selects_nothing(url: dict[str, str], query: dict[str, str]) -> None:
    url.update(query)
    assert not read_selection(CLASSES)


@pytest.mark.parametrize(("classes", "length"), [(CLASSES, 2), (THOUSAND, 167)])
def test_a_block_is_short_whatever_it_holds(classes: list[str], length: int) -> None:
    names = tuple(classes[::3])
    assert len(pack_names(names, classes)) == length
    assert unpack_names(pack_names(names, classes), classes) == names


def test_images_are_chosen_by_their_cell() -> None:
    true, predicted = np.array([0, 0, 1, 2, 3]), np.array([0, 1, 1, 1, 0])
    inside = lambda **values: Selection(**values).contains(true, predicted, CLASSES).tolist()  # noqa: E731
    assert inside() == [True] * 5
    assert inside(true=("2",)) == [True, True, False, False, False]
    assert inside(predicted=("10",), wrong_only=True) == [False, True, False, True, False]
    assert inside(true=("2", "35"), predicted=("10", "a")) == [False, True, False, True, False]
