"""What is said of an estimate: in words, for other numbers of epochs, under a time limit, and kept for its settings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from core.recipe.config import TrainConfig
from core.recipe.presets import from_preset
from core.trial.forecast import Forecast, Part, key_of, read_forecast, write_forecast
from core.trial.pace import Stopwatch
from core.words import format_bytes, format_rough

FOUND = Forecast(
    (
        Part("checking the images", 30.0, 9.0),
        Part("training", 720.0, 108.0),
        Part("validation", 72.0, 7.2),
        Part("saving", 0.2, 0.1),
        Part("judging the best model", 6.0, 0.6),
    ),
    epochs=12,
    memory=1_900_000_000,
    free=6_000_000_000,
)


def test_it_is_told_in_a_line_with_its_error() -> None:
    assert FOUND.describe() == "About 14 min (±20 %), 1.9 GB of memory."
    assert FOUND.describe_parts() == (
        "training 12 min · validation 70 s · checking the images 30 s · judging the best model 6 s"
    )


def test_other_epochs_take_their_share_and_what_is_done_once_stays() -> None:
    half = FOUND.of_epochs(6)
    assert half.seconds == pytest.approx(36 + 792.2 / 2)
    assert half.epoch == pytest.approx(FOUND.epoch)
    assert half.of_epochs(12).seconds == pytest.approx(FOUND.seconds)


def test_a_time_limit_is_told_as_epochs() -> None:
    assert FOUND.describe_limit(0) == FOUND.describe_limit(14) == ""
    assert FOUND.describe_limit(6) == "The time limit of 6 min ends it after about 4 of 12 epochs."
    assert FOUND.of_epochs(4).seconds < 6 * 60 < FOUND.of_epochs(5).seconds
    assert "too short" in FOUND.describe_limit(1)


def test_memory_that_will_not_do_is_told() -> None:
    assert FOUND.find_shortage() == ""
    short = Forecast(FOUND.parts, 12, 1_900_000_000, 6_000_000_000, gpu_memory=9 * 10**9, gpu_free=8 * 10**9)
    assert short.find_shortage().startswith("It needs 9.0 GB of GPU memory, and 8.0 GB are free. Lower")
    assert "9.0 GB of GPU memory, 1.9 GB of memory" in short.describe()


def test_several_devices_are_told_with_what_was_not_measured_of_them() -> None:
    several = replace(FOUND, gpu_memory=9 * 10**9, devices=4)
    assert "9.0 GB on each GPU" in several.describe()
    assert several.describe_doubt() == (
        "Measured in one process with its share of each batch; what 4 tell each other comes on top."
    )
    assert "what 4 tell" in replace(several, busy=True).describe_doubt()


def test_a_file_gives_it_back_and_what_is_none_gives_nothing(tmp_path: Path) -> None:
    path = tmp_path / "forecast.json"
    write_forecast(path, FOUND)
    assert read_forecast(path) == FOUND
    path.write_text('{"parts": [], "speed": 3}')
    assert read_forecast(path) is None
    assert read_forecast(tmp_path / "none.json") is None


def test_it_is_kept_until_a_setting_changes_that_matters() -> None:
    config = TrainConfig(data="x")
    same = TrainConfig(data="x", lr=0.1, name="other", seed=3, epochs=5, schedule="onecycle", max_minutes=9.0)
    assert key_of(config, (10, 2)) == key_of(same, (10, 2))
    others = [
        TrainConfig(data="x", batch_size=8),
        TrainConfig(data="x", image_size=64, resize_size=64),
        TrainConfig(data="y"),
        from_preset("fast", data="x"),
        TrainConfig(data="x", freeze_epochs=1),
        TrainConfig(data="x", freeze_epochs=1, epochs=5),
    ]
    keys = {key_of(one, (10, 2)) for one in (config, *others)} | {key_of(config, (11, 2))}
    assert len(keys) == len(others) + 2


def test_the_first_pieces_of_work_do_not_count() -> None:
    watch = Stopwatch(0.0)
    for done, now in enumerate((9.0, 10.0, 11.0, 12.0, 13.0, 14.0), start=1):
        assert not watch.has_enough(14.0)
        watch.mark(done, now)
    pace = watch.read()
    assert (pace.seconds, pace.error) == (pytest.approx(1.0), pytest.approx(0.1))
    assert watch.has_enough(14.0)


def test_a_lone_piece_is_all_there_is_and_pieces_that_differ_tell_less() -> None:
    lone = Stopwatch(0.0)
    lone.mark(4, 8.0)
    assert (lone.read().seconds, lone.read().error) == (2.0, 0.35)
    uneven = Stopwatch(0.0)
    for done, now in enumerate((5.0, 6.0, 9.0, 10.0, 13.0, 14.0, 17.0), start=1):
        uneven.mark(done, now)
    assert uneven.read().error > 0.3


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "1 s"), (7.4, "7 s"), (46, "45 s"), (95, "95 s"), (130, "2 min"), (3570, "1 h"), (7900, "2 h 10 min"), (260_000, "3 days")],
)  # fmt: skip
def test_a_rough_duration_has_two_figures_at_most(seconds: float, words: str) -> None:
    assert format_rough(seconds) == words


def test_an_amount_of_memory_is_told_in_its_unit() -> None:
    assert [format_bytes(n) for n in (0, 5, 640e6, 999.6e6, 1.94e9)] == [
        "0 MB",
        "< 1 MB",
        "640 MB",
        "1.0 GB",
        "1.9 GB",
    ]
