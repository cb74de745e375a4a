"""Which images runs are judged on, in words: with what cannot be known of where a model came from."""

from __future__ import annotations

from core.verdicts.judged_on import describe_images


def test_images_held_back_are_called_unbiased_only_where_all_that_came_before_is_known() -> None:
    assert describe_images("held", runs=2).endswith("so the figures are unbiased.")
    doubted = describe_images("held", runs=2, unknown={"second": "the file x.pt"})
    assert "unbiased" not in doubted
    assert "second came from the file x.pt, and what that model had seen is not known" in doubted
    assert doubted.endswith("the figures of second are too high.")


def test_on_validation_it_is_said_too() -> None:
    doubted = describe_images("val", runs=3, unknown={"second": "the run lost"})
    assert doubted.startswith(describe_images("val", runs=3))
    assert "second came from the run lost" in doubted


def test_of_imported_runs_no_best_epoch_is_told() -> None:
    assert describe_images("val", runs=2, imported=2) == "Judged on the images that were imported."
    mixed = describe_images("val", runs=2, imported=1, unknown={"second": "the model behind table.csv"})
    assert "The best epoch of a run that was trained here was chosen on these very images" in mixed
    assert mixed.endswith("if it knew these images, the figures of second are too high.")
