"""The report's transforms, tables of images as tensors, and batches that can be repeated."""

from __future__ import annotations

import os
import pickle
import resource
import select
import socket
from multiprocessing.connection import Client
from multiprocessing.process import current_process
from multiprocessing.resource_sharer import DupFd
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from core.dataset.folders import Sample, scan_folders
from core.errors import DataError, RunError
from core.networks.table import IMAGENET
from core.recipe.config import TrainConfig
from core.recipe.presets import from_preset
from core.training import loaders
from core.training.loaders import EpochBatches, ImageTable
from tests.dataset.pictures import RED, make_folders

# isort: split
from torchvision import transforms
from torchvision.transforms import InterpolationMode


def test_training_has_the_reports_eight_transforms_in_its_order() -> None:
    steps = loaders.train_transforms(from_preset("seed", data="flowers"), IMAGENET).transforms
    crop, flip, rotate, shift, jitter, to_tensor, normalise, erase = steps
    assert isinstance(crop, transforms.RandomResizedCrop)
    assert (crop.size, crop.scale) == ((224, 224), (0.08, 1.0))
    assert crop.ratio == pytest.approx((3 / 4, 4 / 3))
    assert crop.interpolation is InterpolationMode.BILINEAR
    assert isinstance(flip, transforms.RandomHorizontalFlip)
    assert flip.p == 0.5
    assert isinstance(rotate, transforms.RandomRotation)
    assert rotate.degrees == [-15, 15]
    assert isinstance(shift, transforms.RandomAffine)
    assert (shift.degrees, shift.translate, shift.scale, shift.shear) == ([0, 0], (0.1, 0.1), None, None)
    assert isinstance(jitter, transforms.ColorJitter)
    assert (jitter.brightness, jitter.contrast, jitter.saturation) == ((0.7, 1.3),) * 3
    assert jitter.hue is None
    assert isinstance(to_tensor, transforms.ToTensor)
    assert isinstance(normalise, transforms.Normalize)
    assert (normalise.mean, normalise.std) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    assert isinstance(erase, transforms.RandomErasing)
    assert (erase.p, erase.scale, erase.ratio, erase.value) == (0.5, (0.02, 0.33), (0.3, 3.3), 0)


def test_validation_has_the_reports_four_transforms_in_its_order() -> None:
    resize, crop, to_tensor, normalise = loaders.eval_transforms(224, 256, IMAGENET).transforms
    assert isinstance(resize, transforms.Resize)
    assert resize.size == 256
    assert isinstance(crop, transforms.CenterCrop)
    assert crop.size == (224, 224)
    assert isinstance(to_tensor, transforms.ToTensor)
    assert isinstance(normalise, transforms.Normalize)
    assert (normalise.mean, normalise.std) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def test_trivial_augment_comes_after_the_flip_where_it_is_on() -> None:
    config = from_preset("seed", data="flowers", trivial_augment=True)
    names = [type(step).__name__ for step in loaders.train_transforms(config, IMAGENET).transforms]
    assert names[1:3] == ["RandomHorizontalFlip", "TrivialAugmentWide"]
    assert len(names) == 9


@pytest.mark.parametrize("size", [(500, 375), (20, 300), (7, 7)])
def test_images_of_any_shape_become_squares_of_the_networks_size(size: tuple[int, int]) -> None:
    image = Image.new("RGB", size, RED)
    for transform in (
        loaders.train_transforms(from_preset("seed", data="x"), IMAGENET),
        loaders.eval_transforms(224, 256, IMAGENET),
    ):
        tensor = transform(image)
        assert (tensor.shape, tensor.dtype) == ((3, 224, 224), torch.float32)


def test_every_augmentation_can_be_turned_off() -> None:
    config = TrainConfig(
        data="x", image_size=32, resize_size=32, crop_scale_min=1.0, hflip=0, rotation=0, translate=0, jitter=0, erasing=0,
    )  # fmt: skip
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (32, 32, 3), dtype=np.uint8))
    assert torch.equal(
        loaders.train_transforms(config, IMAGENET)(image), loaders.eval_transforms(32, 32, IMAGENET)(image)
    )


def test_pixels_come_back_from_the_networks_input_unchanged() -> None:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8))
    pixels = loaders.to_pixels(loaders.eval_transforms(32, 32, IMAGENET)(image)[None], IMAGENET)
    assert pixels.dtype == np.uint8
    assert np.array_equal(pixels[0], np.asarray(image))


# Tables and batches


def make_table(root: Path, seed: int = 7) -> ImageTable:
    config = TrainConfig(data=str(root), image_size=32, resize_size=32)
    return ImageTable(root, scan_folders(root).train, loaders.train_transforms(config, IMAGENET), seed)


