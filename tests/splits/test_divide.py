"""Training images divided so that what belongs together is never on two sides, and each class keeps its share."""

from __future__ import annotations

import random

import numpy as np
import pytest

from core.errors import DataError
from core.splits.belonging import Belonging, group_by_name
from core.splits.divide import Division, divide

CLASSES = tuple("abcdefgh")


def sides_of(division: Division) -> np.ndarray:
    """Return 0, 1 or 2 for each image: it trains, validates or is held back."""
    return division.val + 2 * division.held


def draw_images(chance: random.Random) -> tuple[list[str], np.ndarray, Belonging]:
    """Return images of a few classes; some groups are of one class, some of several, and some are joined by copies."""
    paths, targets, groups = [], [], {}
    for target in range(chance.randint(2, len(CLASSES))):
        for number in range(chance.randint(8, 40)):
            path = f"train/{CLASSES[target]}/{number}.png"
            paths.append(path)
            targets.append(target)
            kind = chance.random()
            # The first four are alone, so that each class has groups enough.
            if number >= 4 and kind < 0.8:
                shared = "" if kind < 0.5 else CLASSES[target]
                groups[path] = f"film {shared}{chance.randint(0, 5)}"
    copies = [chance.sample(paths, chance.randint(2, 4)) for _ in range(chance.randint(0, 3))]
    return paths, np.array(targets), Belonging(groups, copies)


def test_no_group_is_ever_on_two_sides(chance: random.Random) -> None:
    for _ in range(150):
        paths, targets, belonging = draw_images(chance)
        share, hold_back = chance.choice([None, 0.05, 0.15, 0.3, 0.5]), chance.randint(0, 2)
        found = divide(paths, targets, CLASSES, val_fraction=share, hold_back=hold_back, belonging=belonging)
        sides = dict(zip(paths, sides_of(found).tolist(), strict=True))
        for group in set(belonging.groups.values()):
            assert len({sides[path] for path, own in belonging.groups.items() if own == group}) == 1
        whole = {
            path
            for path, target in zip(paths, targets, strict=True)
            if CLASSES[target] not in found.kept.torn
        }
        for copies in belonging.copies:
            assert len({sides[path] for path in copies if path in whole}) <= 1
        for target in np.unique(targets):
            own = sides_of(found)[targets == target]
            assert (own == 0).any()
            assert share is None or (own == 1).any() or CLASSES[target] in found.kept.bare
            assert not hold_back or (own == 2).any()


def test_each_class_keeps_the_share_drawn_for_it_where_groups_allow() -> None:
    paths = [f"train/{name}/f{number // 3}_{number}.png" for name in "ab" for number in range(60)]
    targets = np.repeat([0, 1], 60)
    groups = {path: path.rpartition("_")[0] for path in paths}
    found = divide(paths, targets, CLASSES, val_fraction=0.15, belonging=Belonging(groups))
    assert [int(found.val[targets == target].sum()) for target in (0, 1)] == [9, 9]
    assert (found.kept.groups, found.kept.images) == (40, 120)


def test_only_a_copy_drawn_apart_moves_and_another_image_makes_up_for_it() -> None:
    paths = [f"train/a/{number}.png" for number in range(40)]
    targets = np.zeros(40, dtype=int)
    plain = divide(paths, targets, CLASSES, val_fraction=0.15)
    one, other = (paths[int(np.flatnonzero(plain.val == side)[0])] for side in (True, False))
    found = divide(paths, targets, CLASSES, val_fraction=0.15, belonging=Belonging(copies=[(one, other)]))
    assert found.kept.moved == int((found.val != plain.val).sum()) <= 2
    assert found.val.sum() == plain.val.sum() == 6
    same = divide(paths, targets, CLASSES, val_fraction=0.15, belonging=Belonging())
    assert (same.val == plain.val).all()
    assert same.kept.moved == 0


def test_a_class_of_nothing_but_copies_is_divided_all_the_same_and_named() -> None:
    paths = [f"train/{name}/{number}.png" for name in "ab" for number in range(10)]
    targets = np.repeat([0, 1], 10)
    found = divide(paths, targets, CLASSES, val_fraction=0.2, belonging=Belonging(copies=[paths[:10]]))
    assert found.kept.torn == ("a",)
    assert [int(found.val[targets == target].sum()) for target in (0, 1)] == [2, 2]


@pytest.mark.parametrize(
    ("films", "hold_back", "said"),
    [
        (
            1,
            0,
            r"group_by: all 10 images of class 'a' belong to one group \('f0'\).* divided into 2\. Add images",
        ),
        (2, 1, r"the 10 images of class 'a' belong to only 2 groups.* divided into 3"),
    ],
)
def test_a_class_of_too_few_known_groups_is_refused_and_named(films: int, hold_back: int, said: str) -> None:
    paths = [f"train/a/f{number % films}-{number}.png" for number in range(10)]
    belonging = Belonging(group_by_name(paths))
    with pytest.raises(DataError, match=said):
        divide(paths, np.zeros(10, int), CLASSES, val_fraction=0.2, hold_back=hold_back, belonging=belonging)


def test_a_class_whose_groups_are_all_other_classes_too_may_have_no_validation_image_and_is_named() -> None:
    """Of three classes each two share a group: whichever validates, one class has no other left to validate or train on."""
    rows = [("a", "g"), ("a", "h"), ("b", "h"), ("b", "i"), ("c", "g"), ("c", "i")]
    paths = [f"train/{name}/{group}_{number}.png" for name, group in rows for number in range(3)]
    targets = np.repeat([0, 0, 1, 1, 2, 2], 3)
    found = divide(paths, targets, CLASSES, val_fraction=0.3, belonging=Belonging(group_by_name(paths)))
    assert len(found.kept.bare) == 1
    assert all((~found.val & (targets == target)).any() for target in range(3))
