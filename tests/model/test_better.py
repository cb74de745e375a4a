"""Answers averaged over views and runs: what is averaged, who may judge, and what each way costs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from core.dataset.folders import Sample, scan_folders
from core.errors import DataError, RunError
from core.model.better import Committee, Way, choose_judges, measure_ways, refuse_other_classes
from core.model.predict import CLOSER, MIRROR, PLAIN, WHOLE, Predictor
from core.recipe.config import TrainConfig
from core.runs.run import Run, create_run
from core.runs.run_data import record_data, scan_config
from core.training.engine import Compute
from core.ways.choice import list_choices
from core.ways.measure import make_way
from tests.made_run import make_run

CLASSES = ("2", "10", "35")
SIZE = 8


class LeftColour(torch.nn.Module):
    """A network whose logits are the means of the three colours in the left half, times `sharpness`."""

    def __init__(self, sharpness: float, *, order: tuple[int, ...] = (0, 1, 2)) -> None:
        super().__init__()
        self.sharpness, self.order = sharpness, list(order)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return logits (N, 3) of images (N, 3, S, S)."""
        return self.sharpness * images[..., : SIZE // 2].mean((2, 3))[:, self.order]


def make_predictor(
    sharpness: float = 1.0, *, resize_size: int = SIZE, **options: tuple[int, ...]
) -> Predictor:
    return Predictor(
        LeftColour(sharpness, **options),
        classes=CLASSES,
        image_size=SIZE,
        resize_size=resize_size,
        compute=Compute(torch.device("cpu"), bf16=False, channels_last=False),
    )


def list_ways(*names: str, soup: tuple[str, ...] = ()) -> list[Way]:
    return [make_way(choice, names) for choice in list_choices(names, soup)]


def halves(left: str, right: str, size: tuple[int, int] = (SIZE, SIZE)) -> Image.Image:
    image = Image.new("RGB", size, right)
    image.paste(left, (0, 0, size[0] // 2, size[1]))
    return image


def probabilities(answers: Committee | Predictor, image: Image.Image, **options: float) -> list[float]:
    (found,) = answers.predict([image], **options)
    return [found.confidences[found.classes.index(name)] for name in CLASSES]


# What is averaged


def test_flip_averages_the_answers_to_an_image_and_to_its_mirror() -> None:
    predictor = make_predictor()
    red, blue = halves("red", "blue"), halves("blue", "red")
    wanted = np.mean([probabilities(predictor, image) for image in (red, blue)], axis=0)
    assert probabilities(Committee([predictor], tta="flip"), red) == pytest.approx(wanted, abs=1e-6)
    assert probabilities(Committee([predictor], tta="flip"), blue) == pytest.approx(wanted, abs=1e-6)


def test_no_views_are_the_plain_answers() -> None:
    predictor, image = make_predictor(), halves("red", "blue")
    assert Committee([predictor]).predict([image]) == predictor.predict([image])
    assert Committee([predictor]).predict([]) == []


def test_crops_see_what_the_plain_view_cuts_off_and_its_middle_from_closer() -> None:
    predictor = make_predictor()
    wide = Image.new("RGB", (3 * SIZE, SIZE), "lime")
    wide.paste("red", (0, 0, SIZE, SIZE))  # the left third, of which the middle shows nothing
    shown = {view: predictor.prepare([wide], view)[0, 0, 0] > 0 for view in (PLAIN, MIRROR, WHOLE, CLOSER)}
    assert [int(red.sum()) for red in (shown[PLAIN], shown[MIRROR], shown[CLOSER])] == [0, 0, 0]
    assert int(shown[WHOLE].sum()) in (2, 3)
    line = Image.new("RGB", (70, 70), "black")
    line.paste("white", (21, 0, 49, 70))
    sharp = Predictor(
        LeftColour(1.0), classes=CLASSES, image_size=56, resize_size=70,
        compute=Compute(torch.device("cpu"), bf16=False, channels_last=False),
    )  # fmt: skip
    width = {view: int((sharp.prepare([line], view)[0, 0, 28] > 0).sum()) for view in (PLAIN, CLOSER)}
    assert width == {PLAIN: 28, CLOSER: 32}


def test_one_model_that_is_sure_of_a_class_s_absence_does_not_outvote_the_others() -> None:
    image = halves("red", "red")
    mild, sure = make_predictor(1.0), make_predictor(20.0, order=(2, 1, 0))
    found = probabilities(Committee([mild, mild, sure]), image)
    wanted = np.mean([probabilities(model, image) for model in (mild, mild, sure)], axis=0)
    assert found == pytest.approx(wanted, abs=1e-6)
    # The mean of the logarithms would say nothing is left of the class that two of three call likely.
    assert found[0] > 0.5


def test_each_model_answers_at_its_own_temperature() -> None:
    image, models = halves("red", "lime"), [make_predictor(1.0), make_predictor(3.0)]
    wanted = np.mean(
        [probabilities(model, image, temperature=t) for model, t in zip(models, (0.5, 4.0), strict=True)],
        axis=0,
    )
    assert probabilities(Committee(models, temperatures=(0.5, 4.0)), image) == pytest.approx(wanted, abs=1e-6)
    assert probabilities(
        Committee(models, temperatures=(0.25, 2.0)), image, temperature=2.0
    ) == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (("2", "10"), "only a knows '35'"),
        ((*CLASSES, "40"), "only b knows '40'"),
        (("10", "2", "35"), "a and b have the same classes in another order"),
    ],
)
def test_runs_of_other_classes_are_refused_with_what_differs(other: tuple[str, ...], words: str) -> None:
    runs = [Run(Path("a")), Run(Path("b"))]
    refuse_other_classes(runs, [CLASSES, CLASSES])
    with pytest.raises(RunError, match=words):
        refuse_other_classes(runs, [CLASSES, other])


# Who judges


def make_holding(root: Path, data: Path, name: str, **changes: object) -> Run:
    """Make a run that has recorded its data, of which it holds a part back."""
    config = TrainConfig.from_dict({"data": str(data), "name": name, "weights": "none", **changes})
    run = create_run(config, root)
    record_data(run, scan_config(config), config)
    return run


def test_validation_judges_where_nothing_was_held_back(runs_root: Path, tiny_data: Path) -> None:
    runs = [make_run(runs_root, tiny_data, name=name, weights="none") for name in ("first", "second")]
    judges = choose_judges(runs)
    assert (judges.split, len(judges.samples)) == ("val", 6)


def test_images_held_back_judge_unless_another_run_was_chosen_by_them(
    runs_root: Path, tiny_data: Path
) -> None:
    holding = make_holding(runs_root, tiny_data, "holding", hold_back=1)
    also = make_holding(runs_root, tiny_data, "also", hold_back=1, seed=7)
    assert choose_judges([holding, also]).split == "held"
    assert choose_judges([holding, also], ("val",)).split == "val"


def test_a_run_that_was_trained_on_what_judges_is_refused_by_its_name(
    runs_root: Path, tiny_data: Path
) -> None:
    first = make_run(runs_root, tiny_data, name="first", weights="none")
    elsewhere = tiny_data.with_name("elsewhere")
    for kind, source in (("train", "val"), ("val", "train")):  # the same images the other way round
        for path in (tiny_data / source).rglob("*.png"):
            target = elsewhere / kind / path.relative_to(tiny_data / source)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    config = TrainConfig.from_dict({"data": str(elsewhere), "name": "cheat", "weights": "none"})
    cheat = create_run(config, runs_root)
    record_data(cheat, scan_folders(elsewhere), config)
    with pytest.raises(
        RunError, match=r"cheat was trained on 6 of the 6 images .* split the data as first did"
    ):
        choose_judges([first, cheat])


# What each way costs


def save_images(root: Path) -> list[Sample]:
    """Save an image a class whose left half tells it, and one of class 2 that only its mirror tells well enough."""
    pairs = [("red", "gray", 0), ("lime", "gray", 1), ("blue", "gray", 2), ("#303840", "red", 0)]
    for number, (left, right, _) in enumerate(pairs):
        halves(left, right).save(root / f"{number}.png")
    return [Sample(f"{number}.png", target) for number, (_, _, target) in enumerate(pairs)]


def test_a_way_tells_which_images_it_gets_right_and_costs_what_its_questions_cost(tmp_path: Path) -> None:
    samples, models = save_images(tmp_path), [make_predictor(3.0), make_predictor(3.0, order=(1, 2, 0))]
    calls: list[tuple[int, int]] = []
    results = measure_ways(
        models, list_ways("good", "bad"), tmp_path, samples, progress=lambda *call: not calls.append(call)
    )
    assert results is not None
    found = {result.name: result for result in results}
    assert list(found) == [
        "good, plain", "good, flip", "good, crops", "bad, plain", "2 runs averaged", "2 runs averaged, flip",
    ]  # fmt: skip
    assert found["good, plain"].right.tolist() == [True, True, True, False]
    assert found["good, flip"].right.tolist() == [True, True, True, True]
    assert not found["bad, plain"].right[:3].any()
    plain, both = found["good, plain"].seconds, found["2 runs averaged"].seconds
    assert 0 < plain < found["good, flip"].seconds < found["2 runs averaged, flip"].seconds
    assert both > max(plain, found["bad, plain"].seconds)
    assert calls == [(4, 4)]


def test_a_measurement_ends_when_told_to(tmp_path: Path) -> None:
    samples = save_images(tmp_path)
    ways = list_ways("good")
    assert measure_ways([make_predictor()], ways, tmp_path, samples, progress=lambda *_: False) is None


def test_an_image_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    samples = save_images(tmp_path)
    (tmp_path / "1.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"1\.png is empty"):
        measure_ways([make_predictor()], list_ways("good"), tmp_path, samples)


def test_a_soup_is_a_way_of_its_own() -> None:
    ways = list_ways("a", "b", soup=("b", "a"))
    assert (ways[-1].name, ways[-1].asked) == ("soup of b + a", ((2, PLAIN),))
    assert len(list_ways("a")) == 3
