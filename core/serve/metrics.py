"""What the server counts and times, as text that Prometheus reads.

Source of the format: https://prometheus.io/docs/instrumenting/exposition_formats/ (version 0.0.4).
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import accumulate

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_COUNTS = (1, 2, 4, 8, 16, 32, 64)


class Histogram:
    """How often a value was at most each of some bounds, how often there was one at all, and their sum."""

    def __init__(self, name: str, about: str, bounds: Sequence[float] = _SECONDS) -> None:
        self._name, self._about, self._bounds = name, about, bounds
        self._counts, self._sum = [0] * (len(bounds) + 1), 0.0
        self._lock = threading.Lock()

    def observe(self, value: float) -> None:
        """Count a value."""
        with self._lock:
            self._counts[bisect_left(self._bounds, value)] += 1
            self._sum += value

    def write(self) -> list[str]:
        """Return its lines."""
        with self._lock:
            below, total = list(accumulate(self._counts)), self._sum
        bounds = [*(f"{bound:g}" for bound in self._bounds), "+Inf"]
        return [
            *_head(self._name, self._about, "histogram"),
            *(f'{self._name}_bucket{{le="{b}"}} {n}' for b, n in zip(bounds, below, strict=True)),
            f"{self._name}_sum {total:.6f}",
            f"{self._name}_count {below[-1]}",
        ]


class Metrics:
    """What the server counts and times since its start; for any number of threads."""

    def __init__(self) -> None:
        self.batch = Histogram("weakspot_batch_images", "Images the network took at a time.", _COUNTS)
        self.waiting = Histogram(
            "weakspot_waiting_seconds", "How long an image, once read, waited for the network."
        )
        self.forward = Histogram("weakspot_forward_seconds", "How long the network took for a batch.")
        self.whole = Histogram(
            "weakspot_predict_seconds",
            "From a request's first byte to its answer, of those that were answered.",
        )
        self._requests: Counter[tuple[str, int]] = Counter()
        self._images = 0
        self._lock = threading.Lock()

    def count_request(self, path: str, code: int) -> None:
        """Count a request by the path asked for and the status it got."""
        with self._lock:
            self._requests[path, code] += 1

    def count_images(self, count: int) -> None:
        """Count images that were predicted."""
        with self._lock:
            self._images += count

    def render(self, gauges: Mapping[str, tuple[str, float]]) -> str:
        """Return all of it as text; `gauges` has by name what else there is to say: about what, and its value now."""
        with self._lock:
            requests, images = sorted(self._requests.items()), self._images
        lines = _head("weakspot_requests_total", "Requests by path and status.", "counter")
        lines += [
            f'weakspot_requests_total{{path="{path}",code="{code}"}} {count}'
            for (path, code), count in requests
        ]
        lines += _head("weakspot_images_total", "Images predicted.", "counter")
        lines.append(f"weakspot_images_total {images}")
        for histogram in (self.batch, self.waiting, self.forward, self.whole):
            lines += histogram.write()
        for name, (about, value) in gauges.items():
            lines += [*_head(name, about, "gauge"), f"{name} {value:g}"]
        return "\n".join(lines) + "\n"


def _head(name: str, about: str, kind: str) -> list[str]:
    return [f"# HELP {name} {about}", f"# TYPE {name} {kind}"]
