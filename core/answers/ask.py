"""Many images asked about at the pace of the network: files are read by other threads while it is busy with those before."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeVar

from PIL import Image

from core.dataset.images import ImageProblem, read_image

if TYPE_CHECKING:  # what it asks brings torch itself
    from core.model.predict import Answers, Pixels, Prediction

Source = Path | IO[bytes]
Progress = Callable[[int, int], bool]
BATCH = 32
_AHEAD = 2  # batches that are read while the network is busy with one
_From = TypeVar("_From")
_To = TypeVar("_To")


@dataclass(frozen=True)
class Asked:
    """What became of image files, in their order: what a model answers to each, or why it cannot be read."""

    answers: tuple[Prediction | None, ...]
    problems: tuple[str, ...]  # empty where there is an answer


def ask_images(
    model: Answers,
    sources: Sequence[Source],
    *,
    temperature: float = 1.0,
    batch_size: int = BATCH,
    on_image: Callable[[int, Image.Image, tuple[Pixels, ...]], None] | None = None,
    progress: Progress | None = None,
) -> Asked | None:
    """Ask a model about image files; None when `progress(done, total)`, called after each batch, told to stop.

    `on_image(number, image, seen)` is called by the thread that has read and looked at an image.
    """

    def look(item: tuple[int, Source]) -> tuple[Pixels, ...] | str:
        number, source = item
        try:
            image = read_image(source)
        except ImageProblem as problem:
            return str(problem)
        seen = model.look(image)
        if on_image is not None:
            on_image(number, image, seen)
        return seen

    answers: list[Prediction | None] = []
    problems: list[str] = []
    for batch in read_ahead(look, enumerate(sources), batch_size):
        seen = [item for item in batch if not isinstance(item, str)]
        told = iter(model.answer(seen, temperature=temperature))
        answers += [None if isinstance(item, str) else next(told) for item in batch]
        problems += [item if isinstance(item, str) else "" for item in batch]
        if progress is not None and not progress(len(answers), len(sources)):
            return None
    return Asked(tuple(answers), tuple(problems))


def read_ahead(read: Callable[[_From], _To], sources: Iterable[_From], size: int) -> Iterator[list[_To]]:
    """Yield what `read` makes of so many sources at a time, in their order, while threads read the next ones.

    Reading and scaling an image leave Python's lock to others, so threads do for that while the network computes.
    """
    pool = ThreadPoolExecutor(max_workers=os.cpu_count() or 1)
    try:
        left = iter(sources)
        waiting: deque[Future[_To]] = deque(
            pool.submit(read, source) for source in islice(left, (_AHEAD + 1) * size)
        )
        while waiting:
            batch = [waiting.popleft().result() for _ in range(min(size, len(waiting)))]
            waiting.extend(pool.submit(read, source) for source in islice(left, len(batch)))
            yield batch
    finally:
        pool.shutdown(cancel_futures=True)
