"""The line of waiting runs: its order, what its user changes in it, slots, and when a run will begin."""

from __future__ import annotations

import json
import os
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from core.errors import RunError
from core.queue import order
from core.queue.forecast import forecast_starts
from core.queue.order import move, read_line, read_place, set_held, set_priority
from core.queue.slots import (
    Slots,
    describe_slot_environment,
    find_gpus,
    find_lacks,
    read_slots,
    write_slots,
)
from core.queue.turn import keep_to_slot, wait_for_turn
from core.recipe.config import TrainConfig
from core.runs.run import Run, list_runs
from tests.made_job import make_job


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")


@pytest.fixture
def line(runs_root: Path) -> list[Run]:
    """Return four runs that wait, named in the order in which they were made."""
    return [make_job(runs_root, name, psutil.Process()) for name in ("a", "b", "c", "d")]


def names(root: Path) -> str:
    return "".join(one.run.id for one in read_line(root).waiting)


def may_start(run: Run) -> bool:
    """Tell whether a run gets its turn at its first look."""
    looks = iter(range(1))
    return wait_for_turn(run, should_stop=lambda: next(looks, None) is None, poll=0.01)


def test_runs_wait_in_the_order_in_which_they_were_made(runs_root: Path, line: list[Run]) -> None:
    assert names(runs_root) == "abcd"


@pytest.mark.parametrize(
    ("who", "to", "then"),
    [(3, "first", "dabc"), (2, "up", "acbd"), (0, "up", "abcd"), (0, "down", "bacd"), (3, "down", "abcd")],
)
def test_a_run_is_moved_in_the_line(runs_root: Path, line: list[Run], who: int, to: str, then: str) -> None:
    move(line[who], to)
    assert names(runs_root) == then
    make_job(runs_root, "e", psutil.Process())
    assert names(runs_root) == f"{then}e"  # who comes later is behind all


def test_a_higher_priority_goes_first_and_a_run_moved_past_it_takes_it_over(
    runs_root: Path, line: list[Run]
) -> None:
    set_priority(line[2], "high")
    set_priority(line[0], "low")
    assert names(runs_root) == "cbda"
    move(line[0], "first")
    assert names(runs_root) == "acbd"
    assert read_place(line[0]).priority == 1


def test_any_moves_leave_the_order_that_a_list_would_have(
    runs_root: Path, line: list[Run], chance: random.Random
) -> None:
    expected = list("abcd")
    for _ in range(60):
        name, to = chance.choice("abcd"), chance.choice(("first", "up", "down"))
        at = expected.index(name)
        expected.insert({"first": 0, "up": max(at - 1, 0), "down": at + 1}[to], expected.pop(at))
        move(Run(runs_root / name), to)
        assert names(runs_root) == "".join(expected)


def test_a_held_run_lets_the_others_go_first_and_keeps_its_place(runs_root: Path, line: list[Run]) -> None:
    set_held(line[0], True)
    assert not may_start(line[0])
    assert may_start(line[1])
    line[1].write_status(replace(line[1].read_status(), state="finished"))
    line[0].write_status(replace(line[0].read_status(), state="queued"))
    set_held(line[0], False)
    assert names(runs_root) == "acd"


def test_a_run_that_does_not_wait_cannot_be_moved(runs_root: Path, line: list[Run]) -> None:
    line[0].write_status(replace(line[0].read_status(), state="finished"))
    for act in (lambda: move(line[0], "up"), lambda: set_held(line[0], True)):
        with pytest.raises(RunError, match="a is not waiting for its turn: it is finished"):
            act()


@pytest.mark.parametrize(
    "text", ["", "[]", '{"since": "x"}', '{"since": NaN}', '{"priority": 7}', '{"more": 1}']
)
def test_a_place_that_cannot_be_read_is_the_usual_one(runs_root: Path, line: list[Run], text: str) -> None:
    (line[3].folder / order.PLACE).write_text(text, encoding="utf-8")
    assert names(runs_root) == "abcd"


def test_as_many_runs_train_as_there_are_slots(runs_root: Path, line: list[Run]) -> None:
    write_slots(runs_root, 2)
    assert [may_start(run) for run in line[:2]] == [True, True]
    assert {run.read_status().slot for run in line[:2]} == {"CPU 1", "CPU 2"}
    line[2].write_status(replace(line[2].read_status(), state="queued"))
    assert not may_start(line[2])
    line[0].write_status(replace(line[0].read_status(), state="failed"))
    line[2].write_status(replace(line[2].read_status(), state="queued"))
    assert may_start(line[2])
    assert line[2].read_status().slot == "CPU 1"


def test_of_fewer_slots_than_runs_that_train_none_is_free_until_enough_have_ended(
    runs_root: Path, line: list[Run]
) -> None:
    write_slots(runs_root, 3)
    assert [may_start(run) for run in line[:3]] == [True] * 3
    write_slots(runs_root, 1)
    started = []
    for run in line[:3]:
        run.write_status(replace(run.read_status(), state="finished"))
        started.append(may_start(line[3]))
        if not started[-1]:
            line[3].write_status(replace(line[3].read_status(), state="queued"))
    assert started == [False, False, True]
    assert line[3].read_status().slot == "CPU 1"


def test_a_later_run_does_not_overtake_one_that_is_before_it(runs_root: Path, line: list[Run]) -> None:
    assert not may_start(line[1])
    line[1].write_status(replace(line[1].read_status(), state="queued"))
    write_slots(runs_root, 2)
    assert may_start(line[1])  # the second slot is its own
    line[2].write_status(replace(line[2].read_status(), state="queued"))
    assert not may_start(line[2])


