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
    tables = {
        "one": table("1" * 20),
        "two": table("1" * 8 + "0" * 12),
        "three": table("1" * 9 + "0" * 11),
        "lost": "it has none",
    }
    verdicts = comparison.compare_runs(tables)
    assert [(v.first, v.second) for v in verdicts[:3]] == [("one", "two"), ("one", "three"), ("two", "three")]
    tests = [v.test for v in verdicts[:3]]
    assert all(tests)
    assert [v.p_value for v in verdicts[:3]] == paired.correct_holm([t.p_value for t in tests if t])
    assert {v.describe() for v in verdicts[3:]} == {
        f"{name} and lost: not compared. it has none" for name in ("one", "two", "three")
    }
    assert "corrected for 3 pairs" in comparison.describe_tests(verdicts)


def test_other_images_are_a_reason_and_names_are_escaped() -> None:
    (verdict,) = comparison.compare_runs({"o_ne": table("11"), "two": table("111")})
    assert verdict.test is None
    assert verdict.describe(lambda text: text.replace("_", "\\_")).startswith(
        "o\\_ne and two: not compared. They were"
    )


def test_settings_differ_only_where_they_have_an_effect() -> None:
    def config(**values: object) -> TrainConfig:
        return TrainConfig.from_dict({"data": "pictures", **values})

    found = comparison.find_differing({"a": config(name="a", lr=0.1), "b": config(name="b", lr=0.2)})
    assert found == {"lr": {"a": "0.1", "b": "0.2"}}
    found = comparison.find_differing({"a": config(rotation=5.0), "b": config(rotation=9.0, head_only=True)})
    assert found == {"head_only": {"a": "False", "b": "True"}}


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
