"""How many requests are inside at a time, and how many bytes they hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from core.serve.limits import Limits
from core.serve.refusals import AGAIN, Refusal
from core.words import format_count


class Room:
    """Counts requests and the bytes of their bodies; all of it in the server's one thread."""

    def __init__(self, limits: Limits) -> None:
        self.requests, self.bytes = 0, 0
        self._limits = limits

    @contextmanager
    def enter(self) -> Iterator[Callable[[int], None]]:
        """Let a request in, and yield what it calls with the number of bytes that have come.

        Raises:
            Refusal: when there is no room, for the request or for more bytes.
        """
        if self.requests >= self._limits.requests:
            full = f"The queue is full: {format_count(self.requests, 'request', 'is')} in it."
            raise Refusal(503, full, "Send yours again in a moment.", AGAIN)
        held = 0

        def hold(count: int) -> None:
            nonlocal held
            if self.bytes + count > self._limits.held_bytes:
                full = "The server holds as many images as it has room for."
                raise Refusal(503, full, "Send yours again in a moment.", AGAIN)
            held += count
            self.bytes += count

        self.requests += 1
        try:
            yield hold
        finally:
            self.requests -= 1
            self.bytes -= held
