"""Which images fall to which process: every image once, and nobody without any."""

from __future__ import annotations

import pytest
import torch

from core.parallel.share import LEAST, Share
from core.training.loaders import EpochBatches
from core.training.mixing import mix_images


@pytest.mark.parametrize("world", [1, 2, 3, 4])
@pytest.mark.parametrize("count", [1, 2, 3, 5, 6, 7, 32])
def test_the_parts_of_a_batch_hold_every_image_once_and_never_one_alone(world: int, count: int) -> None:
    batch = list(range(count))
    parts = [Share(rank, world).cut(count) for rank in range(world)]
    counted = [batch[part.start : part.start + part.counted] for part in parts]
    assert [image for part in counted for image in part] == batch
    assert all(part.end - part.start >= min(LEAST, count) for part in parts)
    assert {part.whole for part in parts} == {count}
    whole = [part.counted for part in parts if part.counted]
    assert max(whole) - min(whole) <= 1


@pytest.mark.parametrize("world", [2, 3])
def test_processes_have_the_batches_of_one_in_parts(world: int) -> None:
    one = EpochBatches(21, 8, seed=3)
    several = [EpochBatches(21, 8, seed=3, share=Share(rank, world)) for rank in range(world)]
    for batches in (one, *several):
        batches.epoch, batches.first_batch = 2, 1
    parts = zip(*(batches.parts() for batches in several), strict=True)
    for has, whole, *shares in zip(parts, one, *several, strict=True):
        counted = [share[: part.counted] for part, share in zip(has, shares, strict=True)]
        assert [key for share in counted for key in share] == whole
    assert [part.whole for part in several[1].parts()] == [len(batch) for batch in one]


@pytest.mark.parametrize("world", [2, 3, 5])
def test_processes_judge_every_validation_image_once_and_in_order(world: int) -> None:
    one = list(EpochBatches(21, 8, seed=None))
    several = [list(EpochBatches(21, 8, seed=None, share=Share(rank, world))) for rank in range(world)]
    assert [batch for share in several for batch in share] == one
    assert [len(EpochBatches(21, 8, seed=None, share=Share(rank, world))) for rank in range(world)] == [
        len(share) for share in several
    ]


@pytest.mark.parametrize(("mixup", "cutmix"), [(0.4, 0.0), (0.0, 1.0), (0.4, 1.0)])
def test_a_part_is_blended_as_the_whole_batch_is(mixup: float, cutmix: float) -> None:
    images, targets = torch.randn(7, 3, 8, 8), torch.tensor([0, 1, 2, 0, 1, 2, 1])

    def mix(chosen: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
        return mix_images(images[chosen], targets[chosen], classes=3, mixup=mixup, cutmix=cutmix, seed=11)

    whole = mix(list(range(7)))
    shares = [mix(Share(rank, 3).take(range(7), before=True)) for rank in range(3)]
    for column in range(2):
        parts = torch.cat([share[column][1:] for share in shares])
        torch.testing.assert_close(parts, whole[column], rtol=0, atol=1e-6)
