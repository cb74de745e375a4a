"""The figures: what published formulas and scikit-learn say, in the words the pages show."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from core.errors import RunError
from core.image_table import MANY, find_table, write_table
from core.verdicts import predictions
from core.verdicts.predictions import read_guesses, read_predictions
from tests.made_run import make_run

HEAD = "path,true,predicted,confidence,true_confidence,loss,top1,top1_confidence,top2,top2_confidence\n"


def table_of(true: Sequence[str], predicted: Sequence[str]) -> pd.DataFrame:
    paths = [f"val/{number}.png" for number in range(len(true))]
    return pd.DataFrame({"path": paths, "true": list(true), "predicted": list(predicted)}, dtype=str)


@pytest.fixture
def guesses() -> tuple[pd.DataFrame, list[str]]:
    """Return 400 guesses over 9 classes, about half of them right; one class has no images, one is never guessed."""
    rng = np.random.default_rng(0)
    classes = [str(number) for number in (2, 10, 35, 4, 5, 6, 7, 8, 9)]
    true = rng.choice(classes[:-1], 400)
    predicted = np.where(rng.random(400) < 0.5, true, rng.choice(classes, 400))
    return table_of(true, np.where(predicted == "8", "7", predicted)), classes


# Intervals


@pytest.mark.parametrize("count", [1, 3, 10, 30, 300])
def test_intervals_are_scipys(count: int) -> None:
    right = np.arange(count + 1)
    low, high = predictions.wilson_interval(right, np.full(count + 1, count))
    for k in right:
        wanted = binomtest(int(k), count).proportion_ci(confidence_level=0.95, method="wilson")
        assert (low[k], high[k]) == pytest.approx((wanted.low, wanted.high), abs=1e-12)


@pytest.mark.parametrize(
    ("right", "count", "low", "high"),
    [(0, 3, 0.0, 0.561), (3, 3, 0.439, 1.0), (266, 300, 0.846, 0.918), (81, 263, 0.255, 0.366)],
)
def test_intervals_are_the_published_ones(right: int, count: int, low: float, high: float) -> None:
    # The last is the example of R. G. Newcombe, "Two-sided confidence intervals for the single proportion" (1998).
    found = predictions.wilson_interval(right, count)
    assert (round(float(found[0]), 3), round(float(found[1]), 3)) == (low, high)


def test_intervals_stay_within_0_and_1_and_touch_them_exactly() -> None:
    low, high = predictions.wilson_interval([0, 7], [7, 7])
    assert (low[0], high[1]) == (0.0, 1.0)


def test_no_images_say_nothing() -> None:
    low, high = predictions.wilson_interval([0], [0])
    assert (low[0], high[0]) == (0.0, 1.0)


def test_a_rate_is_told_with_its_interval_in_words() -> None:
    assert predictions.format_rate(266, 300) == "266 of 300 right, 88.7 % (95 % interval 84.6–91.8 %)"
    assert predictions.format_rate(0, 3) == "0 of 3 right, 0.0 % (95 % interval 0.0–56.1 %)"
    assert predictions.format_rate(3, 3) == "3 of 3 right, 100.0 % (95 % interval 43.9–100.0 %)"
    assert predictions.format_rate(0, 0) == "no images"


# The predictions table


def test_class_names_that_look_like_something_else_stay_text(tmp_path: Path) -> None:
    names = ["007", "NA", "null", "1e5", "True", "", "nan", "7.0", " a ", 'say "ä", b']
    lines = [
        f'{n}.png,"{name.replace(chr(34), chr(34) * 2)}",7,0.5,0.5,0.7,7,0.5,8,0.4\n'
        for n, name in enumerate(names)
    ]
    (tmp_path / "predictions.csv").write_text(HEAD + "".join(lines), encoding="utf-8")
    table = predictions.read_predictions(tmp_path / "predictions.csv")
    assert table["true"].tolist() == names
    assert table["top2"].tolist() == ["8"] * len(names)


def test_figures_of_a_predictions_table_are_numbers(tmp_path: Path) -> None:
    (tmp_path / "predictions.csv").write_text(HEAD + "a.png,2,10,1,0,12.5,10,1,2,0\n")
    table = predictions.read_predictions(tmp_path / "predictions.csv")
    numbers = ["confidence", "true_confidence", "loss", "top1_confidence", "top2_confidence"]
    assert all(table[column].dtype == np.float64 for column in numbers)
    assert table.loc[0, numbers].tolist() == [1.0, 0.0, 12.5, 1.0, 0.0]


def test_a_table_that_is_not_there_yet_is_told_apart(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        predictions.read_predictions(tmp_path / "predictions.csv")


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("", "is not a predictions table"),
        ("path,true\na,b,c,d\n", "lacks the column confidence"),
        ("path,true\na,b\na,b,c\n", "is not a predictions table"),
        (HEAD + "a.png,2,10,high,0,1,10,1,2,0\n", "is not a predictions table .*'high'"),
        (HEAD.replace("loss,", ""), "lacks the column loss"),
    ],
)
def test_a_damaged_table_is_named(tmp_path: Path, content: str, what: str) -> None:
    (tmp_path / "predictions.csv").write_text(content)
    with pytest.raises(RunError, match=what) as caught:
        predictions.read_predictions(tmp_path / "predictions.csv")
    assert str(tmp_path / "predictions.csv") in str(caught.value)


def test_a_table_without_images_gives_figures_without_images(tmp_path: Path) -> None:
    (tmp_path / "predictions.csv").write_text(HEAD)
    table = predictions.read_predictions(tmp_path / "predictions.csv")
    assert predictions.confusion_matrix(table, ["a", "b"]).tolist() == [[0, 0], [0, 0]]
    assert predictions.class_figures(table, ["a", "b"])["support"].tolist() == [0, 0]
    assert predictions.most_confused(table).empty


# The matrix


def test_the_matrix_is_scikit_learns(guesses: tuple[pd.DataFrame, list[str]]) -> None:
    table, classes = guesses
    wanted = confusion_matrix(table["true"], table["predicted"], labels=classes)
    assert np.array_equal(predictions.confusion_matrix(table, classes), wanted)


def test_rows_are_true_classes_and_columns_predicted_ones_in_the_order_given() -> None:
    table = table_of(["2", "2", "10"], ["10", "2", "10"])
    assert predictions.confusion_matrix(table, ["2", "10", "35"]).tolist() == [
        [1, 1, 0],
        [0, 1, 0],
        [0, 0, 0],
    ]
    assert predictions.confusion_matrix(table, ["10", "2"]).tolist() == [[1, 0], [1, 1]]


def test_a_class_that_the_list_lacks_is_refused_by_name() -> None:
    with pytest.raises(RunError, match="not among the classes of the data: '99'"):
        predictions.confusion_matrix(table_of(["2", "10"], ["2", "99"]), ["2", "10"])


def test_a_thousand_classes_are_counted_in_a_moment() -> None:
    rng = np.random.default_rng(0)
    classes = [str(number) for number in range(1000)]
    table = table_of(rng.choice(classes, 50_000), rng.choice(classes, 50_000))
    assert predictions.confusion_matrix(table, classes).sum() == 50_000


# Figures of the classes


def test_the_figures_of_classes_are_scikit_learns(guesses: tuple[pd.DataFrame, list[str]]) -> None:
    table, classes = guesses
    figures = predictions.class_figures(table, classes).set_index("class").loc[classes]
    precision, recall, f1, support = precision_recall_fscore_support(
        table["true"], table["predicted"], labels=classes, zero_division=np.nan
    )
    assert figures["support"].tolist() == support.tolist()
    for column, wanted in (("precision", precision), ("recall", recall), ("f1", f1)):
        np.testing.assert_allclose(figures[column].to_numpy(), wanted, err_msg=column)


def test_what_cannot_be_divided_is_no_number(guesses: tuple[pd.DataFrame, list[str]]) -> None:
    table, classes = guesses
    figures = predictions.class_figures(table, classes).set_index("class")
    assert np.isnan(figures.loc["9", "recall"])
    assert np.isnan(figures.loc["8", "precision"])
    assert figures.loc["8", "f1"] == 0.0


def test_classes_are_ranked_by_what_their_images_prove_not_by_luck() -> None:
    # 0 of 1 proves less than 20 of 60, though its recall is lower.
    true = ["one image"] + ["many images"] * 60 + ["good"] * 60 + ["nothing"] * 4
    predicted = ["good"] + ["many images"] * 20 + ["good"] * 40 + ["good"] * 60 + ["good"] * 4
    figures = predictions.class_figures(
        table_of(true, predicted), ["good", "one image", "many images", "nothing"]
    )
    assert figures["class"].tolist() == ["many images", "nothing", "one image", "good"]


def test_of_classes_equally_weak_the_order_given_decides() -> None:
    figures = predictions.class_figures(table_of(["2", "10", "35"], ["35", "35", "35"]), ["2", "10", "35"])
    assert figures["class"].tolist() == ["2", "10", "35"]


def test_a_class_without_images_comes_last() -> None:
    figures = predictions.class_figures(table_of(["b", "b"], ["b", "b"]), ["a", "b"])
    assert figures["class"].tolist() == ["b", "a"]


def test_each_class_names_the_one_it_is_taken_for_most() -> None:
    table = table_of(["29"] * 4 + ["10"], ["10", "10", "86", "29", "10"])
    figures = predictions.class_figures(table, ["10", "29", "86"]).set_index("class")
    assert figures["confused_with"].to_dict() == {"10": "", "29": "10", "86": ""}
    assert figures.loc["29", ["right", "support"]].tolist() == [1, 4]


# Confused pairs


def test_confused_pairs_are_listed_most_first_with_their_share() -> None:
    true = ["29"] * 4 + ["10"] * 2 + ["86"] * 8
    predicted = ["10", "10", "86", "29", "29", "10", "29", *["86"] * 7]
    pairs = predictions.most_confused(table_of(true, predicted))
    assert pairs.values.tolist() == [
        ["29", "10", 2, 0.5],
        ["10", "29", 1, 0.5],
        ["29", "86", 1, 0.25],
        ["86", "29", 1, 0.125],
    ]


def test_where_all_is_right_no_pair_is_confused() -> None:
    pairs = predictions.most_confused(table_of(["2", "10"], ["2", "10"]))
    assert pairs.empty
    assert list(pairs.columns) == ["true", "predicted", "count", "share"]


def test_pairs_keep_names_that_look_like_missing_values() -> None:
    pairs = predictions.most_confused(table_of(["NA", "007"], ["007", "NA"]))
    assert {*pairs["true"]} == {*pairs["predicted"]} == {"NA", "007"}


# Overfitting


def epochs_of(val_loss: list[float], train_loss: list[float]) -> pd.DataFrame:
    return pd.DataFrame(
        {"epoch": range(1, len(val_loss) + 1), "val_loss": val_loss, "train_loss": train_loss}
    )


def test_overfitting_is_told_with_its_epoch_and_figures() -> None:
    text = predictions.find_overfitting(epochs_of([2.0, 1.0, 1.1, 1.3], [2.0, 1.0, 0.5, 0.2]))
    assert text.startswith("Overfitting since epoch 2: validation loss rose from 1.000 to 1.300 ")
    assert "training loss fell from 1.000 to 0.200" in text


NAN = float("nan")
HEALTHY = {
    "too few epochs": ([1.0, 1.5], [1.0, 0.5]),
    "both fall": ([2.0, 1.5, 1.0, 0.8], [2.0, 1.4, 0.9, 0.6]),
    "risen for one epoch only": ([2.0, 1.5, 1.0, 1.3], [2.0, 1.4, 0.9, 0.6]),
    "risen by a little": ([2.0, 1.0, 1.02, 1.04], [2.0, 1.0, 0.9, 0.8]),
    "both rise": ([2.0, 1.0, 1.5, 2.0], [2.0, 1.0, 1.5, 2.0]),
    "no number at the end": ([2.0, 1.0, 1.5, NAN], [2.0, 1.0, 0.5, 0.3]),
    "no number before": ([2.0, NAN, 1.5, 1.6], [2.0, 1.0, 0.5, 0.3]),
    "no epoch": ([], []),
}


@pytest.mark.parametrize("case", HEALTHY)
def test_no_overfitting_is_claimed_without_reason(case: str) -> None:
    assert predictions.find_overfitting(epochs_of(*HEALTHY[case])) == ""


def test_look_alikes_are_taken_for_each_other_one_way_or_both() -> None:
    true = ["a"] * 3 + ["b"] * 3 + ["c"]
    guessed = ["b", "c", "c", "a", "a", "b", "c"]
    table = pd.DataFrame({"true": true, "predicted": guessed})
    assert predictions.find_lookalikes(table) == [("b", "a"), ("a", "c")]
    assert predictions.find_lookalikes(table[table["true"] == "c"]) == []


# Means with intervals


def balanced(right_of: list[tuple[int, int]]) -> pd.DataFrame:
    """Return a table of classes of which so many of so many images are right."""
    rows = [
        (f"{name}/{i}", str(name), str(name) if i < right else "x", 0.5)
        for name, (right, count) in enumerate(right_of)
        for i in range(count)
    ]
    return pd.DataFrame(rows, columns=["path", "true", "predicted", "loss"])


def test_the_macro_recall_of_classes_alike_in_size_is_the_accuracy_with_its_interval() -> None:
    table = balanced([(3, 3), (2, 3), (0, 3), (3, 3)])
    low, high = predictions.wilson_interval(8, 12)
    assert predictions.macro_recall(table) == pytest.approx((8 / 12, float(low), float(high)))
    low, high = map(float, predictions.wilson_interval(4, 6))
    assert predictions.macro_recall(balanced([(2, 2), (1, 2), (1, 2)])) == pytest.approx((4 / 6, low, high))


def test_the_macro_recall_gives_each_class_the_same_weight_and_is_never_certain() -> None:
    assert predictions.macro_recall(balanced([(90, 90), (0, 10)]))[0] == 0.5
    assert predictions.macro_recall(balanced([(2, 2), (1, 1)]))[1] < 0.5
    assert all(np.isnan(predictions.macro_recall(balanced([]))))


@pytest.mark.parametrize("sizes", [[3] * 100, [40] * 5, [2, 4, 8, 16, 32] * 4])
def test_the_interval_of_the_macro_recall_holds_the_truth_as_often_as_it_says(sizes: list[int]) -> None:
    rng = np.random.default_rng(0)
    recalls = rng.beta(4, 1, len(sizes))
    found = 0
    for _ in range(150):
        drawn = list(zip(rng.binomial(sizes, recalls), sizes, strict=True))
        _, low, high = predictions.macro_recall(balanced(drawn))
        found += low <= recalls.mean() <= high
    assert found >= 0.92 * 150


def test_the_mean_loss_has_the_normal_interval_of_a_mean() -> None:
    table = pd.DataFrame({"loss": [0.0, 1.0, 2.0, 3.0]})
    half = 1.959964 * np.std([0, 1, 2, 3], ddof=1) / 2
    assert predictions.mean_loss(table) == pytest.approx((1.5, 1.5 - half, 1.5 + half), abs=1e-5)
    assert np.isnan(predictions.mean_loss(table.head(1))[1])


@pytest.mark.scale
def test_ten_thousand_classes_and_a_million_images_have_figures_in_seconds() -> None:
    rng = np.random.default_rng(0)
    classes = [f"class-{number:05d}" for number in range(10_000)]
    true = rng.integers(0, 10_000, 1_000_000)
    names = np.array(classes, dtype=object)
    table = pd.DataFrame(
        {"true": names[true], "predicted": names[(true + (rng.random(len(true)) < 0.2)) % 10_000]}
    )
    start = time.perf_counter()
    figures = predictions.class_figures(table, classes)
    assert time.perf_counter() - start < 5
    assert figures["support"].sum() == 1_000_000


def test_guesses_alone_are_read_from_either_kind_of_table(tmp_path: Path) -> None:
    for rows in (3, MANY):
        folder = tmp_path / str(rows)
        folder.mkdir()
        columns = {"path": ["a"] * rows, "true": ["007"] * rows, "predicted": ["8"] * rows}
        write_table(folder / "predictions-val.csv", columns)
        table = predictions.read_guesses(find_table(folder / "predictions-val.csv"))
        assert (list(table), len(table), table["true"].iloc[0]) == (["true", "predicted"], rows, "007")
        write_table(folder / "predictions-val.csv", {"path": ["a"] * rows, "true": ["1"] * rows})
        with pytest.raises(RunError, match="predicted"):
            predictions.read_guesses(find_table(folder / "predictions-val.csv"))


def test_a_table_that_was_cut_after_a_line_is_not_taken_for_whole(runs_root: Path, tiny_data: Path) -> None:
    """What is left of it looks like a table, of which all would be right."""
    run = make_run(runs_root, tiny_data)
    path, count = run.predictions_path(), run.read_status().val_count
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    assert len(lines) == count + 1
    path.write_text("".join(lines[:-2]), encoding="utf-8")
    for read in (read_predictions, read_guesses):
        with pytest.raises(RunError, match=rf"predictions-val\.csv has {count - 2} of the {count} images"):
            read(path)
