"""What a run asks of Slurm, checked field by field, and the file that holds a site's usual answers."""

from __future__ import annotations

import difflib
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from core.errors import ConfigError
from core.places import own_folder
from core.reading import read_plain
from core.recipe.config_text import read_settings_text
from core.words import format_count

SAVE_SECONDS = 120  # before its time limit Slurm tells the job, which saves and queues itself again
LEAST_MINUTES = 5  # a job that is told to save as soon as it begins would never get on
_MOST_BYTES = 100_000
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.,@+-]*")
_MEMORY = re.compile(r"[1-9][0-9]*[KMGT]?")
# D-HH, D-HH:MM, D-HH:MM:SS; MM, MM:SS, HH:MM:SS, as sbatch reads them.
_TIME = re.compile(
    r"(?P<days>N)-(?P<h>N)(?::(?P<m>N))?(?::N)?|(?P<a>N)(?::(?P<b>N))?(?::(?P<c>N))?".replace(
        "N", r"\d{1,9}"
    ),
    re.ASCII,
)


@dataclass(frozen=True)
class SlurmRequest:
    """What a run asks of Slurm; what is empty is left to the cluster. GPUs, cores and memory, such as 16G, are those of a node.

    Raises:
        ConfigError: naming the field, what is wrong with it and what it may be.
    """

    partition: str = ""
    account: str = ""
    qos: str = ""
    gpus: int = 0
    cpus: int = 2
    memory: str = ""
    time: str = ""
    nodes: int = 1

    def __post_init__(self) -> None:
        if problems := dict(self._list_problems()):
            raise ConfigError(problems)

    def _list_problems(self) -> list[tuple[str, str]]:
        found = []
        for field in ("partition", "account", "qos"):
            value = getattr(self, field)
            if value and not (isinstance(value, str) and _NAME.fullmatch(value)):
                found.append((field, f"must be a name that Slurm knows, such as main, got {value!r}"))
        for field, least, most in (("gpus", 0, 64), ("cpus", 1, 1024), ("nodes", 1, 64)):
            value = getattr(self, field)
            if type(value) is not int or not least <= value <= most:
                found.append((field, f"must be a whole number from {least} to {most}, got {value!r}"))
        if self.memory and not (isinstance(self.memory, str) and _MEMORY.fullmatch(self.memory)):
            found.append(("memory", f"must be a size such as 16G or 800M, got {self.memory!r}"))
        if self.time:
            minutes = _read_minutes(self.time)
            if minutes is None:
                found.append(
                    ("time", f'must be a time such as "02:00:00" or "1-12:00" in quotes, got {self.time!r}')
                )
            elif minutes < LEAST_MINUTES:
                found.append(
                    (
                        "time",
                        f"must be {LEAST_MINUTES} minutes or more, since a run saves two minutes before its end",
                    )
                )
        return found

    @classmethod
    def from_values(cls, values: Mapping[str, Any], source: str = "") -> SlurmRequest:
        """Make a request of values that anyone may have written; `source` says where they stand.

        Raises:
            ConfigError: also for a field that there is not.
        """
        where = f" ({source})" if source else ""
        known = [field.name for field in fields(cls)]
        for name in values:
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                meant = f"did you mean {near[0]}?" if near else f"the options are {', '.join(known)}"
                raise ConfigError({name: f"cannot be asked of Slurm; {meant}{where}"})
        given = dict(values)
        if type(given.get("memory")) is int:  # of YAML: megabytes without a letter
            given["memory"] = str(given["memory"])
        try:
            return cls(**{name: value for name, value in given.items() if value is not None})
        except ConfigError as error:
            raise ConfigError({field: what + where for field, what in error.problems.items()}) from None

    def to_values(self) -> dict[str, Any]:
        """Return the fields by name, as `from_values` takes them."""
        return asdict(self)

    def for_devices(self, devices: int) -> SlurmRequest:
        """Return the request with what a run on so many devices cannot do without: a core each, and a GPU each where it asks for any.

        Each node has one task, whose launcher starts the processes; Slurm is asked for all of their GPUs and cores at once.

        Raises:
            ConfigError: when the nodes cannot share the devices evenly.
        """
        if devices % self.nodes:
            raise ConfigError(
                {
                    "nodes": f"must share the devices evenly, and {format_count(devices, 'device')} cannot be shared among "
                    f"{self.nodes}: ask for {self.nodes} devices, {2 * self.nodes}, or more in such steps"
                }
            )
        each = devices // self.nodes
        gpus = max(self.gpus, each) if self.gpus else 0
        return replace(self, gpus=gpus, cpus=max(self.cpus, each))

    def describe_more(self, devices: int) -> str:
        """Say what is asked of Slurm beyond this request, since a run trains on so many devices; empty where nothing is."""
        whole = self.for_devices(devices)
        if whole == self:
            return ""
        gpus = f"{format_count(whole.gpus, 'GPU')} and " if whole.gpus else ""
        each = "a GPU and a core" if whole.gpus else "a core"
        where = " on each node" if self.nodes > 1 else ""
        return f"It asks Slurm for {gpus}{format_count(whole.cpus, 'core')}{where}: each of its {devices} processes needs {each}."

    def list_options(self) -> list[str]:
        """Return the options of sbatch that ask for this."""
        words = {
            "partition": self.partition,
            "account": self.account,
            "qos": self.qos,
            "gpus" if self.nodes == 1 else "gpus-per-node": self.gpus,
            "cpus-per-task": self.cpus,
            "mem": self.memory,
            "time": self.time,
        }
        return [f"--{name}={value}" for name, value in words.items() if value]


def _read_minutes(text: object) -> float | None:
    """Return the minutes that a time of Slurm's stands for; None where it is none."""
    match = _TIME.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        return None
    if match["days"]:
        return int(match["days"]) * 1440 + int(match["h"]) * 60 + int(match["m"] or 0)
    first, second, third = int(match["a"]), int(match["b"] or 0), match["c"]
    return first + second / 60 if third is None else first * 60 + second + int(third) / 60


def defaults_path() -> Path:
    """Return the path of the file with a site's usual answers: $WEAKSPOT_SLURM, else slurm.yaml in our own folder."""
    return Path(os.environ.get("WEAKSPOT_SLURM") or own_folder() / "slurm.yaml").absolute()


def read_defaults() -> SlurmRequest:
    """Return what is asked of Slurm where nothing else is said; the file need not be there.

    Raises:
        ConfigError: when the file is no settings, or a field is wrong; names file and field.
        OSError: when it cannot be read.
    """
    path = defaults_path()
    try:
        text = read_plain(path, most=_MOST_BYTES).decode("utf-8-sig")
    except FileNotFoundError:
        return SlurmRequest()
    except ValueError as error:  # too large, or no text
        raise ConfigError({"slurm": f"{path} cannot be read: {error}"}) from None
    if not text.strip():
        return SlurmRequest()
    return SlurmRequest.from_values(read_settings_text(text, path.name), str(path))


def is_offered() -> bool:
    """Tell whether runs can be handed to Slurm here: sbatch is there, or somebody wrote down what is asked of it."""
    return shutil.which("sbatch") is not None or defaults_path().is_file()
