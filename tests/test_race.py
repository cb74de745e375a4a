"""The race: what all entrants are given, what is judged, and a page that hides nothing."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch
from torch import nn

from benchmarks.peers import course as courses
from benchmarks.peers import plain
from benchmarks.peers.course import (
    Course,
    Finish,
    Image,
    link_images,
    read_course,
    write_course,
    write_finish,
)
from benchmarks.race import find_minutes, hide_places, lay_course, read_table, run_entrant, run_process
from benchmarks.race_table import Entrant, compare_all, describe_race
from core import torchvision_ops  # noqa: F401  torchvision must find its ops declared first
from core.errors import RunError
from core.verdicts.paired import mcnemar_p

# isort: split
from torchvision.transforms import ToTensor

TRUE = ["a"] * 20 + ["b"] * 20


def entrant(name: str, wrong: range, *, seconds: float = 60.0) -> Entrant:
    """Return one that is wrong on some of 40 images, of which the last 10 were held back."""
    table = pd.DataFrame(
        {
            "path": [f"{number}.jpg" for number in range(40)],
            "true": TRUE,
            "predicted": ["c" if number in wrong else label for number, label in enumerate(TRUE)],
            "split": ["val"] * 30 + ["held"] * 10,
        }
    )
    return Entrant(name, "3 epochs", table, seconds, seconds + 5, 0.5, {"torch": "2.0"})


def rows_of(page: str) -> dict[str, list[str]]:
    lines = [line for line in page.splitlines() if line.startswith("| ")][1:]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return {row[0]: row for row in cells}


def page_of(*entrants: Entrant, presets: tuple[str, ...] = ("fast", "quick")) -> str:
    return describe_race(entrants, presets, title="The race", setting="on this")


@pytest.fixture
def course(tiny_data: Path) -> Course:
    """Return the course on the tiny data, with two images of each class held back."""
    options = argparse.Namespace(
        data=tiny_data, weights=Path("w.safetensors"), arch="tf_efficientnet_lite0", epochs=1, minutes=0.5, hold_back=2, timed_epochs=0
    )  # fmt: skip
    return lay_course(options)


def test_a_row_counts_the_right_images_of_each_kind_and_the_time_against_ours() -> None:
    rows = rows_of(page_of(entrant("plain", range(20, 36), seconds=150), entrant("fast", range(4))))
    assert rows["plain"][1:7] == [
        "24 of 40: 60.0 % (44.6–73.7 %)",
        "20 of 30: 66.7 % (48.8–80.8 %)",
        "4 of 10: 40.0 % (16.8–68.7 %)",
        "150 s",
        "155 s",
        "2.50 ×",
    ]
    assert rows["fast"][6] == "1.00 ×"
    assert rows["fast"][7] == "", "nobody is compared with itself"


def test_the_difference_is_ours_less_the_other_with_the_p_corrected_for_all_pairs() -> None:
    entrants = [entrant("plain", range(20, 36)), entrant("fast", range(4)), entrant("quick", range(4, 8))]
    pairs = compare_all({e.name: e for e in entrants}, ["fast", "quick"])
    assert [(pair.ours, pair.other) for pair in pairs] == [
        ("fast", "plain"),
        ("fast", "quick"),
        ("quick", "plain"),
    ]
    first = pairs[0]
    assert (first.test.first_only, first.test.second_only) == (4, 16)
    assert first.p_value == pytest.approx(3 * mcnemar_p(4, 16))
    assert rows_of(page_of(*entrants))["plain"][7].startswith("+30.0 (")


def test_a_peer_that_is_better_than_ours_is_said_to_be() -> None:
    page = page_of(entrant("fastai", range(0)), entrant("fast", range(12)), presets=("fast",))
    assert "**fastai** is better than fast" in page
    assert rows_of(page)["fastai"][7].startswith("-30.0 (")


def test_where_fast_failed_all_are_measured_by_quick_and_its_failure_is_a_row() -> None:
    failed = Entrant("fast", "RuntimeError: no | memory\nleft (exit code 1)", whole=7.0)
    page = page_of(failed, entrant("quick", range(4)), entrant("plain", range(8)))
    assert "time, quick = 1" in page
    assert "| fast | failed: RuntimeError: no \\| memory left (exit code 1) |" in page
    assert rows_of(page)["plain"][6] == "1.00 ×"


def test_versions_and_the_load_of_the_machine_are_told_of_each() -> None:
    page = page_of(entrant("fast", range(3)), Entrant("fastai", "no environment"))
    assert "- **fast**: 3 epochs (torch 2.0, load when it began 0.5)" in page
    assert page.endswith("- **fastai**: no environment\n")


def test_every_entrant_has_the_same_threads_and_no_hub(tmp_path: Path) -> None:
    names = ["OMP_NUM_THREADS", "OMP_WAIT_POLICY", "CUDA_VISIBLE_DEVICES", "HF_HUB_OFFLINE"]
    asks = [sys.executable, "-c", f"import os; print([os.environ[name] for name in {names}])"]
    assert run_process(asks, tmp_path / "log.txt", threads=3, limit=60) == ""
    assert (tmp_path / "log.txt").read_text() == "['3', 'passive', '', '1']\n"


def test_without_any_of_ours_there_is_a_table_and_no_verdict() -> None:
    page = page_of(entrant("plain", range(3)))
    assert "## Is ours better?" not in page
    assert rows_of(page)["plain"][6:] == ["", ""]


def test_entrants_judged_on_different_images_are_not_compared() -> None:
    other = entrant("plain", range(3))
    assert other.table is not None
    other = replace(other, table=other.table.drop(index=0))
    with pytest.raises(RunError, match="different images"):
        page_of(entrant("fast", range(3)), other)


def test_the_course_holds_back_the_products_own_images_and_comes_back_from_its_files(
    course: Course, tmp_path: Path
) -> None:
    assert [len(course.of_split(split)) for split in courses.SPLITS] == [12, 6, 6]
    assert {image.split for image in course.judged} == {"val", "held"}
    write_course(course, tmp_path)
    assert read_course(tmp_path) == course


def test_nothing_held_back_is_linked_for_training(course: Course, tmp_path: Path) -> None:
    folder = link_images(course, "train", tmp_path / "links")
    linked = {path.resolve() for path in folder.glob("*/*")}
    assert linked == {(course.data / image.path).resolve() for image in course.of_split("train")}
    assert sorted(path.name for path in folder.iterdir()) == course.classes


def test_what_an_entrant_hands_back_is_read_with_the_split_of_each_image(
    course: Course, tmp_path: Path
) -> None:
    labels = [image.label for image in course.judged]
    write_finish("plain", course, Finish(labels, 3.0, "1 epoch"), tmp_path)
    table = read_table(tmp_path / "predictions-plain.csv", course)
    assert (table["true"] == table["predicted"]).all()
    assert table["split"].value_counts().to_dict() == {"val": 6, "held": 6}
    assert json.loads((tmp_path / "result-plain.json").read_text())["seconds"] == 3.0


def test_an_entrant_that_says_too_few_labels_is_refused(course: Course, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="shorter"):
        write_finish("plain", course, Finish(["2"], 3.0, ""), tmp_path)


class Colours(nn.Module):
    """Answers with the strongest colour, in the order in which the labels stand as text: 10 green, 2 red, 35 blue."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.mean(dim=(2, 3))[:, [1, 0, 2]]


