"""Too little memory, told in words: of what there is too much, and how much of it fits."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator

import torch

from core.errors import RunError

_NO_MEMORY = re.compile(r"out of memory|can't allocate memory|not enough memory|ALLOC_FAILED", re.IGNORECASE)


def is_want_of_memory(error: Exception) -> bool:
    """Tell whether an error is what torch raises for want of memory on a GPU, on a CPU or in its libraries."""
    return isinstance(error, MemoryError) or bool(
        isinstance(error, RuntimeError) and _NO_MEMORY.search(str(error))
    )


@contextlib.contextmanager
def memory_in_words(what: str, advice: str) -> Iterator[None]:
    """Tell in words that the memory does not hold something; any other error passes.

    Raises:
        RunError: in place of what torch raises.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_want_of_memory(error):
            raise
        raise RunError(f"There is too little memory for {what}. {advice}") from None


def batch_in_memory(images: torch.Tensor) -> contextlib.AbstractContextManager[None]:
    """Tell with what to lower that the memory does not hold a batch: images (N, 3, S, S) or features (N, D)."""
    return memory_in_words(say_batch(images), say_lower(images))


def say_lower(images: torch.Tensor) -> str:
    """Return what to lower where the memory does not hold a batch."""
    return "Lower batch_size." if images.ndim == 2 else "Lower batch_size or image_size."


def say_batch(images: torch.Tensor) -> str:
    """Return what a batch is of: images (N, 3, S, S) or features (N, D)."""
    if images.ndim == 2:
        return f"a batch of {len(images)} feature vectors"
    return f"a batch of {len(images)} images of {images.shape[-1]} px"


def find_fitting(count: int, try_size: Callable[[int], None]) -> int:
    """Return the largest half, quarter and so on of `count` that `try_size` has memory for, 0 for none."""
    size = count // 2
    while size:
        if torch.cuda.is_available():
            torch.cuda.empty_cache()  # what the last try left behind is not there for the next one otherwise
        try:
            try_size(size)
        except (RuntimeError, MemoryError, ValueError) as error:
            if not is_want_of_memory(error):
                return 0  # too small for the network, such as one image for its normalisation
        else:
            return size
        size //= 2
    return 0
