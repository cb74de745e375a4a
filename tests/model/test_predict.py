"""Predictions: classes by their folders' names, and the hand-in file exactly as asked for."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from core.errors import RunError
from core.model.evidence import EIGENCAM, GRADCAM, Evidence
from core.model.predict import FilesPredicted, Predictor, find_images, name_images, predict_files
from core.networks.build import build_model
from core.networks.table import IMAGENET
from core.runs.run import Run
from core.training import loaders
from core.training.checkpoint import best_values, save_checkpoint
from core.training.engine import Compute
from tests.dataset.pictures import locked_folder

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


# Finding the images


def test_images_of_a_folder_come_sorted_as_people_count(tmp_path: Path) -> None:
    for name in ("10.png", "2.png", "1.png", "sub/3.png", ".hidden.png", "Thumbs.db"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    found = [path.relative_to(tmp_path).as_posix() for path in find_images([tmp_path])]
    assert found == ["1.png", "2.png", "10.png", "sub/3.png"]


def test_files_and_folders_keep_the_order_they_were_named_in(tmp_path: Path) -> None:
    for name in ("b/2.png", "b/1.png", "a.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    found = find_images([tmp_path / "b", tmp_path / "a.png"])
    assert [path.name for path in found] == ["1.png", "2.png", "a.png"]


def test_a_path_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"gone\.png: there is no such file or folder"):
        find_images([tmp_path / "gone.png"])


def test_a_folder_without_files_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(RunError, match="empty: the folder has no files"):
        find_images([tmp_path / "empty"])


def test_what_systems_leave_is_not_predicted(tmp_path: Path) -> None:
    for name in (
        "1.png",
        ".ipynb_checkpoints/1.png",
        "@eaDir/1.png/thumb.jpg",
        "__MACOSX/._1.png",
        "sub/__MACOSX/a.png",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    assert find_images([tmp_path]) == [tmp_path / "1.png"]
    assert find_images([tmp_path / "@eaDir/1.png/thumb.jpg"]) == [tmp_path / "@eaDir/1.png/thumb.jpg"]


def test_a_name_that_is_not_utf_8_is_refused_before_the_work(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.png")
    (tmp_path / name).write_bytes(b"x")
    for asked in (tmp_path, tmp_path / name):
        with pytest.raises(RunError, match=r"caf\\xe9\.png has a name that is not UTF-8 and must be renamed"):
            find_images([asked])


def test_a_folder_that_cannot_be_looked_into_is_refused() -> None:
    with (
        locked_folder("deep/down") as root,
        pytest.raises(RunError, match=r"deep/down cannot be opened \(Perm"),
    ):
        find_images([root])


# The hand-in file


def test_the_hand_in_file_is_exactly_image_name_and_label(tiny_data: Path, predictor: Predictor) -> None:
    out = tiny_data.parent / "prediction.csv"
    assert predict_files(predictor, find_images([tiny_data / "test"]), out) == FilesPredicted([], 0)
    assert out.read_bytes() == b"image_name,pred_label\n1.png,2\n2.png,10\n3.png,35\n"


def test_details_tell_how_sure_the_model_is_and_the_hand_in_file_has_a_label_all_the_same(
    tiny_data: Path, predictor: Predictor
) -> None:
    Image.new("RGB", (32, 32), (90, 110, 85)).save(tiny_data / "test" / "2.png")
    out, details = tiny_data.parent / "prediction.csv", tiny_data.parent / "details.csv"
    paths = find_images([tiny_data / "test"])
    found = predict_files(predictor, paths, out, details=details, min_confidence=0.7)
    assert found == FilesPredicted([], 1)
    assert out.read_text() == "image_name,pred_label\n1.png,2\n2.png,10\n3.png,35\n"
    with details.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["image_name"], row["pred_label"], row["sure"]) for row in rows] == [
        ("1.png", "2", "yes"),
        ("2.png", "10", "no"),
        ("3.png", "35", "yes"),
    ]
    assert [float(row["confidence"]) >= 0.7 for row in rows] == [True, False, True]
    # Hot enough, nothing is sure.
    assert predict_files(predictor, paths, out, temperature=20.0, min_confidence=0.7).unsure == 3


def test_the_two_files_cannot_be_one(tiny_data: Path, predictor: Predictor) -> None:
    out = tiny_data.parent / "prediction.csv"
    with pytest.raises(RunError, match=r"prediction\.csv: .* must be two files"):
        predict_files(predictor, find_images([tiny_data / "test"]), out, details=out)


def test_a_bad_file_is_reported_and_the_others_go_on(tiny_data: Path, predictor: Predictor) -> None:
    (tiny_data / "test" / "2.png").write_bytes(b"")
    (tiny_data / "test" / "4.jpg").write_text("dear diary")
    out = tiny_data.parent / "prediction.csv"
    bad = predict_files(predictor, find_images([tiny_data / "test"]), out, batch_size=2).bad
    assert [(Path(item.path).name, item.reason.split(" (")[0]) for item in bad] == [
        ("2.png", "is empty"),
        ("4.jpg", "is no image of a kind that is read"),
    ]
    assert out.read_text() == "image_name,pred_label\n1.png,2\n3.png,35\n"


def test_what_is_no_file_is_left_out_with_its_reason(tiny_data: Path, predictor: Predictor) -> None:
    (tiny_data / "test" / "2.png").unlink()
    (tiny_data / "test" / "2.png").symlink_to("/nowhere/2.png")
    os.mkfifo(tiny_data / "test" / "10.png")
    out = tiny_data.parent / "prediction.csv"
    for paths in ([tiny_data / "test"], [tiny_data / "test" / f"{n}.png" for n in (1, 2, 3, 10)]):
        bad = predict_files(predictor, find_images(paths), out).bad
        assert [(Path(item.path).name, item.reason) for item in bad] == [
            ("2.png", "is a link to /nowhere/2.png, which is not there"),
            ("10.png", "is no file but a pipe"),
        ]
        assert out.read_text() == "image_name,pred_label\n1.png,2\n3.png,35\n"


def test_images_of_one_name_are_told_apart_by_their_folders() -> None:
    paths = [
        Path(name)
        for name in ("test/1.png", "test/a/2.png", "test/b/2.png", "test/b/c/3.png", "test/a/c/3.png")
    ]
    assert name_images(paths) == ["1.png", "a/2.png", "b/2.png", "b/c/3.png", "a/c/3.png"]
    assert name_images([paths[0], paths[0]]) == ["1.png", "1.png"]
    assert name_images([]) == []


def test_batches_do_not_change_the_hand_in_file(tiny_data: Path, predictor: Predictor) -> None:
    paths, texts = find_images([tiny_data / "val", tiny_data / "test"]), set()
    for batch_size in (1, 4, 100):
        predict_files(predictor, paths, tiny_data.parent / "prediction.csv", batch_size=batch_size)
        texts.add((tiny_data.parent / "prediction.csv").read_text())
    assert len(texts) == 1


def test_progress_is_told_to_the_last_image(tiny_data: Path, predictor: Predictor) -> None:
    calls: list[tuple[int, int]] = []

    def note(done: int, total: int) -> bool:
        calls.append((done, total))
        return len(calls) < 3

    def predict() -> FilesPredicted | None:
        paths = find_images([tiny_data / "test"])
        return predict_files(predictor, paths, out, batch_size=2, progress=note)

    out = tiny_data.parent / "p.csv"
    assert predict() is not None
    assert calls == [(2, 3), (3, 3)]
    out.unlink()
    assert predict() is None  # told to stop
    assert not out.exists()


def test_a_hand_in_file_that_cannot_be_written_is_told_before_the_work(
    tiny_data: Path, predictor: Predictor
) -> None:
    calls: list[tuple[int, int]] = []
    with pytest.raises(RunError, match=r"prediction\.csv: cannot be written, there is no folder .*gone"):
        predict_files(
            predictor,
            find_images([tiny_data / "test"]),
            tiny_data / "gone" / "prediction.csv",
            progress=lambda *call: not calls.append(call),
        )
    assert calls == []


def test_names_with_commas_and_of_any_script_survive(tiny_data: Path, predictor: Predictor) -> None:
    (tiny_data / "test" / "1.png").rename(tiny_data / "test" / 'Blüte, "花".png')
    out = tiny_data.parent / "prediction.csv"
    predict_files(predictor, [tiny_data / "test" / 'Blüte, "花".png'], out)
    assert out.read_text(encoding="utf-8").splitlines()[1] == '"Blüte, ""花"".png",2'
