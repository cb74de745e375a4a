"""Checkpoints: whole or not at all, safe to load, and the report's network comes back as it was."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from core.errors import RunError, describe_error
from core.networks.build import build_model
from core.networks.table import IMAGENET
from core.runs.run import Run
from core.training.checkpoint import FORMAT, best_values, load_best, load_checkpoint, save_checkpoint
from tests.disks import no_file_larger_than


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    folder = tmp_path / "first"
    folder.mkdir()
    return Run(folder)


def test_values_come_back_as_saved(run: Run) -> None:
    save_checkpoint(run.last_path, {"weights": torch.arange(3.0), "epoch": 2, "classes": ["2", "10"]})
    values = load_checkpoint(run.last_path)
    assert torch.equal(values.pop("weights"), torch.arange(3.0))
    assert values == {"format": FORMAT, "epoch": 2, "classes": ["2", "10"]}
    assert names_in(run.folder) == {"last.pt"}


def test_a_save_that_fails_leaves_the_earlier_file_whole_and_no_draft(run: Run) -> None:
    save_checkpoint(run.last_path, {"epoch": 1})
    with pytest.raises(Exception, match="pickle"):
        save_checkpoint(run.last_path, {"weights": torch.zeros(1000), "epoch": lambda: 2})
    assert load_checkpoint(run.last_path)["epoch"] == 1
    assert names_in(run.folder) == {"last.pt"}


def test_a_disk_that_takes_no_more_is_told_as_such_and_the_earlier_checkpoint_stays(run: Run) -> None:
    """Of that torch itself tells a position in the file that it did not expect."""
    save_checkpoint(run.last_path, {"epoch": 1})
    with no_file_larger_than(100_000), pytest.raises(OSError, match="File too large") as caught:
        save_checkpoint(run.last_path, {"weights": torch.zeros(100_000), "more": torch.zeros(100)})
    assert describe_error(caught.value) == f"{run.last_path}: cannot be written (File too large)"
    assert load_checkpoint(run.last_path)["epoch"] == 1
    assert names_in(run.folder) == {"last.pt"}


def test_threads_that_save_one_checkpoint_at_once_leave_a_whole_one(run: Run) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda epoch: save_checkpoint(run.last_path, {"epoch": epoch}), range(40)))
    assert load_checkpoint(run.last_path)["epoch"] in range(40)
    assert names_in(run.folder) == {"last.pt"}


def test_a_checkpoint_that_the_system_does_not_let_be_read_is_not_called_damaged(run: Run) -> None:
    run.last_path.mkdir()
    with pytest.raises(IsADirectoryError):
        load_checkpoint(run.last_path)


def test_a_checkpoint_that_is_not_there_yet_says_when_it_will_be(run: Run) -> None:
    with pytest.raises(
        RunError, match=r"^first: there is no best\.pt yet; it is saved after the first epoch\."
    ):
        load_best(run)


@pytest.mark.parametrize("keep", [0, 10, 0.5, -1])
def test_a_damaged_checkpoint_names_run_and_file(run: Run, keep: float) -> None:
    save_checkpoint(run.last_path, {"weights": torch.zeros(1000)})
    content = run.last_path.read_bytes()
    run.last_path.write_bytes(content[: int(keep * len(content)) if keep == 0.5 else int(keep)])
    with pytest.raises(RunError, match=r"^first: last\.pt is damaged"):
        load_checkpoint(run.last_path)


def test_a_checkpoint_that_would_run_code_is_refused(run: Run) -> None:
    torch.save({"format": FORMAT, "path": Path("x")}, run.last_path)
    with pytest.raises(RunError, match=r"^first: last\.pt is damaged \(UnpicklingError\)"):
        load_checkpoint(run.last_path)


@pytest.mark.parametrize("values", [{"format": FORMAT + 1}, {"epoch": 2}, [1, 2]], ids=str)
def test_a_checkpoint_of_another_version_is_refused(run: Run, values: object) -> None:
    torch.save(values, run.last_path)
    with pytest.raises(RunError, match=r"^first: last\.pt is not a checkpoint of this version"):
        load_checkpoint(run.last_path)


def test_a_checkpoint_in_the_place_of_the_best_model_is_refused(run: Run) -> None:
    save_checkpoint(run.best_path, {"model": {}, "epoch": 2})
    with pytest.raises(RunError, match=r"^first: best\.pt does not contain a model"):
        load_best(run)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"classes": "abc"}, "classes must be a list of names"),
        ({"classes": ["a", "a", "b"]}, "different names"),
        ({"classes": [1, 2, 3]}, "classes must be a list of names"),
        ({"image_size": 10**9}, "image_size must be a number of pixels"),
        ({"resize_size": "36"}, "resize_size must be a number of pixels"),
        ({"arch": ["resnet18"]}, "arch must name a network"),
        ({"arch": "resnet19"}, "unknown network"),
        ({"std": [0.0, 1.0, 1.0]}, "std must be above 0"),
        ({"interpolation": "by heart"}, "interpolation must be one of"),
        ({"model": [1, 2]}, "model hold its tensors"),
        ({"model": {"fc.weight": 5}}, "fc.weight is not a tensor"),
        (
            {"model": {"fc.weight": torch.full((3, 512), torch.nan)}},
            "fc.weight has numbers that are not finite",
        ),
        ({"model": {"fc.weight": torch.ones((3, 512), dtype=torch.int8)}}, "fc.weight has the type int8"),
    ],
)
def test_a_best_model_that_is_not_what_it_must_be_is_named_with_the_reason(
    run: Run, best_model: Path, changes: dict[str, object], what: str
) -> None:
    save_checkpoint(run.best_path, {**load_checkpoint(best_model), **changes})
    with pytest.raises(
        RunError, match=f"^first: best.pt does not contain a model that can be built .*{what}"
    ):
        load_best(run)


def test_the_reports_network_comes_back_as_it_was(run: Run) -> None:
    torch.manual_seed(0)
    model = build_model("resnext50_32x4d", 3)
    images = torch.randn(2, 3, 32, 32)
    model.train()(torch.randn(4, 3, 40, 40))  # so that the running statistics are no defaults
    values = best_values(
        model,
        arch="resnext50_32x4d",
        inputs=IMAGENET,
        classes=("2", "10", "35"),
        display={"2": "rose"},
        image_size=32,
        resize_size=36,
        val_acc=0.5,
    )
    save_checkpoint(run.best_path, values)
    loaded, rest = load_best(run)
    assert not loaded.training
    with torch.inference_mode():
        assert torch.equal(loaded(images), model.eval()(images))
    assert rest == {
        "format": FORMAT,
        "arch": "resnext50_32x4d",
        "head": "fc",
        **IMAGENET.to_values(),
        "classes": ["2", "10", "35"],
        "display": {"2": "rose"},
        "image_size": 32,
        "resize_size": 36,
        "val_acc": 0.5,
    }
