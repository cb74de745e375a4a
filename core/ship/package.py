"""A run's best model shipped: written in a format, checked, and put in its place with contract and model card."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from core.errors import RunError, UserError, describe_unreadable
from core.files import draft_folder, insist, replace_folder, write_text
from core.places import name_place
from core.reading import read_object, take
from core.runs.run import Run
from core.ship.formats import FORMATS, ONNX, card_path, contract_path, suggest_name

_RECORD = "export.json"
_MOST = 1_000_000  # bytes; a hundred times what a record has
Progress = Callable[[int, int], bool]


@dataclass(frozen=True)
class Shipment:
    """What was made: a file of a format, of the model of `epoch`, and in sentences what its check and its measuring found."""

    kind: str
    file: str
    epoch: int
    size: int
    found: tuple[str, ...]

    def describe(self) -> str:
        """Return what it is."""
        return f"{self.file}: {FORMATS[self.kind].title}, {self.size / 1e6:.1f} MB."


def refuse_int8(kind: str) -> None:
    """Refuse 8 bits where there are none.

    Raises:
        UserError: for another format than ONNX.
    """
    if kind != ONNX:
        raise UserError(f"int8 is only for ONNX; {FORMATS[kind].title} is written in fp32.")


def ship_to_file(
    run: Run, kind: str, out: Path, *, int8: bool = False, progress: Progress
) -> Shipment | None:
    """Ship a run's best model as a file, with its contract and card beside it; None when `progress` told to stop.

    What lay there before stays until all is made and checked. The model comes last: where it is, all is.

    Raises:
        UserError: when the run has no model or its data is gone, the format cannot hold the network, or the file does not
            answer as the product does. Nothing is left behind then.
        OSError: when it cannot be written.
    """
    if not out.parent.is_dir():
        raise RunError(
            f"{out} cannot be written: there is no folder {out.parent}. Make it, or choose another file."
        )
    if out.is_dir():
        raise RunError(
            f"{out} is a folder. Name a file to be written, such as {out / suggest_name(run.id, kind)}."
        )
    if out.suffix != FORMATS[kind].suffix:
        raise UserError(f"{out}: for {FORMATS[kind].title} the file name must end in {FORMATS[kind].suffix}.")
    with draft_folder(out) as draft:
        made = _make(run, kind, draft / out.name, int8=int8, progress=progress)
        if made is not None:
            for path in (contract_path(out), card_path(out), out):
                _move(draft / path.name, path)
    return made


def ship_to_task(
    run: Run, kind: str, task: Path, *, int8: bool = False, progress: Progress
) -> Shipment | None:
    """Ship a run's best model into the result of a task's folder; None when told to stop. Raises as `ship_to_file`."""
    with draft_folder(shipment_folder(task)) as draft:
        file = draft / suggest_name(run.id, kind, int8=int8)
        made = _make(run, kind, file, int8=int8, progress=progress)
        if made is not None:
            write_text(draft / _RECORD, json.dumps(asdict(made), indent=2) + "\n")
            replace_folder(draft, shipment_folder(task))
    return made


def shipment_folder(task: Path) -> Path:
    """Return the folder inside a task's that holds what it made."""
    return task / "result"


def read_shipment(task: Path) -> Shipment | None:
    """Return what a task's folder holds, None before the first; raises RunError when it is damaged."""
    path = shipment_folder(task) / _RECORD
    try:
        return take(Shipment, read_object(path, most=_MOST))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise RunError(
            f"{name_place(path)} cannot be read ({describe_unreadable(error)}). Export the model again."
        ) from None


def _move(draft: Path, target: Path) -> None:
    insist(lambda: draft.replace(target))


def _make(run: Run, kind: str, path: Path, *, int8: bool, progress: Progress) -> Shipment | None:
    """Make a model's file with contract and card in a folder of drafts; None when told to stop."""
    if int8:
        refuse_int8(kind)
    from core.ship.making import make_model  # brings torch

    facts = make_model(run, kind, path, int8=int8, progress=progress)
    if facts is None:
        return None
    return Shipment(kind, facts.file, facts.contract.epoch, facts.size, tuple(facts.list_findings()))
