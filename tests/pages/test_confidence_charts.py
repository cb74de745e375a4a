"""The figures about confidence: what they draw, in which units, and what they say on hover."""

from __future__ import annotations

import numpy as np
import pytest

from core.verdicts.reliability import reliability_bins
from core.verdicts.selective import ThresholdEffect, risk_coverage
from dashboard.charts.confidence_charts import confidence_histogram, reliability_diagram, risk_curves

CONFIDENCE = np.array([0.3, 0.55, 0.58, 0.95, 0.97, 0.99])
RIGHT = np.array([False, True, False, True, True, True])
BINS = reliability_bins(CONFIDENCE, RIGHT)


def test_the_diagram_draws_accuracy_by_confidence_with_wilsons_intervals_in_per_cent() -> None:
    figure = reliability_diagram({"before": BINS, "after": BINS})
    assert [trace.name for trace in figure.data] == [
        "perfectly calibrated",
        "before scaling",
        "after scaling",
    ]
    drawn = figure.data[1]
    assert list(drawn.x) == pytest.approx([30, 56.5, 97])
    assert list(drawn.y) == pytest.approx([0, 50, 100])
    assert drawn.error_y.arrayminus[2] == pytest.approx(100 - 43.85, abs=0.01)  # 3 of 3 right
    assert drawn.customdata[1].tolist()[0] == 2
    assert "95 % interval" in drawn.hovertemplate


def test_without_a_temperature_there_is_one_curve() -> None:
    assert [trace.name for trace in reliability_diagram({"before": BINS}).data][1:] == ["validation images"]
    curve = risk_coverage(CONFIDENCE, RIGHT)
    assert [t.name for t in risk_curves({"before": curve}, wanted=0.9, choice=None).data] == [
        "validation images"
    ]


def test_the_histogram_puts_the_wrong_images_on_the_right_ones() -> None:
    figure = confidence_histogram(
        reliability_bins(CONFIDENCE[RIGHT], RIGHT[RIGHT]), reliability_bins(CONFIDENCE[~RIGHT], RIGHT[~RIGHT])
    )
    assert figure.layout.barmode == "stack"
    assert [list(trace.y) for trace in figure.data] == [[1, 3], [1, 1]]


def test_the_curve_is_in_per_cent_and_marks_what_was_chosen_with_its_intervals() -> None:
    curve = risk_coverage(CONFIDENCE, RIGHT)
    figure = risk_curves(
        {"before": curve}, wanted=0.9, choice=ThresholdEffect(0.75, count=6, answered=3, right=3)
    )
    line, mark = figure.data
    assert list(line.x)[:3] == pytest.approx([100 / 6, 200 / 6, 50])
    assert list(line.y)[-1] == pytest.approx(100 / 3)
    assert (mark.x[0], mark.y[0]) == (50, 0)
    assert mark.error_y.array[0] == pytest.approx(100 - 43.85, abs=0.01)
    assert "cross-fitted" in mark.hovertemplate


def test_a_choice_that_answers_nothing_is_not_marked() -> None:
    curve = risk_coverage(CONFIDENCE, RIGHT)
    assert len(risk_curves({"before": curve}, wanted=0.9, choice=ThresholdEffect(1.0, 6, 0, 0)).data) == 1
