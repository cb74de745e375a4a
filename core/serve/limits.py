"""How much the server takes at a time, so that neither memory nor a client's patience runs out."""

from __future__ import annotations

import os
from dataclasses import dataclass

from core.dataset.images import MANY_PIXELS


@dataclass(frozen=True)
class Limits:
    """Bytes, counts and seconds.

    `image_bytes` of an image as sent, `request_bytes` of a request's body, `held_bytes` of all bodies being answered;
    `images` of a request, `requests` inside at a time. `decoders` threads read images, no two of more than `large`
    pixels at a time, and `decoded` of them at most wait for the network. It takes `batch` at a time, or what has come
    `patience` seconds after the first. A body may come over `body` seconds, with no gap of more than `gap`, and its
    answer takes `wait` seconds at most. One address may make `rate` requests a minute, 0 is any number.
    """

    image_bytes: int = 20_000_000
    request_bytes: int = 100_000_000
    held_bytes: int = 400_000_000
    images: int = 64
    requests: int = 256
    decoded: int = 64
    decoders: int = min(4, os.cpu_count() or 1)
    large: int = MANY_PIXELS
    batch: int = 32
    patience: float = 0.010
    body: float = 60.0
    gap: float = 10.0
    wait: float = 30.0
    rate: int = 0
