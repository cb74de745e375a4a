"""Image folders: class names, splits, reading and checking images, the one definition of the transforms, loaders."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import random
import re
import signal
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import IO

import numpy as np
import torch
from PIL import ExifTags, Image, UnidentifiedImageError
from torch.utils.data import DataLoader, Dataset, Sampler

from core import torchvision_ops  # noqa: F401  torchvision must find its ops declared first
from core.config import TrainConfig

# isort: split
from torchvision import transforms

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP")
MAX_PIXELS = 100_000_000
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
_TURNS = {  # by the EXIF orientation
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_VAL_NAMES = ("val", "valid", "validation")
_IGNORED = {"thumbs.db", "desktop.ini"}


class DataError(ValueError):
    """The data set cannot be used as it is; the text names the file or folder and the fix."""


class ImageProblem(ValueError):
    """A file that is no readable image; the text is the reason in words."""


@dataclass(frozen=True)
class Sample:
    """One labelled image: `path` is relative to the data folder, `target` the index into the class list."""

    path: str
    target: int


@dataclass(frozen=True)
class BadImage:
    """A file that cannot be read as an image, and why."""

    path: str
    reason: str


@dataclass(frozen=True)
class ImageFolders:
    """A data set on disk.

    `classes` are folder names sorted as people count; `display` maps those that have one to their display name.
    `val_made` tells that validation was split off from training by seed since the data has no folder for it.
    """

    root: Path
    classes: tuple[str, ...]
    display: dict[str, str]
    train: tuple[Sample, ...]
    val: tuple[Sample, ...]
    test: tuple[str, ...]
    val_made: bool = False
    skipped: tuple[BadImage, ...] = field(default=())

    @property
    def files(self) -> list[str]:
        """Return the labelled images' paths, relative to the root."""
        return [sample.path for sample in (*self.train, *self.val)]

    def sizes(self) -> dict[str, int]:
        """Return the size in bytes of each labelled image by its path."""
        return {path: (self.root / path).stat().st_size for path in self.files}

    def fingerprint(self) -> str:
        """Return a digest of classes, file names, file sizes and split: equal on a copy on another machine."""
        digest, sizes = hashlib.sha256(json.dumps(self.classes).encode()), self.sizes()
        for split in (self.train, self.val):
            for sample in split:
                digest.update(f"{sample.path}\0{sample.target}\0{sizes[sample.path]}\n".encode())
            digest.update(b"\0split\0")
        return digest.hexdigest()[:16]


def natural_key(name: str) -> list[tuple[int, int, str]]:
    """Return a sort key that puts 2 before 10; names that count alike (2 and 02, a and A) keep one order."""
    parts = (part for part in re.split(r"(\d+)", name) if part)
    key = [(0, int(part), "") if part.isdecimal() else (1, 0, part.casefold()) for part in parts]
    return [*key, (-1, 0, name)]


def list_files(root: Path, *, deep: bool = False) -> list[Path]:
    """Return a folder's files (with `deep` those of its subfolders too) sorted as people count, no system files."""
    found = root.rglob("*") if deep else root.iterdir()
    kept = (p for p in found if p.is_file() and not p.name.startswith(".") and p.name.lower() not in _IGNORED)
    return sorted(kept, key=lambda p: natural_key(p.relative_to(root).as_posix()))


def scan_folders(root: Path, *, val_fraction: float = 0.15, seed: int = 0) -> ImageFolders:
    """Read a data set's layout without opening an image.

    Takes `root/train/<class>/*` with `root/val/<class>/*` and flat `root/test/*` where they are there, or plain
    `root/<class>/*`. Without validation a stratified share of training is held back, the same for the same seed.

    Raises:
        DataError: naming the folder that is missing, empty or not matched, or the malformed names file.
    """
    if not root.is_dir():
        raise DataError(f"{root}: there is no such folder.")
    train_root = root / "train" if (root / "train").is_dir() else root
    classes = tuple(sorted((p.name for p in _folders(train_root)), key=natural_key))
    if train_root == root:
        classes = tuple(name for name in classes if name not in (*_VAL_NAMES, "test"))
    if len(classes) < 2:
        raise DataError(
            f"{train_root}: found {len(classes)} class folders, at least 2 are needed. "
            "Expected one folder a class with its images in it: train/<class>/*."
        )
    train = _collect(root, train_root, classes)
    filled = {sample.target for sample in train}
    empty = [name for index, name in enumerate(classes) if index not in filled]
    if empty:
        raise DataError(f"{train_root}: no images in {_some(empty)}. Add images or remove the folder.")
    val_root = next((root / name for name in _VAL_NAMES if (root / name).is_dir()), None)
    val, val_made = _collect_val(root, val_root, classes), False
    if val_root is None:
        train, val = split_stratified(train, fraction=val_fraction, seed=seed)
        val_made = True
        if not val:
            raise DataError(
                f"{train_root}: no class has the 2 images a validation split needs. Add images or a val/ folder."
            )
    test_root = root / "test"
    test = (
        tuple(p.relative_to(root).as_posix() for p in list_files(test_root, deep=True))
        if test_root.is_dir()
        else ()
    )
    return ImageFolders(root, classes, read_display_names(root, classes), train, val, test, val_made)


