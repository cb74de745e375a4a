"""The house: which room may import from which, how full a room is, and that the plan in the docs is this one."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# From the ground up: a room imports only from rooms before it.
FLOORS = {
    "core": (
        "places", "errors", "addresses", "file_names", "files", "words", "reading", "arrays", "csv_table", "image_table", "palette", "torchvision_ops", "people",
        "networks", "splits", "recipe", "shards", "dataset", "marks", "stored", "runs", "census", "overview", "queue", "cluster", "parallel", "arrivals", "verdicts", "slices", "confidence", "loading", "training", "model", "trackers", "ship", "ways", "answers", "landscape", "job", "trial", "report", "imports", "serve", "cli", "api", "__main__",
    ),
    "dashboard": (
        "text", "terms", "builtin", "access", "guard", "charts", "state", "components", "explorer", "mapping", "panels", "launch", "listing", "predicting", "views", "lost", "signposts", "app", "gate", "server", "start", "__main__",
    ),
}  # fmt: skip
RANKS = {
    (top, room): number + 100 * (top == "dashboard")
    for top, rooms in FLOORS.items()
    for number, room in enumerate(rooms)
}


def read_imports(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the rooms of the house, as (top, room), that a file imports from, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        modules = []
        if isinstance(node, ast.ImportFrom) and node.module:
            first = node.module.split(".")
            modules = [first] if len(first) > 1 else [[*first, alias.name] for alias in node.names]
        elif isinstance(node, ast.Import):
            modules = [alias.name.split(".") for alias in node.names]
        for module in modules:
            if module[0] in FLOORS and len(module) > 1:
                yield module[0], module[1]


def files_of(top: str) -> list[Path]:
    return [path for path in sorted((ROOT / top).rglob("*.py")) if path.name != "__init__.py"]


@pytest.mark.parametrize(
    "path", [p for top in FLOORS for p in files_of(top)], ids=lambda p: str(p.relative_to(ROOT))
)
def test_a_file_imports_only_from_rooms_below_its_own(path: Path) -> None:
    parts = path.relative_to(ROOT).with_suffix("").parts
    own = (parts[0], parts[1])
    assert own in RANKS, "a new room has no place in FLOORS"
    for other in read_imports(path):
        assert other == own or RANKS[other] < RANKS[own], f"it imports from {'.'.join(other)}"


@pytest.mark.parametrize("top", FLOORS)
def test_a_room_holds_fifteen_files_at_most(top: str) -> None:
    for room in sorted({path.parent for path in files_of(top)}):
        count = len([p for p in room.iterdir() if p.is_file() and p.name != "__init__.py"])
        assert count <= 15, f"{room.relative_to(ROOT)} holds {count} files"


def test_no_file_of_the_core_knows_streamlit() -> None:
    for path in files_of("core"):
        assert not re.search(
            r"^\s*(import|from) streamlit", path.read_text(encoding="utf-8"), re.MULTILINE
        ), path


def test_the_plan_in_the_docs_names_every_room_and_its_arrows() -> None:
    plan = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    for top, rooms in FLOORS.items():
        for room in rooms:
            name = f"{top}/{room}/" if (ROOT / top / room).is_dir() else f"{room}.py"
            assert f"`{name}`" in plan, f"docs/architecture.md has no sentence on {name}"
    drawn = re.findall(
        r"^([a-z]+): (.+)$", re.search(r"```rooms\n(.+?)```", plan, re.DOTALL)[1], re.MULTILINE
    )  # type: ignore[index]
    assert {room: set(below.split()) for room, below in drawn} == real_arrows()


def real_arrows() -> dict[str, set[str]]:
    """Return for each room that is a folder the folders of the same house that it imports from."""
    arrows: dict[str, set[str]] = {}
    for top in FLOORS:
        for path in files_of(top):
            room = path.relative_to(ROOT).parts[1]
            if not (ROOT / top / room).is_dir():
                continue
            below = {
                name
                for house, name in read_imports(path)
                if house == top and (ROOT / top / name).is_dir() and name != room
            }
            arrows.setdefault(room, set()).update(below)
    return {room: below for room, below in arrows.items() if below}
