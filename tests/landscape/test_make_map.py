"""A run's map: what it holds, what is kept of one that was stopped, and when it is of another model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.dataset.folders import ImageFolders, Sample, scan_folders
from core.errors import RunError
from core.landscape.images import SeenImages
from core.landscape.make import choose_rows, make_map
from core.landscape.table import (
    COLUMNS,
    about_path,
    is_stale,
    list_strangers,
    read_about,
    read_table,
    table_path,
)
from core.runs.run import Run
from core.runs.run_data import record_data
from core.training import features
from core.training.engine import Outcome
from core.verdicts.predictions import read_predictions
from tests.made_run import make_run


@pytest.fixture
def run(runs_root: Path, tiny_data: Path, best_model: Path) -> Run:
    run = make_run(runs_root, tiny_data, precision="fp32", device="cpu", workers=0)
    run.best_path.hardlink_to(best_model)
    return run


def test_a_map_has_a_place_for_every_image_and_says_what_it_is_of(run: Run) -> None:
    about = make_map(run)
    assert about is not None
    assert (about.epoch, about.images, about.left_out) == (2, 27, 0)
    assert about == read_about(run)
    table = read_table(run)
    assert set(COLUMNS) <= set(table.columns)
    assert table["split"].value_counts().to_dict() == {"train": 18, "val": 6, "test": 3}
    assert table["path"].is_unique
    assert table[["x", "y"]].to_numpy().min() >= 0
    assert table[["x", "y"]].to_numpy().max() <= 1
    assert "27 images placed." in about.describe()


def test_images_of_a_colour_lie_together(run: Run) -> None:
    make_map(run)
    table = read_table(run)
    table = table[table["split"] != "test"]
    places, true = table[["x", "y"]].to_numpy(), table["true"].to_numpy()
    middles = {name: places[true == name].mean(axis=0) for name in set(true)}
    own = [np.linalg.norm(place - middles[name]) for place, name in zip(places, true, strict=True)]
    others = [
        min(np.linalg.norm(place - middle) for other, middle in middles.items() if other != name)
        for place, name in zip(places, true, strict=True)
    ]
    assert np.mean(np.array(own) < np.array(others)) > 0.9


def test_validation_images_have_the_answers_of_every_other_page(run: Run) -> None:
    make_map(run)
    told = read_predictions(run.predictions_path()).set_index("path")
    mapped = read_table(run).set_index("path").loc[told.index]
    assert (mapped["predicted"] == told["predicted"]).all()
    assert mapped["loss"].to_numpy() == pytest.approx(told["loss"].to_numpy(), abs=1e-6)


def test_training_images_have_the_answer_of_the_whole_network(run: Run) -> None:
    from core.model.evaluate import evaluate_run

    make_map(run)
    evaluate_run(run, "train")
    told = read_predictions(run.predictions_path("train")).set_index("path")
    mapped = read_table(run).set_index("path").loc[told.index]
    assert (mapped["predicted"] == told["predicted"]).all()
    assert mapped["confidence"].to_numpy() == pytest.approx(told["confidence"].to_numpy(), abs=1e-4)


def test_images_held_back_are_on_it(run: Run, tiny_data: Path) -> None:
    record_data(run, scan_folders(tiny_data, hold_back=1), replace(run.read_config(), hold_back=1))
    make_map(run)
    assert read_table(run)["split"].value_counts().to_dict() == {"train": 15, "val": 6, "held": 3, "test": 3}


def test_test_images_have_a_place_and_an_answer_but_no_label(run: Run, tiny_data: Path) -> None:
    (tiny_data / "test/4.png").write_bytes(b"no image")
    make_map(run)
    table = read_table(run)
    tests = table[table["split"] == "test"]
    assert list(tests["path"]) == ["test/1.png", "test/2.png", "test/3.png"]
    assert set(tests["true"]) == {""}
    assert set(tests["predicted"]) <= {"2", "10", "35"}
    assert tests[["loss", "true_confidence", "far"]].isna().to_numpy().all()
    assert tests["confidence"].between(0, 1).all()


def test_a_map_stopped_while_images_are_seen_leaves_nothing(run: Run) -> None:
    assert make_map(run, progress=lambda *_: False) is None
    assert not table_path(run).exists()
    assert read_about(run) is None


def test_a_map_stopped_while_they_are_placed_goes_on_without_asking_the_network_again(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the network is asked again")

    def until_half(done: int, total: int) -> bool:
        return done <= total // 2

    assert make_map(run, progress=until_half) is None
    assert not table_path(run).exists()
    monkeypatch.setattr(features, "compute_features", refuse)
    counts: list[tuple[int, int]] = []
    assert make_map(run, progress=lambda done, total: counts.append((done, total)) or True) is not None
    assert counts[-1] == (54, 54)


def test_the_same_seed_gives_the_same_table(run: Run) -> None:
    make_map(run)
    first = table_path(run).read_bytes()
    make_map(run)
    assert table_path(run).read_bytes() == first


def test_a_map_is_stale_once_another_model_is_the_best(run: Run) -> None:
    about = make_map(run)
    assert about is not None
    assert not is_stale(run, about)
    run.write_status(replace(run.read_status(), best_epoch=5))
    assert is_stale(run, about)


def test_a_stranger_among_training_images_is_listed_first(
    run: Run, tiny_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tiny_data / "train/2/1.png").write_bytes((tiny_data / "train/10/2.png").read_bytes())
    make_map(run)
    found = list_strangers(read_table(run))
    assert found["path"].iloc[0] == "train/2/1.png"
    assert found["nearest"].iloc[0] == "train/10/2.png"


def test_of_more_images_than_a_map_takes_training_images_are_left_out() -> None:
    splits = ("train",) * 8 + ("val",) * 3 + ("held",) * 1
    seen = SeenImages(
        ImageFolders(Path(), ("a",), {}, (), (), ()),
        splits,
        tuple(Sample(str(number), 0) for number in range(12)),
        np.zeros((12, 2), dtype=np.float32),
        Outcome(*(np.zeros(12) for _ in range(5))),
    )
    chosen = choose_rows(seen, most=6)
    assert chosen.tolist() == sorted(chosen.tolist())
    assert [splits[row] for row in chosen] == ["train"] * 2 + ["val"] * 3 + ["held"]
    assert choose_rows(seen, most=6).tolist() == chosen.tolist()
    assert len(choose_rows(seen, most=2)) == 2
    assert choose_rows(seen).tolist() == list(range(12))


@pytest.mark.parametrize("text", ["", "path,true\na,b\n", "path"])
def test_a_damaged_table_says_how_it_is_made_anew(run: Run, text: str) -> None:
    make_map(run)
    table_path(run).write_text(text)
    with pytest.raises(RunError, match="Make the map again"):
        read_table(run)


def test_a_damaged_description_means_that_there_is_no_map(run: Run) -> None:
    make_map(run)
    about_path(run).write_text('{"epoch": 2}')
    assert read_about(run) is None


def test_a_run_without_a_model_or_its_images_says_so(run: Run, tiny_data: Path) -> None:
    tiny_data.rename(tiny_data.with_name("elsewhere"))
    with pytest.raises(RunError, match="is no longer there"):
        make_map(run)
    tiny_data.with_name("elsewhere").rename(tiny_data)
    run.best_path.unlink()
    with pytest.raises(RunError, match=r"there is no best\.pt yet"):
        make_map(run)


def test_what_one_has_computed_serves_the_nearest_training_images_too(run: Run) -> None:
    from core.model.neighbours import locate, open_neighbourhood
    from core.model.placement import choose_placement

    make_map(run)
    place = locate(run, choose_placement(run))
    assert place is not None
    assert open_neighbourhood(run, place) is not None
