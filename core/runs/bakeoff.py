"""Bake-offs: networks, optimizers, presets, seeds and folds crossed into runs that are found again by `group` and name alone."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from core.errors import ConfigError, RunError, UserError
from core.people.acting import TRAIN, needs
from core.recipe.config import TrainConfig
from core.recipe.presets import from_preset
from core.recipe.settings import find_differing, label_settings, settings_of, write_value
from core.runs import jobs
from core.runs.notes import read_note
from core.runs.run import Run, list_runs, make_slug
from core.splits.fold import MOST_FOLDS, Fold, read_fold
from core.stored.status import ACTIVE, MOST_STATUSES, SETTLED, Stamp, Status, stamp_file

# An optimizer's rate where SGD (momentum 0.9) has 1: Adam's steps do not shrink with the gradient, and momentum makes
# SGD's ten times as long. Lookahead goes half of the way its optimizer went, so Ranger gets twice AdamW's.
RATES = {"sgd": 1.0, "adamw": 0.1, "ranger": 0.2}
NAME_LENGTH = 30  # a run's name adds network, optimizer, preset, seed and fold to it, 80 in all at most

# As they were read, of a run with a group; of thousands next to none has one, and the page looks every two seconds.
_CONFIGS: dict[str, tuple[Stamp, TrainConfig | None]] = {}


@dataclass(frozen=True)
class Crossing:
    """What is crossed; no networks or no optimizers means the preset's own, and 0 folds no folds."""

    archs: tuple[str, ...] = ()
    optimizers: tuple[str, ...] = ()
    presets: tuple[str, ...] = ("seed",)
    seeds: tuple[int, ...] = (0,)
    folds: int = 0


@dataclass(frozen=True)
class BakeoffQuestion:
    """A question that a bake-off answers, in words, with what is to be crossed; the presets are the user's."""

    words: str
    choice: Crossing


# As many seeds as make a verdict possible: `seeds.seeds_needed` of one pair and of three.
QUESTIONS = {
    "network": BakeoffQuestion(
        "ResNet50 or ResNeXt50?", Crossing(archs=("resnet50", "resnext50_32x4d"), seeds=tuple(range(4)))
    ),
    "optimizer": BakeoffQuestion(
        "SGD, AdamW or Ranger?", Crossing(optimizers=("sgd", "adamw", "ranger"), seeds=tuple(range(5)))
    ),
}


def suggest_name(data: str, question: str = "") -> str:
    """Return a name for a bake-off on a data folder, the same each time."""
    return f"{make_slug(Path(data).name)[:18]}-{question or 'bake-off'}"


def usual_rate(preset: str, optimizer: str) -> float:
    """Return the learning rate for an optimizer in a preset that may be made for another (see `RATES`)."""
    base = from_preset(preset, data="any")
    return float(f"{base.lr * RATES[optimizer] / RATES[base.optimizer]:.6g}")


def make_plan(
    name: str, data: str, choice: Crossing, *, rates: Mapping[str, float] | None = None, **changes: Any
) -> list[TrainConfig]:
    """Return the configs of a bake-off: every combination with its first seed and fold, then with the next.

    `rates` gives an optimizer's learning rate where the suggested one is not wanted; `changes` are settings of all runs.
    An image size without a size to resize to keeps the preset's proportion.

    Raises:
        ConfigError: naming what is not chosen, or as `TrainConfig` does.
    """
    problems = {
        field: f"choose at least one of the {field}"
        for field in ("presets", "seeds")
        if not getattr(choice, field)
    }
    if choice.folds and not 2 <= choice.folds <= MOST_FOLDS:
        problems["folds"] = f"must be from 2 to {MOST_FOLDS}, or 0 for none, got {choice.folds}"
    if not 0 < len(name) <= NAME_LENGTH:
        problems["group"] = f"a bake-off's name has 1 to {NAME_LENGTH} characters, got {name!r}"
    if problems:
        raise ConfigError(problems)
    configs = [
        _make_config(name, data, preset, arch, optimizer, seed, fold, rates or {}, changes)
        for seed in choice.seeds
        for fold in _list_folds(choice.folds)
        for preset in choice.presets
        for arch in choice.archs or ("",)
        for optimizer in choice.optimizers or ("",)
    ]
    return list({config.name: config for config in configs}.values())


def _make_config(
    name: str, data: str, preset: str, arch: str, optimizer: str, seed: int, fold: str,
    rates: Mapping[str, float], changes: Mapping[str, Any],
) -> TrainConfig:  # fmt: skip
    base = from_preset(preset, data=data)
    optimizer = optimizer or base.optimizer
    values = {"lr": rates.get(optimizer, usual_rate(preset, optimizer)), **changes}
    if "image_size" in values and "resize_size" not in values:
        values["resize_size"] = round(values["image_size"] * base.resize_size / base.image_size)
    config = from_preset(
        preset,
        **{
            **values,
            "data": data,
            "arch": arch or base.arch,
            "optimizer": optimizer,
            "seed": seed,
            "fold": fold,
            "group": name,
        },
    )
    return replace(config, name=name_run(config))


