"""Batches from processes that load images: the system may end such a process, and the pass goes on as if it had not.

torch tells that one is gone by an exception at whatever line the main thread is, also in the middle of a step. Here it is
noticed where a batch is waited for, within seconds, so nothing is half done and others can take the place of the lost.
"""

from __future__ import annotations

import logging
import signal
from collections.abc import Iterator
from itertools import islice
from multiprocessing.connection import wait
from typing import Any

import torch
from torch._C import _remove_worker_pids
from torch.utils.data import DataLoader, Dataset, Sampler

from core.errors import RunError
from core.loading.problems import describe_full_memory, describe_lost, tell_problem
from core.loading.process import collate, start_process

Key = tuple[int, int]  # by which a table is asked for an image
_MOST_LOST = (
    5  # times in one pass that processes are replaced; a machine that ends more has no memory for them
)
_PATIENCE = 5.0  # seconds for a lock that is held for microseconds
_MOMENT = 1.0  # seconds until the end of a process is known whose connection broke
# So ends who writes to shared memory that there is not; Windows has no such signal.
_NO_MEMORY = -signal.SIGBUS if hasattr(signal, "SIGBUS") else None


class Loader(DataLoader[tuple[torch.Tensor, torch.Tensor]]):
    """Gives (images (B, 3, S, S) float32, targets (B,) int64) in the order of the batches, loaded by so many processes.

    They live on between passes. Where one is ended from outside all are replaced, from the next batch on; what is loaded
    depends on the keys alone, so the same comes. Lost again before a batch has come, or too often, it is an error.
    """

    def __init__(
        self, table: Dataset[Any], batches: Sampler[list[Key]], *, workers: int, pin_memory: bool
    ) -> None:
        self._rest = _Rest(batches)
        super().__init__(
            table,
            batch_sampler=self._rest,
            num_workers=workers,
            pin_memory=pin_memory,
            persistent_workers=workers > 0,
            prefetch_factor=4 if workers else None,
            worker_init_fn=start_process,
            collate_fn=collate,
        )

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:  # type: ignore[override]
        """Yield the batches of a pass.

        Raises:
            DataError: naming the image that cannot be read.
            RunError: where the processes cannot go on, with what to change.
        """
        given, lost, lost_at = 0, 0, -1
        batches: Iterator[tuple[torch.Tensor, torch.Tensor]] | None = None
        while True:
            try:
                if batches is None:
                    batches = self._begin(given)
                batch = next(batches)
            except StopIteration:
                return
            except Exception as error:
                tell_problem(error, self.num_workers)
                ended = self._find_ended(error)
                if not ended and not isinstance(error, EOFError):  # that is: who starts processes was killed
                    raise
                self._give_up_processes()
                batches, lost = None, lost + 1
                if _NO_MEMORY in ended:
                    raise RunError(describe_full_memory()) from None
                if given == lost_at or lost > _MOST_LOST:
                    raise RunError(describe_lost(self.num_workers)) from None
                lost_at = given
                logging.getLogger("weakspot").warning(
                    "%s The epoch goes on with new ones.", describe_lost(self.num_workers)
                )
                continue
            yield batch
            given += 1

    def _begin(self, first: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        self._rest.first = first
        before = self._iterator
        batches: Any = super().__iter__()
        if self.num_workers and batches is not before:
            # No longer known to torch's handler of signals, which raises wherever the main thread is.
            _remove_worker_pids(id(batches))
            batches._worker_pids_set = False
            batches._workers_done_event = _EndSign(batches._workers_done_event)
        found: Iterator[tuple[torch.Tensor, torch.Tensor]] = batches
        return found

    def _find_ended(self, error: Exception) -> list[int]:
        """Return the exit codes of the processes that have ended, which none does by itself during a pass."""
        processes = getattr(self._iterator, "_workers", [])
        if isinstance(error, (OSError, EOFError)) and processes:
            wait([process.sentinel for process in processes], timeout=_MOMENT)
        return [process.exitcode for process in processes if process.exitcode is not None]

    def _give_up_processes(self) -> None:
        """End all processes: one that was killed may have held a lock that the others wait for."""
        iterator: Any = self._iterator
        self._iterator = None
        if iterator is None:  # none was there yet
            return
        for process in iterator._workers:
            process.kill()
            process.join()
        iterator._shutdown_workers()


class _EndSign:
    """The event that tells processes to end, asked here without the lock that they share.

    torch asks it as soon as a process is gone, which may have been killed while it held that lock: then nobody gets it.
    """

    def __init__(self, shared: Any) -> None:
        self._shared, self._given = shared, False

    def is_set(self) -> bool:
        return self._given

    def set(self) -> None:
        self._given = True
        if self._shared._cond.acquire(True, _PATIENCE):  # else torch ends by force whom it does not reach
            self._shared._cond.release()
            self._shared.set()


class _Rest(Sampler[list[Key]]):
    """The batches of a pass from the `first` of them on."""

    def __init__(self, batches: Sampler[list[Key]]) -> None:
        self._batches, self.first = batches, 0

    def __iter__(self) -> Iterator[list[Key]]:
        return islice(self._batches, self.first, None)

    def __len__(self) -> int:
        return len(self._batches)  # type: ignore[arg-type]  # ours has a length
