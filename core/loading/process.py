"""What a process that loads images does beside loading them: how it begins, and hands batches on."""

from __future__ import annotations

import signal
import sys
import warnings
from types import TracebackType

import torch
from torch.utils.data import default_collate, get_worker_info


def collate(items: list[tuple[torch.Tensor, int]]) -> list[torch.Tensor]:
    """Return the images (B, 3, S, S) and targets (B,) of a batch, in a process that loads them in shared memory."""
    images, targets = default_collate(items)
    if get_worker_info() is not None:
        # Both on their way through shared memory here, where a lack of it is told. Later the batch would be lost, and
        # waited for without end.
        targets.share_memory_()
    return [images, targets]


def start_process(_: int) -> None:
    """Prepare a process that loads images."""
    # A Ctrl-C reaches the whole process group: it is the job's to obey, which still needs the images on their way.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", module=r"PIL\.")  # the images were checked; the log is for figures
    sys.excepthook = _report


def _report(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Write an error of a loading process to its standard error, the run's log, unless the parent broke off.

    The thread that hands images on (`multiprocessing.resource_sharer`) tells here what it could not finish. It is cut
    short where the parent was killed, and the log's last lines are to be the training's. A living parent whose
    connection breaks has an error of its own.
    """
    if not isinstance(error, (ConnectionError, EOFError)):
        sys.__excepthook__(kind, error, trace)
