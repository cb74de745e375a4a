"""From image files to batches: the one definition of the transforms, and loaders that a resume can re-enter."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch.utils.data import Dataset, Sampler

from core import torchvision_ops  # noqa: F401  torchvision must find its ops declared first
from core.dataset.folders import Sample
from core.dataset.images import ImageProblem, find_gone, read_image
from core.errors import DataError
from core.loading.loader import Loader
from core.networks.table import InputFormat
from core.parallel.share import Part, Share
from core.recipe.config import TrainConfig

# isort: split
from torchvision import transforms

_MOST_STRETCHED = 50  # times as long as wide; no photo or panorama is
_AGAIN = 1_000_000  # added to the epoch each further time an image comes in it; no run has as many epochs


def train_transforms(config: TrainConfig, inputs: InputFormat) -> transforms.Compose:
    """Return the report's eight training transforms in its order: PIL image to float32 (3, S, S), as the network takes it.

    The report's "colour jitter 0.3" is read as brightness, contrast and saturation, hue untouched. TrivialAugment
    (S. Müller and F. Hutter, 2021), where it is on, comes after the flip.
    """
    trivial = [transforms.TrivialAugmentWide(fill=[128] * 3)] if config.trivial_augment else []
    return transforms.Compose(
        [
            transforms.RandomResizedCrop(
                config.image_size, scale=(config.crop_scale_min, 1.0), interpolation=_interpolation(inputs)
            ),
            transforms.RandomHorizontalFlip(config.hflip),
            *trivial,
            transforms.RandomRotation(config.rotation),
            transforms.RandomAffine(0, translate=(config.translate, config.translate)),
            transforms.ColorJitter(
                brightness=config.jitter, contrast=config.jitter, saturation=config.jitter
            ),
            transforms.ToTensor(),
            transforms.Normalize(inputs.mean, inputs.std),
            transforms.RandomErasing(config.erasing),
        ]
    )


class Resize(transforms.Resize):  # type: ignore[misc]  # torchvision has no types
    """torchvision's, but that of a strip only the middle is scaled, so that 1 × 60,000 pixels do not become gigabytes.

    What is cut off lies far outside the square that the centre crop takes.
    """

    def forward(self, img: Image.Image) -> Image.Image:
        """Scale an image's shorter side to the size."""
        longest = _MOST_STRETCHED * min(img.size)
        if isinstance(self.size, int) or len(self.size) == 1:
            cut = [max(0, side - longest) // 2 for side in img.size]
            if any(cut):
                img = img.crop((cut[0], cut[1], img.width - cut[0], img.height - cut[1]))
        scaled: Image.Image = super().forward(img)
        return scaled


def eval_transforms(
    image_size: int, resize_size: int | tuple[int, int], inputs: InputFormat
) -> transforms.Compose:
    """Return the report's four validation transforms: PIL image to float32 (3, S, S), as the network takes it.

    `resize_size` is the shorter side an image gets before its middle is cut out, or both sides (height, width).
    """
    return transforms.Compose(
        [
            *crop_transforms(image_size, resize_size, inputs).transforms,
            transforms.ToTensor(),
            transforms.Normalize(inputs.mean, inputs.std),
        ]
    )


def crop_transforms(
    image_size: int, resize_size: int | tuple[int, int], inputs: InputFormat
) -> transforms.Compose:
    """Return the first two of the validation transforms: PIL image to the PIL image (S, S) that the network sees."""
    return transforms.Compose(
        [Resize(resize_size, interpolation=_interpolation(inputs)), transforms.CenterCrop(image_size)]
    )


def _interpolation(inputs: InputFormat) -> transforms.InterpolationMode:
    return transforms.InterpolationMode(inputs.interpolation)


def to_pixels(batch: torch.Tensor, inputs: InputFormat) -> np.ndarray:
    """Undo the normalisation: float (N, 3, H, W) to uint8 (N, H, W, 3), for looking at."""
    mean = torch.tensor(inputs.mean).view(1, 3, 1, 1)
    std = torch.tensor(inputs.std).view(1, 3, 1, 1)
    pixels = (batch.detach().float().cpu() * std + mean).clamp(0, 1) * 255
    return pixels.round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()


def from_pixels(pixels: npt.NDArray[np.uint8], inputs: InputFormat) -> torch.Tensor:
    """Return RGB pixels, uint8 (N, S, S, 3), as the network takes them, float32 (N, 3, S, S): as the last two of the
    validation transforms do, to the bit, but a whole batch at once and by all cores."""
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2).to(torch.float32).div_(255)
    normal: torch.Tensor = transforms.functional.normalize(images, inputs.mean, inputs.std, inplace=True)
    return normal


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
            gone = find_gone(self.root, sample.path)
            advice = (
                f"Put {gone} back as it was, or train anew."
                if gone
                else "Repair or replace it, or set “Unreadable files” to skip when you start a run (on the command line: --bad-images skip)."
            )
            raise DataError(f"{sample.path} {problem}. {advice}") from None
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed(self.seed, epoch, index))
            return self.transform(image), sample.target


