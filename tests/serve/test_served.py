"""A served model answers as the Predictor does, at the temperature and threshold of this very model, and goes on with it."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from core.confidence.kept import keep_calibration, read_calibration
from core.confidence.threshold import write_threshold
from core.dataset.images import read_image
from core.errors import RunError
from core.model.predict import Predictor
from core.networks.build import head_of
from core.runs.run import Run
from core.serve.served import load_served
from core.training.checkpoint import load_checkpoint, save_checkpoint
from tests.made_run import make_run, measure_confidence
from tests.serve.serving import Server, confidences, encode, make_served, paint, serving


@pytest.fixture
def run(runs_root: Path, tiny_data: Path, best_model: Path) -> Run:
    """Return a run with a model of random weights, measured and with a threshold."""
    run = make_run(runs_root, tiny_data, device="cpu")
    shutil.copy(best_model, run.best_path)
    found = measure_confidence(run)
    write_threshold(run, 0.4, temperature=found.temperature, wanted=0.9)
    return run


def noise() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8))


def test_an_image_gets_the_predictors_own_answer_with_labels_and_whether_it_is_sure(
    server: Server, predictor: Predictor
) -> None:
    image = paint((200, 60, 30))
    (wanted,) = predictor.predict([image], temperature=0.5)
    answer = server.predict(encode(image))
    assert answer.status == 200
    told = answer.json()
    assert (told["run"], told["epoch"]) == ("first", 2)
    (one,) = told["images"]
    assert one["classes"][0]["label"] == "2 · rose"
    assert tuple(confidences(one)) == wanted.classes
    assert [*confidences(one).values()] == pytest.approx(wanted.confidences, abs=1e-5)
    assert one["sure"] == (wanted.confidences[0] >= 0.6)


def test_an_image_of_doubtful_colour_is_not_sure(server: Server) -> None:
    (clear,) = server.predict(encode(paint("red"))).json()["images"]
    (doubtful,) = server.predict(encode(paint((128, 127, 126)))).json()["images"]
    assert (clear["sure"], doubtful["sure"]) == (True, False)


def test_several_images_come_back_in_their_order_by_their_names(server: Server) -> None:
    answer = server.send_form(
        ("ä blue.png", encode(paint("blue"))), ("red.jpg", encode(paint("red"), "JPEG"))
    )
    assert answer.status == 200
    assert [(one["name"], one["classes"][0]["name"]) for one in answer.json()["images"]] == [
        ("ä blue.png", "35"),
        ("red.jpg", "2"),
    ]


def test_an_image_gets_the_same_answer_alone_and_among_others(server: Server) -> None:
    image, other = encode(paint((90, 80, 200))), encode(paint("red"))
    (alone,) = server.predict(image).json()["images"]
    among = server.send_form(("a", other), ("b", image), ("c", other)).json()["images"][1]
    assert confidences(alone) == pytest.approx(confidences(among), abs=1e-5)


def test_the_model_is_told_of_with_its_epoch_accuracy_calibration_and_threshold(server: Server) -> None:
    told = server.ask("GET", "/model").json()
    assert (told["run"], told["epoch"], told["newer_epoch"]) == ("first", 2, None)
    assert told["classes"][0] == {"name": "2", "label": "2 · rose"}
    accuracy = told["accuracy"]
    assert (accuracy["value"], accuracy["images"]) == (0.75, 4)
    assert accuracy["low"] < 0.75 < accuracy["high"]
    assert told["calibration"] == {"temperature": 0.5, "error": {"value": 0.02, "low": 0.01, "high": 0.05}}
    assert told["threshold"] == {"value": 0.6, "chosen": True, "wanted_accuracy": 0.9}
    assert told["tells_strangers"] is False


def test_a_model_without_threshold_is_sure_from_one_half_on_as_everywhere(tmp_path: Path) -> None:
    with serving(make_served(tmp_path)) as server:
        clear, doubtful = (
            server.predict(encode(paint(colour))).json()["images"][0] for colour in ("red", (128, 127, 126))
        )
        about = server.ask("GET", "/model").json()
    assert (clear["sure"], doubtful["sure"]) == (True, False)
    assert about["calibration"] is None
    assert about["threshold"] == {"value": 0.5, "chosen": False, "wanted_accuracy": None}


def test_where_the_run_has_learned_to_tell_strangers_they_are_told(run: Run, tiny_data: Path) -> None:
    known = tiny_data / "train" / "2" / "1.png"
    seen = Predictor.from_run(run)
    features: list[torch.Tensor] = []
    hook = head_of(seen.model).register_forward_pre_hook(
        lambda _, given: features.append(given[0].flatten(1))
    )
    seen.predict([read_image(known)])
    hook.remove()
    save_checkpoint(
        run.strangers_path,
        {"epoch": 2, "threshold": 0.9999, "count": 6, "bank": torch.nn.functional.normalize(features[0])},
    )
    with serving(load_served(run)) as server:
        told = [
            server.predict(data).json()["images"][0]["strange"]
            for data in (known.read_bytes(), encode(noise()))
        ]
        assert server.ask("GET", "/model").json()["tells_strangers"] is True
    assert told == [False, True]


def test_a_runs_best_model_is_served_at_its_temperature_and_threshold(run: Run, tiny_data: Path) -> None:
    served = load_served(run)
    assert served.temperature > 1
    path = tiny_data / "test" / "1.png"
    (wanted,) = Predictor.from_run(run).predict([read_image(path)], temperature=served.temperature)
    with serving(served) as server:
        (told,) = server.predict(path.read_bytes()).json()["images"]
        about = server.ask("GET", "/model").json()
    assert [*confidences(told)] == [*wanted.classes]
    assert [*confidences(told).values()] == pytest.approx(wanted.confidences, abs=1e-5)
    assert (about["network"], about["image_size"], about["epoch"]) == ("resnet18", 32, 2)
    assert about["accuracy"]["images"] == 6
    assert about["threshold"] == {"value": 0.4, "chosen": True, "wanted_accuracy": 0.9}


def test_a_server_goes_on_with_its_model_and_says_that_the_run_has_a_better_one(run: Run) -> None:
    with serving(load_served(run)) as server:
        before = server.predict(encode(paint("red"))).json()
        run.write_status(replace(run.read_status(), best_epoch=5))
        run.best_path.unlink()
        about = server.ask("GET", "/model").json()
        assert (about["epoch"], about["newer_epoch"]) == (2, 5)
        assert server.predict(encode(paint("red"))).json() == before


def test_what_was_measured_of_another_model_of_the_run_is_not_used(run: Run) -> None:
    """As where the run got a better model between the reading of the one and of the other."""
    found = read_calibration(run)
    assert found is not None
    save_checkpoint(run.best_path, {**load_checkpoint(run.best_path), "epoch": 3})
    keep_calibration(run, replace(found, epoch=2))
    served = load_served(run)
    assert (served.epoch, served.temperature, served.calibration_error, served.threshold) == (
        3,
        1,
        None,
        None,
    )


def test_a_run_without_a_model_cannot_be_served(run: Run) -> None:
    run.best_path.unlink()
    with pytest.raises(RunError, match=r"there is no best\.pt yet"):
        load_served(run)


def test_an_answer_is_json_that_any_program_reads_and_has_the_fields_that_are_described(
    server: Server,
) -> None:
    schemas = server.ask("GET", "/openapi.json").json()["components"]["schemas"]

    def check(value: Any, schema: dict[str, Any]) -> None:
        if schema.get("type") == "object" and "required" in schema:
            assert set(value) == set(schema["required"])
            for name, inner in schema["properties"].items():
                check(value[name], inner)
        elif schema.get("type") == "array":
            for item in value:
                check(item, schema["items"])

    for answer, schema in (
        (server.predict(encode(paint("red"))), "Predictions"),
        (server.ask("GET", "/model"), "Model"),
        (server.predict(b""), "Refusal"),
    ):
        assert answer.headers["content-type"] == "application/json"
        json.loads(answer.body, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
        check(answer.json(), schemas[schema])
