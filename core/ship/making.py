"""The steps of a shipping: load, write, ask; for int8 measure ranges, write again, and judge what that costs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from core.dataset.folders import ImageFolders
from core.files import write_text
from core.runs.run import Run
from core.runs.run_data import recorded_folders
from core.ship.card import Facts, write_card
from core.ship.check import IMAGES, compare_answers, refuse_other_answers, spread
from core.ship.contract import Contract
from core.ship.cost import Cost, measure_cost
from core.ship.formats import ONNX, card_path, contract_path
from core.ship.network import load_source
from core.ship.quantize import CALIBRATION, Stopped, quantize_onnx
from core.ship.readers import Shipped, open_model
from core.ship.writers import write_model

_WRITING = 100  # steps that loading and writing count as: they take about as long as asking about 100 images
Progress = Callable[[int, int], bool]


class _Steps:
    """The parts of the work one after another, told as one."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress, self._total, self._begun = progress, total, 0

    def begin(self, size: int) -> Callable[[int], bool]:
        """Return what tells how much of the next part is done and returns whether to go on."""
        before = self._begun
        self._begun += size
        return lambda done: self._progress(before + done, self._total)


def make_model(run: Run, kind: str, path: Path, *, int8: bool, progress: Progress) -> Facts | None:
    """Make a model's file at a path in a folder of drafts, with its contract and card beside it; None when told to stop.

    It is asked about validation images before anything is said of it.

    Raises:
        UserError: when there is no model or no data, the format cannot hold it, or the file answers otherwise.
        OSError: when it cannot be written.
    """
    folders = recorded_folders(run)  # that it is gone is said before the long work
    source = load_source(run)
    asked = spread(folders.val, IMAGES)
    more = min(CALIBRATION, len(folders.train)) + len(folders.val) if int8 else 0
    steps = _Steps(progress, _WRITING + len(asked) + more)
    writing = steps.begin(_WRITING)
    if not writing(1):
        return None
    plain = path.with_name(f"fp32-{path.name}") if int8 else path
    write_model(source, kind, plain)
    if not writing(_WRITING):
        return None
    shipped = open_model(kind, plain)
    agreement = compare_answers(shipped, source.own, folders.root, asked, steps.begin(len(asked)))
    if agreement is None:
        return None
    refuse_other_answers(run.id, agreement)
    contract, cost = source.contract, None
    if int8:
        contract = replace(contract, precision="int8")
        try:
            cost = _make_int8(plain, path, shipped, contract, folders, steps)
        except Stopped:
            return None
        if cost is None:
            return None
        plain.unlink()
    facts = Facts(run, kind, path.name, path.stat().st_size, contract, agreement, cost)
    write_text(contract_path(path), contract.to_json())
    write_text(card_path(path), write_card(facts))
    return facts


def _make_int8(
    plain: Path, path: Path, shipped: Shipped, contract: Contract, folders: ImageFolders, steps: _Steps
) -> Cost | None:
    """Make the int8 form of an ONNX file and return what it costs on all validation images; None when told to stop."""
    ranges = spread(folders.train, CALIBRATION)
    how = quantize_onnx(plain, path, contract, folders.root, ranges, steps.begin(len(ranges)))
    small = open_model(ONNX, path)
    judging = steps.begin(len(folders.val))
    return measure_cost(how, (plain, path), (shipped, small), folders.root, folders.val, judging)