def test_a_run_takes_a_gpu_each_and_one_for_the_cpu_does_not_wait_for_them(
    runs_root: Path, line: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,GPU-abc")
    for run, device in zip(line, ("auto", "auto", "auto", "cpu"), strict=True):
        run.write_config(replace(run.read_config(), device=device))
    assert [may_start(run) for run in (line[0], line[1])] == [True, True]
    assert {run.read_status().slot for run in line[:2]} == {"GPU 2", "GPU GPU-abc"}
    assert not may_start(line[2])
    assert may_start(line[3])
    assert line[3].read_status().slot == "CPU 1"
    keep_to_slot(line[1])
    assert os.environ["CUDA_VISIBLE_DEVICES"] in ("2", "GPU-abc")


def test_a_run_on_two_gpus_waits_until_both_are_free_and_nobody_overtakes_it(
    runs_root: Path, line: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,GPU-abc,5")
    for run, devices in zip(line, (2, 2, 1, 1), strict=True):
        run.write_config(replace(run.read_config(), device="auto", devices=devices))
    assert may_start(line[0])
    assert line[0].read_status().slot == "GPU 2, GPU GPU-abc"
    assert not may_start(line[1])
    line[1].write_status(replace(line[1].read_status(), state="queued"))
    assert not may_start(line[2])  # the third GPU is for the run before it
    line[2].write_status(replace(line[2].read_status(), state="queued"))
    line[0].write_status(replace(line[0].read_status(), state="finished"))
    assert may_start(line[1])
    assert may_start(line[2])
    assert line[2].read_status().slot == "GPU 5"
    keep_to_slot(line[1])
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "2,GPU-abc"


@pytest.mark.parametrize(
    ("changes", "lacks"),
    [
        ({"device": "auto", "devices": 3, "sync_batch_norm": True}, {}),
        ({"device": "cuda", "devices": 4}, {"devices": "4 were asked for, but this machine has 3 GPUs"}),
        ({"device": "cpu", "devices": 1, "sync_batch_norm": True}, {}),
    ],
)
def test_a_machine_says_what_it_lacks_for_several_devices(
    changes: dict[str, Any], lacks: dict[str, str]
) -> None:
    assert find_lacks(TrainConfig(data="x", **changes), Slots(1, ("0", "1", "2"))) == lacks


def test_batch_statistics_are_shared_on_gpus_only() -> None:
    config = TrainConfig(data="x", device="cpu", devices=2, sync_batch_norm=True)
    assert "only works on CUDA GPUs" in find_lacks(config, Slots(1, ("0", "1")))["sync_batch_norm"]


@pytest.mark.parametrize(
    ("visible", "found"), [("", ()), ("0", ("0",)), ("1, 3", ("1", "3")), ("0,-1,2", ("0",)), ("-1", ())]
)
def test_the_gpus_are_those_that_cuda_would_see(visible: str, found: tuple[str, ...]) -> None:
    assert find_gpus({"CUDA_VISIBLE_DEVICES": visible}) == found


def test_without_a_word_of_cuda_the_driver_tells_the_gpus(tmp_path: Path) -> None:
    assert find_gpus({}, tmp_path / "none") == ()
    (tmp_path / "0000:01:00.0").mkdir()
    (tmp_path / "0000:02:00.0").mkdir()
    assert find_gpus({}, tmp_path) == ("0", "1")


def test_cores_are_shared_between_the_slots_of_the_cpu() -> None:
    assert describe_slot_environment("CPU 1", Slots(1), 8) == {}
    assert describe_slot_environment("CPU 2", Slots(3), 8) == {"OMP_NUM_THREADS": "2"}
    assert describe_slot_environment("CPU 9", Slots(64), 8) == {"OMP_NUM_THREADS": "1"}


def test_the_number_of_slots_is_kept_and_checked(runs_root: Path) -> None:
    assert read_slots(runs_root).cpu == 1
    write_slots(runs_root, 3)
    assert read_slots(runs_root).cpu == 3
    for wrong in (0, 65):
        with pytest.raises(RunError, match="The CPU can have 1 to 64 slots"):
            write_slots(runs_root, wrong)
    (runs_root / "queue.json").write_text(json.dumps({"cpu": "many"}), encoding="utf-8")
    assert read_slots(runs_root).cpu == 1


def test_the_start_of_a_run_is_told_from_how_long_those_before_it_take(
    runs_root: Path, line: list[Run]
) -> None:
    done = make_job(runs_root, "done", state="finished")
    epochs = line[1].read_config().epochs
    done.write_status(replace(done.read_status(), worked=30.0, epoch=3))
    running = replace(line[0].read_status(), state="running", seconds_left=100.0)
    line[0].write_status(running)
    set_held(line[2], True)
    starts = forecast_starts(read_line(runs_root), list_runs(runs_root))
    assert starts == {"b": 100.0, "d": 100.0 + 10 * epochs}
    line[0].write_status(replace(running, seconds_left=0.0, worked=4.0))  # its own time left is not known yet
    assert 0 < forecast_starts(read_line(runs_root), list_runs(runs_root))["b"] < 10 * epochs - 3
    assert forecast_starts(read_line(runs_root), []) == {}
    write_slots(runs_root, 2)
    starts = forecast_starts(read_line(runs_root), list_runs(runs_root))
    assert starts == {"b": 0.0, "d": pytest.approx(10 * epochs - 4, abs=3)}


def test_no_start_is_told_before_as_many_train_as_there_are_slots_now(
    runs_root: Path, line: list[Run]
) -> None:
    for run, slot, left in ((line[0], "CPU 2", 50.0), (line[1], "CPU 3", 100.0)):
        run.write_status(replace(run.read_status(), state="running", slot=slot, seconds_left=left))
    assert forecast_starts(read_line(runs_root), list_runs(runs_root)) == {"c": 100.0}
