"""The model behind a table: its weights are loaded, held against the table and put in order, and it answers as the table does."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from core.__main__ import main
from core.dataset.images import read_image
from core.errors import ConfigError, DataError, WeightsError
from core.imports.made import make_run
from core.model.predict import Predictor
from core.networks.table import InputFormat
from core.recipe.config import TrainConfig
from core.runs.run import Run, create_run, find_run, iter_runs
from tests.imports.models import TEXT, make_weights, open_tiny
from tests.imports.tables import PATHS, PLAIN, PREDICTED, WHOLE, understand

COUNTED, MIXED = ("2", "10", "35"), ("35", "2", "10")
GREY = InputFormat((0.5,) * 3, (0.5,) * 3)
ARGUMENTS = ["--arch", "resnet18", "--image-size", "32", "--resize-size", "32"]


def answer(run: Run, data: Path) -> list[str]:
    found = Predictor.from_run(run).predict([read_image(data / path) for path in PATHS])
    return [one.classes[0] for one in found]


@pytest.mark.parametrize(
    ("order", "text", "said"),
    [
        (TEXT, PLAIN, "alphabetical order"),
        (COUNTED, PLAIN, "the order in which people count"),
        (MIXED, WHOLE, "the order of the table's columns"),
    ],
)
def test_the_run_gets_the_model_with_its_outputs_in_the_order_of_the_classes(
    runs_root: Path, tiny_data: Path, order: tuple[str, ...], text: str, said: str
) -> None:
    if order == MIXED:
        lines = [line.split(",") for line in WHOLE.splitlines()]
        text = "\n".join(",".join([*line[:2], line[4], line[3], line[2]]) for line in lines)
    model = open_tiny(make_weights(tiny_data, order=order), tiny_data, text)
    assert model.note.startswith("model.pt agrees with the table on 6 of the 6 images")
    assert model.note.endswith(f"its outputs are in {said}.")
    run = make_run(understand(text, tiny_data), runs_root, name="elsewhere", model=model)
    assert answer(run, tiny_data) == list(PREDICTED)


def test_a_model_that_says_something_else_is_refused_with_what_may_differ(tiny_data: Path) -> None:
    path = make_weights(tiny_data, order=MIXED)
    with pytest.raises(
        WeightsError, match=r"agrees with table\.csv on only 4 of the 6 images .* 95 % are needed"
    ) as raised:
        open_tiny(path, tiny_data)
    assert "an order other than alphabetical order or the order in which people count" in str(raised.value)
    assert "--mean and --std as in training" in str(raised.value)


def test_how_images_are_normalised_can_be_said_and_what_starts_from_the_run_does_the_same(
    runs_root: Path, tiny_data: Path
) -> None:
    path = make_weights(tiny_data, inputs=GREY)
    model = open_tiny(path, tiny_data, mean=GREY.mean, std=GREY.std)
    run = make_run(understand(PLAIN, tiny_data), runs_root, name="elsewhere", model=model)
    assert run.read_inputs() == GREY
    assert answer(run, tiny_data) == list(PREDICTED)
    config = TrainConfig(data=str(tiny_data), arch="resnet18", weights="run:elsewhere", name="next")
    assert create_run(config, runs_root).read_inputs() == GREY


def test_weights_of_more_classes_are_refused_with_both_numbers(tiny_data: Path) -> None:
    path = make_weights(tiny_data, classes=5)
    with pytest.raises(
        WeightsError, match=r"last layer of model\.pt has 5 outputs, but the data has 3 classes"
    ):
        open_tiny(path, tiny_data)


def test_weights_without_a_last_layer_are_refused(tiny_data: Path) -> None:
    path = make_weights(tiny_data)
    state = torch.load(path, weights_only=True)
    torch.save({name: value for name, value in state.items() if not name.startswith("fc.")}, path)
    with pytest.raises(WeightsError, match=r"model\.pt lacks the last layer of resnet18"):
        open_tiny(path, tiny_data)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"arch": "resnet81"}, "arch: unknown network 'resnet81'; did you mean"),
        ({"arch": "resnet34"}, "belongs to another network"),
        ({"image_size": 16}, "image_size: must be from 32"),
        ({"resize_size": 31}, "resize_size: must be"),
        ({"std": (0.5, 0.0, 0.5)}, "std: must be above 0 for each colour, got 0"),
    ],
)
def test_what_is_said_wrong_of_the_weights_is_named(
    tiny_data: Path, said: dict[str, object], words: str
) -> None:
    with pytest.raises((ConfigError, WeightsError)) as raised:
        open_tiny(make_weights(tiny_data), tiny_data, **said)
    assert words in str(raised.value)


def test_an_image_that_cannot_be_read_is_named(tiny_data: Path) -> None:
    path = make_weights(tiny_data)
    (tiny_data / PATHS[1]).write_text("no image")
    with pytest.raises(DataError, match=rf"{PATHS[1]} .*import the table without --weights"):
        open_tiny(path, tiny_data)


def test_the_command_takes_the_weights_and_predict_asks_them(
    runs_root: Path, tiny_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table, path = tmp_path / "own.csv", make_weights(tiny_data)
    table.write_text(PLAIN)
    command = ["import", str(table), "--data", str(tiny_data), "--weights", str(path)]
    assert main([*command, *ARGUMENTS]) == 0
    assert "model.pt agrees with the table on 6 of the 6 images" in capsys.readouterr().out
    assert main(["predict", "own", str(tiny_data / "val" / "10"), "--out", str(tmp_path / "out.csv")]) == 0
    assert (tmp_path / "out.csv").read_text().splitlines() == ["image_name,pred_label", "1.png,10", "2.png,2"]
    assert find_run("own", runs_root).read_config().arch == "resnet18"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--weights", "model.pt"], "error: arch: is missing"),
        (["--arch", "resnet18"], "error: arch: needs --weights FILE"),
        (["--weights", "nothing.pt", *ARGUMENTS], "error: weights: there is no file nothing.pt"),
    ],
)
def test_the_command_says_what_is_missing_and_makes_no_run(
    runs_root: Path,
    tiny_data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    words: str,
) -> None:
    (tmp_path / "own.csv").write_text(PLAIN)
    assert main(["import", str(tmp_path / "own.csv"), "--data", str(tiny_data), *options]) == 2
    assert words in capsys.readouterr().err
    assert list(iter_runs(runs_root)) == []
