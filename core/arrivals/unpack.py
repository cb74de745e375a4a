"""Shards become a folder of images: row by row, and after a stop from where it ended."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from filelock import FileLock, Timeout

from core.arrivals.bring_in import Arrival
from core.arrivals.headers import read_kind
from core.arrivals.names import free_folder
from core.arrivals.unpacked import STATE, State, read_state, write_state
from core.dataset.images import BadImage
from core.errors import DataError
from core.file_names import cut_name, make_folder_names, own_stem
from core.files import discard_folder, write_bytes, write_rows
from core.people.limits import demand_room
from core.people.owner import read_owner, write_owner
from core.reading import read_plain
from core.runs.run import default_root
from core.shards.rows import DamagedShard, Row
from core.shards.shard_rows import Reader, open_shards
from core.shards.shards import Shard, Shards, find_shards
from core.words import format_bytes, show_path

Progress = Callable[[int, int], bool]

UNFINISHED = ".unfinished"  # how the name ends of a folder that is being filled
_LOCK = ".lock"
_ENDINGS = {
    "JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "GIF": ".gif", "TIFF": ".tif", "BMP": ".bmp", "AVIF": ".avif",
    "HEIF": ".heic",
}  # fmt: skip
_NOTES = ("class_names.csv", "cat_to_name.json")  # what training reads beside images
_LARGEST_NOTE = 100_000_000  # bytes
_SPARE = 500 * 10**6  # bytes that the disk is to keep
_AT_ONCE = 256  # rows whose places are decided, noted and then filled
_BYTES_AT_ONCE = 64 * 10**6
_LISTED = 500  # refusals that are kept one by one
_MOST_CLASSES = 50_000
_LONGEST_LABEL = 1_000  # letters of the name of a class


def unpack(
    source: Path, target: Path, progress: Progress, *, image: str = "", label: str = "", owner: str = ""
) -> Arrival | None:
    """Make `target/<split>/<class>/…`, numbered where it is there already, of a folder of shards; None when told to end.

    The shards stay as they are. What was unpacked before a stop, an error or a kill is kept beside the target, and the next call
    with the same shards goes on from there. Test images without labels lie in `test/`. `image` and `label` name the columns
    where they cannot be told. `progress(MB read, MB in all)` is called now and then. The folder is that of the user `owner`, where
    named.

    Raises:
        DataError: where there is no shard, one is damaged, classes differ, or the disk is too small.
        LimitReached: when it is more than its owner may have on the disk.
        OSError: when the folder cannot be made.
    """
    shards = find_shards(source)
    if shards is None:
        if source.is_file():
            raise DataError(f"{show_path(source)} is a file. Name the folder that holds it.")
        if not source.exists():
            raise DataError(f"{show_path(source)}: there is no such folder.")
        raise DataError(
            f"{show_path(source)} holds no shards: no .parquet, .arrow or .tar file lies in it or in a few folders below it."
        )
    reader = open_shards(shards, image=image, label=label)
    place = unfinished_folder(target, source)
    target.parent.mkdir(parents=True, exist_ok=True)
    _refuse_small_disk(shards, place, owner)
    place.mkdir(exist_ok=True)
    try:
        with FileLock(place / _LOCK, timeout=0):
            write_owner(place, owner)
            state = _begin(place, shards, image, label, reader.classes)
            done = _take_all(shards, reader, state, place, progress)
            if done is None:
                return None
            if os.name != "nt":  # which moves no folder while a file in it is open
                return _finish(shards, done, place, target)
    except Timeout:
        raise DataError(
            f"{show_path(source)} is being unpacked by another process. Wait until it is done."
        ) from None
    return _finish(shards, done, place, target)


def unfinished_folder(target: Path, source: Path) -> Path:
    """Return the folder that is filled before it becomes the target: one for each folder of shards."""
    digest = hashlib.sha256(os.fsencode(source.resolve())).hexdigest()[:8]
    return target.with_name(f"{target.name}-{digest}{UNFINISHED}")


def _begin(place: Path, shards: Shards, image: str, label: str, classes: Sequence[str]) -> State:
    """Return what has been done with these shards, as they are now; what was made of others is removed."""
    known = tuple((shard.path, shard.bytes, shard.mtime_ns) for shard in shards.files)
    fresh = State(known, image, label, labels=tuple(classes))
    kept = read_state(place / STATE)
    if kept is not None and kept.fits(fresh):
        return replace(kept, shards=known, damaged=False)
    for split in ("train", "val", "test"):
        if (place / split).is_dir():
            discard_folder(place / split)
    return fresh


def _refuse_small_disk(shards: Shards, place: Path, owner: str) -> None:
    kept = read_state(place / STATE)
    free = shutil.disk_usage(place.parent).free
    needed = max(0, shards.bytes - (kept.bytes if kept is not None else 0))
    if needed + _SPARE > free:
        raise DataError(
            f"Unpacked these take {_describe_size(needed)}, and {format_bytes(_SPARE)} are to stay free. The disk of {place.parent} has "
            f"{format_bytes(free)} free. "
            "Free some of it, or give a folder on another disk."
        )
    demand_room(owner, default_root(), adding=needed)


def _describe_size(count: int) -> str:
    return f"about {format_bytes(count)}" if count >= 1e6 else "less than 1 MB"


def _take_all(shards: Shards, reader: Reader, state: State, place: Path, progress: Progress) -> State | None:
    total = max(1, round(shards.bytes / 1e6))
    before = sum(shard.bytes for shard in shards.files[: state.shard])
    for index in range(state.shard, len(shards.files)):
        shard = shards.files[index]
        if state.shard != index:
            state = replace(state, shard=index, row=0, pending={})
        try:
            for batch in _in_batches(reader.iter_rows(shard, state.row)):
                state = _take_batch(shard, batch, state, place)
                if not progress(min(total, int((before + batch[-1].share * shard.bytes) / 1e6)), total):
                    write_state(place / STATE, state)
                    return None
        except DamagedShard as error:
            write_state(place / STATE, replace(state, damaged=True))
            raise DamagedShard(f"{error} Then unpack again: it goes on.") from None
        before += shard.bytes
    progress(total, total)
    return state


def _in_batches(rows: Iterator[Row]) -> Iterator[list[Row]]:
    batch: list[Row] = []
    size = 0
    for row in rows:
        batch.append(row)
        size += len(row.data)
        if len(batch) == _AT_ONCE or size > _BYTES_AT_ONCE:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _take_batch(shard: Shard, batch: Sequence[Row], state: State, place: Path) -> State:
    """Write some rows to their places, which are noted first: a kill in between leaves no file that is not known."""
    judged = [(row, *_judge(row, shard)) for row in batch]
    labels = _add_labels(state.labels, [row.label for row, _, why in judged if not why], shard)
    folders = make_folder_names(labels)
    taken = {path.casefold() for path in state.pending.values()}
    places: dict[str, str] = {}
    refused: list[BadImage] = []
    for row, ending, why in judged:
        if why:
            refused.append(BadImage(f"{shard.path}, row {row.number}", why))
            continue
        folder = shard.split if row.label is None else f"{shard.split}/{folders[row.label]}"
        key = str(row.number)
        places[key] = state.pending.get(key) or _free_place(place, folder, row, shard, ending, taken)
    begun = replace(state, row=batch[0].number, labels=labels, pending=places)
    write_state(place / STATE, begun)
    _refuse_more(begun, place)
    written = 0
    for row in batch:
        if path := places.get(str(row.number)):
            (place / path).parent.mkdir(parents=True, exist_ok=True)
            (place / path).write_bytes(row.data)
            written += len(row.data)
    return replace(
        begun, row=batch[-1].number + 1, pending={}, images=state.images + len(places), bytes=state.bytes + written,
        refused=(*state.refused, *refused)[:_LISTED], refused_count=state.refused_count + len(refused),
    )  # fmt: skip


def _refuse_more(state: State, place: Path) -> None:
    """Refuse to go on where shards hold more than their size lets expect, and that is more than there is room for."""
    if shutil.disk_usage(place).free < _SPARE:
        raise DataError(
            f"The disk of {place.parent} is nearly full. Free some of it, then unpack again: it goes on."
        )
    if state.bytes > sum(size for _, size, _ in state.shards):
        demand_room(read_owner(place), default_root())


def _judge(row: Row, shard: Shard) -> tuple[str, str]:
    """Return the ending of an image's name by its contents and an empty text, or an empty ending and why it is refused."""
    if row.refusal:
        return "", row.refusal
    if row.label is None and shard.split != "test":
        return "", "has no label"
    if row.label is not None and not row.label.strip():
        return "", "has an empty label"
    if row.label is not None and len(row.label) > _LONGEST_LABEL:
        return "", f"has a label of more than {_LONGEST_LABEL:,} letters"
    kind, why = read_kind(io.BytesIO(row.data))
    return ("", why) if why else (_ENDINGS.get(kind, ".img"), "")


