"""What several test modules share: a tiny data set on disk and a root for runs."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

# Before any test loads torch, and for the processes that tests start: as in core/__main__.py, and one thread each. Tiny
# nets gain nothing from more, and on busy cores threads wait for one another, in bfloat16 by spinning: a step of two
# threads beside other work then takes ten times the processor's time of a step of one.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ["OMP_NUM_THREADS"] = "1"

# Sorted as text they would be 10, 2, 35.
COLOURS = {"2": (200, 40, 40), "10": (40, 200, 40), "35": (40, 40, 200)}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where processes share the files, begin with those that take longest, or one works on alone in the end."""
    if hasattr(config, "workerinput"):
        items.sort(key=_seconds, reverse=True)


def _seconds(item: pytest.Item) -> float:
    mark = item.get_closest_marker("slow")
    return float(mark.args[0]) if mark else 0.0


@pytest.fixture(autouse=True)
def _own_main() -> Iterator[None]:
    """Put the main module back: an AppTest leaves the page's script in its place, and processes started later run it."""
    main = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = main


@pytest.fixture
def chance() -> random.Random:
    """Return a test's own random numbers; what it shows when it fails names the seed that draws them again."""
    seed = int(os.environ.get("WEAKSPOT_TEST_SEED") or random.SystemRandom().randrange(2**32))
    print(f"Drawn by chance: WEAKSPOT_TEST_SEED={seed} in the environment draws the same again.")
    return random.Random(seed)


@pytest.fixture
def tiny_data(tmp_path: Path) -> Path:
    """Return a data folder of three classes: 6 training and 2 validation images each, 3 test images, names."""
    return make_tiny_data(tmp_path / "tiny")


def make_tiny_data(root: Path) -> Path:
    """Make the data folder that `tiny_data` is, and return it."""
    rng = np.random.default_rng(0)
    for label, colour in COLOURS.items():
        for split, count in (("train", 6), ("val", 2)):
            for number in range(1, count + 1):
                _save_noisy(root / split / label / f"{number}.png", colour, rng)
    for number, colour in enumerate(COLOURS.values(), start=1):
        _save_noisy(root / "test" / f"{number}.png", colour, rng)
    (root / "class_names.csv").write_text("label,name\n2,rose\n10,tulip\n35,iris\n", encoding="utf-8")
    return root


@pytest.fixture
def runs_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder that is the root of all runs, for this process and those it starts."""
    root = tmp_path / "runs"
    root.mkdir()
    monkeypatch.setenv("WEAKSPOT_RUNS", str(root))
    return root


@pytest.fixture(scope="session")
def best_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the checkpoint of a ResNet18 with random weights for the tiny data, made once and only to be read."""
    import torch

    from core.networks.build import build_model
    from core.networks.table import IMAGENET
    from core.training.checkpoint import best_values, save_checkpoint

    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("made") / "best.pt"
    values = best_values(
        build_model("resnet18", 3),
        arch="resnet18",
        inputs=IMAGENET,
        classes=tuple(COLOURS),
        display={"2": "rose", "10": "tulip", "35": "iris"},
        image_size=32,
        resize_size=32,
    )
    save_checkpoint(path, values)
    return path


@pytest.fixture
def quick_apps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spare each AppTest its look through all installed packages for components, which takes longer than a page."""
    from streamlit.components.v2.component_manager import BidiComponentManager

    monkeypatch.setattr(BidiComponentManager, "discover_and_register_components", lambda *_, **__: None)


def _save_noisy(path: Path, colour: tuple[int, int, int], rng: np.random.Generator) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.clip(np.array(colour) + rng.normal(0, 25, (32, 32, 3)), 0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(path)