def load(table: ImageTable, *, workers: int, epoch: int = 0, first_batch: int = 0) -> list[torch.Tensor]:
    batches = EpochBatches(len(table), 4, seed=7)
    batches.epoch, batches.first_batch = epoch, first_batch
    return [images for images, _ in loaders.make_loader(table, batches, workers=workers, pin_memory=False)]


def test_batches_are_the_same_for_any_number_of_workers(tiny_data: Path) -> None:
    table = make_table(tiny_data)
    alone, helped = load(table, workers=0), load(table, workers=2)
    assert len(alone) == len(helped) == 5
    assert all(torch.equal(a, b) for a, b in zip(alone, helped, strict=True))


def test_a_table_can_be_sent_to_a_loading_process_that_is_no_fork(tiny_data: Path) -> None:
    """As on Windows and macOS, where a process starts anew and gets what it needs pickled."""
    table = make_table(tiny_data)
    sent = pickle.loads(pickle.dumps(table))
    assert torch.equal(sent[3, 0][0], table[3, 0][0])


def test_an_epoch_that_is_resumed_ends_as_the_whole_one_does(tiny_data: Path) -> None:
    table = make_table(tiny_data)
    whole, rest = load(table, workers=0, epoch=3), load(table, workers=0, epoch=3, first_batch=2)
    assert len(rest) == 3
    assert all(torch.equal(a, b) for a, b in zip(whole[2:], rest, strict=True))


def test_an_image_is_changed_alike_whatever_was_drawn_before(tiny_data: Path) -> None:
    table = make_table(tiny_data)
    first = table[0, 5][0]
    table[0, 1], torch.rand(3)
    assert torch.equal(table[0, 5][0], first)


def test_an_image_is_changed_anew_each_epoch_and_by_seed(tiny_data: Path) -> None:
    table = make_table(tiny_data)
    assert not torch.equal(table[0, 5][0], table[1, 5][0])
    assert not torch.equal(table[0, 5][0], make_table(tiny_data, seed=8)[0, 5][0])


def test_two_images_are_changed_differently(tmp_path: Path) -> None:
    table = make_table(make_folders(tmp_path, {"a": 4, "b": 4}))
    assert not torch.equal(table[0, 0][0], table[0, 1][0])


def test_loading_leaves_the_global_random_numbers_alone(tiny_data: Path) -> None:
    before = torch.get_rng_state()
    make_table(tiny_data)[0, 0]
    assert torch.equal(torch.get_rng_state(), before)


def test_targets_follow_the_order_of_the_classes(tiny_data: Path) -> None:
    table = make_table(tiny_data)
    assert [table[0, index][1] for index in (0, 6, 17)] == [0, 1, 2]


def test_a_file_that_broke_after_the_check_is_named(tiny_data: Path) -> None:
    (tiny_data / "train" / "2" / "1.png").write_bytes(b"")
    table = ImageTable(tiny_data, [Sample("train/2/1.png", 0)], loaders.eval_transforms(32, 32, IMAGENET))
    with pytest.raises(DataError, match=r"^train/2/1\.png is empty.* Repair or replace it"):
        table[0, 0]


@pytest.mark.parametrize("gone", ["train/2/1.png", "train/2", "first.tar"])
def test_what_is_gone_is_to_be_put_back(tiny_data: Path, gone: str) -> None:
    path = "first.tar/2/1.png" if gone == "first.tar" else "train/2/1.png"
    if gone != "first.tar":
        (tiny_data / gone).rename(tiny_data / "aside")
    table = ImageTable(tiny_data, [Sample(path, 0)], loaders.eval_transforms(32, 32, IMAGENET))
    with pytest.raises(DataError, match=rf"cannot be opened .* Put {gone} back as it was, or train anew\.$"):
        table[0, 0]


class ForsakenTable(ImageTable):
    """Images whose loading process is left in the middle of handing them on, as where its parent is killed."""

    def __getitem__(self, key: tuple[int, int]) -> tuple[torch.Tensor, int]:
        address, _ = DupFd(0)._id  # type: ignore[attr-defined]
        with socket.socket(socket.AF_UNIX) as early:
            early.connect(address)
            select.select(
                [early], [], []
            )  # closed with what came unread: the other end's connection is reset
        Client(address, authkey=current_process().authkey).close()
        os.close(DupFd(0).detach())  # requests are answered one by one, so both have failed by now
        return super().__getitem__(key)


