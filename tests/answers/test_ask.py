"""Many images asked about: in their order, whatever is damaged among them, and no further once it is to stop."""

from __future__ import annotations

import io
import threading
from pathlib import Path

import pytest
from PIL import Image

from core.answers.ask import ask_images, read_ahead
from core.answers.sources import find_images
from core.dataset.images import read_image
from core.model.predict import Predictor


def test_images_are_answered_in_their_order_as_they_are_alone(tiny_data: Path, predictor: Predictor) -> None:
    paths = find_images([tiny_data / "train"])
    asked = ask_images(predictor, paths, batch_size=4)
    assert asked is not None
    alone = [predictor.predict([read_image(path)])[0] for path in paths]
    assert [one.classes for one in asked.answers if one] == [one.classes for one in alone]
    for one, other in zip(asked.answers, alone, strict=True):
        assert one is not None
        assert one.confidences == pytest.approx(other.confidences, abs=1e-6)


def test_what_cannot_be_read_leaves_its_place_and_says_why(predictor: Predictor) -> None:
    good = io.BytesIO()
    Image.new("RGB", (40, 40), "blue").save(good, "PNG")
    asked = ask_images(predictor, [io.BytesIO(b""), good, io.BytesIO(b"no image")], batch_size=2)
    assert asked is not None
    assert [one.classes[0] if one else "" for one in asked.answers] == ["", "35", ""]
    assert [problem.split(" (")[0] for problem in asked.problems] == [
        "is empty",
        "",
        "is not an image of a supported kind",
    ]


def test_nothing_is_asked_of_no_images(predictor: Predictor) -> None:
    asked = ask_images(predictor, [])
    assert asked is not None
    assert asked.answers == ()


def test_a_stop_ends_the_reading_too(tiny_data: Path, predictor: Predictor) -> None:
    paths = find_images([tiny_data / "train"]) * 20
    read: list[int] = []
    before = threading.active_count()
    stopped = ask_images(
        predictor,
        paths,
        batch_size=2,
        on_image=lambda number, *_: read.append(number),
        progress=lambda *_: False,
    )
    assert stopped is None
    assert threading.active_count() == before
    assert len(read) <= 8


def test_reading_runs_ahead_of_the_one_who_takes_but_not_far() -> None:
    read: list[int] = []

    def note(number: int) -> int:
        read.append(number)
        return number

    taken: list[int] = []
    for batch in read_ahead(note, range(100), 5):
        taken += batch
        assert len(read) <= len(taken) + 15
    assert taken == list(range(100))
