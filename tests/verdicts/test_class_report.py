"""The report on classes: scikit-learn's figures, and findings that say what images prove and what they do not."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import precision_recall_fscore_support, top_k_accuracy_score

from core.verdicts import class_report
from core.verdicts.class_report import (
    Weakness,
    average_figures,
    count_by_luck,
    describe_class,
    describe_frequency,
    exceeds_luck,
    find_certainly_weak,
    find_top5,
    report_classes,
)
from core.verdicts.predictions import wilson_interval

CLASSES = [str(number) for number in (2, 10, 35, 4, 5, 6, 7, 8)]


def table_of(true: Sequence[str], predicted: Sequence[str]) -> pd.DataFrame:
    return pd.DataFrame({"true": list(true), "predicted": list(predicted)}, dtype=str)


def report_of(table: pd.DataFrame, counts: Sequence[int] | None = None) -> pd.DataFrame:
    classes = sorted({*table["true"], *table["predicted"]})
    return report_classes(table, classes, dict(zip(classes, counts or [20] * len(classes), strict=True)))


def describe(name: str, table: pd.DataFrame, counts: Sequence[int] | None = None) -> str:
    return describe_class(name, table=table, report=report_of(table, counts), label="class {}".format)


@pytest.fixture
def scores() -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Return a predictions table of 300 images, their scores (300, 8) and true indices; class "8" has no image."""
    rng = np.random.default_rng(0)
    target = rng.integers(0, 7, 300)
    score = rng.random((300, 8)) + 0.5 * np.eye(8)[target]
    score[:, 3] = 0  # never the first guess
    order = np.argsort(-score, axis=1)[:, :5]
    names = np.array(CLASSES)
    table = table_of(list(names[target]), list(names[order[:, 0]]))
    for rank in range(5):
        table[f"top{rank + 1}"] = names[order[:, rank]]
    return table, score, target


# Figures


def test_top_5_is_scikit_learns(scores: tuple[pd.DataFrame, np.ndarray, np.ndarray]) -> None:
    table, score, target = scores
    wanted = top_k_accuracy_score(target, score, k=5, labels=range(8))
    assert find_top5(table).mean() == pytest.approx(wanted)
    report = report_classes(table, CLASSES, {}).set_index("class")
    for index, name in enumerate(CLASSES[:-1]):
        own = target == index
        wanted = top_k_accuracy_score(target[own], score[own], k=5, labels=range(8))
        assert report.loc[name, "top5"] == pytest.approx(wanted)
    assert np.isnan(report.loc["8", "top5"])


def test_with_fewer_than_five_classes_or_without_guesses_top_5_is_what_there_is() -> None:
    table = table_of(["a", "b"], ["b", "b"])
    assert find_top5(table).tolist() == [False, True]
    assert find_top5(table.assign(top1=["b", "b"], top2=["a", "a"])).tolist() == [True, True]


@pytest.mark.parametrize("average", ["macro", "weighted"])
def test_averages_are_scikit_learns(
    scores: tuple[pd.DataFrame, np.ndarray, np.ndarray], average: str
) -> None:
    table, _, _ = scores
    found = average_figures(report_classes(table, CLASSES, {})).loc[average]
    wanted = precision_recall_fscore_support(
        table["true"], table["predicted"], labels=CLASSES[:-1], average=average, zero_division=0
    )
    assert found[["precision", "recall", "f1"]].tolist() == pytest.approx(wanted[:3])


def test_the_weighted_average_of_top_5_is_that_of_all_images(
    scores: tuple[pd.DataFrame, np.ndarray, np.ndarray],
) -> None:
    table, _, _ = scores
    found = average_figures(report_classes(table, CLASSES, {}))
    assert found.loc["weighted", "top5"] == pytest.approx(find_top5(table).mean())


def test_without_images_there_are_no_averages() -> None:
    assert average_figures(report_classes(table_of([], []), ["a", "b"], {})).isna().all(axis=None)


def test_each_class_names_what_is_most_often_mistaken_for_it_and_its_training_images() -> None:
    table = table_of(["a", "b", "b", "c", "c", "c"], ["a", "a", "a", "a", "b", "c"])
    report = report_of(table, [5, 6, 7]).set_index("class").loc[["a", "b", "c"]]
    assert report["mistaken_for_it"].tolist() == ["b", "c", ""]
    assert report["train"].tolist() == [5, 6, 7]


# Frequency


def frequencies(recalls: Sequence[float], counts: Sequence[int]) -> pd.DataFrame:
    return pd.DataFrame({"support": 10, "recall": recalls, "train": counts})


def test_more_images_that_go_with_more_recall_are_told_with_spearmans_figure() -> None:
    text = describe_frequency(frequencies(np.linspace(0.2, 0.9, 8), range(10, 90, 10)))
    assert text.startswith("Classes have 10 to 80 training images. Those with more are recognised better")
    assert "ρ = 1.00" in text


def test_how_many_equal_classes_luck_would_call_weak_is_counted_by_simulation(chance: random.Random) -> None:
    supports, overall = [3] * 60 + [10] * 30 + [0] * 5, 0.889
    expected = count_by_luck(supports, overall)
    draws = []
    for _ in range(300):
        right = np.array([sum(chance.random() < overall for _ in range(support)) for support in supports])
        report = pd.DataFrame({"support": supports, "class": [str(i) for i in range(len(supports))]})
        report["high"] = wilson_interval(right, np.maximum(report["support"].to_numpy(), 1))[1]
        draws.append(len(find_certainly_weak(report, overall)))
    assert expected == pytest.approx(np.mean(draws), abs=4 * np.std(draws) / 300**0.5)
    assert 2 < expected < 4


