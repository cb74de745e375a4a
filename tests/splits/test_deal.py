"""Training images dealt into folds: each is in one, classes are spread evenly, what belongs together stays whole."""

from __future__ import annotations

import random

import numpy as np
import pytest

from core.errors import DataError
from core.splits.belonging import Belonging, group_by_name
from core.splits.deal import deal_folds
from core.splits.divide import divide
from core.splits.fold import Fold, read_fold
from tests.splits.test_divide import CLASSES, draw_images


def list_validating(
    paths: list[str], targets: np.ndarray, count: int, **options: object
) -> tuple[np.ndarray, np.ndarray]:
    """Return how often each image validates over all folds, and which are held back."""
    found = [
        divide(paths, targets, CLASSES, val_fraction=None, fold=Fold(number, count), **options)
        for number in range(1, count + 1)
    ]
    assert all((one.held == found[0].held).all() for one in found)
    return np.sum([one.val for one in found], axis=0), found[0].held


def test_each_image_validates_once_and_each_class_is_spread_evenly() -> None:
    paths = [f"train/{name}/{number}.png" for name in "abc" for number in range(23)]
    targets = np.repeat([0, 1, 2], 23)
    times, held = list_validating(paths, targets, 5, hold_back=2)
    assert held.sum() == 6
    assert (times == ~held).all()
    for fold in range(1, 6):
        val = divide(paths, targets, CLASSES, val_fraction=None, hold_back=2, fold=Fold(fold, 5)).val
        assert {int(val[targets == target].sum()) for target in range(3)} <= {4, 5}
        assert val.sum() in (12, 13)


def test_groups_and_copies_are_never_on_two_sides_of_any_fold(chance: random.Random) -> None:
    for _ in range(60):
        paths, targets, belonging = draw_images(chance)
        hold_back, count = chance.randint(0, 2), chance.choice([2, 3, 5, 10])
        times, held = list_validating(paths, targets, count, hold_back=hold_back, belonging=belonging)
        assert times.max() == 1
        assert not times[held].any()
        for fold in range(1, count + 1):
            found = divide(
                paths, targets, CLASSES, val_fraction=None, hold_back=hold_back, belonging=belonging, fold=Fold(fold, count),
            )  # fmt: skip
            sides = dict(zip(paths, (found.val + 2 * found.held).tolist(), strict=True))
            for group in set(belonging.groups.values()):
                assert len({sides[path] for path, own in belonging.groups.items() if own == group}) == 1
            for target in np.unique(targets):
                own = targets == target
                assert (own & ~found.val & ~found.held).any(), "a network must know each class it judges"
            torn = {CLASSES.index(name) for name in found.kept.torn}
            of = dict(zip(paths, targets.tolist(), strict=True))
            for copies in belonging.copies:
                assert len({sides[path] for path in copies if of[path] not in torn}) <= 1


def test_folds_do_not_depend_on_the_order_in_which_images_come(chance: random.Random) -> None:
    paths = [f"train/{name}/{number}.png" for name in "ab" for number in range(20)]
    order = list(range(40))
    chance.shuffle(order)
    targets, groups = np.repeat([0, 1], 20), np.arange(40) // 2
    plain = deal_folds(paths, targets, groups, 4)
    mixed = deal_folds([paths[place] for place in order], targets[order], groups[order], 4)
    assert (mixed == plain[order]).all()


def test_the_only_image_of_a_class_always_trains_and_few_images_are_spread_over_the_folds() -> None:
    paths = ["a/1", "b/1", "b/2", "c/1", "c/2", "c/3", "c/4"]
    targets = np.array([0, 1, 1, 2, 2, 2, 2])
    folds = deal_folds(paths, targets, np.arange(7), 5)
    assert folds[0] == -1
    assert len(set(folds[1:3].tolist())) == 2
    assert len(set(folds[3:].tolist())) == 4


def test_a_class_of_one_known_group_is_refused_and_named() -> None:
    paths = [f"train/a/f-{number}.png" for number in range(6)]
    with pytest.raises(DataError, match=r"all 6 images of class 'a' belong to one group"):
        divide(
            paths, np.zeros(6, int), CLASSES, val_fraction=None, fold=Fold(1, 3), belonging=Belonging(group_by_name(paths)),
        )  # fmt: skip


def test_a_fold_is_read_as_it_is_written() -> None:
    assert read_fold("") is None
    assert read_fold("2/5") == Fold(2, 5)
    assert (str(Fold(2, 5)), Fold(2, 5).words) == ("2/5", "fold 2 of 5")
    for wrong in ("0/5", "6/5", "1/1", "1/21", "2", "2 of 5", "a/b", "2/5/1", "٢/5"):
        with pytest.raises(ValueError, match="must be a fold of 2 to 20"):
            read_fold(wrong)