def name_run(config: TrainConfig) -> str:
    """Return the name of a bake-off's run: the same for the same place in it, so that none is made twice."""
    fold = f"-{config.fold.replace('/', 'of')}" if config.fold else ""
    return f"{config.group}-{config.arch}-{config.optimizer}-{config.preset}-{config.seed}{fold}"


def _list_folds(count: int) -> list[str]:
    """Return the folds of so many as a config has them; of none the one that is no fold."""
    return [str(Fold(number, count)) for number in range(1, count + 1)] or [""]


def row_of(config: TrainConfig) -> tuple[object, ...]:
    """Return what runs of one row of a bake-off share: all but their seed and which of its folds they validate on."""
    return settings_of(_first_fold(config))


def _first_fold(config: TrainConfig) -> TrainConfig:
    fold = read_fold(config.fold)
    return replace(config, fold=str(Fold(1, fold.count))) if fold else config


def list_siblings(run: Run) -> list[Run]:
    """Return the runs of all folds of a run's own row and seed, in their order, whether they are there or not.

    Raises:
        RunError: when the run is no fold of a bake-off.
    """
    config = run.read_config()
    fold = read_fold(config.fold)
    if fold is None or run.id != name_run(config):
        raise RunError(
            f"{run.id} is no fold of a bake-off, so there are no others to judge the images it trained on."
        )
    root = run.folder.parent
    return [Run(root / name_run(replace(config, fold=one))) for one in _list_folds(fold.count)]


class Place(NamedTuple):
    """Where a run stands in its row: its seed, and the number of its fold, 0 of none."""

    seed: int
    fold: int = 0


@dataclass(frozen=True)
class Todo:
    """What starting a plan comes to: runs to make, ended ones to take up again, and those that stay as they are."""

    new: tuple[TrainConfig, ...]
    again: tuple[Run, ...]
    kept: tuple[Run, ...]


def find_todo(configs: Sequence[TrainConfig], root: Path) -> Todo:
    """Tell what of a plan is still to be done under a root: a run that is active or has finished stays.

    Raises:
        RunError: when a run of a planned name has other settings, or belongs to nothing or to another bake-off.
    """
    new: list[TrainConfig] = []
    again: list[Run] = []
    kept: list[Run] = []
    for config in configs:
        run = Run(root / config.name)
        if not run.folder.exists():
            new.append(config)
            continue
        known = run.read_config()
        if known.group != config.group or settings_of(known) != settings_of(config):
            differing = ", ".join(
                f"{field} {write_value(field, getattr(known, field))} in place of "
                f"{write_value(field, getattr(config, field))}"
                for field in find_differing([known, config])
            )
            raise RunError(
                f"{run.id} already exists with other settings ({differing or 'another bake-off'}). "
                "Choose another name for the bake-off, or delete that run."
            )
        status = jobs.live_status(run)
        stays = status.state in ACTIVE or status.state == "finished" or status.hopeless
        (kept if stays else again).append(run)
    return Todo(tuple(new), tuple(again), tuple(kept))


@needs(TRAIN, "start a bake-off", lambda todo, _: f"{len(todo.new) + len(todo.again):,} of its runs")
def start(todo: Todo, root: Path) -> list[Run]:
    """Queue what is still to be done and return it; as many train at a time as this machine has slots."""
    started = []
    for run in todo.again:
        jobs.resume(run)
        started.append(run)
    for config in todo.new:
        started.append(jobs.submit(config, root))
    return started


@dataclass(frozen=True)
class Member:
    """A run of a bake-off with its settings and what it is doing."""

    run: Run
    config: TrainConfig
    status: Status

    @property
    def share(self) -> float:
        """Return how much of the run is done, 0..1."""
        if self.status.state == "finished":
            return 1.0
        return min(1.0, self.status.done / self.status.total) if self.status.total else 0.0


