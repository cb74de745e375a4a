"""Faithfulness: hiding what a true map marks takes the confidence, hiding what a false one marks does not."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from core.model.faithfulness import DRAWS, Faithfulness, measure_faithfulness
from core.training.engine import Compute

CPU = Compute(torch.device("cpu"), bf16=False, channels_last=True)
SIDE = 40


class Corner(nn.Module):
    """A network that says class 1 for a bright upper left corner, and looks at nothing else."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        bright = images[:, :, :12, :12].mean(dim=(1, 2, 3))
        return torch.stack([torch.zeros_like(bright), 6 * bright - 3], dim=1)


@pytest.fixture
def image() -> torch.Tensor:
    image = torch.zeros(1, 3, SIDE, SIDE)
    image[..., :12, :12] = 1
    return image


def heat_at(row: int, column: int, side: int = 12) -> np.ndarray:
    heat = np.zeros((SIDE, SIDE), dtype=np.float32)
    heat[row : row + side, column : column + side] = 1
    return heat


def measure(image: torch.Tensor, heat: np.ndarray, target: int = 1) -> Faithfulness:
    found = measure_faithfulness(Corner().eval(), image, heat, target, CPU)
    assert found is not None
    return found


def test_a_map_of_what_the_network_looks_at_is_faithful(image: torch.Tensor) -> None:
    found = measure(image, heat_at(0, 0))
    assert found.whole == pytest.approx(0.95, abs=0.01)
    assert found.hidden < 0.5 < found.random
    assert len(found.elsewhere) == DRAWS
    assert found.share == pytest.approx(144 / 1600)
    assert "the map marks what this confidence rests on" in found.describe()


def test_a_map_of_something_else_is_not(image: torch.Tensor) -> None:
    found = measure(image, heat_at(25, 25))
    assert found.hidden == pytest.approx(found.whole, abs=0.05)
    assert "does not lower the confidence at all" in found.describe()


def test_at_most_a_fifth_of_the_pixels_is_hidden_the_most_marked_first(image: torch.Tensor) -> None:
    heat = np.full((SIDE, SIDE), 0.5, dtype=np.float32)
    heat[:12, :12] = 1
    found = measure(image, heat)
    assert found.share == pytest.approx(0.2)
    assert found.hidden < 0.5


def test_a_confidence_that_cannot_fall_judges_no_map(image: torch.Tensor) -> None:
    assert "cannot test" in Faithfulness(0.2, 0.01, 0.0, (0.01, 0.01)).describe()


def test_a_map_that_is_only_right_on_average_is_called_partly_right() -> None:
    assert "partly right" in Faithfulness(0.2, 0.9, 0.4, (0.9, 0.3, 0.9)).describe()


def test_a_map_that_marks_nothing_has_no_figure(image: torch.Tensor) -> None:
    blank = np.zeros((SIDE, SIDE), dtype=np.float32)
    assert measure_faithfulness(Corner().eval(), image, blank, 1, CPU) is None


def test_the_figure_is_the_same_whenever_it_is_asked(image: torch.Tensor) -> None:
    assert measure(image, heat_at(0, 0)) == measure(image, heat_at(0, 0))
