"""A shipped file: it carries its contract, answers as Predict does, and is whole or not there."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.confidence.threshold import write_threshold
from core.errors import RunError, UserError
from core.model.predict import Predictor
from core.runs.run import Run
from core.ship import check, making, writers
from core.ship.check import Agreement, make_cutter, spread
from core.ship.contract import Contract
from core.ship.formats import FORMATS, ONNX, SAFETENSORS, TORCHSCRIPT
from core.ship.package import read_shipment, ship_to_file, ship_to_task, shipment_folder
from core.ship.readers import Shipped, open_model
from tests.made_run import measure_confidence


def go_on(done: int, total: int) -> bool:
    assert done <= total
    return True


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("kind", FORMATS)
def test_a_file_of_each_format_answers_as_predict_does_at_the_runs_temperature(
    kind: str, run: Run, photo: Path, tmp_path: Path
) -> None:
    found = measure_confidence(run)
    write_threshold(run, 0.7, temperature=found.temperature)
    (tmp_path / "out").mkdir()
    name = f"flowers{FORMATS[kind].suffix}"
    made = ship_to_file(run, kind, tmp_path / "out" / name, progress=go_on)
    assert made is not None
    assert "names the same class as this program does" in made.found[0]
    assert names_in(tmp_path / "out") == [name, f"{name}.json", f"{name}.md"]
    shipped = open_model(kind, tmp_path / "out" / name)
    assert shipped.contract == Contract.from_json((tmp_path / "out" / f"{name}.json").read_text())
    contract = shipped.contract
    assert (contract.classes, contract.temperature, contract.threshold) == (
        ("2", "10", "35"),
        found.temperature,
        0.7,
    )
    images = [Image.open(photo)] * 3
    answers = shipped.answer(make_cutter(contract)(images))
    wanted = Predictor.from_run(run).weigh_classes(images, temperature=found.temperature).numpy()
    np.testing.assert_allclose(answers, wanted, atol=1e-4)
    assert answers.dtype == np.float32


def test_a_contract_comes_back_from_texts_and_from_json_as_it_was() -> None:
    contract = Contract(
        run="2024", epoch=3, network="resnet18", image_size=32, resize_size=36, interpolation="bicubic",
        mean=(0.5,) * 3, std=(0.25,) * 3, classes=("7", "ä,b"), class_names=("seven", "ä"), temperature=1.25,
        threshold=0.0, precision="int8",
    )  # fmt: skip
    assert Contract.from_texts(contract.to_texts()) == contract
    assert Contract.from_json(contract.to_json()) == contract
    assert contract.to_texts()["input_shape"] == "uint8 RGB from 0 to 255, (batch, 32, 32, 3)"


@pytest.fixture
def answer_otherwise(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Return what lets every shipped file give the first class so much less than it should."""

    def let(less: float) -> None:
        def open_wrong(kind: str, path: Path) -> Shipped:
            right = open_model(kind, path)
            shift = np.array([-less, less, 0], dtype=np.float32)
            return Shipped(right.contract, lambda pixels: right.answer(pixels) + shift)

        monkeypatch.setattr(making, "open_model", open_wrong)

    return let


