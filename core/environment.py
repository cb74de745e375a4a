"""What a run is computed on and with: written down with it, so that its figures can be judged later."""

from __future__ import annotations

import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from core.engine import Compute

_LIBRARIES = ("torch", "torchvision", "pytorch-optimizer", "numpy", "pillow")


def describe_environment(compute: Compute, workers: int) -> dict[str, Any]:
    """Return the resolved values of `auto` (device, precision, layout, workers), the machine and the versions."""
    cuda = compute.device.type == "cuda"
    device = torch.cuda.get_device_name() if cuda else name_processor()
    return {
        "compute": str(compute),
        "device": device,
        "precision": "bf16" if compute.bf16 else "fp32",
        "threads": torch.get_num_threads(),
        "workers": workers,
        "python": platform.python_version(),
        **{library.replace("-", "_"): version(library) for library in _LIBRARIES},
    }


def name_processor() -> str:
    """Return what the processor calls itself, else its architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:  # another system than Linux
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine()
