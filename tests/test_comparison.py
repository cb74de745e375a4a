"""Runs beside each other: pairs are tested and corrected, what cannot be compared says why."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from core import comparison, paired
from core.config import TrainConfig


def table(right: str) -> pd.DataFrame:
    """Return predictions of images of class a, one a letter: 1 for right."""
    return pd.DataFrame(
        {
            "path": [f"{number}.png" for number in range(len(right))],
            "true": "a",
            "predicted": ["a" if letter == "1" else "b" for letter in right],
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
    assert verdicts[3:] == [f"{name} and lost: not compared. it has none" for name in ("one", "two", "three")]
    assert "p is corrected for all 3 pairs" in how


def test_other_images_are_a_reason_and_names_are_escaped() -> None:
    (verdict,), how = comparison.compare_groups(
        {"o_ne": [table("11")], "two": [table("111")]}, lambda text: text.replace("_", "\\_")
    )
    assert verdict.startswith("o\\_ne and two: not compared. They were")
    assert how == ""


def test_runs_that_differ_in_the_seed_alone_are_one_group() -> None:
    def config(**values: object) -> TrainConfig:
        return TrainConfig.from_dict({"data": "pictures", **values})

    found = comparison.group_seeds({"a": config(), "b": config(seed=1, name="b"), "c": config(lr=0.1)})
    assert list(found.values()) == [["a", "b"], ["c"]]
    assert list(found)[1] == "c"
    assert next(iter(found)).endswith(", 2 seeds")


@pytest.mark.parametrize("focus", ["", "a"])
def test_a_specialised_run_is_tested_on_its_classes_and_the_others(focus: str, tmp_path: Path) -> None:
    before, after = table("0000"), table("1100")
    before.loc[3, "true"] = after.loc[3, "true"] = "c"
    tests = comparison.compare_focus(TrainConfig(data=str(tmp_path), focus=focus), before, after)
    if not focus:
        assert tests is None
    else:
        assert tests is not None
        assert [(t.images, t.first_only, t.second_only) for t in tests] == [(3, 0, 2), (1, 0, 0)]
