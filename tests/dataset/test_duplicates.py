"""Groups of equal and of similar images, from digests, hashes and thumbnails."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from core.dataset.duplicates import group_equal, group_similar

RNG = np.random.default_rng(0)


def make_thumbs(count: int) -> npt.NDArray[np.uint8]:
    return RNG.integers(0, 256, (count, 16, 16), dtype=np.uint8)


def test_equal_digests_are_grouped() -> None:
    assert group_equal(np.array([5, 7, 5, 9, 7, 5], dtype=np.uint64)) == [(0, 2, 5), (1, 4)]
    assert group_equal(np.array([], dtype=np.uint64)) == []


def test_similar_means_close_hashes_and_the_same_picture() -> None:
    thumbs = make_thumbs(1).repeat(4, axis=0)
    thumbs[1, :2] ^= 7  # the same picture, but for traces of compression
    thumbs[3] = make_thumbs(1)[0]  # a close hash, another picture
    looks = np.array(
        [0, 0b111, (1 << 40) - 1, 0], dtype=np.uint64
    )  # the third is the same picture, a far hash
    assert group_similar(np.arange(4, dtype=np.uint64), looks, thumbs) == [(0, 1)]


def test_a_chain_of_pairs_is_one_group_and_equal_images_join_it() -> None:
    count = 600  # more than are compared at a time
    thumbs, looks = make_thumbs(count), RNG.integers(0, 1 << 63, count).astype(np.uint64)
    pixels = np.arange(count, dtype=np.uint64)
    for member in (300, 590):
        thumbs[member], looks[member] = thumbs[2], looks[2] ^ np.uint64(member % 4)
    pixels[10], thumbs[10], looks[10] = pixels[2], thumbs[2], looks[2]
    pixels[20], thumbs[20], looks[20] = pixels[21], thumbs[21], looks[21]  # equal only: not among the similar
    assert group_similar(pixels, looks, thumbs) == [(2, 10, 300, 590)]


def test_thousands_of_frames_of_one_film_are_grouped_in_time() -> None:
    thumbs = make_thumbs(1).repeat(3000, axis=0)
    (group,) = group_similar(np.arange(3000, dtype=np.uint64), np.zeros(3000, dtype=np.uint64), thumbs)
    assert len(group) == 3000
