"""Processes that load images are killed at bad moments: what comes is what would have come, or it is told in words."""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from multiprocessing import active_children
from pathlib import Path

import pytest
import torch
from torch.utils.data import Dataset
from torch.utils.data.dataloader import _MultiProcessingDataLoaderIter

from core.errors import RunError
from core.loading import loader as loader_module
from core.loading.loader import Key, Loader
from core.training.loaders import EpochBatches

COUNT = 48

Act = Callable[[Key], None]


@pytest.fixture(autouse=True)
def _look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let it be noticed sooner than in the seconds that torch takes."""
    monkeypatch.setattr(_MultiProcessingDataLoaderIter._try_get_data, "__defaults__", (0.5,))
    monkeypatch.setattr(loader_module, "_PATIENCE", 0.5)


class Table(Dataset[tuple[torch.Tensor, int]]):
    """Images that say which they are; something may happen to the process that loads one."""

    def __init__(self, act: Act = lambda _: None) -> None:
        self.act = act

    def __getitem__(self, key: Key) -> tuple[torch.Tensor, int]:
        self.act(key)
        epoch, index = key
        return torch.full((3, 8, 8), float(1000 * epoch + index)), index


def open_loader(act: Act = lambda _: None, *, workers: int = 2) -> tuple[Loader, EpochBatches]:
    batches = EpochBatches(COUNT, 2, seed=3)
    return Loader(Table(act), batches, workers=workers, pin_memory=False), batches


def read_pass(loader: Loader, batches: EpochBatches, epoch: int, first: int = 0) -> Iterator[list[int]]:
    batches.epoch, batches.first_batch = epoch, first
    for images, targets in loader:
        assert images[:, 0, 0, 0].tolist() == [1000 * epoch + target for target in targets.tolist()]
        yield targets.tolist()


def expected(epoch: int, first: int = 0) -> list[list[int]]:
    batches = EpochBatches(COUNT, 2, seed=3)
    batches.epoch, batches.first_batch = epoch, first
    return [[index for _, index in batch] for batch in batches]


def kill_one() -> None:
    victim = active_children()[0]
    victim.kill()
    victim.join()


def once(path: Path, act: Callable[[], None], *, at: int) -> Act:
    """Return what acts when the image of this number is loaded, the first time alone."""

    def act_once(key: Key) -> None:
        if key[1] == at and not path.exists():
            path.touch()
            act()

    return act_once


def die_in_the_middle_of_handing_on() -> None:
    """Be killed while this process holds all that processes which load images share."""
    frame = sys._getframe()
    while frame.f_code.co_name != "_worker_loop":
        assert frame.f_back is not None
        frame = frame.f_back
    frame.f_locals["done_event"]._cond.acquire()
    frame.f_locals["data_queue"]._wlock.acquire()
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_pass_goes_on_with_the_same_batches_after_one_was_killed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    loader, batches = open_loader()
    found = []
    with caplog.at_level(logging.WARNING):
        for number, batch in enumerate(read_pass(loader, batches, 0)):
            found.append(batch)
            if number == 3:
                kill_one()
                time.sleep(0.3)  # where torch would raise: in the middle of a step
    assert found == expected(0)
    assert "A process that loads images was ended by the system" in caplog.text
    assert "goes on with new ones" in caplog.text
    assert len(active_children()) == 2
    assert list(read_pass(loader, batches, 1)) == expected(1)


def test_one_killed_between_two_passes_costs_none_of_the_next() -> None:
    loader, batches = open_loader()
    assert list(read_pass(loader, batches, 0)) == expected(0)
    kill_one()
    assert list(read_pass(loader, batches, 1, first=5)) == expected(1, first=5)


def test_one_killed_while_it_held_what_all_share_hangs_nobody(tmp_path: Path) -> None:
    loader, batches = open_loader(once(tmp_path / "killed", die_in_the_middle_of_handing_on, at=20))
    assert list(read_pass(loader, batches, 0)) == expected(0)
    assert (tmp_path / "killed").exists()


def test_the_end_of_a_loader_waits_for_no_lock_of_one_that_was_killed(tmp_path: Path) -> None:
    loader, batches = open_loader(once(tmp_path / "killed", die_in_the_middle_of_handing_on, at=20))
    passing = read_pass(loader, batches, 0)
    next(passing)
    deadline = time.monotonic() + 30
    while not (tmp_path / "killed").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    del passing, loader
    assert not active_children()


def test_where_the_same_batch_kills_again_it_is_told_with_what_to_lower() -> None:
    def kill(key: Key) -> None:
        if key[1] == 30:
            os.kill(os.getpid(), signal.SIGKILL)

    loader, batches = open_loader(kill)
    with pytest.raises(RunError, match=r"ended by the system.* Lower workers \(now 2\) or batch_size\.$"):
        list(read_pass(loader, batches, 0))
    assert not active_children()


def test_one_that_lacks_shared_memory_is_told_by_that() -> None:
    loader, batches = open_loader(lambda _: os.kill(os.getpid(), signal.SIGBUS), workers=1)
    with pytest.raises(RunError, match=r"^Shared memory .* is full"):
        list(read_pass(loader, batches, 0))


def test_where_the_process_that_starts_them_is_killed_they_are_started_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Python's fork server, which some systems start processes by, is killed while it starts one: only its error is planted."""
    begin, tries = Loader._begin, []

    def break_once(loader: Loader, first: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        tries.append(first)
        if len(tries) == 1:
            raise EOFError("unexpected EOF")
        return begin(loader, first)

    monkeypatch.setattr(Loader, "_begin", break_once)
    loader, batches = open_loader()
    assert list(read_pass(loader, batches, 0)) == expected(0)
    assert tries == [0, 0]
