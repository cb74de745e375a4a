"""Areas drawn on a map: packed into the address and back, and which points lie inside."""

from __future__ import annotations

import numpy as np
import pytest

from dashboard.state.area import find_inside, outline_area, pack_area, unpack_area

SQUARE = ([0.25, 0.75, 0.75, 0.25], [0.25, 0.25, 0.75, 0.75])


def test_an_area_comes_back_from_the_address_to_a_few_thousandths() -> None:
    packed = pack_area(*SQUARE)
    assert len(packed) == 16
    corners = unpack_area(packed)
    assert corners is not None
    assert corners == pytest.approx(np.column_stack(SQUARE), abs=2e-4)


def test_corners_outside_the_map_are_kept_at_its_margin() -> None:
    corners = unpack_area(pack_area([-5, 5, 0.5], [-5, 0.5, 5]))
    assert corners is not None
    assert corners.min() == pytest.approx(-0.1)
    assert corners.max() == pytest.approx(1.1)


def test_of_a_long_lasso_some_corners_are_left_out() -> None:
    angles = np.linspace(0, 2 * np.pi, 1000)
    x, y = 0.5 + 0.3 * np.cos(angles), 0.5 + 0.3 * np.sin(angles)
    packed = pack_area(x.tolist(), y.tolist())
    assert len(packed) == 600
    corners = unpack_area(packed)
    assert corners is not None
    random = np.random.default_rng(0)
    places = random.random((2000, 2))
    clear = abs(np.linalg.norm(places - 0.5, axis=1) - 0.3) > 0.005
    inside = np.linalg.norm(places - 0.5, axis=1) < 0.3
    assert (find_inside(corners, places)[clear] == inside[clear]).all()


@pytest.mark.parametrize("text", ["", "AAAA", "AAAABBBB", "AAAABBBBCCC", "AAAABBBBCC<>", "A" * 604])
def test_nonsense_in_the_address_is_no_area(text: str) -> None:
    assert unpack_area(text) is None


@pytest.mark.parametrize("corners", [([], []), ([0.1], [0.1]), ([0.1, 0.2], [0.1, 0.2])])
def test_two_points_are_no_area(corners: tuple[list[float], list[float]]) -> None:
    assert pack_area(*corners) == ""


def test_an_area_is_drawn_as_a_closed_line() -> None:
    corners = unpack_area(pack_area(*SQUARE))
    assert corners is not None
    path = outline_area(corners)["path"]
    assert path.startswith("M 0.2499,0.2499 L")
    assert path.count("L") == 3
    assert path.endswith("Z")