def test_a_loading_process_whose_parent_is_gone_writes_nothing_into_its_log(
    tiny_data: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    table = ForsakenTable(tiny_data, [Sample("train/2/1.png", 0)], loaders.eval_transforms(32, 32, IMAGENET))
    loader = loaders.make_loader(table, EpochBatches(1, 1, seed=None), workers=1, pin_memory=False)
    assert len(list(loader)) == 1
    assert capfd.readouterr().err == ""


def test_full_shared_memory_is_told_in_one_line(tiny_data: Path) -> None:
    def fill(_: Image.Image) -> torch.Tensor:
        # What a process writes to shared memory counts as a file, and may be limited as one.
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
        return torch.zeros(3, 32, 32)

    table = ImageTable(tiny_data, scan_folders(tiny_data).train, fill)  # type: ignore[arg-type]
    with pytest.raises(
        RunError, match=r"^Shared memory \(/dev/shm, .* MB\) is full: the processes"
    ) as caught:
        list(loaders.make_loader(table, EpochBatches(4, 4, seed=1), workers=1, pin_memory=False))
    assert str(caught.value).endswith("Give it more (a container: --shm-size=1g), or set workers to 0.")


def test_every_epoch_asks_for_every_image_once_in_another_order() -> None:
    batches = EpochBatches(10, 4, seed=3)
    orders = []
    for epoch in (0, 1):
        batches.epoch = epoch
        found = list(batches)
        assert [len(batch) for batch in found] == [4, 4, 2]
        assert {key[0] for batch in found for key in batch} == {epoch}
        orders.append([index for batch in found for _, index in batch])
    assert sorted(orders[0]) == sorted(orders[1]) == list(range(10))
    assert orders[0] != orders[1]


def test_an_image_left_alone_joins_the_batch_before_in_training() -> None:
    # Batch normalisation cannot train on a single image of 32 px.
    assert [len(batch) for batch in EpochBatches(9, 4, seed=3)] == [4, 5]
    assert len(EpochBatches(9, 4, seed=3)) == 2
    assert [len(batch) for batch in EpochBatches(9, 4, seed=None)] == [4, 4, 1]


def test_the_order_depends_on_the_seed_alone() -> None:
    assert list(EpochBatches(10, 4, seed=3)) == list(EpochBatches(10, 4, seed=3))
    assert list(EpochBatches(10, 4, seed=3)) != list(EpochBatches(10, 4, seed=4))


def test_batches_from_a_later_one_on_are_the_tail_of_the_same_order() -> None:
    batches = EpochBatches(11, 4, seed=3)
    whole = list(batches)
    for first in range(4):
        batches.first_batch = first
        assert list(batches) == whole[first:]
        assert len(batches) == 3 - first


def test_without_a_seed_the_order_is_the_tables() -> None:
    assert [i for batch in EpochBatches(5, 2, seed=None) for _, i in batch] == [0, 1, 2, 3, 4]


def test_the_number_of_workers_is_as_asked_or_by_the_device() -> None:
    assert loaders.choose_workers(0, "cuda") == 0
    assert loaders.choose_workers(5, "cpu") == 5
    assert 1 <= loaders.choose_workers(-1, "cpu") <= 2
    assert 2 <= loaders.choose_workers(-1, "cuda") <= 8


def test_as_many_processes_load_as_suit_the_cores_that_this_job_was_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(6)), raising=False)
    assert loaders.choose_workers(-1, "cuda") == 5
    assert loaders.choose_workers(-1, "cuda", 2) == 2


@pytest.mark.parametrize("size", [(1, 60_000), (60_000, 1), (3, 20_001)])
def test_of_a_strip_no_more_is_made_than_the_middle(size: tuple[int, int]) -> None:
    resize = loaders.eval_transforms(224, 256, IMAGENET).transforms[0]
    made = resize(Image.new("RGB", size, RED))
    assert min(made.size) == 256
    assert made.width * made.height <= 51 * 256 * 256
    assert loaders.eval_transforms(224, 256, IMAGENET)(Image.new("RGB", size, RED)).shape == (3, 224, 224)


def test_a_photo_is_scaled_as_torchvision_does() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (30, 700, 3), dtype=np.uint8)
    ours = loaders.eval_transforms(32, 40, IMAGENET).transforms[0](Image.fromarray(noise))
    theirs = transforms.Resize(40)(Image.fromarray(noise))
    assert np.array_equal(np.asarray(ours), np.asarray(theirs))


def test_too_few_file_handles_for_the_loading_processes_are_told_in_words(tiny_data: Path) -> None:
    folders = scan_folders(tiny_data)
    table = ImageTable(folders.root, folders.train * 40, loaders.eval_transforms(32, 32, IMAGENET))
    loader = loaders.make_loader(table, EpochBatches(len(table), 1, seed=None), workers=1, pin_memory=False)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    opened = len(list(Path("/dev/fd").iterdir()))
    kept: list[object] = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (opened + 60, hard))
    try:
        with pytest.raises(RunError, match=r"Too many files are open at once.*ulimit -n 4096.*workers to 0"):
            kept.extend(loader)  # each batch kept holds a file open
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        kept.clear()