def test_a_file_that_answers_otherwise_is_refused_and_what_was_there_stays(
    run: Run, tmp_path: Path, answer_otherwise: Callable[[float], None]
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old.safetensors").write_bytes(b"of before")
    answer_otherwise(0.002)
    with pytest.raises(
        RunError, match=r"does not answer as the run does, so it was deleted.*At most 0.001 is allowed"
    ):
        ship_to_file(run, SAFETENSORS, tmp_path / "out" / "old.safetensors", progress=go_on)
    assert names_in(tmp_path / "out") == ["old.safetensors"]
    assert (tmp_path / "out" / "old.safetensors").read_bytes() == b"of before"


@pytest.mark.parametrize(
    ("difference", "others", "whole"), [(1e-3, 0, True), (1.1e-3, 0, False), (1e-9, 1, False)]
)
def test_an_agreement_is_whole_up_to_the_limit_where_every_class_is_the_same(
    difference: float, others: int, whole: bool
) -> None:
    assert Agreement(10, difference, others).is_whole == whole


def test_a_nan_is_no_agreement(run: Run) -> None:
    source = making.load_source(run)
    folders = making.recorded_folders(run)
    broken = Shipped(source.contract, lambda pixels: np.full((len(pixels), 3), np.nan, np.float32))
    found = check.compare_answers(broken, source.own, folders.root, folders.val, lambda _: True)
    assert found is not None
    assert not found.is_whole


def test_a_graph_that_learnt_the_size_of_its_batch_is_found(run: Run) -> None:
    source = making.load_source(run)
    folders = making.recorded_folders(run)

    def answer(pixels: np.ndarray) -> np.ndarray:
        if len(pixels) != 6:
            raise ValueError("Expected 6 images")
        return np.zeros((6, 3), np.float32)

    with pytest.raises(RunError, match="cannot be asked about 1 image: Expected 6 images"):
        check.compare_answers(
            Shipped(source.contract, answer), source.own, folders.root, folders.val, lambda _: True
        )


def test_the_images_asked_about_are_spread_over_all() -> None:
    samples = list(range(10))
    assert spread(samples, 4) == [0, 3, 6, 9]  # type: ignore[comparison-overlap,arg-type]
    assert spread(samples, 20) == samples  # type: ignore[comparison-overlap,arg-type]


@pytest.mark.parametrize("stop_at", [1, 100, 106])
def test_a_stop_leaves_nothing_behind(stop_at: int, run: Run, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    made = ship_to_file(
        run, SAFETENSORS, tmp_path / "out" / "m.safetensors", progress=lambda done, _: done < stop_at
    )
    assert made is None
    assert names_in(tmp_path / "out") == []


def test_a_network_that_a_format_cannot_follow_is_refused_with_another_format(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("Only tensors can be traced\nand more")

    monkeypatch.setitem(writers._WRITERS, TORCHSCRIPT, fail)
    (tmp_path / "out").mkdir()
    with pytest.raises(
        UserError, match=r"resnet18 cannot be written as TorchScript: Only tensors .* Try safetensors\."
    ):
        ship_to_file(run, TORCHSCRIPT, tmp_path / "out" / "m.pt", progress=go_on)
    assert names_in(tmp_path / "out") == []


def test_what_is_missing_is_told_before_the_work(run: Run, tiny_data: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="there is no folder"):
        ship_to_file(run, ONNX, tmp_path / "gone" / "m.onnx", progress=go_on)
    with pytest.raises(RunError, match=r"is a folder\. Name a file"):
        ship_to_file(run, ONNX, tmp_path, progress=go_on)
    with pytest.raises(UserError, match=r"for ONNX the file name must end in \.onnx"):
        ship_to_file(run, ONNX, tmp_path / "m.pt", progress=go_on)
    with pytest.raises(UserError, match="int8 is only for ONNX; safetensors is written in fp32"):
        ship_to_file(run, SAFETENSORS, tmp_path / "m.safetensors", int8=True, progress=go_on)
    tiny_data.rename(tiny_data.with_name("elsewhere"))
    with pytest.raises(RunError, match="is no longer there"):
        ship_to_file(run, ONNX, tmp_path / "m.onnx", progress=go_on)


def test_confidences_of_another_precision_are_to_be_measured_again(run: Run, tmp_path: Path) -> None:
    measure_confidence(run)
    path = run.folder / "calibration.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "precision": "bf16"}))
    with pytest.raises(RunError, match="measured in bf16, and a shipped model computes in fp32"):
        ship_to_file(run, SAFETENSORS, tmp_path / "m.safetensors", progress=go_on)


def test_a_task_keeps_what_it_made_with_a_record(run: Run, tmp_path: Path) -> None:
    task = tmp_path / "task"
    task.mkdir()
    assert read_shipment(task) is None
    made = ship_to_task(run, SAFETENSORS, task, progress=go_on)
    assert made is not None
    assert read_shipment(task) == made
    assert names_in(shipment_folder(task)) == [
        "export.json", "first.safetensors", "first.safetensors.json", "first.safetensors.md",
    ]  # fmt: skip
    assert ship_to_task(run, SAFETENSORS, task, progress=lambda *_: False) is None
    assert read_shipment(task) == made
    assert names_in(task) == ["result"]
    (shipment_folder(task) / "export.json").write_text("[]")
    with pytest.raises(RunError, match="Export the model again"):
        read_shipment(task)
