"""Which accuracy is the run's, said where another count of the same images is shown, and only there."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.stored.status import Status
from core.verdicts.run_accuracy import ASKED_AGAIN, WRITTEN_AGAIN, tell_apart

STATUS = Status(state="finished", best_epoch=3, best_val_acc=0.75, val_count=8)


@pytest.mark.parametrize(
    ("right", "how", "told"),
    [
        (
            7,
            ASKED_AGAIN.format(precision="fp32"),
            "Here its best model was asked again in fp32, as Predict asks it, and 1 more image is right.",
        ),
        (
            4,
            WRITTEN_AGAIN,
            "Its table of predictions was written again since, and 2 more images are wrong.",
        ),
    ],
)
def test_another_count_says_what_the_run_s_accuracy_is_and_what_it_is_itself(
    right: int, how: str, told: str
) -> None:
    expected = f"The run's accuracy is 75.0 %, as measured when its best model was chosen. {told}"
    assert tell_apart(STATUS, right, 8, how) == expected


@pytest.mark.parametrize(
    ("status", "right", "count"),
    [
        pytest.param(STATUS, 6, 8, id="the same count"),
        pytest.param(STATUS, 7, 20, id="other images"),
        pytest.param(replace(STATUS, state="running"), 7, 8, id="a run at work"),
        pytest.param(Status(state="stopped"), 0, 0, id="no epoch yet"),
    ],
)
def test_nothing_is_said_of_the_same_count_nor_of_other_images(
    status: Status, right: int, count: int
) -> None:
    assert tell_apart(status, right, count, WRITTEN_AGAIN) == ""
