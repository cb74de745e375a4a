"""A hyper-parameter is declared once: one more declaration is enough, and no other place lists fields that it need not."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

from core.networks.table import IMAGENET
from core.recipe.config import SETTINGS
from core.recipe.presets import from_preset
from core.training.loaders import train_transforms

ROOT = Path(__file__).resolve().parents[2]
# How many lists of three fields and more a file may hold, and what for.
ALLOWED = {
    "core/cli/bakeoff.py": 1,  # what a bake-off crosses or makes is no option of its runs
    "core/recipe/presets.py": 5,  # the values of a preset
    "core/recipe/rules.py": 1,  # what has no place beside a head that is fitted once
    "core/recipe/settings.py": 1,  # whose values say by themselves what they are of
    "core/runs/bakeoff.py": 1,  # the values of a combination
    "core/runs/estimate.py": 1,  # what the time an image takes depends on most
    "core/queue/forecast.py": 1,  # runs that take as long as each other
    "core/training/environment.py": 1,  # what a run was computed on: no fields, but some are called alike
    "core/training/features.py": 1,  # in which order features have always been kept
    "core/trial/forecast.py": 1,  # what changes neither the time of a step nor its memory
    "dashboard/launch/bakeoff_form.py": 2,  # the few settings that a bake-off asks for, and those its plan shows
    "dashboard/listing/table.py": 3,  # columns of the table of runs, how they are called, those of few runs
    "dashboard/panels/forms.py": 1,  # the values that specialise a run
    "dashboard/views/train.py": 1,  # what the pictures of the preview depend on beside the data and the transforms
}
NEW = """
    tilt: float = declare(
        0.0, "Tilt", _IMAGES, unit="degrees", span=(0.0, 9.0), needs=_AUGMENTED, off=0.0, augments="RandomTilt",
        help="Training: random tilt.",
    )
    # fmt: on"""
USE = """
import argparse
from core.cli.options import add_config_options, read_changes
from core.errors import ConfigError
from core.recipe.config import TrainConfig, applies
from core.recipe.presets import from_preset
from core.recipe.settings import GROUPS, command_line, format_setting, label_of

parser = argparse.ArgumentParser()
add_config_options(parser)
assert "--tilt FLOAT" in parser.format_help()
config = from_preset("seed", **read_changes(parser.parse_args(["--data", "x", "--tilt", "3"])))
assert command_line(config) == "python -m weakspot train --data x --preset seed --tilt 3.0"
assert GROUPS["Images"][-1] == "tilt"
assert (label_of("tilt"), format_setting(config, "tilt")) == ("Tilt (degrees)", "3")
assert not applies("tilt", {"head_only": True})
for values, words in (
    ({"tilt": 10}, "must be from 0 to 9, got 10"),
    ({"tilt": 1, "head_only": True}, "needs feature_views above 1; otherwise set this to 0, got 1"),
):
    try:
        TrainConfig.from_dict({"data": "x", **values})
    except ConfigError as error:
        assert error.problems == {"tilt": words}, error
    else:
        raise AssertionError(values)
"""


def list_fields(path: Path) -> int:
    """Return how many literals of a file name three fields or more."""
    found = 0
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        parts: list[ast.expr | None] = []
        if isinstance(node, ast.Tuple | ast.List | ast.Set):
            parts = [*node.elts]
        elif isinstance(node, ast.Dict):
            parts = [*node.keys, *node.values]
        words = {
            part.value for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str)
        }
        found += len(words & set(SETTINGS)) >= 3
    return found


def test_nothing_else_lists_fields_that_it_need_not() -> None:
    found: Counter[str] = Counter()
    for top in ("core", "dashboard"):
        for path in sorted((ROOT / top).rglob("*.py")):
            found[path.relative_to(ROOT).as_posix()] += list_fields(path)
    assert +found == ALLOWED


def test_one_more_declaration_brings_check_option_command_and_place(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "core", tmp_path / "core", ignore=shutil.ignore_patterns("__pycache__"))
    config = tmp_path / "core" / "recipe" / "config.py"
    text = config.read_text(encoding="utf-8")
    assert text.count("\n    # fmt: on") == 1
    config.write_text(text.replace("\n    # fmt: on", NEW), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", USE], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_what_changes_how_training_images_look_names_a_transform_there_is() -> None:
    known = {
        type(one).__name__
        for one in train_transforms(from_preset("seed", data="x", trivial_augment=True), IMAGENET).transforms
    }
    named = [setting.augments for setting in SETTINGS.values() if setting.augments]
    assert len(set(named)) == len(named) == 7
    assert set(named) <= known