class EpochBatches(Sampler[list[tuple[int, int]]]):
    """Yields batches of (epoch, index); the order is a shuffle by seed and epoch, or the table's own.

    `epoch` and `first_batch` are set before each pass; a resumed epoch begins at its `first_batch`. With `weights`
    (count,), an image comes about as often as its weight says and an epoch has as many images as they sum to; each
    time it comes it has another epoch number, so that it is augmented anew. In a shuffle,
    an image left over for a last batch of its own joins the batch before: batch normalisation of a single image
    learns nothing, and fails where the last stage's map is 1×1 (at 32 px).

    Where several processes `share` the work, each has its part of every batch of a shuffle, with `before` as
    `Share.take` has it, and else some of the batches, whole. A batch's images never depend on how many there are.
    """

    def __init__(
        self,
        count: int,
        batch_size: int,
        *,
        seed: int | None,
        weights: npt.NDArray[np.float64] | None = None,
        share: Share | None = None,
        before: bool = False,
    ) -> None:
        if weights is not None:
            count = max(1, round(float(weights.sum())))
        self.count, self.batch_size, self.seed, self.weights = count, batch_size, seed, weights
        self.share, self.before = share or Share(), before
        self.epoch = 0
        self.first_batch = 0
        self._starts = list(range(0, count, batch_size))
        if seed is not None and count % batch_size == 1 and count > 1:
            self._starts.pop()

    def __len__(self) -> int:
        first, end = self._span()
        return end - first

    def parts(self) -> list[Part]:
        """Return what this process has of each batch of a shuffle that is to come."""
        return [self.share.cut(end - start) for start, end in self._bounds()]

    def _span(self) -> tuple[int, int]:
        """Return from which to before which batch there is something for this process."""
        return (
            self.share.span(len(self._starts)) if self.seed is None else (self.first_batch, len(self._starts))
        )

    def _bounds(self) -> list[tuple[int, int]]:
        """Return where the batches begin and end in the order of the epoch."""
        first, end = self._span()
        return list(pairwise([*self._starts, self.count]))[first:end]

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        if self.seed is None:
            order = list(range(self.count))
        else:
            generator = torch.Generator().manual_seed(derive_seed(self.seed, self.epoch, -1))
            order = torch.randperm(self.count, generator=generator).tolist()
        keys = [(self.epoch, index) for index in order]
        if self.weights is not None:
            drawn = self._draw()
            keys = [drawn[index] for index in order]
        for start, end in self._bounds():
            batch = keys[start:end]
            yield batch if self.seed is None else self.share.take(batch, before=self.before)

    def _draw(self) -> list[tuple[int, int]]:
        """Return the (epoch, index) of each image to come: its weight rounded up or down, by chance as that demands."""
        assert self.weights is not None
        begin = np.random.default_rng(derive_seed(self.seed or 0, self.epoch, -1)).random()
        ends = np.cumsum(self.weights)
        marks = (np.arange(self.count) + begin) * (ends[-1] / self.count)
        chosen = np.searchsorted(ends, marks, side="right").clip(max=len(ends) - 1)
        times = np.arange(self.count) - np.searchsorted(chosen, chosen, side="left")
        return [
            (self.epoch + _AGAIN * time, index)
            for time, index in zip(times.tolist(), chosen.tolist(), strict=True)
        ]


def make_loader(table: ImageTable, batches: EpochBatches, *, workers: int, pin_memory: bool) -> Loader:
    """Return a loader of (images (B, 3, S, S) float32, targets (B,) int64) whose workers live on between epochs."""
    return Loader(table, batches, workers=workers, pin_memory=pin_memory)


def choose_workers(asked: int, device_type: str, sharing: int = 1) -> int:
    """Return the number of loading processes: as asked, else by cores, which so many processes are `sharing`.

    On a CPU the network needs the cores and loading is a few per cent of the time, so one worker does.
    """
    if asked >= 0:
        return asked
    cores = max(1, _count_cores() // sharing)
    return min(8, max(2, cores - 1)) if device_type != "cpu" else min(2, max(1, cores // 2))


def _count_cores() -> int:
    """Return how many cores this process may use: a cluster gives its jobs some of a machine's."""
    own = getattr(os, "sched_getaffinity", None)  # Linux has it
    return len(own(0)) if own else os.cpu_count() or 1


def derive_seed(seed: int, epoch: int, index: int) -> int:
    """Return a seed that depends on all three and differs wherever one of them does.

    Indices from 0 are images; -1 is the order of an epoch; below that, what else an epoch draws.
    """
    text = f"{seed}/{epoch}/{index}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little") >> 1
