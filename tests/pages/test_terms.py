"""Technical terms: each that a page shows is explained on it by a hover text, in the words of one table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from core.runs.run import Run
from dashboard.terms import TERMS, explain, find_terms
from tests.made_run import TRUE, make_member, make_run, measure_confidence
from tests.pages.apps import Open, words

QUERIES = {
    "live": {"run": "first"},
    "confusion": {"run": "first", "true": "10", "pred": "2"},
    "weak": {"run": "first", "class": "35"},
    "map": {"run": "first"},
    "data": {"run": "first"},
    "confidence": {"run": "first"},
    "predict": {"run": "first"},
    "compare": {"runs": "first,better"},
    "bake-off": {"group": "bake"},
}


@pytest.mark.parametrize("name", QUERIES)
def test_each_term_that_a_page_shows_is_explained_on_it(
    open_page: Open, run_with_model: Run, runs_root: Path, tiny_data: Path, name: str
) -> None:
    measure_confidence(run_with_model)
    make_run(runs_root, tiny_data, name="better", lr=0.5, guessed=TRUE)
    for seed in (0, 1):
        make_member(runs_root, tiny_data, seed=seed, optimizer="sgd")
        make_member(runs_root, tiny_data, seed=seed, optimizer="adamw", guessed=TRUE)
    app = open_page(name, **QUERIES[name])
    assert not app.exception
    told = "\n".join(helps(app))
    assert [term.name for term in find_terms(shown(app)) if term.meaning not in told] == []


def test_a_hover_text_explains_the_terms_of_its_place_and_no_others() -> None:
    assert explain("5 of 81 classes are weaker.") is None
    told = explain("Tested by McNemar's exact test, p = 0.03")
    assert told is not None
    assert told.startswith("**McNemar's test**: Compares two models")
    assert "**p**: How often chance" in told
    assert "ECE" not in told


def test_the_docs_have_the_same_table() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs/terms.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ")][1:]
    assert rows == [f"| {term.name} | {term.meaning} |" for term in TERMS]


def shown(app: AppTest) -> str:
    """Return what a page says: its texts, and the heads and first columns of its tables."""
    tables = [frame.value for frame in (*app.dataframe, *app.table)]
    heads = [str(name) for table in tables for name in table.columns]
    firsts = [str(value) for table in tables for value in table.iloc[:, 0]]
    labels = [metric.label for metric in app.metric]
    return "\n".join([words(app), *heads, *firsts, *labels])


def helps(app: AppTest) -> list[str]:
    """Return all hover texts of a page, those of the columns of its tables too."""
    found: list[str] = []
    collect(app._tree, found)
    return found


def collect(node: Any, found: list[str]) -> None:
    for child in getattr(node, "children", {}).values():
        proto = getattr(child, "proto", None)
        found.append(str(getattr(proto, "help", "")))
        if columns := getattr(proto, "columns", None):
            found += [str(column.get("help", "")) for column in json.loads(columns).values()]
        collect(child, found)
