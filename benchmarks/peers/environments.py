"""The peers' environments: one of its own for each, made once, with pinned packages, outside the repository."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from core.files import write_text

DEFAULT = Path.home() / ".cache" / "weakspot" / "peers"
TORCH = ("torch==2.13.0", "torchvision==0.28.0")
TIMM = ("timm==1.0.31", "huggingface-hub==0.36.2", "safetensors==0.8.0")
PINS: dict[str, tuple[str, ...]] = {
    "fastai": ("fastai==2.8.12", *TIMM, *TORCH),
    "autogluon": ("autogluon.multimodal==1.6.3", *TORCH),  # it says itself which timm it works with
    "ultralytics": ("ultralytics==8.4.190", *TIMM, *TORCH),
}


def make_environment(name: str, folder: Path) -> Path:
    """Make a peer's environment, unless it is there with these very pins, and return its Python.

    Raises:
        RuntimeError: when pip cannot install it, with pip's last words.
    """
    home = folder / name
    python = home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    mark, pins = home / "pins.txt", "\n".join(PINS[name])
    if mark.is_file() and mark.read_text(encoding="utf-8") == pins:
        return python
    shutil.rmtree(home, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
    install = [str(python), "-m", "pip", "install", "--quiet", *PINS[name]]
    done = subprocess.run(install, check=False, capture_output=True, text=True)
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        raise RuntimeError(f"its environment could not be made: {' '.join(errors[-2:] or ['pip failed'])}")
    write_text(mark, pins)
    return python
