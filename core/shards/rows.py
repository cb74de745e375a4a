"""A row of a shard: one image as its bytes, what it is called there and its class."""

from __future__ import annotations

from dataclasses import dataclass

from core.errors import DataError

MOST_OF_ONE = 200 * 10**6  # bytes of an image
MOST_AT_ONCE = (
    2 * 10**9
)  # bytes of images that are compressed together, and have to be unpacked to read one of them


class DamagedShard(DataError):
    """A shard that can be read up to some row only."""


@dataclass(frozen=True)
class Row:
    """An image in a shard.

    `number` counts from 0 in its shard. `name` is what its maker called it, which may be anything, `label` the name of its
    class, None where it has none. `refusal` says why there are no bytes to take. `share` (0..1) is how much of the shard
    has been read with it. `place` is where its `size` bytes lie: the first of them in the file, or of a Parquet file, which is
    compressed, its row. Who asks for places alone gets no `data`.
    """

    number: int
    name: str
    label: str | None
    data: bytes
    share: float
    refusal: str = ""
    place: int = -1
    size: int = 0
