"""What the image is installed from names every package that the program needs, as it is pinned, each with its digest."""

from __future__ import annotations

import re

from tests.lock import LOCK, list_needed, read_pins

ENTRY = re.compile(r"^([a-z0-9-]+)==(\S+) \\\n    --hash=sha256:[0-9a-f]{64}$", re.MULTILINE)


def test_the_lock_says_what_the_pins_say_and_lacks_nothing() -> None:
    text = LOCK.read_text(encoding="utf-8")
    locked = {name: version for name, version in ENTRY.findall(text)}
    assert len(locked) == text.count("==")
    pins = read_pins()
    assert locked == {name: pins.get(name) for name in list_needed()}, "run: make lock"
