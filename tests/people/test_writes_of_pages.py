"""Whatever a page writes asks the role first: whoever may only look leaves no file behind, but where they predict."""

from __future__ import annotations

import ast
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from core.people.acting import LOOK, TRAIN, Acting, NotAllowed, Person, acting
from core.recipe.config import TrainConfig
from core.runs.run import Run, create_run
from dashboard.explorer import kinds
from dashboard.launch import arrivals_panel, last_form, leak_remedy, table_form
from dashboard.predicting import labelled

ROOT = Path(__file__).resolve().parents[2]
WRITERS = {
    "write_text",
    "write_bytes",
    "write_file",
    "write_rows",
    "write_in_place",
    "draft_folder",
    "replace_folder",
}
WRITERS |= {"unlink", "rmtree", "touch"}
# What writes without a role of its own, and why.
FREE = {
    "dashboard/predicting/form.py:draw_sample": "whoever looks may predict",
    "dashboard/predicting/results.py:keep_opened": "whoever looks may predict",
    "dashboard/builtin.py:builtin_folder": "the built-in data, made once for everybody",
}


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WEAKSPOT_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


@pytest.fixture
def run(runs: Path) -> Run:
    return create_run(TrainConfig(data="x", name="first"), runs)


def leaks() -> tuple[Any, Any]:
    audit = SimpleNamespace(val_made=False, root="x", display={})
    return audit, SimpleNamespace(emptied=(), train=[("a.png", "cat")], val=[])


WRITES: dict[str, Callable[[Run], object]] = {
    "a table for a search among kinds of images": lambda run: kinds.start_search(run, "val", "path,light\n"),
    "labelled images to judge on": lambda run: labelled.judge_dropped(run, SimpleNamespace(arrived=[])),  # type: ignore[arg-type]
    "images that are brought in": lambda _: arrivals_panel._send([], "pets"),
    "the end of images brought in": lambda _: arrivals_panel.begin("bring-in"),
    "a table with labels": lambda run: table_form._keep_table("labels.csv", b"image,label\n", run.folder),
    "what the form held": lambda _: last_form.keep_form(TrainConfig(data="y")),
    "a fix list against leaks": lambda run: leak_remedy.fill_form(*leaks(), run.folder, None),
}  # fmt: skip


def list_files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() if path.is_file() else b"" for path in folder.rglob("*")}


@pytest.mark.parametrize("name", WRITES)
def test_whoever_may_only_look_leaves_nothing_behind(name: str, run: Run, runs: Path) -> None:
    before = list_files(runs)
    with acting(Acting(Person("ada", LOOK), None, None)), suppress(NotAllowed):
        WRITES[name](run)
    assert list_files(runs) == before


def test_whoever_trains_leaves_what_they_sent(run: Run, runs: Path) -> None:
    with acting(Acting(Person("ada", TRAIN), None, None)):
        kept = table_form._keep_table("labels.csv", b"image,label\n", run.folder)
        last_form.keep_form(TrainConfig(data="z"))
    assert kept.read_bytes() == b"image,label\n"
    assert last_form.last_path().is_file()


def read_module(path: Path) -> tuple[str, ast.Module]:
    return path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def list_functions(tree: ast.AST) -> list[ast.FunctionDef]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]


def list_calls(function: ast.FunctionDef) -> set[str]:
    called = (node.func for node in ast.walk(function) if isinstance(node, ast.Call))
    return {one.id if isinstance(one, ast.Name) else getattr(one, "attr", "") for one in called}


def is_action(function: ast.FunctionDef) -> bool:
    """Tell whether a function takes a role by what it is decorated with."""
    return any("needs" in ast.unparse(one) for one in function.decorator_list)


def list_imported(tree: ast.Module) -> set[str]:
    froms = (node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom))
    return {name.name for node in froms if (node.module or "").startswith("core.") for name in node.names}


def test_every_function_of_a_page_that_writes_asks_for_a_role_or_says_why_not() -> None:
    """What core writes at a page's wish counts as well, unless that asks by itself."""
    core = {
        function.name
        for _, tree in map(read_module, (ROOT / "core").rglob("*.py"))
        for function in list_functions(tree)
        if list_calls(function) & WRITERS and not is_action(function)
    }
    unasked = set()
    for place, tree in map(read_module, (ROOT / "dashboard").rglob("*.py")):
        writers = WRITERS | (core & list_imported(tree))
        for function in list_functions(tree):
            asks = is_action(function) or list_calls(function) & {"demand", "may"}
            if list_calls(function) & writers and not asks:
                unasked.add(f"{place}:{function.name}")
    assert unasked == set(FREE)
