"""Let torchvision import where its compiled operators cannot load.

A CPU build of torch beside a torchvision that was linked against CUDA cannot load torchvision's extension, and then
`import torchvision` fails with "operator torchvision::nms does not exist". Nothing here uses those operators, so
their schemas are declared instead. Where the real ones load (any matching pair of builds) nothing is done.
torchvision also loads torch's compiler, which takes as long as all else together, to ask whether an operator may be
compiled. Nothing here compiles, so it is answered without the compiler, which what needs it loads later as ever.
Import this module before torchvision and before anything that imports it (pytorch_grad_cam).
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from contextlib import suppress
from pathlib import Path
from types import ModuleType

import torch


def _real_ops_load() -> bool:
    spec = importlib.util.find_spec("torchvision")
    folders = [Path(p) for p in (spec.submodule_search_locations or [])] if spec else []
    libraries = [path for folder in folders for path in folder.glob("_C*.so")] + [
        path for folder in folders for path in folder.glob("_C*.pyd")
    ]
    try:
        for library in libraries:
            torch.ops.load_library(str(library))  # type: ignore[no-untyped-call]
    except OSError:
        return False
    return hasattr(torch.ops.torchvision, "nms")


def _declare_ops() -> torch.library.Library | None:
    if _real_ops_load():
        return None
    library = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
    for name in ("nms", "qnms"):
        schema = f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
        library.define(schema)  # type: ignore[no-untyped-call]
    return library


# The declarations live as long as this object does.
LIBRARY = _declare_ops()


def _load_without_compiler() -> None:
    names = ("torch._dynamo", "torch._dynamo.utils")
    if any(name in sys.modules for name in names):
        return
    sys.modules.update({name: ModuleType(name) for name in names})
    sys.modules[names[1]].is_compile_supported = lambda device: False  # type: ignore[attr-defined]  # noqa: ARG005
    try:
        with suppress(ImportError):  # of another release, which asks for more
            importlib.import_module("torchvision.ops.roi_align")
    finally:
        for name in names:
            del sys.modules[name]


_load_without_compiler()
