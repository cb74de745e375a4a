"""What docs/import.md tells users of PyTorch and of scikit-learn to run, run as it stands."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch.utils.data import DataLoader

from core.__main__ import main
from core.dataset.images import read_image
from core.networks.build import build_model
from core.networks.table import IMAGENET
from core.runs.run import find_run
from core.training.loaders import eval_transforms
from core.verdicts.predictions import read_predictions

# isort: split
from torchvision.datasets import ImageFolder

PAGE = Path(__file__).resolve().parents[2] / "docs" / "import.md"


def run_snippet(title: str, **known: Any) -> None:
    """Run the snippet below the paragraph that begins so, with the names that it takes as known."""
    found = re.search(
        rf"\n{re.escape(title)}.*?```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL
    )
    assert found is not None
    exec(found[1], {"pd": pd, "torch": torch, "DataLoader": DataLoader, "ImageFolder": ImageFolder, **known})


def read_guesses(runs_root: Path) -> pd.DataFrame:
    return read_predictions(find_run("predictions", runs_root).predictions_path())


def test_what_pytorch_writes_is_imported_with_its_weights(
    runs_root: Path, tiny_data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tiny_data.parent)
    tiny_data.rename("data")
    torch.manual_seed(0)
    model = build_model("resnet18", 3)
    run_snippet("PyTorch", model=model, transform=eval_transforms(32, 32, IMAGENET))
    sizes = ["--image-size", "32", "--resize-size", "32"]
    weights = ["--weights", "model.pt", "--arch", "resnet18", *sizes]
    assert main(["import", "predictions.csv", "--data", "data", *weights]) == 0
    assert "a probability for each of 3 classes" in capsys.readouterr().out
    assert list(read_guesses(runs_root)["path"]) == [
        f"val/{name}/{number}.png" for name in (10, 2, 35) for number in (1, 2)
    ]


def test_what_scikit_learn_writes_is_imported(
    runs_root: Path, tiny_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tiny_data.parent)
    paths = sorted((tiny_data / "val").glob("*/*"))
    features = np.array([np.asarray(read_image(path)).mean(axis=(0, 1)) for path in paths])
    model = LogisticRegression().fit(features, [int(path.parent.name) for path in paths])
    run_snippet("scikit-learn", model=model, features=features, paths=paths)
    assert main(["import", "predictions.csv", "--data", str(tiny_data)]) == 0
    table = read_guesses(runs_root)
    assert (table["predicted"] == table["true"]).all()  # the three colours are told apart
