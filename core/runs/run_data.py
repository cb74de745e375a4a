"""The data set of a run: what it records of its images, and which it trains on, chooses by and holds back."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from core.dataset.contents import Content, fingerprint, read_contents
from core.dataset.fixes import apply_fixes, describe_fixes, keep_fixes
from core.dataset.folders import ImageFolders, Sample, drop_bad_images, scan_folders
from core.dataset.images import BadImage, check_images
from core.dataset.layout import find_shards_instead
from core.dataset.walk import Watch
from core.errors import DataError, RunError
from core.files import write_text
from core.places import real_path
from core.reading import rest_collector
from core.recipe.class_names import normalise
from core.recipe.config import TrainConfig
from core.runs.run import Run
from core.runs.seen import NOTHING, Seen, refuse_seen, see_data, write_seen
from core.shards.listing import estimate_images
from core.shards.shards import KINDS
from core.splits.fold import read_fold
from core.words import format_class, format_count

Progress = Callable[[int, int], bool]

SPLITS = ("train", "val", "held")
# What is done with the images of a run before it trains, in the words of its status.
LISTING, CHECKING, COMPARING, RECORDING = (
    "listing images", "checking images", "comparing images", "recording images",
)  # fmt: skip
_SHARES = 1000  # in which the comparison is counted
_TOLD = 10  # files told one by one of those that no run takes


class _Ended(Exception):
    """`progress` ended what was at work."""


def scan_config(
    config: TrainConfig,
    fixes: Path | None = None,
    copies: Sequence[Sequence[str]] = (),
    *,
    watch: Watch | None = None,
) -> ImageFolders:
    """Read the layout of the data set a config names, split and with labels corrected as it says.

    `fixes` is where the fix list lies, when not where the config names it. The split is that of the folders, so that
    the same images judge a run with a fix list and one without; `copies` are images that look the same, which stay on one
    side of it. Who leaves them out gets a split as large, but not a run's own. Files that are no plain ones are refused or skipped.
    `watch` as `read_tree` has it.

    Raises:
        DataError: as `scan_folders`, `drop_bad_images` and `apply_fixes` do.
    """
    root = real_path(config.data)
    folders = scan_folders(
        root,
        val_fraction=config.val_fraction,
        hold_back=config.hold_back,
        group_by=config.group_by,
        copies=copies,
        fold=read_fold(config.fold),
        watch=watch,
    )
    folders = drop_bad_images(folders, folders.unread, policy=config.bad_images)
    if not config.fixes:
        return folders
    return apply_fixes(folders, fixes or Path(config.fixes), named=config.fixes, spare_val=bool(config.fold))


def read_data(
    run: Run,
    config: TrainConfig,
    initial: Seen,
    progress: Progress,
    begin: Callable[[str], None] = lambda _: None,
) -> ImageFolders | None:
    """Read the data set of a run that begins, check every image, and record it in the run's data.json.

    `initial` is what the model that the run starts from has seen. `begin(phase)` is told of each part of the work, and
    `progress(done, total)` how far it is, the total 0 where nobody knows it; returning False ends it early with None, and nothing
    is recorded: the caller must ask again why.

    Raises:
        DataError: when the data cannot be used as it is, or the run's initial model has seen what is to judge it.
    """
    try:
        return _read_data(run, config, initial, progress, begin)
    except _Ended:
        return None


def _read_data(
    run: Run, config: TrainConfig, initial: Seen, progress: Progress, begin: Callable[[str], None]
) -> ImageFolders | None:
    fixes, root = keep_fixes(run.folder, config), run.folder.parent
    begin(LISTING)
    folders = scan_config(config, fixes, watch=_watch_by(real_path(config.data), progress))
    begin(CHECKING)
    if folders.kept is not None:
        # It brings scipy, which who only reads a record can do without.
        from core.dataset.audit import find_copies

        divided = [
            s.path for s in (*folders.train, *folders.held, *(folders.val if folders.val_made else ()))
        ]

        def compare(share: float) -> None:
            if share == 0.0:
                begin(COMPARING)
            if not progress(int(_SHARES * share), _SHARES):
                raise _Ended

        # By threads: a process would begin by running the script again that trains by `core.api`, if it is no command.
        copies = find_copies(
            folders.root, sorted([*divided, *folders.dropped]), root, progress, processes=False, step=compare
        )
        if copies is None:
            return None
        begin(LISTING)
        folders = scan_config(config, fixes, copies, watch=_watch_by(folders.root, progress))
        begin(CHECKING)
    checked = leave_out_bad(folders, config, root, progress)
    if checked is None:
        return None
    begin(RECORDING)
    return checked if record_data(run, checked, config, progress, initial=initial) else None


def _watch_by(root: Path, progress: Progress) -> Watch:
    """Return what tells `progress` of the files found in a data folder, of about how many where it holds shards."""
    total = -1

    def watch(found: int) -> None:
        nonlocal total
        if total < 0:
            shards = find_shards_instead(root)
            total = 0 if shards is None else estimate_images(shards)
        if not progress(min(found, total) if total else found, total):
            raise _Ended

    return watch


def record_data(
    run: Run,
    folders: ImageFolders,
    config: TrainConfig,
    progress: Progress | None = None,
    *,
    initial: Seen = NOTHING,
) -> bool:
    """Read what the images of a run's data set contain and write its record; False when `progress` ended that.

    Raises:
        DataError: when the run's initial model has seen what is to judge it.
    """
    contents = read_contents(folders.root, folders.files, run.folder.parent, progress)
    if contents is None:
        return False
    refuse_seen(folders, contents, config, initial, run.folder.parent)
    write_seen(run, initial | see_data(folders, contents))
    # Last, since a run that has it goes on from it.
    write_text(run.folder / "data.json", json.dumps(describe_data(folders, config, contents)) + "\n")
    return True


def leave_out_bad(
    folders: ImageFolders, config: TrainConfig, runs_root: Path, progress: Progress
) -> ImageFolders | None:
    """Check every labelled image and return the data set without those that cannot be read; None when ended by `progress`.

    Those that were measured as they are now, for a comparison or an audit, are known to be good. What was found wrong then is
    looked at again: a disk may have answered badly.

    Raises:
        DataError: as `drop_bad_images` does by the config's policy.
    """
    from core.dataset.audit import facts_path
    from core.dataset.image_facts import list_unproven

    ended = False

    def report(done: int, total: int) -> bool:
        nonlocal ended
        ended = not progress(done, total)
        return not ended

    files = list_unproven(folders.root, folders.files, facts_path(folders.root, runs_root))
    bad = check_images(folders.root, files, progress=report)
    return None if ended else drop_bad_images(folders, bad, policy=config.bad_images)


def list_findings(folders: ImageFolders, config: TrainConfig) -> list[str]:
    """Return in lines for the console what a data set holds, what a fix list changed and which files are not taken."""
    place = folders.val[0].path.partition("/")[0]
    plain = place == "val" or place.lower().endswith(tuple(KINDS))
    fold = read_fold(config.fold)
    origin = (
        f" ({fold.words})"
        if fold
        else " (split off training)"
        if folders.val_made
        else ""
        if plain
        else f" (from {place}/)"
    )
    lines = [
        f"Data {folders.root.name}: {len(folders.classes)} classes, {len(folders.train)} training and "
        f"{format_count(len(folders.val), 'validation image')}{origin}"
        + (f", {len(folders.held)} held back" if folders.held else "")
    ]
    lines += list_kept(folders)
    if changed := describe_fixes(folders):
        lines.append(f"Fix list {config.fixes}: of the training images {changed}")
    lines += [f"Skipped {item.path}: {item.reason}" for item in folders.skipped]
    lines += [f"Not taken: {item.path} {item.reason}" for item in folders.left_out[:_TOLD]]
    if (more := len(folders.left_out) - _TOLD) > 0:
        lines.append(f"Not taken: {format_count(more, 'more file')}")
    return lines


def list_kept(folders: ImageFolders) -> list[str]:
    """Return in lines for the console what was kept on one side where images were split off; none where nothing was."""
    kept, label = folders.kept, lambda name: format_class(name, folders.display)
    if kept is None:
        return []
    lines = []
    if kept.groups:
        moved = (
            f"for that {format_count(kept.moved, 'image')} changed sides"
            if kept.moved
            else "none had to move"
        )
        lines.append(
            f"Kept together: {format_count(kept.images, 'image')} in {format_count(kept.groups, 'group')}; {moved}"
        )
    if kept.torn:
        lines.append(f"Only copies of each other, so on both sides: {', '.join(map(label, kept.torn))}")
    if kept.bare:
        lines.append(
            f"No validation image, since its groups are other classes' too: {', '.join(map(label, kept.bare))}"
        )
    return lines


def reopen_data(
    run: Run, progress: Progress, begin: Callable[[str], None] = lambda _: None
) -> ImageFolders | None:
    """Return the data set a run began with, when the folder still is as it was then.

    `progress` and `begin` as `read_data` has them; files are read that have changed since they were read last. None where it was ended.

    Raises:
        DataError: naming what has changed.
        RunError: as `recorded_folders` does.
    """
    folders = recorded_folders(run)
    begin(LISTING)
    try:
        record = run.read_json("data.json")
        now = scan_folders(folders.root, watch=_watch_by(folders.root, progress))
    except _Ended:
        return None
    begin(CHECKING)
    contents: Mapping[str, Content] | None
    if "contents" in record:
        contents = read_contents(now.root, now.files, run.folder.parent, progress)
    else:  # of a version that knew names and sizes only
        contents = {path: Content((now.root / path).stat().st_size, "") for path in now.files}
    if contents is None:
        return None
    if changes := find_changes(record, now, contents):
        raise DataError(
            f"{folders.root} is not the data set this run began with: {changes}. "
            "Put it back as it was, or start a new run."
        )
    return folders


def split_samples(folders: ImageFolders, split: str) -> tuple[Sample, ...]:
    """Return the samples of `train`, `val` or `held`; raises ValueError for another name and RunError where none are held back."""
    if split not in SPLITS:
        raise ValueError(
            f"split must be {', '.join(SPLITS)}, got {split!r}; for unlabelled images use predict"
        )
    samples: tuple[Sample, ...] = getattr(folders, split)
    if not samples:
        raise RunError(f"The run held no images back (hold_back), so its split {split} is empty.")
    return samples


def recorded_folders(run: Run) -> ImageFolders:
    """Return the data set as the run recorded it: the same classes, split and skipped files.

    Raises:
        RunError: when the run has no record yet or its data folder is gone.
    """
    record = run.read_json("data.json")
    if not record:
        raise RunError(f"{run.id}: the run ended before it had read its data.")
    root = Path(record["root"])
    if not root.is_dir():
        raise RunError(
            f"{run.id}: its data folder {root} is no longer there. Put it back, or train a new run where it is now."
        )
    index = {name: i for i, name in enumerate(record["classes"])}
    splits = {
        split: tuple(Sample(path, index[name]) for path, name in record.get(split, ())) for split in SPLITS
    }
    return ImageFolders(
        root,
        tuple(record["classes"]),
        record["display"],
        splits["train"],
        splits["val"],
        (),
        record["val_made"],
        tuple(BadImage(path, reason) for path, reason in record["skipped"]),
        splits["held"],
        tuple(record.get("dropped", ())),
        tuple(record.get("relabelled", ())),
        groups=record.get("groups", {}),
    )


def describe_data(
    folders: ImageFolders, config: TrainConfig, contents: Mapping[str, Content]
) -> dict[str, object]:
    """Return the record of a data set for a run's data.json; `recorded_folders` reads it back."""
    return {
        "root": str(folders.root),
        "fingerprint": fingerprint(folders, contents),
        "classes": list(folders.classes),
        "display": folders.display,
        "val_made": folders.val_made,
        "val_fraction": config.val_fraction if folders.val_made and not config.fold else None,
        "fold": config.fold,
        "skipped": [[item.path, item.reason] for item in folders.skipped],
        "train": [[s.path, folders.classes[s.target]] for s in folders.train],
        "val": [[s.path, folders.classes[s.target]] for s in folders.val],
        "held": [[s.path, folders.classes[s.target]] for s in folders.held],
        "dropped": folders.dropped,
        "relabelled": folders.relabelled,
        "groups": folders.groups,
        "kept": None if folders.kept is None else asdict(folders.kept),
        "sizes": {path: contents[path].size for path in folders.files},
        "contents": {path: contents[path].digest for path in folders.files},
        "test_count": len(folders.test),
        "left_out": [[item.path, item.reason] for item in folders.left_out],
    }


