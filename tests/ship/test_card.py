"""The model card: what a stranger needs before using a model, and a program in it that runs."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from core.model.predict import Predictor
from core.runs.run import Run
from core.ship.card import Facts, write_card
from core.ship.check import Agreement
from core.ship.contract import Contract
from core.ship.cost import Cost, Side
from core.ship.formats import FORMATS, ONNX, SAFETENSORS
from core.ship.network import load_source
from core.ship.origin import describe_licence
from core.ship.package import ship_to_file
from core.ship.snippet import write_snippet
from tests.conftest import make_tiny_data
from tests.made_run import make_run, measure_confidence


def card_of(run: Run, **changes: object) -> str:
    contract: Contract = load_source(run).contract
    facts = Facts(run, ONNX, "first.onnx", 44_800_000, contract, Agreement(6, 2e-7, 0))
    return write_card(replace(facts, **changes))  # type: ignore[arg-type]


def test_a_card_tells_the_data_how_good_it_is_its_limits_and_its_check(run: Run) -> None:
    card = card_of(run)
    assert card.startswith(
        "# Model card of first\n\n**resnet18**, which tells 3 classes apart, as ONNX in fp32"
    )
    assert "On validation it has 4 of 6 right, 66.7 % (95 % interval 30.0–90.3 %)." in card
    assert "Trained on 18 images of the data set tiny, 6 a class (epoch 2)." in card
    assert "Classes: 2 · rose, 10 · tulip, 35 · iris." in card
    assert "How far its confidences can be trusted was not measured." in card
    assert 'An answer below 50.0 % is to be taken as "not sure"' in card
    assert "it will get slightly fewer new ones right" in card
    assert "also one that shows none of them" in card
    assert "the largest difference of a probability is 2.0e-07" in card
    titles = re.findall(r"^## (.+)$", card, re.MULTILINE)
    assert titles == [
        "Use it", "Data", "How good it is", "Confidences", "Weak classes", "Limits", "Licence", "Check",
    ]  # fmt: skip


def test_a_card_tells_the_temperature_inside_and_what_is_not_sure(run: Run) -> None:
    found = measure_confidence(run)
    contract = replace(load_source(run).contract, threshold=0.8)
    card = card_of(run, contract=contract)
    assert f"the temperature {found.temperature:.3f} is inside" in card
    assert 'An answer below 80.0 % is to be taken as "not sure"' in card


def test_a_card_names_the_classes_that_are_clearly_weak(run: Run) -> None:
    """Of 40 images of two classes all are right, of 20 of a third none."""
    head = "path,true,predicted,confidence,true_confidence,loss\n"
    rows = [
        f"{n}.png,{true},{said},0.9,0.5,0.7"
        for true, said in (("2", "2"), ("10", "10"), ("35", "2"))
        for n in range(20)
    ]
    run.predictions_path().write_text(head + "\n".join(rows) + "\n")
    card = card_of(run)
    assert "1 of 3 classes is clearly below the average of all images." in card
    assert "- **35 · iris**: 0 of 20 right (0–16 %), mostly taken for 2 · rose" in card


def test_a_card_of_int8_says_first_what_that_costs(run: Run) -> None:
    sides = Side(90, 40_000_000, 0.020, 0.010), Side(70, 11_000_000, 0.010, 0.008)
    card = card_of(run, cost=Cost("static", 100, 25, 5, *sides))
    assert "int8 costs accuracy: 20.0 points on validation." in card
    assert "The file has 11.0 MB, 27.5 % of the fp32 file's." in card
    assert "10.0 ms alone (fp32: 20.0 ms) and 8.0 ms in a batch of 32 (fp32: 10.0 ms)" in card
    assert "The figures above are those of the model before it was cut to 8 bits" in card
    assert "On validation it has 70 of 100 right" in card


def test_no_loss_is_claimed_where_none_is_shown(run: Run) -> None:
    sides = Side(90, 40_000_000, 0.020, 0.010), Side(89, 11_000_000, 0.010, 0.008)
    told = Cost("dynamic", 100, 2, 1, *sides).describe()
    assert told[0] == "These validation images show no loss of accuracy by int8."
    assert "No evidence of a difference between fp32 and int8" in told[1]


@pytest.mark.parametrize(
    ("arch", "weights", "said"),
    [
        ("resnet18", "none", "trained from scratch"),
        ("resnet18", "imagenet", "which torchvision lists under **bsd-3-clause**"),
        ("convnext_atto", "imagenet", "which timm lists under **apache-2.0**"),
        ("resnet18", "/elsewhere/mine.pt", "It began with the file mine.pt. Ask where that came from"),
    ],
)
def test_the_licence_is_that_of_the_weights_it_began_with(
    arch: str, weights: str, said: str, runs_root: Path, tiny_data: Path
) -> None:
    run = make_run(runs_root, tiny_data, arch=arch, weights=weights)
    assert said in describe_licence(run, runs_root)


def test_the_licence_comes_down_through_the_runs_it_came_from(runs_root: Path, tiny_data: Path) -> None:
    make_run(runs_root, tiny_data, name="a", weights="imagenet")
    child = make_run(runs_root, tiny_data, name="b", weights="run:a")
    orphan = make_run(runs_root, tiny_data, name="c", weights="run:gone")
    assert "bsd-3-clause" in describe_licence(child, runs_root)
    assert "What c began with is no longer known" in describe_licence(orphan, runs_root)


@pytest.mark.parametrize(
    ("network", "built"),
    [
        ("resnet18", 'torchvision.models.get_model("resnet18", num_classes=3)'),
        ("test_vit", 'timm.create_model("test_vit", num_classes=3, img_size=32)'),
    ],
)
def test_of_weights_alone_the_program_says_how_the_network_is_built(
    network: str, built: str, run: Run
) -> None:
    contract = replace(load_source(run).contract, network=network)
    program = write_snippet(SAFETENSORS, "first.safetensors", contract)
    assert built in program
    assert f"/ {contract.temperature})" in program


@pytest.mark.parametrize("kind", FORMATS)
def test_the_program_of_each_format_is_python(kind: str, run: Run) -> None:
    compile(write_snippet(kind, f"first{FORMATS[kind].suffix}", load_source(run).contract), "card", "exec")


def test_the_program_of_weights_alone_names_the_class_that_predict_names(
    run: Run, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "first.safetensors"
    assert ship_to_file(run, SAFETENSORS, out, progress=lambda *_: True) is not None
    (tmp_path / "image.jpg").hardlink_to(photo)
    monkeypatch.chdir(tmp_path)
    (program,) = re.findall(r"```python\n(.+?)```", Path(f"{out}.md").read_text(), re.DOTALL)
    exec(program, {})
    (wanted,) = Predictor.from_run(run).predict([Image.open(photo)])
    name, confidence = capsys.readouterr().out.split()
    assert (name, float(confidence)) == (wanted.classes[0], pytest.approx(wanted.confidences[0], abs=1e-4))


def test_names_of_classes_and_data_are_shown_letter_by_letter(
    runs_root: Path, tmp_path: Path, best_model: Path
) -> None:
    data = make_tiny_data(tmp_path / "a_*set*")
    odd = "<img src=x> [link](http://evil.example) `code` **bold** a|b"
    (data / "class_names.csv").write_text(f"label,name\n2,{odd}\n10,tulip\n35,iris\n", encoding="utf-8")
    run = make_run(runs_root, data)
    run.best_path.hardlink_to(best_model)
    card = card_of(run)
    assert r"of the data set a\_\*set\*," in card
    shown = r"2 · \<img src=x\> \[link\](http://evil.example) \`code\` \*\*bold\*\* a\|b"
    assert f"Classes: {shown}, 10 · tulip" in card
    assert "<img" not in card.replace(r"\<img", "")
