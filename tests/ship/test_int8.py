"""8 bits: smaller, near the same answers, and what it costs is measured on all validation images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from core.runs.run import Run
from core.ship.formats import ONNX
from core.ship.package import ship_to_file
from core.ship.quantize import quantize_onnx
from core.ship.readers import open_model
from core.ship.writers import write_model
from tests.ship.test_shipped_networks import make_source


def test_a_convolutional_network_is_cut_to_8_bits_by_measured_ranges(run: Run, tmp_path: Path) -> None:
    told: list[int] = []

    def progress(done: int, total: int) -> bool:
        told.append(done)
        assert done <= total
        return True

    (tmp_path / "out").mkdir()
    out = tmp_path / "out" / "small.onnx"
    made = ship_to_file(run, ONNX, out, int8=True, progress=progress)
    assert made is not None
    assert told == sorted(told)
    assert made.size == out.stat().st_size < 0.3 * run.best_path.stat().st_size
    assert "fp32 has" in made.found[1]
    assert sorted(path.name for path in out.parent.iterdir()) == [
        "small.onnx",
        "small.onnx.json",
        "small.onnx.md",
    ]
    shipped = open_model(ONNX, out)
    assert shipped.contract.precision == "int8"
    answers = shipped.answer(np.zeros((2, 32, 32, 3), np.uint8))
    assert answers.sum(1) == pytest.approx([1, 1], abs=1e-5)
    graph = onnx.load(out).graph
    assert any(node.op_type == "QuantizeLinear" for node in graph.node)
    head = next(node for node in reversed(graph.node) if node.op_type in ("Gemm", "MatMul"))
    weights = {tensor.name: tensor for tensor in graph.initializer}
    assert any(weights[name].data_type == onnx.TensorProto.FLOAT for name in head.input if name in weights), (
        "the head keeps its numbers"
    )


def test_a_transformer_is_cut_to_8_bits_by_the_batch(tmp_path: Path) -> None:
    source = make_source("test_vit")
    write_model(source, ONNX, tmp_path / "plain.onnx")
    how = quantize_onnx(
        tmp_path / "plain.onnx", tmp_path / "small.onnx", source.contract, tmp_path, [], lambda _: True
    )
    assert how == "dynamic"
    assert (tmp_path / "small.onnx").stat().st_size < 0.5 * (tmp_path / "plain.onnx").stat().st_size
    pixels = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
    plain, small = (open_model(ONNX, tmp_path / f"{name}.onnx").answer(pixels) for name in ("plain", "small"))
    np.testing.assert_allclose(small, plain, atol=0.05)


def test_a_stop_while_ranges_are_measured_leaves_nothing(run: Run, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    made = ship_to_file(
        run, ONNX, tmp_path / "out" / "m.onnx", int8=True, progress=lambda done, _: done < 116
    )
    assert made is None
    assert list((tmp_path / "out").iterdir()) == []