def test_as_many_weak_classes_as_luck_names_are_no_finding() -> None:
    assert not exceeds_luck(10, 11.0)
    assert not exceeds_luck(5, 3.0)
    assert exceeds_luck(8, 3.0)
    assert exceeds_luck(1, 0.1)
    assert not exceeds_luck(1, 1.0)


def test_how_weak_classes_are_is_told_with_what_luck_explains() -> None:
    rows = pd.DataFrame({"class": list("abcdefgh")})
    assert (
        Weakness(rows[:0], 30, 0.2).describe()
        == "None of 30 classes is clearly below the average of all images."
    )
    by_luck = Weakness(rows[:1], 30, 1.1)
    assert not by_luck.is_sure
    assert by_luck.describe().startswith(
        "No class is surely weaker than the rest. 1 of 30 classes is below the average"
    )
    real = Weakness(rows, 30, 1.1)
    assert real.is_sure
    assert real.describe("the 88.7 % of all images").startswith(
        "8 of 30 classes are clearly below the 88.7 % of all images. "
    )


def test_a_relation_that_may_be_luck_is_not_claimed() -> None:
    text = describe_frequency(frequencies([0.2, 0.9, 0.3, 0.8, 0.5], [10, 20, 30, 40, 50]))
    assert "no evidence" in text


def test_equal_numbers_of_training_images_explain_nothing() -> None:
    assert "does not explain a weak class" in describe_frequency(frequencies([0.2, 0.9, 0.4], [20, 20, 20]))
    assert "same recall" in describe_frequency(frequencies([0.9, 0.9, 0.9], [20, 30, 20]))
    assert "too few to tell" in describe_frequency(frequencies([0.2, 0.9], [10, 20]))


# Findings


def test_three_images_all_wrong_prove_little_and_it_is_said() -> None:
    text = describe("a", table_of(["a"] * 3 + ["b"] * 50, ["b"] * 53))
    assert "0 of 3 right" in text
    assert "between 0 and 56 %" in text
    assert "Three images cannot show more" in text
    assert "below the" not in text


def test_a_class_that_is_weaker_than_luck_explains_is_called_so() -> None:
    table = table_of(["a"] * 60 + ["b"] * 60, ["a"] * 12 + ["b"] * 108)
    assert "Even its upper end is below the 60.0 % of all classes together." in describe("a", table)
    assert "Even its lower end is above" in describe("b", table)
    assert "cannot show" not in describe("a", table)


def test_one_image_is_looked_at_alone() -> None:
    text = describe("a", table_of("ab", "bb"))
    assert "may be anywhere between 0 and 79 %." in text
    assert "One image cannot show more. Look at it, or judge more images of this class" in text


def test_a_class_like_the_others_is_not_called_weak() -> None:
    table = table_of(["a"] * 60 + ["b"] * 60, (["a"] * 40 + ["b"] * 20) + (["b"] * 40 + ["a"] * 20))
    assert "lie within it" in describe("a", table)


def test_a_finding_names_what_the_class_is_confused_with_and_what_is_mistaken_for_it() -> None:
    table = table_of(["a"] * 5 + ["b"] * 3, ["b", "b", "c", "d", "e", "a", "a", "b"])
    text = describe("a", table)
    assert "It is confused with class b (2), class c (1), class d (1) and one more." in text
    assert "Images mistaken for it come from class b (2)." in text
    assert "It is not confused with any class." in describe("a", table_of(["a"], ["a"]))


def test_an_answer_that_is_often_wrong_or_never_given_is_told() -> None:
    assert "The answer class a is right 1 of 3 times." in describe("a", table_of("abb", "aaa"))
    assert "No image at all is taken for class a." in describe("a", table_of("ab", "bb"))


def test_near_misses_are_counted() -> None:
    table = table_of("aaa", "abb")
    for rank, names in enumerate(("abb", "bac", "ccd", "dde", "eef"), start=1):
        table[f"top{rank}"] = list(names)
    assert "For 1 of the 2 wrong images the true class is among the first five guesses." in describe(
        "a", table
    )


def test_near_misses_of_all_or_of_one_are_told_in_their_words() -> None:
    table = table_of("aab", "bba")
    for rank, names in enumerate(("bba", "aac", "ccd", "dde", "eef"), start=1):
        table[f"top{rank}"] = list(names)
    assert "For both wrong images the true class is among" in describe("a", table)
    assert "For the wrong image the true class is not among" in describe("b", table)
    for rank, names in enumerate(("bba", "ccc", "ddd", "eee", "fff"), start=1):
        table[f"top{rank}"] = list(names)
    assert "For neither of the two wrong images is the true class among the first five guesses." in describe(
        "a", table
    )


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ([5, 20, 20], "5 training images, the median class 20: that may be too few."),
        ([15, 20, 20], "15 training images, the median class 20."),
        ([30, 20, 20], "a lack of images is not the reason"),
    ],
)
def test_training_images_are_held_against_the_median_class(counts: list[int], words: str) -> None:
    assert words in describe("a", table_of("abc", "bbc"), counts)


def test_where_all_classes_have_as_many_training_images_nothing_is_made_of_it() -> None:
    assert "training images" not in describe("a", table_of("abc", "bbc"))


def test_a_class_without_images_is_not_judged() -> None:
    table = table_of("bb", "ab")
    text = describe_class("a", table=table, report=report_of(table), label=str)
    assert text == "No image that was judged shows this class, so nothing can be said about it."


def test_a_thousand_classes_are_reported_in_a_moment() -> None:
    rng = np.random.default_rng(0)
    classes = [str(number) for number in range(1000)]
    table = table_of(list(rng.choice(classes, 20_000)), list(rng.choice(classes, 20_000)))
    report = class_report.report_classes(table, classes, dict.fromkeys(classes, 20))
    assert len(report) == 1000
