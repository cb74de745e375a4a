"""ONNX Runtime in PyTorch's place on a processor, where it answers sooner: the file is made once, checked and kept."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import replace
from pathlib import Path

import numpy as np

import core
from core.errors import RunError
from core.files import delete_oldest, draft_folder, insist
from core.model.predict import Predictor
from core.runs import jobs
from core.runs.run import Run
from core.runs.run_data import recorded_folders
from core.ship.check import LIMIT, compare_answers, refuse_other_answers, spread
from core.ship.formats import ONNX
from core.ship.network import load_source
from core.ship.readers import Shipped, open_model
from core.ship.writers import write_model
from core.stored.status import ACTIVE

WORTH = 500  # images; for fewer the file would take longer to make than it saves
_FOLDER = ".quick"  # beside the runs: a run folder that came from elsewhere brings no such file
_CHECKED = 32  # validation images that a new file is asked about
_KEPT = 2_000_000_000  # bytes of all files together
_BLOCK = 1 << 20
_LOG = logging.getLogger("weakspot")


def hasten(predictor: Predictor, run: Run, *, images: int = 0) -> None:
    """Let ONNX Runtime answer for a finished run's best model, where its file is kept or so many `images` make it worth making.

    On the processor and in fp32 alone. Nothing changes where the file cannot be made or answers otherwise; the log says so.
    """
    compute = predictor.compute
    if compute.device.type != "cpu" or compute.precision != "fp32" or jobs.live_status(run).state in ACTIVE:
        return
    try:
        path = find_place(run)
        if not path.exists():
            if images < WORTH:
                return
            _make(run, path)
        shipped = open_model(ONNX, path)
        _refuse_other_model(shipped, predictor)
    except Exception as error:  # a shortcut is never worth a failure, and engines raise what they like
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        _LOG.warning("%s is asked by PyTorch, not by ONNX Runtime: %s", run.id, first)
        return
    predictor.shortcut = shipped.answer


def find_place(run: Run) -> Path:
    """Return where the file of a run's best model lies; another model, or another version of this program, has another."""
    digest = hashlib.sha256(core.__version__.encode())
    with run.best_path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return run.folder.parent / _FOLDER / f"{digest.hexdigest()[:32]}.onnx"


def _make(run: Run, path: Path) -> None:
    """Write the file and ask it about validation images; raises UserError where it answers otherwise."""
    folders = recorded_folders(run)
    source = load_source(run)
    source = replace(source, contract=replace(source.contract, temperature=1.0))  # each answer has its own
    path.parent.mkdir(exist_ok=True)
    with draft_folder(path) as draft:
        write_model(source, ONNX, draft / path.name)
        found = compare_answers(
            open_model(ONNX, draft / path.name), source.own, folders.root, spread(folders.val, _CHECKED), lambda _: True
        )  # fmt: skip
        assert found is not None
        refuse_other_answers(run.id, found)
        insist(lambda: (draft / path.name).replace(path))
    delete_oldest(path.parent, "*.onnx", keep=path, limit=_KEPT)


def _refuse_other_model(shipped: Shipped, predictor: Predictor) -> None:
    """Ask both about an image of noise, since the file may be damaged and the predictor of a model before."""
    size = predictor.image_size
    noise = np.random.default_rng(0).integers(0, 256, (1, size, size, 3), dtype=np.uint8)
    found, wanted = shipped.answer(noise), predictor.weigh_seen(list(noise)).numpy()
    if found.shape != wanted.shape or not np.abs(found - wanted).max() <= LIMIT:
        raise RunError("the stored file gives different answers")