@dataclass(frozen=True)
class Board:
    """A bake-off as its run folders have it: a row a combination, by its label, and in it a member a seed and fold."""

    name: str
    rows: dict[str, dict[Place, Member]]

    @property
    def members(self) -> list[Member]:
        """Return all members, row by row."""
        return [member for row in self.rows.values() for member in row.values()]

    @property
    def seeds(self) -> list[int]:
        """Return all seeds there are, in their order."""
        return sorted({place.seed for row in self.rows.values() for place in row})

    @property
    def places(self) -> list[Place]:
        """Return all places that a row of the board has, in their order."""
        return sorted({place for label in self.rows for place in self.list_places(label)})

    @property
    def count(self) -> int:
        """Return how many runs there are once every row is full."""
        return sum(len(self.list_places(label)) for label in self.rows)

    def count_folds(self, label: str) -> int:
        """Return into how many folds the runs of a row divide the training images; 0 where they do not."""
        fold = read_fold(next(iter(self.rows[label].values())).config.fold)
        return fold.count if fold else 0

    def list_places(self, label: str) -> list[Place]:
        """Return the places of a row, also of runs that are not there."""
        folds = range(1, self.count_folds(label) + 1) or (0,)
        return [Place(seed, fold) for seed in self.seeds for fold in folds]

    @property
    def is_active(self) -> bool:
        """Tell whether a member waits or trains."""
        return any(member.status.state in ACTIVE for member in self.members)

    @property
    def held(self) -> list[Member]:
        """Return the members that wait until they are released."""
        return [member for member in self.members if member.status.is_on_hold]

    @property
    def share(self) -> float:
        """Return how much of all places of the board is done, 0..1."""
        return sum(member.share for member in self.members) / self.count if self.rows else 0.0

    def plan_rest(self) -> list[TrainConfig]:
        """Return the configs of all places, also of those whose run was deleted or never made."""
        known = {member.run.id: member.config for member in self.members}
        configs = {}
        for place in self.places:
            for label, row in self.rows.items():
                if place not in self.list_places(label):
                    continue
                count, first = self.count_folds(label), next(iter(row.values())).config
                fold = str(Fold(place.fold, count)) if count else ""
                config = replace(first, seed=place.seed, fold=fold)
                # A place of the plan, also of a run that was trained longer than its row.
                name = name_run(config)
                configs[name] = known.get(name, replace(config, name=name))
        return list(configs.values())


def read_board(name: str, root: Path) -> Board:
    """Read a bake-off from the run folders under a root.

    Raises:
        RunError: naming the bake-offs there are, when none has this name.
    """
    found = [member for member in _iter_members(root) if member.config.group == name]
    if not found:
        known = ", ".join(list_bakeoffs(root)[:5]) or "none yet"
        raise RunError(f"There is no bake-off {name!r} under {root}. Bake-offs: {known}.")
    rows: dict[tuple[object, ...], dict[Place, Member]] = {}
    for member in reversed(found):  # the oldest first; of two in one place the newest stays
        fold = read_fold(member.config.fold)
        place = Place(member.config.seed, fold.number if fold else 0)
        rows.setdefault(row_of(member.config), {})[place] = member
    heads = [_first_fold(next(iter(row.values())).config) for row in rows.values()]
    return Board(name, dict(zip(label_settings(heads), rows.values(), strict=True)))


def list_bakeoffs(root: Path, *, archived: bool = True) -> list[str]:
    """Return the names of the bake-offs under a root, the newest first; on demand without those all archived."""
    members = (member for member in _iter_members(root) if archived or not read_note(member.run).archived)
    return list(dict.fromkeys(member.config.group for member in members))


@needs(TRAIN, "stop a bake-off", lambda board: board.name)
def stop_all(board: Board) -> list[Run]:
    """Ask all active members to stop, those that wait first so that none of them takes the turn; return them."""
    active = [member for member in board.members if member.status.state in ACTIVE]
    asked = []
    for member in sorted(active, key=lambda member: member.status.state == "running"):
        try:
            jobs.stop(member.run)
        except UserError:
            continue  # it ended between our look and now
        asked.append(member.run)
    return asked


def _iter_members(root: Path) -> Iterator[Member]:
    """Yield the runs that bake-offs have made, the newest first: a run that only carries a `group` is of none."""
    for run, status in list_runs(root):
        config = _read_grouped(run)
        if config is not None and run.id == name_run(config):
            yield Member(run, config, jobs.judge_status(run, status))


def _read_grouped(run: Run) -> TrainConfig | None:
    """Return the config of a run that has a group; None of any other, and where it cannot be read, as the page Runs tells."""
    folder = str(run.folder)
    try:
        stamp = stamp_file(os.path.join(folder, "config.json"))  # noqa: PTH118  thousands at a time
        known = _CONFIGS.get(folder)
        if known is not None and known[0] == stamp:
            return known[1]
        config = run.read_config()
    except (UserError, OSError):
        return None
    found = config if config.group else None
    if time.time_ns() - stamp.changed > SETTLED:
        if len(_CONFIGS) >= MOST_STATUSES:
            _CONFIGS.clear()
        _CONFIGS[folder] = stamp, found
    return found