def test_the_plain_loops_outputs_are_named_in_the_order_of_its_folders(course: Course) -> None:
    assert plain.predict(Colours(), course, ToTensor()) == [image.label for image in course.judged]


def test_a_process_that_fails_is_told_by_its_last_line_and_one_that_hangs_is_ended(tmp_path: Path) -> None:
    fails = [sys.executable, "-c", "print('begun'); raise SystemExit('no such network')"]
    assert run_process(fails, tmp_path / "log.txt", threads=1, limit=60) == "no such network (exit code 1)"
    killed = [sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"]
    assert run_process(killed, tmp_path / "log.txt", threads=1, limit=60).startswith("was ended by signal 9")
    hangs = [sys.executable, "-c", "import time; time.sleep(600)"]
    assert "was ended" in run_process(hangs, tmp_path / "log.txt", threads=1, limit=0.2)
    assert run_process([sys.executable, "-c", ""], tmp_path / "log.txt", threads=1, limit=None) == ""


def test_an_entrant_whose_process_fails_is_a_row_without_the_places_of_this_machine(
    course: Course, tmp_path: Path
) -> None:
    write_course(course, tmp_path)
    # The weights are not there, so the real loop says so and ends.
    told = run_entrant("plain", tmp_path, environments=tmp_path, threads=1)
    assert told.table is None
    assert "w.safetensors" in told.how
    weights = Image("x", "y", "val").path
    assert hide_places(f"{course.data}/{weights}", course, tmp_path) == f"tiny/{weights}"


def test_peers_get_the_minutes_of_the_first_preset_that_finished() -> None:
    done = [entrant("plain", range(3), seconds=600), entrant("quick", range(3), seconds=30)]
    assert find_minutes(done, ["fast", "quick"]) == 0.5
    assert find_minutes([*done, entrant("fast", range(3), seconds=300)], ["fast", "quick"]) == 5.0
    assert find_minutes(done[:1], ["fast", "quick"]) == 0.0


def test_a_peer_without_minutes_does_not_start(course: Course, tmp_path: Path) -> None:
    write_course(replace(course, minutes=0.0), tmp_path)
    told = run_entrant("fastai", tmp_path, environments=tmp_path / "none", threads=1)
    assert "no minutes" in told.how
    assert not (tmp_path / "none").exists()
