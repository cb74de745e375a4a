"""Predictions: classes by their folders' names, with the transforms of validation, and heat maps beside them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from core.errors import RunError
from core.model.evidence import EIGENCAM, GRADCAM, Evidence
from core.model.predict import Predictor
from core.networks.build import build_model
from core.networks.table import IMAGENET
from core.runs.run import Run
from core.training import loaders
from core.training.checkpoint import best_values, save_checkpoint
from core.training.engine import Compute

CLASSES = ("2", "10", "35")
FP32 = Compute(torch.device("cpu"), bf16=False, channels_last=False)


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    """Return a predictor whose network tells the brightest channel: red is class 2, green 10, blue 35."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(3, 3))
    model[2].weight.data = torch.eye(3) * 4
    model[2].bias.data.zero_()
    return Predictor(model, classes=CLASSES, image_size=32, resize_size=32, compute=FP32)


@pytest.fixture(scope="module")
def best_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return a run whose best model is a ResNet18 with random weights, made once for all tests."""
    torch.manual_seed(0)
    run = Run(tmp_path_factory.mktemp("first"))
    model = build_model("resnet18", 3)
    values = best_values(
        model,
        arch="resnet18",
        inputs=IMAGENET,
        classes=CLASSES,
        display={"2": "rose"},
        image_size=32,
        resize_size=36,
    )
    save_checkpoint(run.best_path, values)
    return run


@pytest.fixture(scope="module")
def resnet(best_run: Run) -> Predictor:
    """Return the predictor of that run."""
    return Predictor.from_run(best_run)


def plain(colour: str) -> Image.Image:
    return Image.new("RGB", (40, 40), colour)


def test_predictions_name_class_folders_best_first(predictor: Predictor) -> None:
    green, blue = predictor.predict([plain("lime"), plain("blue")])
    assert (green.classes[0], blue.classes[0]) == ("10", "35")
    assert set(green.classes) == set(CLASSES)
    assert sorted(green.confidences, reverse=True) == list(green.confidences)
    assert sum(green.confidences) == pytest.approx(1)


def test_a_temperature_divides_the_logits_and_keeps_the_order(predictor: Predictor) -> None:
    (raw,) = predictor.predict([plain("lime")])
    (calibrated,) = predictor.predict([plain("lime")], temperature=2.0)
    assert calibrated.classes == raw.classes
    expected = torch.tensor(raw.confidences).log().div(2).softmax(0)
    assert calibrated.confidences == pytest.approx(expected.tolist(), abs=1e-5)
    assert calibrated.confidences[0] < raw.confidences[0]


def test_no_images_give_no_predictions(predictor: Predictor) -> None:
    assert predictor.predict([]) == []


def test_of_many_classes_the_five_likeliest_are_named() -> None:
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(3, 9))
    predictor = Predictor(
        model, classes=[f"c{n}" for n in range(9)], image_size=32, resize_size=32, compute=FP32
    )
    assert len(predictor.predict([plain("red")])[0].classes) == 5


def test_a_runs_best_model_predicts_with_the_transforms_it_was_validated_with(resnet: Predictor) -> None:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (60, 50, 3), dtype=np.uint8))
    torch.manual_seed(0)
    model = build_model("resnet18", 3).eval()
    with torch.inference_mode():
        wanted = model(loaders.eval_transforms(32, 36, IMAGENET)(image)[None]).softmax(1)[0]
    found = resnet.predict([image])[0]
    assert found.classes[0] == CLASSES[int(wanted.argmax())]
    by_class = dict(zip(found.classes, found.confidences, strict=True))
    assert [by_class[name] for name in CLASSES] == pytest.approx(wanted.tolist(), abs=0.02)


def test_a_run_without_a_best_model_cannot_predict(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"there is no best\.pt yet"):
        Predictor.from_run(Run(tmp_path))


def test_an_explanation_shows_what_the_network_saw_and_the_maps_asked_for(resnet: Predictor) -> None:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (36, 36, 3), dtype=np.uint8))
    wanted = [[Evidence("35"), Evidence("2"), Evidence("2", rather_than="35")], []]
    seen, maps = resnet.explain([image, image], wanted)
    assert (seen.shape, seen.dtype) == ((2, 32, 32, 3), np.uint8)
    assert np.array_equal(seen[0], np.asarray(image)[2:34, 2:34])
    assert [len(found) for found in maps] == [3, 0]
    assert {(heat.shape, heat.dtype.name) for heat in maps[0]} == {((32, 32), "float32")}
    assert np.abs(maps[0][0] - maps[0][1]).max() > 0.1


def test_the_faithfulness_of_a_map_is_measured_for_the_class_named(resnet: Predictor) -> None:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (36, 36, 3), dtype=np.uint8))
    heat = np.eye(32, dtype=np.float32)
    found = [resnet.measure_faithfulness(image, heat, name) for name in CLASSES]
    assert sum(one.whole for one in found if one is not None) == pytest.approx(1, abs=0.01)


def test_predicting_goes_on_after_an_explanation(resnet: Predictor) -> None:
    before = resnet.predict([plain("red")])
    resnet.explain([plain("red")], [[Evidence("10")]])
    assert resnet.predict([plain("red")]) == before


def test_predictions_beside_heat_maps_come_out_as_those_made_alone(resnet: Predictor) -> None:
    rng = np.random.default_rng(0)
    images = [Image.fromarray(rng.integers(0, 255, (36, 36, 3), dtype=np.uint8)) for _ in range(4)]
    heat = np.eye(32, dtype=np.float32)

    def explain(method: str, number: int) -> bytes:
        (maps,) = resnet.explain([images[number]], [[Evidence("10")]], method=method, stage=2)[1]
        return maps[0].tobytes()

    questions: list[Callable[[int], object]] = [
        lambda number: resnet.predict([images[number]]),
        lambda number: explain(EIGENCAM, number),
        lambda number: explain(GRADCAM, number),
        lambda number: resnet.measure_faithfulness(images[number], heat, "35"),
    ]
    asked = [(question, number) for question in questions for number in range(len(images))]
    alone = [question(number) for question, number in asked]
    with ThreadPoolExecutor(8) as pool:
        for beside in [pool.map(lambda each: each[0](each[1]), asked) for _ in range(2)]:
            assert list(beside) == alone


@pytest.mark.parametrize("size", [(60, 50), (20, 90), (32, 32)])
def test_the_network_sees_what_validation_shows_it_to_the_bit(
    resnet: Predictor, size: tuple[int, int]
) -> None:
    images = [
        Image.fromarray(np.random.default_rng(n).integers(0, 255, (*size, 3), dtype=np.uint8)) for n in (0, 1)
    ]
    wanted = torch.stack([loaders.eval_transforms(32, 36, IMAGENET)(image) for image in images])
    assert torch.equal(resnet.prepare(images), wanted)
    seen = [resnet.look(image) for image in images]
    assert resnet.answer(seen) == resnet.predict(images)
