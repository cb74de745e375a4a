"""A run whose head is fitted first: as the whole training, and before the whole network learns."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
import torch

from core.errors import ConfigError
from core.job.job import TrainingJob
from core.networks.build import build_model
from core.recipe.config import TrainConfig
from core.recipe.presets import from_preset
from core.runs import jobs
from core.runs.claim import claim
from core.runs.run import Run, create_run
from core.training.checkpoint import load_best
from core.verdicts.predictions import read_predictions
from tests.processes import TINY, make_images


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data and the weights of a network."""
    folder = tmp_path_factory.mktemp("head-first")
    make_images(folder / "data")
    torch.manual_seed(7)
    torch.save(build_model("resnet18", 5).state_dict(), folder / "weights.pt")
    return folder


def train(place: Path, name: str, **changes: Any) -> tuple[Run, str]:
    weights = str(place / "weights.pt")
    values = {"data": str(place / "data"), **TINY, "weights": weights, "name": name, "head_first": True}
    run = create_run(TrainConfig.from_dict({**values, **changes}), place / "runs")
    console = io.StringIO()
    with claim(run):
        TrainingJob(run, console).execute()
    assert run.read_status().state == "finished", console.getvalue()
    return run, console.getvalue()


def test_fitting_the_head_alone_is_a_run_of_one_epoch_without_a_step(place: Path) -> None:
    run, console = train(place, "quick", head_only=True, epochs=1)
    assert "Head fitted: regularisation C = " in console
    rows = run.read_metrics()[0]
    assert [row["kind"] for row in rows] == ["epoch"]
    assert rows[0]["train_acc"] > 0.9  # 18 images in 512 dimensions can always be told apart
    assert run.read_status().best_epoch == 1
    table = read_predictions(run.predictions_path())
    assert (table["true"] == table["predicted"]).mean() == pytest.approx(rows[0]["val_acc"])
    assert jobs.live_status(run).epoch == 1


def test_before_the_whole_network_learns_the_fitted_head_is_the_model_to_beat(place: Path) -> None:
    run, console = train(place, "held-still", epochs=1, lr=1e-8)
    quick, _ = train(place, "alone", head_only=True, epochs=1)
    assert console.index("Head fitted") < console.index("Epoch 1/1")
    status = run.read_status()
    assert status.best_val_acc == pytest.approx(quick.read_status().best_val_acc)
    fitted, network = (load_best(one)[0].state_dict() for one in (quick, run))
    if status.best_epoch == 0:  # nothing was learnt at such a rate, so the fitted head is still the best
        assert torch.equal(fitted["fc.weight"], network["fc.weight"])


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"head_only": True, "epochs": 2}, "epochs"),
        ({"head_only": True, "epochs": 1, "label_smoothing": 0.1}, "label_smoothing"),
        ({"weights": "none"}, "head_first"),
    ],
)
def test_what_a_fit_has_no_place_for_is_refused(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(ConfigError) as caught:
        from_preset("seed", data="x", **{"head_first": True, **changes})
    assert list(caught.value.problems) == [field]
