"""Orders of classes: permutations by what they say, blocks where classes are confused, quick at a thousand classes."""

from __future__ import annotations

import time

import numpy as np
import pytest

from core.verdicts.ordering import (
    ORDERS,
    Block,
    choose_confused,
    find_blocks,
    measure_confusion,
    order_classes,
)


def blocky(classes: int, groups: list[list[int]], confusions: int = 6) -> np.ndarray:
    """Return a matrix of right answers and, inside each group, confusions of each pair."""
    counts = 30 * np.eye(classes, dtype=np.int64)
    for group in groups:
        for one in group:
            for other in group:
                counts[one, other] += confusions * (one != other)
    return counts


def is_together(order: np.ndarray, members: list[int]) -> bool:
    places = sorted(list(order).index(member) for member in members)
    return places == list(range(places[0], places[0] + len(members)))


@pytest.mark.parametrize("by", ORDERS)
@pytest.mark.parametrize("classes", [1, 2, 3, 40])
def test_every_order_is_a_permutation(by: str, classes: int) -> None:
    counts = np.random.default_rng(classes).integers(0, 5, (classes, classes))
    assert sorted(order_classes(counts, by)) == list(range(classes))


@pytest.mark.parametrize("by", ORDERS)
def test_a_matrix_without_images_has_its_orders_too(by: str) -> None:
    assert sorted(order_classes(np.zeros((5, 5), dtype=int), by)) == [0, 1, 2, 3, 4]


def test_by_recall_the_weakest_comes_first_and_classes_without_images_last() -> None:
    counts = np.array([[3, 1, 0, 0], [0, 0, 0, 0], [1, 0, 1, 0], [0, 0, 0, 2]])
    assert order_classes(counts, "recall").tolist() == [2, 0, 3, 1]


def test_by_support_the_largest_comes_first_and_equals_keep_their_order() -> None:
    counts = np.array([[2, 0, 0], [1, 4, 0], [1, 1, 0]])
    assert order_classes(counts, "support").tolist() == [1, 0, 2]


def test_by_similarity_confused_classes_stand_together() -> None:
    groups = [[0, 7, 4], [1, 5], [2, 8, 9, 6]]
    order = order_classes(blocky(12, groups), "similarity")
    assert all(is_together(order, group) for group in groups)


def test_by_similarity_a_chain_is_laid_out_as_a_chain() -> None:
    counts = 30 * np.eye(5, dtype=int)
    for one, other in ((3, 0), (0, 4), (4, 1), (1, 2)):  # 3-0-4-1-2
        counts[one, other] = 8
    order = order_classes(counts, "similarity").tolist()
    assert order in ([3, 0, 4, 1, 2], [2, 1, 4, 0, 3])


def test_an_unknown_order_is_refused_with_those_that_exist() -> None:
    with pytest.raises(ValueError, match="name, recall, support, similarity, got 'size'"):
        order_classes(np.eye(3, dtype=int), "size")  # type: ignore[arg-type]


def test_confusion_is_the_mean_of_both_shares() -> None:
    confusion = measure_confusion(np.array([[8, 2], [1, 3]]))
    np.testing.assert_allclose(confusion, [[0, (0.2 + 0.25) / 2], [(0.2 + 0.25) / 2, 0]])


def test_blocks_are_the_groups_that_are_confused_with_the_images_inside() -> None:
    blocks = find_blocks(blocky(12, [[0, 7, 4], [1, 5]]))
    assert [(set(block.members), block.confusions) for block in blocks] == [({0, 4, 7}, 36), ({1, 5}, 12)]


def test_a_stray_error_makes_no_block_and_joins_none() -> None:
    counts = blocky(8, [[2, 5]])
    counts[2, 0] = counts[6, 7] = 1
    assert find_blocks(counts) == [Block((2, 5), 12)]


@pytest.mark.parametrize(
    "counts",
    [
        np.eye(6, dtype=int),
        np.ones((6, 6), dtype=int),
        np.zeros((6, 6), dtype=int),
        np.array([[1, 9], [9, 1]]),
    ],
    ids=["no error", "all alike", "no images", "two classes"],
)
def test_where_nothing_stands_out_there_is_no_block(counts: np.ndarray) -> None:
    assert find_blocks(counts) == []


def test_a_thousand_classes_are_ordered_and_grouped_in_a_moment() -> None:
    rng = np.random.default_rng(0)
    groups = [list(range(start, start + 8)) for start in range(0, 1000, 8)]
    shuffled = rng.permutation(1000)
    counts = blocky(1000, [[int(shuffled[i]) for i in group] for group in groups])
    begun = time.perf_counter()
    order, blocks = order_classes(counts, "similarity"), find_blocks(counts)
    assert time.perf_counter() - begun < 2
    assert all(is_together(order, list(block.members)) for block in blocks)
    assert len(blocks) == 125


def test_of_too_many_classes_those_with_most_errors_are_chosen_in_their_order() -> None:
    true, predicted = np.array([0, 1, 1, 3, 4, 4]), np.array([0, 3, 3, 3, 2, 4])
    assert choose_confused(true, predicted, 5, 5).tolist() == [0, 1, 2, 3, 4]
    assert choose_confused(true, predicted, 5, 2).tolist() == [1, 3]
    assert choose_confused(true, predicted, 5, 4).tolist() == [1, 2, 3, 4]


def test_the_matrix_of_some_classes_is_ordered_by_the_images_that_they_have_in_all() -> None:
    some, support = np.array([[5, 0], [0, 4]]), np.array([50, 8])
    assert order_classes(some, "recall", support).tolist() == [0, 1]
    assert order_classes(some, "recall").tolist() == [0, 1]
    assert order_classes(some[::-1, ::-1], "recall", support[::-1]).tolist() == [1, 0]
    assert measure_confusion(np.array([[8, 2], [1, 3]]), np.array([20, 10]))[0, 1] == pytest.approx(0.1)