def _add_labels(known: tuple[str, ...], found: Sequence[str | None], shard: Shard) -> tuple[str, ...]:
    labels = tuple(dict.fromkeys([*known, *(label for label in found if label is not None)]))
    if len(labels) > _MOST_CLASSES:
        raise DataError(
            f"{shard.path}: there are more than {_MOST_CLASSES:,} different labels, so that is hardly the column of the classes. "
            "Name the right one."
        )
    return labels


def _free_place(place: Path, folder: str, row: Row, shard: Shard, ending: str, taken: set[str]) -> str:
    """Return where an image is to lie: by its own name where it has one that is free, else by its shard and row."""
    stem, numbered = own_stem(row.name), f"{cut_name(shard.stem, 80)}-{row.number}"
    number = 1
    for name in (stem, f"{stem}-{numbered}" if stem else numbered):
        path = f"{folder}/{name}{ending}"
        if name and path.casefold() not in taken and not (place / path).exists():
            break
    while (
        path.casefold() in taken or (place / path).exists()
    ):  # of a shard of the same name in another folder
        number += 1
        path = f"{folder}/{name}-{number}{ending}"
    taken.add(path.casefold())
    return path


def _finish(shards: Shards, state: State, place: Path, target: Path) -> Arrival:
    """Put the folder in its place; raises DataError where there is no image in it."""
    refused = state.refused
    if not state.images:
        discard_folder(place)
        first = f" {refused[0].path} {refused[0].reason}." if refused else ""
        raise DataError(f"There is no image in {shards.describe()} of {shards.root}.{first}")
    shown = [(folder, label) for label, folder in make_folder_names(state.labels).items() if folder != label]
    if shown:
        write_rows(place / "class_names.csv", ("label", "name"), shown)
    else:
        _copy_notes(shards.root, place)
    (place / STATE).unlink(missing_ok=True)
    made = free_folder(target.parent, target.name)
    place.rename(made)
    (made / _LOCK).unlink(missing_ok=True)  # last: until then nobody else can lock what is finished here
    return Arrival(str(made), state.images, state.bytes, (), refused, state.refused_count)


def _copy_notes(source: Path, place: Path) -> None:
    for name in _NOTES:
        if (source / name).is_file():
            try:
                write_bytes(place / name, read_plain(source / name, most=_LARGEST_NOTE))
            except ValueError as error:
                raise DataError(f"{source / name}: {error}. Repair or remove it.") from None
