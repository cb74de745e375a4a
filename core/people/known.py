"""The users as their file has them now, read anew only where it has changed."""

from __future__ import annotations

from pathlib import Path

from core.errors import UserError
from core.people.users import User, read_users


class KnownUsers:
    """The users of one server; any thread may ask, and every request does."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._seen: tuple[tuple[int, int], dict[str, User]] = ((0, 0), {})

    def read(self) -> dict[str, User]:
        """Return the users by name; nobody where their file cannot be read, so that it opens no door."""
        try:
            known = self.file.stat()
            stamp = (known.st_mtime_ns, known.st_ino)
            if stamp != self._seen[0]:
                self._seen = stamp, read_users(self.file)
        except (UserError, OSError):
            return {}
        return self._seen[1]
