"""How many runs train at a time on this machine: one on each GPU, or as many on the CPU as its user says."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from core.errors import RunError
from core.files import write_text
from core.people.acting import ADMINISTER, needs
from core.reading import read_object, take

SETTINGS = "queue.json"  # beside the run folders
MOST = 64  # slots of the CPU
_DRIVER = Path("/proc/driver/nvidia/gpus")  # where Linux lists the GPUs of NVIDIA's driver
_MOST_BYTES = 100_000


@dataclass(frozen=True)
class Slots:
    """The places where runs train: `cpu` at a time without a GPU, and one on each GPU, by the ids that CUDA knows."""

    cpu: int = 1
    gpus: tuple[str, ...] = ()

    def list_names(self, device: str) -> list[str]:
        """Return the names of the slots in which a run with this device setting may train."""
        if device in ("auto", "cuda") and self.gpus:
            return [f"GPU {gpu}" for gpu in self.gpus]
        return [f"CPU {number + 1}" for number in range(self.cpu)]


def read_slots(root: Path) -> Slots:
    """Return the slots of this machine: the GPUs that it has, and the CPU's as kept under the root of all runs."""
    try:
        kept = take(_Kept, read_object(root / SETTINGS, most=_MOST_BYTES))
    except (OSError, ValueError):
        kept = _Kept()
    return Slots(min(max(kept.cpu, 1), MOST), find_gpus(os.environ))


@needs(ADMINISTER, "set the slots", lambda _, cpu: f"{cpu} of the CPU")
def write_slots(root: Path, cpu: int) -> None:
    """Keep how many runs train at a time on the CPU; a run that waits sees it at its next look.

    Raises:
        RunError: when that is no number from 1 to 64.
    """
    if not 1 <= cpu <= MOST:
        raise RunError(f"Choose from 1 to {MOST} slots of the CPU, not {cpu:,}.")
    root.mkdir(parents=True, exist_ok=True)
    write_text(root / SETTINGS, json.dumps(asdict(_Kept(cpu))) + "\n")


def find_gpus(environment: Mapping[str, str], driver: Path = _DRIVER) -> tuple[str, ...]:
    """Return the ids of the NVIDIA GPUs that a job may use, without torch, which a job that waits does without.

    `CUDA_VISIBLE_DEVICES` says which, as it does for CUDA; without it all that the driver lists.
    """
    visible = environment.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        found = [part.strip() for part in visible.split(",")]
        # CUDA sees none from the first one on that it cannot know.
        return tuple(found[: next((i for i, part in enumerate(found) if part in ("", "-1")), len(found))])
    try:
        return tuple(str(number) for number in range(len(list(driver.iterdir()))))
    except OSError:
        return _ask_driver()


def _ask_driver() -> tuple[str, ...]:
    program = shutil.which("nvidia-smi")
    if os.name != "nt" or program is None:  # elsewhere than on Windows the folder would be there
        return ()
    try:
        listed = subprocess.run([program, "-L"], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return tuple(str(number) for number, _ in enumerate(filter(None, listed.stdout.splitlines())))


def describe_slot_environment(slot: str, slots: Slots, cores: int) -> dict[str, str]:
    """Return the environment variables by which a job keeps to its slot: its GPU, or its share of the cores."""
    kind, _, name = slot.partition(" ")
    if kind == "GPU":
        return {"CUDA_VISIBLE_DEVICES": name}
    return {"OMP_NUM_THREADS": str(max(1, cores // slots.cpu))} if slots.cpu > 1 else {}


@dataclass(frozen=True)
class _Kept:
    cpu: int = 1
