"""The wire to a client: uvicorn's, but it does not wait for ever for a request to begin."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol


class Impatient(H11Protocol):
    """A connection that is closed where the head of its next request has not come whole in time.

    uvicorn itself waits without end for whoever connects and is silent, or sends a letter a minute, and each such
    connection is a file of the process: a thousand of them and nobody else is answered. How slowly a body may come is for
    those to say who read it.
    """

    patience = 10.0  # seconds
    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Take what came, and wait for the rest where that is not yet a whole head; a socket may be silent."""
        super().data_received(data)
        answering = self.cycle is not None and not self.cycle.response_complete
        if not answering and self.transport.get_protocol() is self:
            self._wait()
        else:
            self._wait_no_more()

    def connection_lost(self, exc: Exception | None) -> None:
        """End the waiting with the connection."""
        self._wait_no_more()
        super().connection_lost(exc)

    def _wait(self) -> None:
        if self._late is None:
            self._late = self.loop.call_later(self.patience, self.transport.close)

    def _wait_no_more(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None
