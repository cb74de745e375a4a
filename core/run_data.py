"""What a run recorded of its data, for those who look at it afterwards; no torch, and the data need not be there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from core.runs import Run, RunError
from core.words import format_class


@dataclass(frozen=True)
class RunData:
    """The record of a run's data set: classes in order, their labels to show, and its folder."""

    root: Path
    classes: list[str]
    display: dict[str, str]
    val_made: bool
    train_counts: dict[str, int]
    train_paths: dict[str, list[str]]

    def label(self, name: str) -> str:
        """Return what a user reads for a class."""
        return format_class(name, self.display)

    @property
    def labels(self) -> list[str]:
        """Return the labels of all classes, in their order."""
        return [self.label(name) for name in self.classes]


def read_run_data(run: Run) -> RunData:
    """Return the record of a run's data; raises RunError when there is none yet or it is damaged."""
    record = run.read_json("data.json")
    if not record:
        raise RunError(f"{run.id} has not read its data yet.")
    paths: dict[str, list[str]] = {name: [] for name in record["classes"]}
    for path, name in record["train"]:
        paths[name].append(path)
    return RunData(
        Path(record["root"]),
        record["classes"],
        record["display"],
        record["val_made"],
        {name: len(members) for name, members in paths.items()},
        paths,
    )
