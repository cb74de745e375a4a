"""How much memory a piece of work takes at its peak, in this process, in those that load its images and on its GPU."""

from __future__ import annotations

import threading
from types import TracebackType

import psutil
import torch

_EVERY = 0.02  # seconds between two looks


class PeakMemory:
    """A block whose memory is watched: `peak` and `gpu_peak` are bytes, also of what was there before it.

    The loading processes share pages with this one, so of them only their own count, and they are looked at when
    `look_at_children` is called. `free` and `gpu_free` are what this process could have had: what it has, and what is free.
    """

    def __init__(self, device: torch.device) -> None:
        self._device, self._me = device, psutil.Process()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True, name="peak memory")
        self._own = self._children = 0
        self.gpu_peak = self.gpu_free = 0
        self.free = psutil.virtual_memory().available + self._me.memory_info().rss

    @property
    def peak(self) -> int:
        """Return the bytes of main memory at the peak so far."""
        return self._own + self._children

    def __enter__(self) -> PeakMemory:
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._device)
            self.gpu_free = torch.cuda.mem_get_info(self._device)[0] + torch.cuda.memory_reserved(
                self._device
            )
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        if self._device.type == "cuda":
            self.gpu_peak = torch.cuda.max_memory_reserved(self._device)
        elif self._device.type == "mps":
            self.gpu_peak = torch.mps.driver_allocated_memory()

    def look_at_children(self) -> None:
        """Take the memory of the processes that load images now, where it is more than before."""
        total = 0
        for child in self._me.children(recursive=True):
            try:
                total += child.memory_full_info().uss
            except psutil.Error:  # it has just ended, or the system tells nobody
                continue
        self._children = max(self._children, total)

    def _watch(self) -> None:
        while not self._ended.is_set():
            self._own = max(self._own, self._me.memory_info().rss)
            self._ended.wait(_EVERY)
