"""A model written in each format, with its contract inside."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from core.errors import UserError
from core.ship.contract import FILE, INPUT, OUTPUT, Contract
from core.ship.formats import FORMATS, ONNX, SAFETENSORS, TORCH_EXPORT, TORCHSCRIPT
from core.ship.network import ShippedNetwork, Source

_OPSET = 18  # of 2022: what engines of the last years understand
_LARGEST = 2_000_000_000  # bytes; an ONNX file is one message, which cannot have more than 2 GiB


def write_model(source: Source, kind: str, path: Path) -> None:
    """Write a model in a format of `FORMATS` to a path in a folder of drafts.

    Raises:
        UserError: when this network cannot be written in it.
        OSError: when the file cannot be written.
    """
    try:
        with _quiet():
            _WRITERS[kind](source, path)
    except (UserError, OSError, MemoryError):
        raise
    except (
        Exception
    ) as error:  # what traces a network raises a dozen kinds where it meets what it cannot follow
        others = " or ".join(name for name in (TORCHSCRIPT, SAFETENSORS) if name != kind)
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UserError(
            f"{source.contract.network} cannot be written as {FORMATS[kind].title}: {first} Try {others}."
        ) from error


def _write_onnx(source: Source, path: Path) -> None:
    import onnx

    module, contract = source.make_module(), source.contract
    size = sum(t.numel() * t.element_size() for t in module.state_dict().values())
    if size > _LARGEST:
        raise UserError(
            f"{contract.network} has {size / 1e9:.1f} GB of weights, and one ONNX file holds 2 GB at most. "
            f"Choose {TORCH_EXPORT} or {SAFETENSORS}."
        )
    program = torch.onnx.export(
        _follow(module, contract),
        input_names=[INPUT],
        output_names=[OUTPUT],
        opset_version=_OPSET,
        dynamo=True,
        verbose=False,
    )
    assert program is not None
    model = program.model_proto
    onnx.helper.set_model_props(model, contract.to_texts())
    onnx.save_model(model, path)


def _write_torchscript(source: Source, path: Path) -> None:
    module, contract = source.make_module(), source.contract
    with torch.no_grad():
        traced = torch.jit.trace(module, _example(contract), check_trace=False)  # type: ignore[no-untyped-call]
        frozen = torch.jit.freeze(traced.eval())
    torch.jit.save(frozen, str(path), _extra_files={FILE: contract.to_json()})


def _write_torch_export(source: Source, path: Path) -> None:
    program = _follow(source.make_module(), source.contract)
    torch.export.save(program, path, extra_files={FILE: source.contract.to_json()})


def _write_safetensors(source: Source, path: Path) -> None:
    from safetensors.torch import save_file

    # Tensors that share memory are refused: each gets its own.
    state = {name: tensor.clone().contiguous() for name, tensor in source.network.state_dict().items()}
    save_file(state, path, metadata=source.contract.to_texts())


def _follow(module: ShippedNetwork, contract: Contract) -> torch.export.ExportedProgram:
    """Return the graph of a module for batches of any size."""
    batch = torch.export.Dim("batch", min=1, max=1 << 16)
    with torch.no_grad():
        return torch.export.export(module, (_example(contract),), dynamic_shapes={INPUT: {0: batch}})


def _example(contract: Contract) -> torch.Tensor:
    """Return pixels of two images, since what follows a network takes a batch of one for a fixed size."""
    shape = (2, contract.image_size, contract.image_size, 3)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what the exporters say to their own developers from a user's terminal."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)


_WRITERS: dict[str, Callable[[Source, Path], None]] = {
    ONNX: _write_onnx,
    TORCHSCRIPT: _write_torchscript,
    TORCH_EXPORT: _write_torch_export,
    SAFETENSORS: _write_safetensors,
}
