"""Training images judged by heads that were fitted without them."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.__main__ import main
from core.dataset.folders import scan_folders
from core.dataset.label_report import read_report, report_path
from core.errors import DataError, RunError
from core.model.ancestry import see_run
from core.model.label_issues import find_issues_of
from core.model.out_of_sample import _join_scenes, judge_training, read_out_of_fold
from core.networks.build import build_model
from core.recipe.presets import from_preset
from core.runs.run import FOLD, Run, create_run
from core.runs.run_data import record_data
from core.slices.scenes import read_scenes
from core.training.checkpoint import save_checkpoint
from core.training.head_fit import fit_outside
from core.verdicts.predictions import read_predictions

COLOURS = {"blue": (30, 40, 200), "green": (30, 180, 60), "red": (210, 40, 30)}


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Return a folder of noise in three colours, ten training images a class, of which one red one is labelled green."""
    rng = np.random.default_rng(0)
    for label, colour in COLOURS.items():
        for split, count in (("train", 10), ("val", 2)):
            folder = tmp_path / "shop" / split / label
            folder.mkdir(parents=True)
            for number in range(count):
                pixels = rng.normal(colour, 45, (32, 32, 3)).clip(0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(folder / f"{number}.png")
    shutil.move(tmp_path / "shop/train/red/0.png", tmp_path / "shop/train/green/wrong.png")
    return tmp_path / "shop"


def make_run(data: Path, root: Path, name: str = "first", **changes: object) -> Run:
    """Make a run that has read its data; it needs no model to be judged."""
    values = {"data": str(data), "name": name, "image_size": 64, "resize_size": 64, "workers": 0}
    run = create_run(from_preset("quick", **{**values, **changes}), root)
    record_data(run, scan_folders(data), run.read_config())
    return run


def save_network(path: Path, **values: object) -> Path:
    """Save the weights of an untrained network of the preset quick, with what a best.pt tells of them."""
    save_checkpoint(path, {"model": build_model("tf_efficientnet_lite0", 3, 64).state_dict(), **values})
    return path


def go_on(done: int, total: int) -> bool:
    assert 0 <= done <= total
    return True


def test_each_training_image_is_judged_by_what_has_not_seen_it(shop: Path, runs_root: Path) -> None:
    run = make_run(shop, runs_root)
    about = judge_training(run, progress=go_on)
    assert about is not None
    table = read_predictions(run.predictions_path(FOLD)).set_index("path")
    assert len(table) == about.judged == 30
    assert about.right >= 27
    wrong = table.loc["train/green/wrong.png"]
    assert (wrong["true"], wrong["predicted"]) == ("green", "red")  # a head fitted to it would know its label
    assert read_out_of_fold(run) == about
    assert read_scenes(run.folder, FOLD).keys() == set(table.index)
    assert "tf_efficientnet_lite0 with its published weights" in about.describe(str)
    assert "whole network" not in about.describe(str)


def test_doubts_about_training_labels_come_from_what_has_not_seen_them(shop: Path, runs_root: Path) -> None:
    """The run needs no model: its own has seen these images, and would know the wrong label by heart."""
    rng = np.random.default_rng(1)
    for number in range(10, 25):
        pixels = rng.normal(COLOURS["red"], 45, (32, 32, 3)).clip(0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(shop / f"train/red/{number}.png")
    run = make_run(shop, runs_root)
    report = find_issues_of(run, "train", progress=go_on)
    assert report is not None
    assert (report.split, report.count, report.out_of_fold) == ("train", 45, True)
    table = read_predictions(run.predictions_path(FOLD)).set_index("path")
    assert report.issues
    for issue in report.issues:
        assert (table.loc[issue.path, "true"], table.loc[issue.path, "predicted"]) == (
            issue.given,
            issue.suggested,
        )
    about = read_out_of_fold(run)
    assert about is not None
    assert report.accuracy == about.right / about.judged < 1
    assert read_report(report_path(run.folder, "train")) == report


def test_images_of_a_known_group_are_judged_by_what_has_seen_none_of_it(shop: Path, runs_root: Path) -> None:
    """Images of the same film are of two classes, so that who knows one of them errs on the others."""
    for label, colour in (("red", COLOURS["blue"]), ("blue", COLOURS["red"])):
        for number in range(6):
            pixels = (
                np.random.default_rng(number).normal(colour, 45, (32, 32, 3)).clip(0, 255).astype(np.uint8)
            )
            Image.fromarray(pixels).save(shop / "train" / label / f"film-{number}.png")
    run = make_run(shop, runs_root, group_by="name")
    record_data(run, scan_folders(shop, group_by="name"), run.read_config())
    assert judge_training(run, progress=go_on) is not None
    table = read_predictions(run.predictions_path(FOLD)).set_index("path")
    scenes = read_scenes(run.folder, FOLD)
    films = [path for path in table.index if "film-" in path]
    assert len(films) == 12
    assert len({scenes[path] for path in films}) == 1
    assert (table.loc[films, "predicted"] != table.loc[films, "true"]).all()


def test_copies_are_never_on_both_sides(shop: Path, runs_root: Path) -> None:
    """Nine copies of a red image that is labelled green would vouch for each other."""
    for number in range(8):
        with Image.open(shop / "train/green/wrong.png") as image:
            image.point(lambda value, more=number: min(255, value + more)).save(
                shop / f"train/green/copy-{number}.png"
            )
    run = make_run(shop, runs_root)
    assert judge_training(run, progress=go_on) is not None
    table = read_predictions(run.predictions_path(FOLD))
    copies = table[table["path"].str.contains("copy|wrong")]
    assert len(copies) == 9
    assert (copies["predicted"] == "red").all()


def test_a_class_of_one_image_and_its_copy_is_left_out_and_named(shop: Path, runs_root: Path) -> None:
    folder = shop / "train" / "lone"
    folder.mkdir()
    for number in range(2):
        shutil.copy(shop / "train/blue/3.png", folder / f"{number}.png")
    run = make_run(shop, runs_root)
    about = judge_training(run, progress=go_on)
    assert about is not None
    assert about.left_out == ("lone",)
    assert "Too few images to judge: LONE." in about.describe(str.upper)
    assert "lone" not in set(read_predictions(run.predictions_path(FOLD))["true"])


def test_a_run_that_trained_the_whole_network_is_judged_by_what_it_began_with(
    shop: Path, runs_root: Path
) -> None:
    tuned = make_run(shop, runs_root, "tuned", head_only=False, epochs=1)
    later = make_run(shop, runs_root, "later", weights="run:tuned")
    about = judge_training(later, progress=go_on)
    assert about is not None
    assert (about.weights, about.whole) == ("imagenet", True)
    assert "network, trained as a whole, has seen these images and cannot judge them" in about.describe(str)
    shutil.rmtree(tuned.folder)
    with pytest.raises(RunError, match="tuned"):
        judge_training(later, progress=go_on)


def test_a_run_from_random_weights_is_refused_with_what_to_do(shop: Path, runs_root: Path) -> None:
    run = make_run(shop, runs_root, head_only=False, head_first=False, weights="none", epochs=1)
    with pytest.raises(RunError, match=r"trained from scratch.*such as the preset quick"):
        judge_training(run, progress=go_on)


def test_a_file_s_weights_that_have_seen_the_images_are_refused(
    shop: Path, runs_root: Path, tmp_path: Path
) -> None:
    """A copy of a best.pt that was trained on the images would know their labels as well as its run does."""
    earlier = make_run(shop, runs_root, "earlier")
    file = save_network(tmp_path / "copied.pt", seen=see_run(earlier, runs_root).to_values())
    run = make_run(shop, runs_root, weights=str(file))
    with pytest.raises(
        RunError, match=r"the file copied\.pt, which has seen 30 of its training images.*preset quick"
    ):
        judge_training(run, progress=go_on)
    assert not run.predictions_path(FOLD).exists()


def test_of_a_file_s_weights_it_is_said_that_nobody_knows_what_they_have_seen(
    shop: Path, runs_root: Path, tmp_path: Path
) -> None:
    run = make_run(shop, runs_root, weights=str(save_network(tmp_path / "found.pt")))
    about = judge_training(run, progress=go_on)
    assert about is not None
    assert about == read_out_of_fold(run)
    assert "with the weights of the file found.pt" in about.describe(str)
    assert "It is not known whether the file found.pt has seen these images" in about.describe(str)


def test_a_run_from_a_model_of_other_images_is_judged_by_that_model(
    shop: Path, tiny_data: Path, runs_root: Path
) -> None:
    """That one was trained as a whole and from scratch, and yet it has not seen these images."""
    other = make_run(
        tiny_data, runs_root, "other", head_only=False, head_first=False, weights="none", epochs=1
    )
    save_network(other.best_path)
    about = judge_training(make_run(shop, runs_root, weights="run:other"), progress=go_on)
    assert about is not None
    assert (about.weights, about.whole, about.unknown) == ("run:other", False, ())
    assert "with the weights of the run other" in about.describe(str)


def test_a_run_from_one_that_was_trained_from_scratch_on_the_images_is_refused(
    shop: Path, runs_root: Path
) -> None:
    make_run(shop, runs_root, "scratch", head_only=False, head_first=False, weights="none", epochs=1)
    later = make_run(shop, runs_root, "later", weights="run:scratch")
    with pytest.raises(RunError, match="later came from scratch, which was trained from scratch, so"):
        judge_training(later, progress=go_on)


def test_too_few_images_are_refused(shop: Path, runs_root: Path) -> None:
    for label in COLOURS:
        for path in (shop / "train" / label).iterdir():
            if path.name != "1.png":
                path.unlink()
    with pytest.raises(DataError, match="too few training images"):
        judge_training(make_run(shop, runs_root), progress=go_on)


@pytest.mark.parametrize("after", [0, 20, 50, 80])
def test_a_stop_leaves_nothing_half_done(shop: Path, runs_root: Path, after: int) -> None:
    run = make_run(shop, runs_root)
    assert judge_training(run, progress=lambda done, _: done < after) is None
    assert not run.predictions_path(FOLD).exists()
    assert read_out_of_fold(run) is None


def test_the_command_says_which_classes_are_weak_and_what_validation_said(
    shop: Path, runs_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["train", "--preset", "quick", "--data", str(shop), "--name", "first", "--image-size", "64",
          "--resize-size", "64", "--workers", "0"])  # fmt: skip
    capsys.readouterr()
    assert main(["judge", "first"]) == 0
    said = capsys.readouterr().out
    assert "Out of fold 29 of 30 right" in said
    assert "Validation 5 of 6 right" in said
    assert "A class has 9 to 11 images out of fold and 2 in validation." in said
    assert "clearly below the average of all images" in said
    assert said.splitlines()[-1].endswith("predictions-fold.csv")


def test_the_command_refuses_a_run_without_validation_before_it_works(
    shop: Path, runs_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run(shop, runs_root)
    assert main(["judge", "first"]) == 2
    assert "first" in capsys.readouterr().err
    assert not run.predictions_path(FOLD).exists()


def test_images_of_a_scene_are_joined_unless_a_class_is_nearly_one() -> None:
    rng = np.random.default_rng(0)
    scenes = rng.normal(size=(6, 32))
    values = np.repeat(scenes, 3, axis=0) + 0.01 * rng.normal(size=(18, 32))
    drawings = rng.normal(size=(1, 32)) + 0.01 * rng.normal(size=(9, 32))
    targets = np.repeat([0, 1], [18, 9])
    groups = _join_scenes(np.concatenate([values, drawings]).astype(np.float32), targets, np.arange(27))
    assert len(set(groups[:18])) == 6
    assert len(set(groups[18:])) == 9
    assert not set(groups[:18]) & set(groups[18:])


def test_no_group_is_on_both_sides_of_a_fit() -> None:
    """Labels by chance, the same within a group: who has seen another of the group knows them."""
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(40), 5)
    targets = rng.integers(0, 2, 40)[groups]
    values = (rng.normal(size=(40, 64))[groups] + 0.01 * rng.normal(size=(200, 64))).astype(np.float32)
    known = fit_outside(values, targets, np.arange(200), 2, folds=5, progress=go_on)
    unknown = fit_outside(values, targets, groups, 2, folds=5, progress=go_on)
    assert known is not None
    assert unknown is not None
    assert (known.argmax(1) == targets).mean() > 0.8
    assert (unknown.argmax(1) == targets).mean() < 0.7
    assert np.allclose(np.exp(unknown).sum(1), 1, atol=1e-4)


def test_its_progress_counts_fits_of_which_the_first_fold_has_most() -> None:
    rng = np.random.default_rng(0)
    told: list[tuple[int, int]] = []
    fit_outside(
        rng.normal(size=(60, 8)).astype(np.float32), np.repeat([0, 1], 30), np.arange(60), 2,
        folds=5, progress=lambda done, fits: told.append((done, fits)) is None,
    )  # fmt: skip
    steps = list(dict.fromkeys(told))
    assert steps == [
        (done, 20) for done in range(1, 21)
    ]  # 3 folds of 5 strengths, and one fit of each of the 5
