"""Runs beside each other: pairs are tested and corrected, what cannot be compared says why."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from core.recipe.config import TrainConfig
from core.verdicts import comparison, paired


def table(right: str) -> pd.DataFrame:
    """Return predictions of images of class a, one a letter: 1 for right."""
    return pd.DataFrame(
        {
            "path": [f"{number}.png" for number in range(len(right))],
            "true": "a",
            "predicted": ["a" if letter == "1" else "b" for letter in right],
            "loss": 1.0,
        }
    )


def test_every_pair_is_tested_and_corrected_and_the_rest_says_why() -> None:
    groups = {
        "one": [table("1" * 20)],
        "two": [table("1" * 8 + "0" * 12)],
        "three": [table("1" * 9 + "0" * 11)],
        "lost": "it has none",
    }
    verdicts, how = comparison.compare_groups(groups)
    p_values = [
        paired.compare_paired(groups[a][0], groups[b][0]).p_value  # type: ignore[arg-type]
        for a, b in (("one", "two"), ("one", "three"), ("two", "three"))
    ]
    for verdict, p_value in zip(verdicts, paired.correct_holm(p_values), strict=False):
        assert f"p = {p_value:.2g}" in verdict
    assert verdicts[3:] == ["lost: not compared. it has none"]
    assert "p is corrected for all 3 pairs" in how


def test_other_images_are_a_reason_and_names_are_escaped() -> None:
    (verdict,), how = comparison.compare_groups(
        {"o_ne": [table("11")], "two": [table("111")]}, lambda text: text.replace("_", "\\_")
    )
    assert verdict.startswith("two: not compared with o\\_ne. They were")
    assert how == ""


def test_of_many_groups_those_of_the_same_images_are_compared_whoever_is_best() -> None:
    groups: dict[str, list[pd.DataFrame] | str] = {
        f"glyphs {right}": [table("1" * right + "0" * (20 - right))] for right in range(10, 17)
    }
    digits = table("1" * 20)
    digits["path"] = "digits/" + digits["path"]
    verdicts, how = comparison.compare_groups({"digits": [digits], **groups})
    assert len(verdicts) == 7
    assert all("and glyphs 16:" in verdict for verdict in verdicts[:6])
    assert verdicts[6].startswith("digits: not compared with glyphs 10, glyphs 11, ")
    assert "They were validated on different images (20 and 20, with 0 in common)." in verdicts[6]
    assert "corrected for all 21 pairs" in how


def test_groups_of_two_sets_of_images_are_compared_within_each() -> None:
    groups = {name: [table(right)] for name, right in (("a", "10"), ("b", "11"), ("c", "101"), ("d", "111"))}
    verdicts, how = comparison.compare_groups(groups)
    assert "between a and b" in verdicts[0]
    assert "between c and d" in verdicts[1]
    assert verdicts[2].startswith("c, d: not compared with a, b. They were")
    assert "corrected for all 2 pairs" in how


def test_a_group_by_itself_says_what_there_is_to_say() -> None:
    seeds = [table("10"), table("11")]
    assert comparison.compare_groups({"one": seeds})[0][0].startswith("These runs differ in their seed alone")
    (verdict,), _ = comparison.compare_groups({"one": [*seeds, table("111")]})
    assert verdict.startswith("one: not compared. They were validated on different images")


def config(**values: object) -> TrainConfig:
    return TrainConfig.from_dict({"data": "pictures", **values})


def test_runs_that_differ_in_the_seed_alone_are_one_group() -> None:
    runs = {"a": config(), "b": config(seed=1, name="b"), "c": config(lr=0.1)}
    found, notes = comparison.group_seeds(runs, finished=runs)
    assert list(found.values()) == [["a", "b"], ["c"]]
    assert list(found)[1] == "c"
    assert next(iter(found)).endswith(", 2 seeds")
    assert notes == []


def test_a_repeat_of_a_seed_and_an_unfinished_run_are_no_seeds_of_a_group() -> None:
    runs = {
        "a": config(),
        "again": config(),
        "early": config(seed=2),
        "b": config(seed=1),
        "alone": config(lr=0.1),
    }
    found, notes = comparison.group_seeds(runs, finished={"a", "again", "b"})
    assert list(found.values()) == [["a", "b"], ["alone"]]
    assert notes == [
        "again repeats the seed of a, so it is left out.",
        "early has not finished, so it is left out.",
        "alone has not finished: once trained to its end, it may come out differently.",
    ]


def test_copies_are_not_tested_as_seeds_against_copies() -> None:
    runs = {f"{lr}-{copy}": config(lr=lr) for lr in (0.1, 0.2) for copy in range(4)}
    members, notes = comparison.group_seeds(runs, finished=runs)
    assert members == {"0.1-0": ["0.1-0"], "0.2-0": ["0.2-0"]}
    assert len(notes) == 6
    tables = {name: [table("110" if name < "0.2" else "100")] for name in members}
    _, how = comparison.compare_groups(tables)
    assert "over the seeds" not in how


def test_where_none_has_finished_each_run_stands_by_itself() -> None:
    runs = {"a": config(), "b": config(seed=1)}
    found, _ = comparison.group_seeds(runs, finished=())
    assert found == {"a": ["a"], "b": ["b"]}


def test_a_run_and_its_repeat_leave_nothing_to_test() -> None:
    runs = {"a": config(), "again": config()}
    members, _ = comparison.group_seeds(runs, finished=runs)
    (verdict,), how = comparison.compare_groups({name: [table("10")] for name in members})
    assert verdict == "There is nothing to test: only one model is left."
    assert how == ""


@pytest.mark.parametrize("focus", [(), ("à",), ("a\u0300",)])
def test_a_specialised_run_is_tested_on_its_classes_and_the_others(
    focus: tuple[str, ...], tmp_path: Path
) -> None:
    before, after = table("0000"), table("1100")
    for one in (before, after):
        one.loc[3, "true"] = "c"
        one[["true", "predicted"]] = one[["true", "predicted"]].replace("a", "à")
    tests = comparison.compare_focus(TrainConfig(data=str(tmp_path), focus=focus), before, after)
    if not focus:
        assert tests is None
    else:
        assert tests is not None
        assert [(t.images, t.first_only, t.second_only) for t in tests] == [(3, 0, 2), (1, 0, 0)]