def find_changes(record: Mapping[str, Any], now: ImageFolders, contents: Mapping[str, Content]) -> str:
    """Tell in words how a data set differs from a run's record of it (data.json); empty when it does not.

    `contents` are those of the files of `now`. A record of an older version has sizes only, and knows nothing of the
    files that version did not look for: those in subfolders of a class or in a split of an unusual name.
    """
    before = {normalise(name) for name in record["classes"]}
    sizes: dict[str, int] = record["sizes"]
    digests: dict[str, str] = record.get("contents", {})
    unread = {path for path, _ in record["skipped"]} | set(record.get("dropped", ()))
    added = [path for path in contents if path not in sizes and path not in unread]
    if "contents" not in record:
        places = {path.rpartition("/")[0] for path in sizes}
        added = [path for path in added if path.rpartition("/")[0] in places]
    files = {
        "added": added,
        "gone": [path for path in sizes if path not in contents],
        "of another size": [p for p in sizes if p in contents and sizes[p] != contents[p].size],
        "changed": [
            path
            for path, digest in digests.items()
            if path in contents and sizes[path] == contents[path].size and digest != contents[path].digest
        ],
    }
    changes = [f"class {name!r} added" for name in now.classes if name not in before]
    changes += [f"class {name!r} gone" for name in sorted(before) if name not in now.classes]
    changes += [
        f"{format_count(len(paths), 'file')} {what} ({'' if len(paths) == 1 else 'first '}{paths[0]})"
        for what, paths in files.items()
        if paths
    ]
    return ", ".join(changes)


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
    with rest_collector():  # until the record, which may list a million images, is gone again
        return _read_run_data(run)


def _read_run_data(run: Run) -> RunData:
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