def split_stratified(
    samples: Sequence[Sample], *, fraction: float, seed: int
) -> tuple[tuple[Sample, ...], tuple[Sample, ...]]:
    """Split samples into training and validation class by class; a class of one image stays in training."""
    by_class: dict[int, list[Sample]] = {}
    for sample in samples:
        by_class.setdefault(sample.target, []).append(sample)
    chosen = set()
    for target, members in by_class.items():
        count = min(len(members) - 1, max(1, round(fraction * len(members))))
        chosen.update(random.Random(f"{seed}/{target}").sample(sorted(members, key=lambda s: s.path), count))
    return tuple(s for s in samples if s not in chosen), tuple(s for s in samples if s in chosen)


def read_display_names(root: Path, classes: Sequence[str]) -> dict[str, str]:
    """Read `class_names.csv` (`label,name`) or `cat_to_name.json`; labels that are no class are left out.

    Raises:
        DataError: naming the file and the line that is malformed.
    """
    table, mapping = root / "class_names.csv", root / "cat_to_name.json"
    names: dict[str, str] = {}
    try:
        if table.is_file():
            with table.open(encoding="utf-8-sig", newline="") as file:
                rows = csv.DictReader(file)
                if rows.fieldnames is None or not {"label", "name"} <= set(rows.fieldnames):
                    raise DataError(f"{table}: the first line must be 'label,name'.")
                for row in rows:
                    if row["label"] is None or row["name"] is None:
                        raise DataError(f"{table}, line {rows.line_num}: needs a label and a name.")
                    names[row["label"].strip()] = row["name"].strip()
        elif mapping.is_file():
            values = json.loads(mapping.read_text(encoding="utf-8-sig"))
            if not isinstance(values, dict) or not all(isinstance(v, str) for v in values.values()):
                raise DataError(f"{mapping}: must be one JSON object of label: name.")
            names = values
    except (UnicodeDecodeError, json.JSONDecodeError, csv.Error) as error:
        raise DataError(f"{table if table.is_file() else mapping}: cannot be read: {error}.") from None
    return {label: names[label] for label in classes if names.get(label)}


