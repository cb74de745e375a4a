"""Many images at once, from memory: what a model says of each, as one table that is shown, filtered and saved."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd
from PIL import Image

from core.answers.arriving import Arrived
from core.answers.ask import Progress, ask_images
from core.answers.hand_in import say_sure
from core.dataset.export import format_table
from core.model.pictures import encode_image

if TYPE_CHECKING:
    from core.model.predict import Answers, Pixels, Prediction

_SIDE, _FEW_SIDE = 112, 320  # pixels of a thumbnail, in a table and on a card


@dataclass(frozen=True)
class Batch:
    """Files that arrived, and of each what the model answers or why it cannot be read; `thumbnails` are WebP bytes.

    `seen` is what a network sees of each (the plain view), kept where there are few.
    """

    arrived: tuple[Arrived, ...]
    answers: tuple[Prediction | None, ...]
    problems: tuple[str, ...]
    thumbnails: tuple[bytes, ...]
    seen: tuple[Pixels | None, ...]


def ask_batch(
    model: Answers, arrived: Sequence[Arrived], *, temperature: float = 1.0, few: int = 0,
    progress: Progress | None = None,
) -> Batch | None:  # fmt: skip
    """Ask a model about files that arrived; None when `progress(done, total)` told to stop.

    Of at most `few` files what the network sees is kept, and thumbnails are large enough for a card.
    """
    readable = [number for number, one in enumerate(arrived) if not one.problem]
    thumbnails = [b""] * len(arrived)

    are_few = len(arrived) <= few
    kept: list[Pixels | None] = [None] * len(arrived)
    side = _FEW_SIDE if are_few else _SIDE

    def keep(number: int, image: Image.Image, seen: tuple[Pixels, ...]) -> None:
        if are_few:
            kept[readable[number]] = seen[0]
        small = image.copy()
        small.thumbnail((side, side))
        thumbnails[readable[number]] = encode_image(small)

    asked = ask_images(
        model,
        [io.BytesIO(arrived[number].content) for number in readable],
        temperature=temperature,
        on_image=keep,
        progress=progress,
    )
    if asked is None:
        return None
    answers: list[Prediction | None] = [None] * len(arrived)
    problems = [one.problem for one in arrived]
    for number, answer, problem in zip(readable, asked.answers, asked.problems, strict=True):
        answers[number], problems[number] = answer, problem
    return Batch(tuple(arrived), tuple(answers), tuple(problems), tuple(thumbnails), tuple(kept))


def tabulate(batch: Batch, threshold: float, label: Callable[[str], str]) -> pd.DataFrame:
    """Return a row for each file, in the order they arrived: what is shown and counted is what is saved.

    Columns: image_name, pred_label (the class folder), pred_name (as `label` names it), confidence (0..1), sure (yes or
    no, by the threshold 0..1), stranger (yes or no; empty where that was not learned), the likeliest classes top1… with their confidences, and problem. Where a file cannot be
    read, only its name and the problem are there.
    """
    most = max((len(answer.classes) for answer in batch.answers if answer is not None), default=0)
    rows = []
    for one, answer, problem in zip(batch.arrived, batch.answers, batch.problems, strict=True):
        row: dict[str, object] = {"image_name": one.name, "problem": problem}
        if answer is not None:
            name, confidence = answer.classes[0], answer.confidences[0]
            row |= {"pred_label": name, "pred_name": label(name), "confidence": round(confidence, 6)}
            row["sure"] = say_sure(confidence, threshold)
            row["stranger"] = "" if answer.strange is None else "yes" if answer.strange else "no"
            for rank, (other, value) in enumerate(
                zip(answer.classes, answer.confidences, strict=True), start=1
            ):
                row |= {f"top{rank}": other, f"top{rank}_confidence": round(value, 6)}
        rows.append(row)
    ranks = [name for rank in range(1, most + 1) for name in (f"top{rank}", f"top{rank}_confidence")]
    texts = ["image_name", "pred_label", "pred_name", "sure", "stranger", "problem", *ranks[::2]]
    head = ["image_name", "pred_label", "pred_name", "confidence", "sure", "stranger", *ranks, "problem"]
    table = pd.DataFrame(rows, columns=head)
    whole = table.astype(dict.fromkeys(texts, object)).fillna(dict.fromkeys(texts, ""))
    return whole.astype({name: "str" if name in texts else "float64" for name in head})


def write_csv(table: pd.DataFrame) -> bytes:
    """Return a table as the bytes of a CSV file; no text is a formula to the program that opens it."""
    return format_table(table).encode()


def write_parquet(table: pd.DataFrame) -> bytes:
    """Return a table as the bytes of a Parquet file."""
    buffer = io.BytesIO()
    table.to_parquet(buffer, index=False, engine="pyarrow")
    return buffer.getvalue()
