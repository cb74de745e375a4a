"""The processes that train one run together: what they tell each other, and the one of them that leads.

The leader, process 0, alone writes the run's folder, reads what is asked of the run and decides by the clock. All others do
the same steps on other images and are told what was decided.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import nn
from torch._C._distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous

from core.errors import ConfigError
from core.parallel.share import Share
from core.words import format_count

T = TypeVar("T")
_LETTERS = 16  # of a word that is agreed on
_LOOK = timedelta(seconds=20)  # how long one wait for the leader lasts before the next begins
# Who waits longer than this for the others within a step takes them for lost: a machine without power closes no connection.
_PATIENCE = timedelta(minutes=15)
_FAREWELL = 10.0  # seconds that the leader waits at most for the others to hear that it ends
_BROKEN = re.compile(r"gloo|nccl|connection (closed|reset|refused)|broken pipe", re.IGNORECASE)


class Left(Exception):
    """The leader has ended the run, and says why itself."""


class PeerLost(BaseException):
    """Another process of the group is gone; who launched them knows which, and why. No error of the work, so none catches it."""


class Group:
    """A process among those that train one run; without any other where `world` is 1."""

    def __init__(self, share: Share | None = None, *, place: int = 0, store: Store | None = None) -> None:
        self.share = share or Share()
        self.place = place  # of this process on its machine
        self._store, self._works = store, 0

    @property
    def world(self) -> int:
        """Return how many processes there are."""
        return self.share.world

    @property
    def leads(self) -> bool:
        """Tell whether this process is the one that writes and decides."""
        return self.share.rank == 0

    def agree(self, word: str) -> str:
        """Return the leader's word (at most 16 letters), for all processes at once."""
        if self.world == 1:
            return word
        told = torch.tensor(list(word.encode().ljust(_LETTERS, b" ")), dtype=torch.uint8)
        dist.broadcast(told, src=0)
        return bytes(told.tolist()).decode().rstrip()

    def decide(self, yes: bool) -> bool:
        """Return what the leader decided, for all processes at once."""
        return self.agree("yes" if yes else "") == "yes"

    def lead(self, work: Callable[[], T]) -> T | None:
        """Do what only the leader does while the others wait, however long it takes; those get None.

        Raises:
            Left: for the others, where it raised for the leader.
        """
        if self._store is None:
            return work()
        self._works += 1
        key = f"work {self._works}"
        if not self.leads:
            self._wait(key)
            done = self._store.get(key) == b"done"
            if not done:
                self._store.add(f"{key} heard", 1)
                raise Left
            return None
        try:
            found = work()
        except BaseException:
            self._store.set(key, "ended")
            self._wait_until_heard(key)  # the others hear it from a store that may end with this process
            raise
        self._store.set(key, "done")
        return found

    def _wait(self, key: str) -> None:
        assert self._store is not None
        while True:
            try:
                self._store.wait([key], _LOOK)
                return
            except dist.DistStoreError:  # not yet
                continue

    def _wait_until_heard(self, key: str) -> None:
        assert self._store is not None
        end = time.monotonic() + _FAREWELL
        while self._store.add(f"{key} heard", 0) < self.world - 1 and time.monotonic() < end:
            time.sleep(0.05)

    def sum(self, values: torch.Tensor) -> torch.Tensor:
        """Return the sum of a tensor over all processes, in its place."""
        if self.world > 1:
            dist.all_reduce(values)
        return values

    def gather(self, rows: list[T]) -> list[T]:
        """Return the lists of all processes one behind the other, in their order, to every one of them."""
        if self.world == 1:
            return rows
        found: list[Any] = [None] * self.world
        dist.all_gather_object(found, rows)
        return [row for part in found for row in part]

    def share_state(self, *modules: nn.Module | None) -> None:
        """Give all processes the leader's weights and statistics of modules."""
        if self.world == 1:
            return
        for module in filter(None, modules):
            for value in module.state_dict().values():
                dist.broadcast(value, src=0)

    def close(self) -> None:
        """Leave the group."""
        if self.world > 1 and dist.is_initialized():
            dist.destroy_process_group()


SOLO = Group()


def join_group(device: str) -> Group:
    """Join the group that torchrun's environment describes, to compute on a kind of device (cpu or cuda).

    Raises:
        ConfigError: when the machine has fewer GPUs than processes.
    """
    place, here = int(os.environ["LOCAL_RANK"]), int(os.environ["LOCAL_WORLD_SIZE"])
    if device == "cuda":
        if here > torch.cuda.device_count():
            there = format_count(torch.cuda.device_count(), "GPU")
            raise ConfigError({"devices": f"{here} were asked for, but this machine has {there}"})
        torch.cuda.set_device(place)
    store, rank, world = next(rendezvous("env://"))
    if world > 1:
        backend = "cpu:gloo,cuda:nccl" if device == "cuda" else "gloo"
        dist.init_process_group(backend, store=store, rank=rank, world_size=world, timeout=_PATIENCE)
    return Group(Share(rank, world), place=place, store=PrefixStore("weakspot", store))


def is_broken(error: Exception) -> bool:
    """Tell whether an error is what a process meets whose others are gone."""
    return isinstance(error, dist.DistError) or (
        isinstance(error, RuntimeError) and bool(_BROKEN.search(str(error)))
    )
