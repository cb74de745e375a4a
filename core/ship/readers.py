"""A shipped file opened as one who was sent it does: the contract inside, and what answers to pixels."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from core.ship.contract import FILE, INPUT, OUTPUT, Contract
from core.ship.formats import ONNX, SAFETENSORS, TORCH_EXPORT, TORCHSCRIPT
from core.ship.network import rebuild_module

Pixels = npt.NDArray[np.uint8]  # (N, S, S, 3)
Probabilities = npt.NDArray[np.float32]  # (N, C)


@dataclass(frozen=True)
class Shipped:
    """A shipped file that was opened: the contract it carries, and what answers to pixels, on the CPU."""

    contract: Contract
    answer: Callable[[Pixels], Probabilities]


def open_model(kind: str, path: Path) -> Shipped:
    """Open a shipped file of a format of `FORMATS`; nothing but the file is looked at."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that TorchScript is not developed further
        return _READERS[kind](path)


def _open_onnx(path: Path) -> Shipped:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors
    options.intra_op_num_threads = torch.get_num_threads()  # as many as PyTorch is given
    # Threads that wait for work spin by default, which starves a training or another page beside them.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def answer(pixels: Pixels) -> Probabilities:
        found: Probabilities = session.run([OUTPUT], {INPUT: pixels})[0]
        return found

    return Shipped(Contract.from_texts(session.get_modelmeta().custom_metadata_map), answer)


def _open_torchscript(path: Path) -> Shipped:
    inside = {FILE: ""}
    module = torch.jit.load(str(path), map_location="cpu", _extra_files=inside)  # type: ignore[no-untyped-call]
    return Shipped(_read_inside(inside), _ask(module))


def _open_torch_export(path: Path) -> Shipped:
    inside = {FILE: ""}
    program = torch.export.load(path, extra_files=inside)
    return Shipped(_read_inside(inside), _ask(program.module()))


def _open_safetensors(path: Path) -> Shipped:
    from safetensors import safe_open
    from safetensors.torch import load_file

    with safe_open(path, framework="pt") as file:
        contract = Contract.from_texts(file.metadata())
    return Shipped(contract, _ask(rebuild_module(contract, load_file(path))))


def _read_inside(inside: dict[str, Any]) -> Contract:
    text = inside[FILE]  # bytes or text, by the format
    return Contract.from_json(text.decode() if isinstance(text, bytes) else text)


def _ask(module: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[Pixels], Probabilities]:
    @torch.no_grad()
    def answer(pixels: Pixels) -> Probabilities:
        found: Probabilities = module(torch.from_numpy(pixels)).numpy()
        return found

    return answer


_READERS: dict[str, Callable[[Path], Shipped]] = {
    ONNX: _open_onnx,
    TORCHSCRIPT: _open_torchscript,
    TORCH_EXPORT: _open_torch_export,
    SAFETENSORS: _open_safetensors,
}
