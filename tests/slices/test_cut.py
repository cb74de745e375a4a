"""Which images make a kind: the ends of numbers, words, and both within a large class; and what a reader calls them."""

from __future__ import annotations

import numpy as np

from core.slices.cut import Slice, cut_slices
from core.slices.properties import Property, list_measured, make_amount, make_sort
from tests.slices.planted import draw_facts


def titles(slices: list[Slice]) -> list[str]:
    return [one.title for one in slices]


def cut(one: Property, true: list[str]) -> list[Slice]:
    return cut_slices([one], true, lambda name: f"{name} · label")


def test_a_number_gives_its_lowest_and_highest_tenth_and_fifth() -> None:
    values = np.random.default_rng(0).permutation(200).astype(float)
    found = cut(make_amount("age", values), [f"{number}" for number in range(200)])
    assert titles(found) == [
        "The images with the lowest age (age up to 19)",
        "The images with the lowest age (age up to 39)",
        "The images with the highest age (age from 180)",
        "The images with the highest age (age from 160)",
    ]
    assert sorted(values[found[0].rows]) == list(range(20))


def test_equal_values_stay_together_and_an_end_is_half_at_most() -> None:
    values = np.array([0.0] * 150 + [1.0] * 50)
    found = cut(make_amount("flash", values), ["a"] * 40 + ["b"] * 40 + ["c"] * 40 + ["d"] * 40 + ["e"] * 40)
    assert [(one.title, len(one.rows)) for one in found] == [
        ("The images with the highest flash (flash from 1)", 50)
    ]


def test_where_all_are_alike_or_too_few_there_is_no_kind() -> None:
    assert cut(make_amount("flash", np.zeros(200)), ["a"] * 200) == []
    assert cut(make_amount("age", np.arange(19.0)), ["a"] * 19) == []
    assert cut(make_amount("age", np.full(200, np.nan)), ["a"] * 200) == []


def test_what_is_not_known_is_in_no_kind() -> None:
    values = np.where(np.arange(200) < 100, np.nan, np.arange(200))
    found = cut(make_amount("age", values), [f"{number}" for number in range(200)])
    assert min(row for one in found for row in one.rows) == 100
    words = make_sort("shop", ("",) * 100 + ("ICA",) * 60 + ("Coop",) * 35 + ("Hemköp",) * 5)
    found = cut(words, [f"{number}" for number in range(200)])
    assert titles(found) == ["The images whose shop is Coop", "The images whose shop is ICA"]


def test_a_class_with_enough_images_is_cut_by_its_own_values() -> None:
    """All images of the dark class are darker than all of the other: the ends are of each class alone."""
    values = np.arange(100.0)
    found = cut(make_amount("light", values), ["dark"] * 60 + ["bright"] * 40)
    within = [one for one in found if one.class_name]
    assert [(one.title, len(one.rows), one.class_name) for one in within] == [
        ("The images of dark · label with the lowest light (light up to 11)", 12, "dark"),
        ("The images of dark · label with the highest light (light from 48)", 12, "dark"),
    ]


def test_what_is_measured_is_told_in_words_that_are_true_of_every_image() -> None:
    classes = np.zeros(400, dtype=np.intp)
    facts = draw_facts(np.random.default_rng(0), classes)
    found = [one for one in cut_slices(list_measured(facts), [f"{n}" for n in range(400)])]
    said = "\n".join(titles(found))
    for words in (
        "The darkest images (brightness up to ",
        "The brightest images (brightness from ",
        "The images with the least contrast (contrast up to ",
        "The images with the most fine detail (sharpness from ",
        "The smallest images (shorter side up to ",
        "The widest images (width from ",
        "Mostly grey, black or white images",
    ):
        assert words in said
    darkest = found[0]
    bound = float(darkest.title.split("up to ")[1].split(" of")[0])
    highest = float(facts.values["brightness"][darkest.rows].max())
    assert bound - 1 < highest <= bound


def test_of_a_file_that_cannot_be_read_nothing_is_known() -> None:
    facts = draw_facts(np.random.default_rng(0), np.zeros(60, dtype=np.intp))
    facts.values[:5] = 0
    found = cut_slices(list_measured(facts), [f"{n}" for n in range(60)])
    assert found
    assert min(row for one in found for row in one.rows) >= 5


def test_a_word_that_one_class_alone_has_is_one_kind() -> None:
    words = make_sort("shop", ("ICA",) * 20 + ("",) * 60)
    assert titles(cut(words, ["a"] * 60 + ["b"] * 20)) == ["The images whose shop is ICA"]
    amount = make_amount("age", np.arange(100.0))
    assert not [one for one in cut(amount, ["a"] * 100) if one.class_name]
