"""Start the product's commands as a user does, in a tiny and quick setting, and wait for what they do."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from core.__main__ import main
from core.recipe.config import TrainConfig

REPOSITORY = Path(__file__).resolve().parents[1]
COLOURS = {"2": (200, 40, 40), "10": (40, 200, 40), "35": (40, 40, 200)}
# With three classes of six training images: three steps an epoch.
TINY: dict[str, Any] = {
    "arch": "resnet18",
    "weights": "none",
    "image_size": 32,
    "resize_size": 32,
    "batch_size": 6,
    "epochs": 2,
    "device": "cpu",
    "precision": "fp32",
    "workers": 0,
}


def make_images(root: Path, *, train: int = 6, val: int = 2, seed: int = 0) -> Path:
    """Write a data folder of three classes told apart by colour; without val/ where `val` is 0."""
    rng = np.random.default_rng(seed)
    for label, colour in COLOURS.items():
        for split, count in (("train", train), ("val", val)):
            for number in range(count):
                path = root / split / label / f"{number}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                pixels = np.clip(np.array(colour) + rng.normal(0, 40, (32, 32, 3)), 0, 255)
                Image.fromarray(pixels.astype(np.uint8)).save(path)
    return root


def train_words(data: Path, name: str, **changes: Any) -> list[str]:
    """Return the command line's words that train a tiny run."""
    options = {"data": data, "name": name, **TINY, **changes}
    return ["train", *(f"--{key.replace('_', '-')}={value}" for key, value in options.items())]


def tiny_config(data: Path, name: str, **changes: Any) -> TrainConfig:
    """Return the config of a tiny run."""
    return TrainConfig(data=str(data), name=name, **{**TINY, **changes})


def start(
    *words: str | Path, root: Path, env: dict[str, str] | None = None, prefix: Sequence[str] = ()
) -> subprocess.Popen[str]:
    """Start `python -m core WORDS` in a process group of its own, as a shell does, its output in pipes."""
    return subprocess.Popen(
        [*prefix, sys.executable, "-m", "core", *map(str, words)],
        cwd=REPOSITORY,
        env=environment(root, env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finish(process: subprocess.Popen[str], timeout: float = 300) -> subprocess.CompletedProcess[str]:
    """Wait for a started command; it is killed when it takes too long, so that no test leaves one behind."""
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise AssertionError(f"{process.args} did not end in {timeout} s.\n{out}\n{err}") from None
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def call(
    *words: str | Path, root: Path, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `python -m core WORDS` to its end with `root` as the folder of all runs."""
    return finish(start(*words, root=root, env=env))


def call_here(*words: str | Path, root: Path) -> subprocess.CompletedProcess[str]:
    """Do what `call` does in this process, which has loaded what takes seconds to load."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setenv("WEAKSPOT_RUNS", str(root))
        try:
            code = main([str(word) for word in words])
        except SystemExit as ended:  # after help, or a word that is not known
            code = int(ended.code or 0)
    return subprocess.CompletedProcess(words, code, out.getvalue(), err.getvalue())


def wait_until(condition: Callable[[], object], what: str, timeout: float = 180) -> None:
    """Wait until a condition holds; `what` it is goes into the failure's text."""
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, f"waited {timeout} s in vain until {what}"
        time.sleep(0.005)


def environment(root: Path, changes: dict[str, str] | None = None) -> dict[str, str]:
    """Return this process' environment with `root` as the folder of all runs."""
    return {**os.environ, "WEAKSPOT_RUNS": str(root), **(changes or {})}
