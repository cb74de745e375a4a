"""What a data folder holds is counted once and kept until the folder or a setting that matters changes."""

from __future__ import annotations

import inspect
from dataclasses import replace
from pathlib import Path

import pytest

from core.census import count as room
from core.census.count import KEPT, SETTINGS, count_data, count_folder, read_count
from core.census.summary import summarise
from core.cli.kinds import KINDS
from core.recipe.config import TrainConfig


def go_on(*_: int) -> bool:
    return True


@pytest.fixture
def config(tiny_data: Path) -> TrainConfig:
    return TrainConfig(data=str(tiny_data))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    folder = tmp_path / "count"
    folder.mkdir()
    return folder


def test_what_is_counted_is_kept_with_examples_and_read_again(config: TrainConfig, place: Path) -> None:
    found = count_data(config, place, go_on)
    assert read_count(config, place) == (found, True)
    assert str(found) == "3 classes · 18 training, 6 validation and 3 test images"
    assert found is not None
    assert len(found.examples) == 16
    assert found.examples[0] == ("train/2/1.png", "2")


def test_the_task_takes_every_setting_that_the_images_depend_on(config: TrainConfig, place: Path) -> None:
    folds = replace(config, fold="2/3", hold_back=1)
    settings = {name: getattr(folds, name) for name in SETTINGS}
    assert KINDS["count"](place, go_on, data=folds.data, **settings) == f"{summarise(folds)}."
    assert read_count(folds, place) == (summarise(folds), True)


def test_a_file_more_makes_it_untrue_but_not_at_once(
    config: TrainConfig, place: Path, tiny_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = count_data(config, place, go_on)
    (tiny_data / "train/2/more.png").touch()
    assert read_count(config, place) == (found, True)
    monkeypatch.setattr(room, "_YOUNG", 0.0)
    assert read_count(config, place) == (found, False)


def test_other_names_of_the_classes_make_it_untrue_at_once(
    config: TrainConfig, place: Path, tiny_data: Path
) -> None:
    count_data(config, place, go_on)
    (tiny_data / "class_names.csv").write_text("label,name\n2,peony\n", encoding="utf-8")
    assert read_count(config, place)[1] is False


def test_a_folder_that_cannot_be_used_is_kept_as_that(
    config: TrainConfig, place: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty/train").mkdir(parents=True)
    odd = replace(config, data=str(tmp_path / "empty"))
    found = count_data(odd, place, go_on)
    assert found is not None
    assert "at least 2 are needed" in found.problem
    assert read_count(odd, place) == (found, True)


def test_progress_tells_files_of_all_files_and_ends_the_count(
    config: TrainConfig, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "_EVERY", 0.0)
    told: list[tuple[int, int]] = []
    count_data(config, place, lambda *two: told.append(two) or True)
    assert told[0] == (0, 0)
    assert told[1:] == sorted(told[1:])
    assert len(told) > 6
    assert told[-1][0] <= told[-1][1]
    (place / KEPT).unlink()
    assert count_data(config, place, lambda done, _: done < 10) is None
    assert read_count(config, place) == (None, False)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"version": 1}', '{"version": 0, "summary": {}, "stamps": {}, "files": {}}']
)
def test_a_kept_count_that_is_damaged_is_none(config: TrainConfig, place: Path, text: str) -> None:
    (place / KEPT).write_text(text)
    assert read_count(config, place) == (None, False)


def test_settings_that_choose_other_images_are_counted_apart(config: TrainConfig, tmp_path: Path) -> None:
    same = count_folder(replace(config, epochs=99, seed=3), tmp_path)
    assert same == count_folder(config, tmp_path)
    for changes in (
        {"val_fraction": 0.4},
        {"hold_back": 2},
        {"bad_images": "skip"},
        {"group_by": "none"},
        {"fixes": "x.csv"},
    ):
        assert count_folder(replace(config, **changes), tmp_path) != same


def test_a_count_says_what_a_scan_does(config: TrainConfig, tiny_data: Path) -> None:
    (tiny_data / "train/astray.png").touch()
    assert str(summarise(config)).endswith("and 3 test images · 1 not taken, as a scan on Data tells")


def test_the_task_takes_every_setting_that_a_page_hands_it(config: TrainConfig, place: Path) -> None:
    settings = {name: getattr(config, name) for name in ("data", *SETTINGS)}
    inspect.signature(KINDS["count"]).bind(place, go_on, **settings)
    assert KINDS["count"](place, go_on, **settings) == f"{read_count(config, place)[0]}."
