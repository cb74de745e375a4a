"""Neighbours: the nearest training images of a class, computed once for a model and found again."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from core.dataset.folders import ImageFolders, Sample
from core.errors import DataError, RunError
from core.model import neighbours
from core.model.neighbours import Neighbour, Neighbourhood, describe_neighbours
from core.runs.run import Run
from core.training.checkpoint import load_checkpoint, save_checkpoint
from core.training.engine import Compute
from core.training.features import Features
from tests.made_run import make_run

CPU = Compute(torch.device("cpu"), bf16=False, channels_last=True)


@pytest.fixture
def small() -> Neighbourhood:
    """Return four training images of classes "2" and "10" and two validation images, in the plane."""
    train = torch.tensor([[1.0, 0.0], [2.0, 2.0], [0.0, 3.0], [-1.0, 0.0]])[:, None]
    val = torch.tensor([[10.0, 0.0], [0.0, 0.1]])
    folders = ImageFolders(
        Path(),
        ("2", "10"),
        {},
        tuple(Sample(f"t{n}", target) for n, target in enumerate((0, 0, 1, 1))),
        (Sample("v0", 0), Sample("v1", 1)),
        (),
    )
    return Neighbourhood(folders, Features(train, val))


@pytest.fixture
def run(runs_root: Path, tiny_data: Path, best_model: Path) -> Run:
    run = make_run(runs_root, tiny_data)
    run.best_path.hardlink_to(best_model)
    return run


def locate(run: Run) -> neighbours.Place:
    return neighbours.locate(run, CPU)


def compute(run: Run, calls: list[tuple[int, int]] | None = None) -> Neighbourhood | None:
    def progress(done: int, total: int) -> bool:
        if calls is not None:
            calls.append((done, total))
        return True

    return neighbours.compute_neighbourhood(run, locate(run), CPU, progress=progress)


def test_the_nearest_come_first_with_their_cosine(small: Neighbourhood) -> None:
    found = small.find("v0", count=3)
    assert [(n.path, n.name) for n in found] == [("t0", "2"), ("t1", "2"), ("t2", "10")]
    assert [n.similarity for n in found] == pytest.approx([1, 0.5**0.5, 0])


def test_of_a_class_only_its_own_are_found_and_no_more_than_there_are(small: Neighbourhood) -> None:
    assert [n.path for n in small.find("v0", "10")] == ["t2", "t3"]
    assert small.find("v1", "10")[0].similarity == pytest.approx(1)


def test_those_alike_are_of_both_parts_of_the_data_and_not_the_image_itself(small: Neighbourhood) -> None:
    found = small.find_alike(torch.tensor([0.0, 5.0]), count=3)
    assert {(n.path, n.name, n.split) for n in found} == {
        ("t2", "10", "train"),
        ("v1", "10", "val"),
        ("t1", "2", "train"),
    }
    assert [n.similarity for n in found] == pytest.approx([1, 1, 0.5**0.5])
    others = small.find_alike(small.features_of("v1"), count=99, without="v1")
    assert others[0].path == "t2"
    assert len(others) == 5


def test_an_image_is_most_like_those_of_its_colour(run: Run) -> None:
    found = compute(run)
    assert found is not None
    assert found.knows("val/10/1.png")
    assert not found.knows("val/10/lost.png")
    assert {n.name for n in found.find("val/10/1.png")} == {"10"}


def test_features_are_computed_once_and_kept_with_those_of_head_only_runs(run: Run) -> None:
    assert neighbours.open_neighbourhood(run, locate(run)) is None
    calls: list[tuple[int, int]] = []
    first = compute(run, calls)
    assert calls[-1] == (24, 24)
    assert first is not None
    assert [path.suffix for path in (run.folder.parent / ".features").iterdir()] == [".pt"]
    elsewhere = Compute(torch.device("cuda"), bf16=False, channels_last=True)  # named, never asked to compute
    assert neighbours.locate(run, elsewhere) == locate(run)  # what another device computed is as good
    kept = neighbours.open_neighbourhood(run, locate(run))
    assert kept is not None
    assert kept.find("val/35/1.png", "2") == first.find("val/35/1.png", "2")


def test_it_can_be_stopped_and_keeps_nothing_then(run: Run) -> None:
    stopped = neighbours.compute_neighbourhood(run, locate(run), CPU, progress=lambda *_: False)
    assert stopped is None
    assert neighbours.open_neighbourhood(run, locate(run)) is None


def test_other_weights_or_other_images_have_features_of_their_own(run: Run, tiny_data: Path) -> None:
    before = locate(run).key
    assert locate(run).key == before
    (tiny_data / "train" / "10" / "1.png").unlink()
    without = locate(run)
    assert without.key != before
    assert len(without.folders.train) == 17
    values = load_checkpoint(run.best_path)
    values["model"]["fc.weight"] += 1
    save_checkpoint(run.best_path, values)
    assert locate(run).key == without.key  # features lie before the head
    values["model"]["conv1.weight"] += 1
    save_checkpoint(run.best_path, values)
    assert locate(run).key != without.key


def test_a_file_that_broke_since_is_named(run: Run, tiny_data: Path) -> None:
    (tiny_data / "train" / "35" / "2.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"train/35/2\.png is not an image"):
        compute(run)


def test_a_data_folder_that_was_emptied_is_told(run: Run, tiny_data: Path) -> None:
    for path in tiny_data.rglob("*.png"):
        path.unlink()
    with pytest.raises(RunError, match="the images it was trained on are no longer in"):
        locate(run)


def test_the_words_say_to_which_class_the_image_lies_nearer() -> None:
    near, far = [Neighbour("a", "2", 0.9)], [Neighbour("b", "10", 0.5)]
    assert "more like training images of the class it answered (0.90" in describe_neighbours(near, far)
    assert "the last layer decides otherwise" in describe_neighbours(far, near)
    assert "hardly sees a difference" in describe_neighbours(near, [Neighbour("b", "10", 0.895)])
    assert describe_neighbours([], near) == ""
