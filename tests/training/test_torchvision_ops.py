"""Torchvision imports on every machine, with its own operators or, where they cannot load, with declared ones."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from core import torchvision_ops

# isort: split
import torchvision

NEED_OPERATORS = ("torchvision", "timm", "pytorch_grad_cam")
MODULES = sorted(Path(torchvision_ops.__file__).parent.rglob("*.py"))


def imported_names(source: str) -> list[str]:
    """Return what a module imports, dotted, in the order of its lines."""
    found: list[tuple[int, str]] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found += [(node.lineno, f"{node.module}.{alias.name}") for alias in node.names]
    return [name for _, name in sorted(found)]


def test_operators_are_declared_only_where_the_real_ones_cannot_load() -> None:
    assert (torchvision_ops.LIBRARY is None) == torchvision_ops._real_ops_load()


def test_torchvision_has_its_operators_in_either_case() -> None:
    assert torchvision.ops.nms is not None
    assert torchvision_ops.torch.ops.torchvision.nms.default is not None


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_a_module_that_needs_the_operators_asks_for_them_first(module: Path) -> None:
    names = imported_names(module.read_text(encoding="utf-8"))
    need = [place for place, name in enumerate(names) if name.split(".")[0] in NEED_OPERATORS]
    if need:
        assert "core.torchvision_ops" in names[: need[0]]
