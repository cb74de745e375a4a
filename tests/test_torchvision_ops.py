"""Torchvision imports on every machine, with its own operators or, where they cannot load, with declared ones."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from core import torchvision_ops


def test_operators_are_declared_only_where_the_real_ones_cannot_load() -> None:
    assert (torchvision_ops.LIBRARY is None) == torchvision_ops._real_ops_load()


def test_heat_maps_and_images_work_in_a_process_that_imports_them_first() -> None:
    code = (
        "import core.explain, core.data, torchvision, PIL.Image\n"
        "assert core.data.eval_transforms(32, 32)(PIL.Image.new('RGB', (40, 40))).shape == (3, 32, 32)\n"
    )
    root = Path(torchvision_ops.__file__).resolve().parents[1]
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
