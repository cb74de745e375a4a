"""What several devices get of a step, and how a learning rate grows with the batch."""

from __future__ import annotations

import pytest

from core.recipe.shares import describe_share, scale_rate


@pytest.mark.parametrize(("optimizer", "rate"), [("sgd", 0.08), ("adamw", 0.04), ("ranger", 0.04)])
def test_a_rate_grows_with_the_batch_and_with_its_root_where_gradients_are_divided_by_their_size(
    optimizer: str, rate: float
) -> None:
    assert scale_rate(0.02, optimizer, 4) == rate


def test_each_share_is_told_with_the_rate_that_stays_and_the_one_for_a_larger_batch() -> None:
    assert describe_share(2, 32, 0.02, "sgd") == (
        "Each gets 16 of the 32 images of a step, so the learning rate stays at 0.02. "
        "For 32 on each, set the batch size to 64 and the learning rate to 0.04: it grows with the batch."
    )
    assert describe_share(3, 32, 0.02, "adamw").startswith("Each gets 10 or 11 of the 32 images")
    assert describe_share(3, 32, 0.02, "adamw").endswith(
        "0.0346: it grows with the square root of the batch."
    )
    assert "set the batch size" not in describe_share(64, 1024, 0.02, "sgd")