def read_image(source: Path | IO[bytes]) -> Image.Image:
    """Read an image of any supported kind as upright 8-bit RGB.

    Turns by EXIF, scales 16 bits to 8 (÷ 257), puts transparency on white, takes an animation's first frame.

    Raises:
        ImageProblem: saying why the file is no usable image.
    """
    try:
        with Image.open(source, formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise ImageProblem(
                    f"has {image.width} × {image.height} pixels; at most {MAX_PIXELS:,} are read"
                )
            image.load()
            return _to_rgb(_turn_upright(image))
    except ImageProblem:
        raise
    except UnidentifiedImageError:
        raise ImageProblem(_why_unidentified(source)) from None
    except Image.DecompressionBombError:
        raise ImageProblem(f"has too many pixels; at most {MAX_PIXELS:,} are read") from None
    except Exception as error:  # Pillow raises a dozen kinds on damaged files
        if isinstance(error, OSError) and error.errno is not None:
            raise ImageProblem(f"cannot be opened ({error.strerror})") from None
        reason = "is cut off or damaged" if "truncated" in str(error).lower() else "is damaged"
        raise ImageProblem(f"{reason} ({error})") from None


def check_images(
    root: Path,
    paths: Sequence[str],
    *,
    progress: Callable[[int, int], bool] | None = None,
) -> list[BadImage]:
    """Decode every file and return those that are no readable image, in the order given.

    `progress(done, total)` is called now and then and ends the check early by returning False.
    """

    def check(path: str) -> BadImage | None:
        try:
            read_image(root / path)
        except ImageProblem as problem:
            return BadImage(path, str(problem))
        return None

    bad = []
    # Pillow warns of what is refused here anyway. The filters are the whole process's: not one for each thread.
    with warnings.catch_warnings(), ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        warnings.simplefilter("ignore")
        for done, result in enumerate(pool.map(check, paths), start=1):
            if result is not None:
                bad.append(result)
            if (
                progress is not None
                and (done % 64 == 0 or done == len(paths))
                and not progress(done, len(paths))
            ):
                pool.shutdown(cancel_futures=True)
                break
    return bad


def drop_bad_images(folders: ImageFolders, bad: Sequence[BadImage], *, policy: str) -> ImageFolders:
    """Return the data set without its bad files, or refuse it.

    Raises:
        DataError: under the policy `refuse` when there are any, or when a class has no image left.
    """
    if not bad:
        return folders
    listed = "; ".join(f"{item.path} {item.reason}" for item in bad[:5])
    more = f"; and {len(bad) - 5} more" if len(bad) > 5 else ""
    if policy == "refuse":
        raise DataError(
            f"{len(bad)} of {len(folders.files)} files are no readable image: {listed}{more}. "
            "Remove or replace them, or start with bad_images = skip."
        )
    names = {item.path for item in bad}
    train = tuple(s for s in folders.train if s.path not in names)
    val = tuple(s for s in folders.val if s.path not in names)
    left = {s.target for s in train}
    empty = [name for index, name in enumerate(folders.classes) if index not in left]
    if empty or not val:
        what = (
            f"no readable image is left in {_some(empty)}"
            if empty
            else "no readable validation image is left"
        )
        raise DataError(f"{folders.root}: {what} ({listed}{more}).")
    return replace(folders, train=train, val=val, skipped=tuple(bad))


def train_transforms(config: TrainConfig) -> transforms.Compose:
    """Return the report's eight training transforms in its order: PIL image to float32 (3, S, S), ImageNet-normalised.

    The report's "colour jitter 0.3" is read as brightness, contrast and saturation, hue untouched.
    """
    return transforms.Compose(
        [
            transforms.RandomResizedCrop(config.image_size, scale=(config.crop_scale_min, 1.0)),
            transforms.RandomHorizontalFlip(config.hflip),
            transforms.RandomRotation(config.rotation),
            transforms.RandomAffine(0, translate=(config.translate, config.translate)),
            transforms.ColorJitter(
                brightness=config.jitter, contrast=config.jitter, saturation=config.jitter
            ),
            transforms.ToTensor(),
            transforms.Normalize(IMAGENET_MEAN, IMAGENET_STD),
            transforms.RandomErasing(config.erasing),
        ]
    )


def eval_transforms(image_size: int, resize_size: int) -> transforms.Compose:
    """Return the report's four validation transforms: PIL image to float32 (3, S, S), ImageNet-normalised."""
    return transforms.Compose(
        [
            transforms.Resize(resize_size),
            transforms.CenterCrop(image_size),
            transforms.ToTensor(),
            transforms.Normalize(IMAGENET_MEAN, IMAGENET_STD),
        ]
    )


def to_pixels(batch: torch.Tensor) -> np.ndarray:
    """Undo the normalisation: float (N, 3, H, W) to uint8 (N, H, W, 3), for looking at."""
    mean = torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1)
    std = torch.tensor(IMAGENET_STD).view(1, 3, 1, 1)
    pixels = (batch.detach().float().cpu() * std + mean).clamp(0, 1) * 255
    return pixels.round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()


class ImageTable(Dataset[tuple[torch.Tensor, int]]):
    """Labelled images as tensors.

    An item is asked for by (epoch, index). What the transforms draw at random depends on the seed, the epoch and
    the index alone: not on the number of workers, nor on what was drawn before, so a resumed epoch is the same.
    """

    def __init__(
        self, root: Path, samples: Sequence[Sample], transform: transforms.Compose, seed: int = 0
    ) -> None:
        self.root, self.samples, self.transform, self.seed = root, samples, transform, seed

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, key: tuple[int, int]) -> tuple[torch.Tensor, int]:
        epoch, index = key
        sample = self.samples[index]
        try:
            image = read_image(self.root / sample.path)
        except ImageProblem as problem:
            raise DataError(f"{sample.path} {problem}. It was readable when the run began.") from None
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed(self.seed, epoch, index))
            return self.transform(image), sample.target


class EpochBatches(Sampler[list[tuple[int, int]]]):
    """Yields batches of (epoch, index); the order is a shuffle by seed and epoch, or the table's own.

    `epoch` and `first_batch` are set before each pass; a resumed epoch begins at its `first_batch`. In a shuffle,
    an image left over for a last batch of its own joins the batch before: batch normalisation of a single image
    learns nothing, and fails where the last stage's map is 1×1 (at 32 px).
    """

    def __init__(self, count: int, batch_size: int, *, seed: int | None) -> None:
        self.count, self.batch_size, self.seed = count, batch_size, seed
        self.epoch = 0
        self.first_batch = 0
        self._starts = list(range(0, count, batch_size))
        if seed is not None and count % batch_size == 1 and count > 1:
            self._starts.pop()

    def __len__(self) -> int:
        return len(self._starts) - self.first_batch

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        if self.seed is None:
            order = list(range(self.count))
        else:
            generator = torch.Generator().manual_seed(derive_seed(self.seed, self.epoch, -1))
            order = torch.randperm(self.count, generator=generator).tolist()
        bounds = [*self._starts, self.count]
        for start, end in pairwise(bounds[self.first_batch :]):
            yield [(self.epoch, index) for index in order[start:end]]


