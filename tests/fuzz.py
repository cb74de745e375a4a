"""Feeds what reads other people's files with inputs drawn by chance: `python -m tests.fuzz [SECONDS]`.

Each input is a whole one with a few bytes changed, left out, doubled or put in, or any text. Right is an answer, or an
error told in words; anything else, and whatever takes longer than ten seconds, is a fault. Hypothesis draws the inputs
and finds the shortest one that fails. Where atheris is installed it draws for half of the time, see tests/fuzz_guided.py.
"""

from __future__ import annotations

import logging
import random
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from core.errors import UserError
from tests.fuzz_guided import is_installed, search
from tests.fuzz_results import result_targets
from tests.fuzz_shards import shard_targets
from tests.fuzz_targets import Target, input_targets

LONGEST = timedelta(seconds=10)  # of one input
LONGEST_WORDS = 3000  # letters of an error
PIECES = [
    b"", b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b'"', b"'", b",", b";", b"\t", b"\r", b"\n", b"{", b"}", b"[" * 2000, b"null",
    b"NaN", b"-1", b"1e999", b"9" * 5000, b"true", b"\\u0000", b"\\ud800", b"../", b"=cmd()", "é".encode("latin-1"),
    "\N{RIGHT-TO-LEFT OVERRIDE}".encode(), b"a" * 200_000,
]  # fmt: skip


def targets() -> tuple[Target, ...]:
    """Return everything that reads what others have written."""
    return input_targets() + result_targets() + shard_targets()


@st.composite
def inputs(draw: st.DrawFn, seeds: tuple[bytes, ...]) -> bytes:
    """Draw an input: any text, or a right one that was changed in up to six places."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.text(max_size=200)).encode("utf-8", errors="surrogatepass")
    data = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(0, 6))):
        at = draw(st.integers(0, len(data)))
        until = min(len(data), at + draw(st.integers(0, 12)))
        piece = draw(st.sampled_from(PIECES) | st.binary(max_size=8) | st.just(data[at : at + 40]))
        data = data[:at] + piece + data[until:]
    return data


def judge(target: Target, data: bytes) -> None:
    """Read an input; AssertionError where it is neither answered nor refused in words."""
    with tempfile.TemporaryDirectory() as name:
        try:
            target.read(data, Path(name))
        except UserError as error:
            words = str(error)
        else:
            return
    assert 0 < len(words) < LONGEST_WORDS, f"an error of {len(words):,} letters"


def fuzz(target: Target, examples: int, number: int) -> None:
    """Feed a target with so many inputs drawn by `number`; raises what a fault raises, with the input in its notes."""

    @seed(number)
    @settings(
        max_examples=examples, deadline=LONGEST, database=None, phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck), report_multiple_bugs=False,
    )  # fmt: skip
    @given(data=inputs(target.seeds))
    def check(data: bytes) -> None:
        judge(target, data)

    check()


def main() -> int:
    """Feed every target until the time is up; tell what failed, and return 1 where anything did."""
    logging.disable(logging.CRITICAL)
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 600.0
    guided = is_installed()
    rounds, faults = feed_in_turn(seconds / 2 if guided else seconds)
    print(
        f"{len(targets())} readers, {rounds} rounds of 200 inputs each, {len(faults)} with a fault.",
        flush=True,
    )
    if guided:
        count, more = search(seconds / 2, faults)
        for name, words in more.items():
            print(f"{name}: {words}")
        print(f"{count:,} inputs that atheris drew in {seconds / 2:.0f} s, {len(more)} readers with a fault.")
        faults |= more
    else:
        print("With atheris it would search by coverage as well: pip install -r requirements-fuzz.txt")
    return 1 if faults else 0


def feed_in_turn(seconds: float) -> tuple[int, dict[str, str]]:
    """Feed every target in turn for so long, and tell at once what failed; return the rounds and what failed by name."""
    end, rounds, faults = time.monotonic() + seconds, 0, dict[str, str]()
    while time.monotonic() < end:
        for target in targets():
            if target.name in faults or time.monotonic() > end:
                continue
            number = random.SystemRandom().randrange(2**32)
            try:
                fuzz(target, 200, number)
            except BaseException as error:  # Hypothesis raises groups too
                if isinstance(error, KeyboardInterrupt):
                    raise
                notes = " ".join(getattr(error, "__notes__", []))
                faults[target.name] = f"{type(error).__name__}: {error} {notes} (seed {number})"
                print(f"{target.name}: {faults[target.name]}"[:2000], flush=True)
        rounds += 1
    return rounds, faults


if __name__ == "__main__":
    sys.exit(main())
