"""An ONNX file's weights and, where it is a convolutional network, its activations in 8 bits."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import onnx
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

from core.dataset.folders import Sample
from core.ship.check import Progress, make_cutter, read_batches
from core.ship.contract import INPUT, Contract

CALIBRATION = 100  # training images that the ranges of activations are taken from
_BATCH = 10
# Those whose 8-bit kernels save time, and what stands between them. The head and the softmax keep their numbers: in 8
# bits a probability would be one of 256.
_STATIC = ["Conv", "Gemm", "MatMul", "Add", "Relu", "Clip", "MaxPool", "GlobalAveragePool"]
_DYNAMIC = ["MatMul"]
_WEIGHING = ("Conv", "Gemm", "MatMul")


class Stopped(Exception):
    """The progress told to stop."""


def quantize_onnx(
    source: Path, target: Path, contract: Contract, root: Path, samples: list[Sample], progress: Progress
) -> str:
    """Write the int8 form of an ONNX file and return how its activations are treated: `static` or `dynamic`.

    Static means that their ranges were measured on the training images given; it is for networks that are mostly
    convolutions. Where most weights are in matrix products, as in transformers, ranges are taken anew for each batch, since
    outliers would widen measured ones. Weights get one scale a channel and 7 of the 8 bits, so that no processor's sums
    overflow: without VNNI, products of full 8 bits may.

    Raises:
        Stopped: when `progress(images done)` told to stop.
        DataError: naming a training image that cannot be read.
    """
    with _quiet():
        plain = target.with_name("prepared.onnx")
        quant_pre_process(source, plain, skip_symbolic_shape=True)
        model = onnx.load(plain)
        kind = "static" if _is_convolutional(model) else "dynamic"
        if kind == "static":
            quantize_static(
                plain, target, _Ranges(contract, root, samples, progress), quant_format=QuantFormat.QDQ,
                activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, per_channel=True, reduce_range=True,
                op_types_to_quantize=_STATIC, nodes_to_exclude=_list_ends(model),
            )  # fmt: skip
        else:
            del model.graph.value_info[:]  # a Gemm's weights are turned on the way, and these shapes are not
            quantize_dynamic(
                model, target, weight_type=QuantType.QInt8, per_channel=True, reduce_range=True,
                op_types_to_quantize=_DYNAMIC, nodes_to_exclude=_list_ends(model, "_MatMul"),
            )  # fmt: skip
    small = onnx.load(target)
    del small.metadata_props[:]
    onnx.helper.set_model_props(small, contract.to_texts())
    onnx.save_model(small, target)
    plain.unlink()
    return kind


class _Ranges(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
    """Training images as the calibration reads them."""

    def __init__(self, contract: Contract, root: Path, samples: list[Sample], progress: Progress) -> None:
        self._cut, self._progress, self._done = make_cutter(contract), progress, 0
        self._batches = read_batches(root, samples, _BATCH)

    def get_next(self) -> dict[str, Any] | None:
        """Return the next batch by the name of the graph's input; None after the last."""
        batch = next(self._batches, None)
        if batch is None:
            return None
        self._done += len(batch[0])
        if not self._progress(self._done):
            raise Stopped
        return {INPUT: self._cut(batch[1])}


def _is_convolutional(model: onnx.ModelProto) -> bool:
    """Tell whether most of a network's weights are those of convolutions."""
    sizes = {tensor.name: _count(tensor.dims) for tensor in model.graph.initializer}
    weights = dict.fromkeys(_WEIGHING, 0)
    for node in model.graph.node:
        if node.op_type in weights:
            weights[node.op_type] += sum(sizes.get(name, 0) for name in node.input)
    return weights["Conv"] > weights["Gemm"] + weights["MatMul"]


def _count(dims: Any) -> int:
    number = 1
    for dim in dims:
        number *= dim
    return number


def _list_ends(model: onnx.ModelProto, *endings: str) -> list[str]:
    """Return the names of the nodes that keep their numbers: all before the first weights, and from the last on.

    The first ones normalise pixels; the last one is the head. `endings` are what a name may get on the way, as of a Gemm that
    becomes a MatMul.
    """
    nodes = list(model.graph.node)
    weighing = [place for place, node in enumerate(nodes) if node.op_type in _WEIGHING]
    ends = (*nodes[: weighing[0]], *nodes[weighing[-1] :])
    return [node.name + ending for node in ends if node.name for ending in ("", *endings)]


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep from a terminal what the quantizer says to developers, which goes to the root logger."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
