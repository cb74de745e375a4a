"""A request that is not answered, in words: what is wrong, and what to do."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import JSONResponse

from core.errors import UserError

AGAIN = {"Retry-After": "1"}  # seconds
CLOSE = {"Connection": "close"}  # of a body that may never end


class Refusal(UserError):
    """Why a request is not answered, with the status it gets, a 4xx or 5xx, and headers of its own."""

    def __init__(self, status: int, error: str, fix: str, headers: Mapping[str, str] | None = None) -> None:
        self.status, self.error, self.fix, self.headers = status, error, fix, dict(headers or {})
        super().__init__(f"{error} {fix}")

    def respond(self) -> JSONResponse:
        """Return the answer that says so: {"error": …, "fix": …}."""
        return JSONResponse({"error": self.error, "fix": self.fix}, self.status, self.headers)
