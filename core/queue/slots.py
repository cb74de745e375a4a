"""How many runs train at a time on this machine: on a GPU each or several, or as many on the CPU as its user says.

What is kept of that also says whether a training goes on by itself after a restart of the machine.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from core.errors import RunError
from core.files import changing, write_text
from core.people.acting import ADMINISTER, needs
from core.reading import read_object, take
from core.recipe.config import TrainConfig
from core.words import format_count

SETTINGS = "queue.json"  # beside the run folders
MOST = 64  # slots of the CPU
_DRIVER = Path("/proc/driver/nvidia/gpus")  # where Linux lists the GPUs of NVIDIA's driver
_MOST_BYTES = 100_000
_BETWEEN = ", "  # the slots of one run


@dataclass(frozen=True)
class Slots:
    """The places where runs train: `cpu` at a time without a GPU, and one on each GPU, by the ids that CUDA knows."""

    cpu: int = 1
    gpus: tuple[str, ...] = ()

    def takes_gpus(self, device: str) -> bool:
        """Tell whether a run with this device setting trains on GPUs."""
        return device in ("auto", "cuda") and bool(self.gpus)

    def list_names(self, device: str) -> list[str]:
        """Return the names of the slots in which a run with this device setting may train."""
        if self.takes_gpus(device):
            return [f"GPU {gpu}" for gpu in self.gpus]
        return [f"CPU {number + 1}" for number in range(self.cpu)]


def read_slots(root: Path) -> Slots:
    """Return the slots of this machine: the GPUs that it has, and the CPU's as kept under the root of all runs."""
    kept = _read_kept(root)
    return Slots(min(max(kept.cpu, 1), MOST), find_gpus(os.environ))


def split_slots(slot: str) -> list[str]:
    """Return the names of the slots that a run's status holds in one text, as `join_slots` wrote it."""
    return slot.split(_BETWEEN)


def join_slots(names: Sequence[str]) -> str:
    """Return the slots that a run takes as one text."""
    return _BETWEEN.join(names)


def find_lacks(config: TrainConfig, slots: Slots) -> dict[str, str]:
    """Return what a run asks for that this machine has not, by field; empty where it can train here."""
    there, gpus = count_devices(config.device, slots), slots.takes_gpus(config.device)
    lacks = {}
    if config.devices > there:
        what = format_count(there, "GPU" if gpus else "core")
        lacks["devices"] = f"{config.devices} were asked for, but this machine has {what}"
    if config.sync_batch_norm and config.devices > 1 and not gpus:
        lacks["sync_batch_norm"] = "only works on CUDA GPUs; turn it off to train in several processes here"
    return lacks


def count_at_once(device: str, devices: int, slots: Slots) -> int:
    """Return how many runs with these settings train at a time on this machine; one too large for it counts as one."""
    if slots.takes_gpus(device):
        return max(1, len(slots.gpus) // devices)
    return slots.cpu


def spread_time(seconds: float, configs: Sequence[TrainConfig], slots: Slots) -> float:
    """Return how long runs take here that would take so many seconds one after the other.

    GPUs divide that among them. Slots of the CPU share its cores, so they end together and no sooner.
    """
    gpu_runs = [config for config in configs if slots.takes_gpus(config.device)]
    if not gpu_runs or len(gpu_runs) < len(configs):
        return seconds
    at_once = min(count_at_once(config.device, config.devices, slots) for config in configs)
    return seconds / min(at_once, len(configs))


def describe_at_once(count: int) -> str:
    """Say how many runs train at a time."""
    return "one trains at a time" if count == 1 else f"{count} train at a time"


def count_devices(device: str, slots: Slots) -> int:
    """Return the most processes that a run with this device setting may train in here: one a GPU, else one a core."""
    return len(slots.gpus) if slots.takes_gpus(device) else os.cpu_count() or 1


@needs(ADMINISTER, "set the slots", lambda _, cpu: f"{cpu} of the CPU")
def write_slots(root: Path, cpu: int) -> None:
    """Keep how many runs train at a time on the CPU; a run that waits sees it at its next look.

    Raises:
        RunError: when that is not a number from 1 to 64.
    """
    if not 1 <= cpu <= MOST:
        raise RunError(f"The CPU can have 1 to {MOST} slots, not {cpu:,}.")
    _change_kept(root, cpu=cpu)


def goes_on_after_restart(root: Path) -> bool:
    """Tell whether what trained when the machine was restarted is to go on by itself."""
    return _read_kept(root).go_on


@needs(ADMINISTER, "set what follows a restart", lambda _, go_on: "go on" if go_on else "leave")
def write_after_restart(root: Path, go_on: bool) -> None:
    """Keep whether what trained when the machine was restarted is to go on by itself."""
    _change_kept(root, go_on=go_on)


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
    """Return the environment variables by which a job keeps to its slots: its GPUs, or its share of the cores."""
    gpus = [name.removeprefix("GPU ") for name in split_slots(slot) if name.startswith("GPU ")]
    if gpus:
        return {"CUDA_VISIBLE_DEVICES": ",".join(gpus)}
    return {"OMP_NUM_THREADS": str(max(1, cores // slots.cpu))} if slots.cpu > 1 else {}


@dataclass(frozen=True)
class _Kept:
    cpu: int = 1
    go_on: bool = True


def _read_kept(root: Path) -> _Kept:
    try:
        return take(_Kept, read_object(root / SETTINGS, most=_MOST_BYTES))
    except (OSError, ValueError):
        return _Kept()


def _change_kept(root: Path, **changes: int) -> None:
    root.mkdir(parents=True, exist_ok=True)
    with changing(root / SETTINGS):
        write_text(root / SETTINGS, json.dumps({**asdict(_read_kept(root)), **changes}) + "\n")
