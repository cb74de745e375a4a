"""Weights that people download and pass on: such as would run code, of other networks, half a file, of no proper numbers."""

from __future__ import annotations

import io
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import save

from core.networks.weights import load_initial_weights
from core.training.checkpoint import load_checkpoint
from tests.corpus.case import Case, write
from tests.toy_net import build_toy, same

State = dict[str, torch.Tensor]
FIRST = "conv1.weight"
FITS = ("all 9 tensors fit",)
NO_FILE = "is not a weights file"


class Evil:
    """What would write a file, were it unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        """Tell pickle what to call."""
        return os.system, ("touch hit",)


def read(path: Path) -> str:
    """Start a network from weights; what is refused leaves it as it was, and no code of the file is run."""
    before = Path.cwd()
    os.chdir(path.parent)
    model, untouched = build_toy(seed=2), build_toy(seed=2)
    try:
        if path.name == "best.pt":
            return f"a checkpoint of {', '.join(load_checkpoint(path))}"
        said = load_initial_weights(model, "toy", str(path), Path, image_size=32, progress=lambda *_: True)
        untouched = model
        return str(said)
    finally:
        os.chdir(before)
        assert same(model, untouched)
        assert not (path.parent / "hit").exists()


def _saved(values: object) -> bytes:
    file = io.BytesIO()
    torch.save(values, file)
    return file.getvalue()


def _state(seed: int = 1, **changes: int) -> State:
    return dict(build_toy(seed=seed, **changes).state_dict())


def _with(change: Callable[[torch.Tensor], torch.Tensor]) -> bytes:
    state = _state()
    return _saved({**state, FIRST: change(state[FIRST])})


def _zip_of(name: str, content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(f"archive/{name}", content)
        archive.writestr("archive/version", "3\n")
    return file.getvalue()


def _case(name: str, content: Callable[[], bytes], *says: str) -> Case:
    return Case(lambda folder: write(name, content())(folder), says)


def _pt(content: Callable[[], bytes], *says: str) -> Case:
    return _case("weights.pt", content, *says)


def _pipe(name: str) -> Case:
    def make(folder: Path) -> Path:
        os.mkfifo(folder / name)
        return folder / name

    return Case(make, (f"{name} {NO_FILE}", "it is not a file but a pipe"))


def _safe(head: bytes, size: int | None = None) -> bytes:
    return struct.pack("<Q", len(head) if size is None else size) + head


CASES: dict[str, Case] = {
    "torch": _pt(lambda: _saved(_state()), *FITS),
    "safetensors": _case("weights.safetensors", lambda: save(_state()), *FITS),
    "in a wrapping": _pt(lambda: _saved({"epoch": 3, "state_dict": {f"module.{k}": v for k, v in _state().items()}}), *FITS),
    "half precision": _pt(lambda: _with(lambda t: t.half()), *FITS),
    "of other classes": _pt(lambda: _saved(_state(classes=7)), "the head is new"),
    "a pickle that would run code": _pt(lambda: pickle.dumps(Evil()), NO_FILE),
    "torch's pickle that would run code": _pt(lambda: _saved({"model": Evil()}), NO_FILE),
    "code in a zip of torch's kind": _pt(lambda: _zip_of("data.pkl", pickle.dumps(Evil())), NO_FILE),
    "code in a checkpoint": _case("best.pt", lambda: _saved({"format": 1, "model": Evil()}), "best.pt"),
    "a whole network, which is code": _pt(lambda: _saved(build_toy()), NO_FILE),
    "empty": _pt(lambda: b"", NO_FILE),
    "a text": _pt(lambda: b"not weights", NO_FILE),
    "an HTML page that was saved in its place": _pt(lambda: b"<!doctype html><html>404</html>", NO_FILE),
    "half of it": _pt(lambda: _saved(_state())[:1500], NO_FILE),
    "its last byte missing": _pt(lambda: _saved(_state())[:-1], NO_FILE),
    "a pipe": _pipe("weights.pt"),
    "a pipe called safetensors": _pipe("weights.safetensors"),
    "a folder": Case(lambda folder: folder, (NO_FILE, "Is a directory")),
    "no file": Case(lambda folder: folder / "gone.pt", ("weights: there is no file", "gone.pt")),
    "a list": _pt(lambda: _saved([1, 2]), "does not contain the state dict of a network"),
    "names that are numbers": _pt(lambda: _saved({1: torch.zeros(2)}), "does not contain the state dict of a network"),
    "texts for tensors": _pt(lambda: _saved({FIRST: "x"}), "does not contain the state dict of a network"),
    "nothing in it": _pt(lambda: _saved({}), "belongs to another network: 6 of 9 tensors"),
    "of another network": _pt(lambda: _saved({"layer.weight": torch.zeros(3)}), "belongs to another network", f"first {FIRST}, which it lacks"),
    "of other shapes": _pt(lambda: _saved(_state(width=4)), "belongs to another network", f"first {FIRST}, which is 4×3×3×3 and not 8×3×3×3"),
    "numbers without a shape": _pt(lambda: _with(lambda _: torch.tensor(1.0)), "belongs to another network"),
    "of a larger network of the kind": _pt(lambda: _saved({**_state(), "conv1.2.weight": torch.zeros(2)}), "belongs to a larger network of the same kind: it has conv1.2.weight", "Choose the network that the file belongs to."),
    "NaN": _pt(lambda: _with(lambda t: t * float("nan")), f"{FIRST} has numbers that are not finite"),
    "infinite": _pt(lambda: _with(lambda t: t / 0.0), f"{FIRST} has numbers that are not finite"),
    "whole numbers": _pt(lambda: _with(lambda t: (t * 100).to(torch.int8)), f"{FIRST} has the type int8, not floating-point numbers"),
    "complex": _pt(lambda: _with(lambda t: t.to(torch.complex64)), f"{FIRST} has the type complex64, not floating-point numbers"),
    "sparse": _pt(lambda: _with(lambda t: t.to_sparse()), f"{FIRST} has its values in a sparse form"),
    "meta": _pt(lambda: _with(lambda t: t.to("meta")), f"{FIRST} has no values"),
    "quantised": _pt(lambda: _with(lambda t: torch.quantize_per_tensor(t, 0.1, 0, torch.qint8)), "weights.pt"),
    "a tensor that claims a terabyte": _pt(lambda: _with(lambda t: t[:1, :1, :1, :1].expand(8, 3, 3, 3)), *FITS),
    "safetensors cut off": _case("w.safetensors", lambda: save(_state())[:-9], NO_FILE),
    "safetensors whose head is beyond its end": _case("w.safetensors", lambda: _safe(b"{}", 10**12), NO_FILE),
    "safetensors whose head is no JSON": _case("w.safetensors", lambda: _safe(b"[" * 1000), NO_FILE),
    "safetensors that lie about their size": _case("w.safetensors", lambda: _safe(b'{"a":{"dtype":"F32","shape":[99999999999],"data_offsets":[0,4]}}') + bytes(4), NO_FILE),
    "torch's file called safetensors": _case("w.safetensors", lambda: _saved(_state()), NO_FILE),
    "a checkpoint of anything": _case("best.pt", lambda: b"anything", "best.pt"),
    "half a checkpoint": _case("best.pt", lambda: _saved({"format": 1, "model": _state()})[:2000], "best.pt"),
}  # fmt: skip
