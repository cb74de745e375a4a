"""Groups of equal and of similar images, from digests, hashes and thumbnails."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from core.dataset.duplicates import HASH_DISTANCE, _list_near, group_equal, group_similar

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


def test_every_pair_within_the_distance_is_found_and_no_other() -> None:
    """Each hash has neighbours at 7, 8 and 9 bits, wherever in it these lie."""
    centres = RNG.integers(0, 1 << 63, 150).astype(np.uint64)
    looks = [centres]
    for bits in (7, 8, 9):
        flips = [sum(1 << int(bit) for bit in RNG.choice(64, bits, replace=False)) for _ in centres]
        looks.append(centres ^ np.array(flips, dtype=np.uint64))
    one, other = np.triu_indices(600, 1)
    all_looks = np.concatenate(looks)
    near = np.bitwise_count(all_looks[one] ^ all_looks[other]) <= HASH_DISTANCE
    found = {pair for a, b, _ in _list_near(all_looks) for pair in zip(a.tolist(), b.tolist(), strict=True)}
    assert found == set(zip(one[near].tolist(), other[near].tolist(), strict=True))
    assert len(found) >= 300


def test_the_search_tells_how_far_it_is_and_can_be_ended() -> None:
    shares: list[float] = []
    looks, thumbs = RNG.integers(0, 1 << 63, 100).astype(np.uint64), make_thumbs(100)
    group_similar(np.arange(100, dtype=np.uint64), looks, thumbs, shares.append)
    assert shares == sorted(shares)
    assert shares[-1] > 0.5

    def end(_: float) -> None:
        raise KeyError

    with pytest.raises(KeyError):
        group_similar(np.arange(100, dtype=np.uint64), looks, thumbs, end)
