"""How many classes and images a data folder holds as a config takes it, or the problem that keeps it from being used."""

from __future__ import annotations

from dataclasses import dataclass, field

from core.dataset.fixes import describe_fixes
from core.dataset.folders import ImageFolders, describe_closed_test, find_beginning_of
from core.dataset.walk import Watch
from core.errors import UserError, describe_error
from core.recipe.config import TrainConfig
from core.runs.run_data import scan_config
from core.words import format_class, format_count

EXAMPLES = 16


@dataclass(frozen=True)
class DataSummary:
    """What a data folder holds; `problem` says why it cannot be used.

    `beginning` is that of the names of images which are split, where these seem to tell groups, and `kept` counts the images
    that a name or a table puts into groups. `closed_test` says why nobody knows how many test images there are. `examples`
    are a few training images spread over all, each with its class. `counting` tells that it is being counted: what is here is then what
    was there before, or nothing.
    """

    problem: str = ""
    classes: int = 0
    train: int = 0
    val: int = 0
    test: int = 0
    held: int = 0
    val_made: bool = False
    names: tuple[str, ...] = ()
    display: dict[str, str] = field(default_factory=dict)
    fixed: str = ""
    left_out: int = 0
    beginning: str = ""
    kept: int = 0
    closed_test: str = ""
    examples: tuple[tuple[str, str], ...] = ()
    counting: bool = False

    @property
    def is_known(self) -> bool:
        """Tell whether anything is known of the data, if only that it cannot be used."""
        return bool(self.problem or self.names)

    def label(self, name: str) -> str:
        """Return what a user reads for a class."""
        return format_class(name, self.display)

    def __str__(self) -> str:
        return self.describe()

    def describe(self, folds: int = 0) -> str:
        """Return it in words; with so many folds those of one of them, which trains and validates in turn, are told as one."""
        split = " (split off training)" if self.val_made else ""
        held = f", {self.held:,} held back" if self.held else ""
        parts = (
            f"{self.train + self.val:,} training in {folds} folds"
            if folds
            else f"{self.train:,} training, {self.val:,} validation{split}"
        )
        return (
            f"{self.classes:,} classes · {parts}{held} and "
            f"{self.closed_test or format_count(self.test, 'test image')}"
            f"{f' · {self.kept:,} in groups that stay on one side' if self.kept else ''}"
            f"{f' · by the fix list {self.fixed}' if self.fixed else ''}"
            + (f" · {self.left_out:,} not taken, as a scan on Data tells" if self.left_out else "")
        )


def summarise(config: TrainConfig, watch: Watch | None = None) -> DataSummary:
    """Count what a config's data folder holds; `watch` as `read_tree` has it."""
    try:
        found = scan_config(config, watch=watch)
    except (UserError, OSError) as error:
        return DataSummary(problem=describe_error(error))
    return DataSummary(
        classes=len(found.classes), train=len(found.train), val=len(found.val), test=len(found.test),
        held=len(found.held), val_made=found.val_made, names=found.classes, display=found.display,
        fixed=describe_fixes(found), left_out=len(found.skipped) + len(found.left_out),
        beginning=find_beginning_of(found), kept=found.kept.images if found.kept else 0,
        closed_test=describe_closed_test(found), examples=_choose_examples(found),
    )  # fmt: skip


def _choose_examples(folders: ImageFolders) -> tuple[tuple[str, str], ...]:
    step = max(1, len(folders.train) // EXAMPLES)
    return tuple((sample.path, folders.classes[sample.target]) for sample in folders.train[::step][:EXAMPLES])
