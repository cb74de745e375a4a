"""One thread asks the network, for the images of many requests at a time, and gives each its own answer."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from core.serve.limits import Limits
from core.serve.metrics import Metrics

_S = TypeVar("_S")
_T = TypeVar("_T")


@dataclass(frozen=True)
class _Job(Generic[_S, _T]):
    seen: _S
    answer: Future[_T] = field(default_factory=Future)
    since: float = field(default_factory=time.monotonic)


class Batcher(Generic[_S, _T]):
    """A queue of images and the thread that answers them, several at a time.

    `ask` takes what was seen of images and returns what is said of each. A batch waits for images that are
    expected, no longer than its first has waited `limits.patience`; an image that comes alone does not wait.
    """

    def __init__(self, ask: Callable[[Sequence[_S]], Sequence[_T]], limits: Limits, metrics: Metrics) -> None:
        self._ask, self._limits, self._metrics = ask, limits, metrics
        self._jobs: deque[_Job[_S, _T]] = deque()
        self._change = threading.Condition()
        self._expected, self._closed = 0, False
        self._thread = threading.Thread(target=self._work, name="network", daemon=True)
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Tell whether images are answered."""
        return self._thread.is_alive()

    @property
    def waiting(self) -> int:
        """Return how many images wait for the network."""
        return len(self._jobs)

    @contextmanager
    def expect(self) -> Iterator[None]:
        """Say that an image is being read, which will be submitted before this ends or not at all."""
        with self._change:
            self._expected += 1
        try:
            yield
        finally:
            with self._change:
                self._expected -= 1
                self._change.notify()

    def submit(self, seen: _S) -> Future[_T]:
        """Take what was seen of an image; the answer comes later, unless it is cancelled before its turn.

        Raises:
            RuntimeError: after the end.
        """
        job: _Job[_S, _T] = _Job(seen)
        with self._change:
            if self._closed:
                raise RuntimeError("the network no longer answers")
            self._jobs.append(job)
            self._change.notify()
        return job.answer

    def close(self) -> None:
        """Answer what has come, then end the thread."""
        with self._change:
            self._closed = True
            self._change.notify()
        self._thread.join()

    def _work(self) -> None:
        while batch := self._gather():
            self._answer([job for job in batch if job.answer.set_running_or_notify_cancel()])

    def _gather(self) -> list[_Job[_S, _T]]:
        """Return the next batch once there is one; nothing after the end."""
        with self._change:
            while not self._jobs and not self._closed:
                self._change.wait()
            while self._jobs and len(self._jobs) < self._limits.batch and self._expected and not self._closed:
                left = self._jobs[0].since + self._limits.patience - time.monotonic()
                if left <= 0:
                    break
                self._change.wait(left)
            return [self._jobs.popleft() for _ in range(min(self._limits.batch, len(self._jobs)))]

    def _answer(self, batch: Sequence[_Job[_S, _T]]) -> None:
        if not batch:
            return
        begun = time.monotonic()
        try:
            answers = self._ask([job.seen for job in batch])
        except Exception as error:  # theirs to tell; the next batch has its own chance
            for job in batch:
                job.answer.set_exception(error)
            return
        self._metrics.forward.observe(time.monotonic() - begun)
        self._metrics.batch.observe(len(batch))
        for job, answer in zip(batch, answers, strict=True):
            self._metrics.waiting.observe(begun - job.since)
            job.answer.set_result(answer)
