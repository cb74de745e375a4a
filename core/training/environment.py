"""What a run is computed on and with: written down with it, so that its figures can be judged later."""

from __future__ import annotations

import json
import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from core.files import write_text
from core.runs.run import Run
from core.training.engine import Compute
from core.words import format_count

_LIBRARIES = ("torch", "torchvision", "timm", "pytorch-optimizer", "numpy", "pillow")


def describe_environment(compute: Compute, workers: int, processes: int = 1) -> dict[str, Any]:
    """Return the resolved values of `auto` (device, precision, layout, workers), the machine and the versions.

    Where several processes train together, threads and workers are those of each.
    """
    cuda = compute.device.type == "cuda"
    device = (
        torch.cuda.get_device_name()
        if cuda
        else f"{processor_name()}, {format_count(os.cpu_count() or 1, 'core')}"
    )
    return {
        "compute": str(compute),
        "device": device,
        "precision": compute.precision,
        "threads": torch.get_num_threads(),
        "workers": workers,
        **({"processes": processes} if processes > 1 else {}),
        "python": platform.python_version(),
        **{library.replace("-", "_"): version(library) for library in _LIBRARIES},
    }


def record_environment(run: Run, compute: Compute, workers: int, fingerprint: str, processes: int = 1) -> str:
    """Write a run's environment.json, with the fingerprint of its data; return it as a line for the console.

    Where a run goes on in another environment, `earlier` lists those it was computed in before, the first one first.
    """
    environment: dict[str, Any] = {
        **describe_environment(compute, workers, processes),
        "data_fingerprint": fingerprint,
    }
    before = run.read_json("environment.json")
    earlier = before.pop("earlier", [])
    if before and before != environment:
        earlier = [*earlier, before]
    if earlier:
        environment["earlier"] = earlier
    write_text(run.folder / "environment.json", json.dumps(environment, indent=2) + "\n")
    threads = format_count(environment["threads"], "thread")
    line = f"{compute}, {threads}, {format_count(workers, 'loading process')}"
    return f"Computing on {line}" if processes == 1 else f"Computing in {processes} processes, each on {line}"


def describe_other_devices(before: dict[str, Any], processes: int) -> list[str]:
    """Say what changes where a run that was computed in the environment `before` goes on in another number of processes."""
    earlier = before.get("processes", 1)
    if earlier == processes:
        return []
    return [
        f"It goes on in {format_count(processes, 'process')}, before it was {earlier}. Batches, rates and augmentation stay the same.",
        "Sums are rounded in another order, and batch normalisation and dropout work on the images of one process: "
        "from here on the figures are not to the last digit those of a run that was left as it was.",
    ]


def processor_name() -> str:
    """Return the processor's name where the system tells it, else its kind."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        fields = {line.partition(":")[0].strip(): line.partition(":")[2].strip() for line in lines}
        return f"{fields['model name']} (family {fields.get('cpu family', '?')}, model {fields.get('model', '?')})"
    except (OSError, KeyError):
        return platform.processor() or platform.machine()