class _Loader(DataLoader[tuple[torch.Tensor, torch.Tensor]]):
    """A loader that passes a data error on in its own words from its processes too."""

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:  # type: ignore[override]
        try:
            yield from super().__iter__()
        except DataError as error:
            # From a process it comes with the whole traceback as its text; the last line is the error itself.
            last = str(error).strip().splitlines()[-1]
            raise DataError(last.removeprefix(f"{DataError.__module__}.{DataError.__name__}: ")) from None


def make_loader(
    table: ImageTable, batches: EpochBatches, *, workers: int, pin_memory: bool
) -> DataLoader[tuple[torch.Tensor, torch.Tensor]]:
    """Return a loader of (images (B, 3, S, S) float32, targets (B,) int64) whose workers live on between epochs."""
    return _Loader(  # collating turns the int of an item into the batch's tensor
        table,  # type: ignore[arg-type]
        batch_sampler=batches,
        num_workers=workers,
        pin_memory=pin_memory,
        persistent_workers=workers > 0,
        prefetch_factor=4 if workers else None,
        worker_init_fn=_start_worker,
    )


def choose_workers(asked: int, device_type: str) -> int:
    """Return the number of loading processes: as asked, else by cores.

    On a CPU the network needs the cores and loading is a few per cent of the time, so one worker does.
    """
    if asked >= 0:
        return asked
    cores = os.cpu_count() or 1
    return min(8, max(2, cores - 1)) if device_type != "cpu" else min(2, max(1, cores // 2))


def _start_worker(_: int) -> None:
    # A Ctrl-C reaches the whole process group: it is the job's to obey, which still needs the images on their way.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", module=r"PIL\.")  # the images were checked; the log is for figures


def derive_seed(seed: int, epoch: int, index: int) -> int:
    """Return a seed that depends on all three and differs wherever one of them does.

    Indices from 0 are images; -1 is the order of an epoch; below that, what else an epoch draws.
    """
    text = f"{seed}/{epoch}/{index}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little") >> 1


def _folders(root: Path) -> list[Path]:
    return [p for p in root.iterdir() if p.is_dir() and not p.name.startswith((".", "__"))]


def _collect(root: Path, split_root: Path, classes: Sequence[str]) -> tuple[Sample, ...]:
    return tuple(
        Sample(path.relative_to(root).as_posix(), target)
        for target, name in enumerate(classes)
        if (split_root / name).is_dir()
        for path in list_files(split_root / name)
    )


def _collect_val(root: Path, val_root: Path | None, classes: Sequence[str]) -> tuple[Sample, ...]:
    if val_root is None:
        return ()
    unknown = sorted((p.name for p in _folders(val_root) if p.name not in classes), key=natural_key)
    if unknown:
        raise DataError(
            f"{val_root}: {_some(unknown)} not among the training classes. Rename, move or remove the folder."
        )
    val = _collect(root, val_root, classes)
    if not val:
        raise DataError(
            f"{val_root}: no images in its class folders. Add images, or remove the folder to split training."
        )
    return val


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:8])
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return f"{'class' if len(names) == 1 else 'classes'} {shown}{more}"


def _turn_upright(image: Image.Image) -> Image.Image:
    # ImageOps.exif_transpose also writes the EXIF anew, which fails for photos whose tags have odd types.
    try:
        turn = _TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # damaged EXIF, in as many ways as damaged files; the pixels are whole
        turn = None
    return image if turn is None else image.transpose(turn)


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16-bit grey; convert() would clip at 255 instead of scaling
        values = np.asarray(image).astype(np.int64).clip(0, 65535)
        image = Image.fromarray((values / 257).round().astype(np.uint8))
    elif image.mode == "F":
        values = np.nan_to_num(np.asarray(image, dtype=np.float32))
        scale = 255.0 if values.max(initial=0.0) <= 1.0 else 1.0
        image = Image.fromarray((values * scale).clip(0, 255).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("RGB")


def _why_unidentified(source: Path | IO[bytes]) -> str:
    size = source.stat().st_size if isinstance(source, Path) else source.seek(0, os.SEEK_END)
    return "is empty (0 bytes)" if size == 0 else f"is no image of a kind that is read ({', '.join(FORMATS)})"
