"""The end of `trackio_log.py` in Trackio's own environment: it imports nothing of ours.

It reads a JSON object a line, writes that epoch, and answers with one line: `ok`, or what went wrong.
"""

from __future__ import annotations

import json
import sys
import warnings
from typing import Any


def _write(word: dict[str, Any]) -> str:
    """Write an epoch whole: Trackio keeps what it is told until it finishes, and only warns where that cannot be written."""
    try:
        import trackio
    except ImportError:
        return "missing"
    if "step" not in word:
        return "ok"
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        trackio.init(
            project=word["project"], name=word["name"], config=word["settings"],
            resume="allow" if word["goes_on"] else "never", embed=False, auto_log_cpu=False, auto_log_gpu=False,
        )  # fmt: skip
        trackio.log(word["figures"], step=word["step"])
        trackio.finish()
    return next((str(one.message) for one in told if one.category is UserWarning), "ok")


def main() -> None:
    """Serve the lines of standard input to their end."""
    answers, sys.stdout = sys.stdout, sys.stderr  # where it prints greetings
    for line in sys.stdin:
        try:
            answer = _write(json.loads(line))
        except Exception as error:  # of a program that is not ours
            answer = f"{type(error).__name__}: {error}"
        print(" ".join(answer.split()), file=answers, flush=True)


if __name__ == "__main__":
    main()
