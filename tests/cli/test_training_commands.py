"""The commands that train or say what that takes: settings from a file, the estimate, refusals."""

from __future__ import annotations

import json
import re
from functools import partial
from pathlib import Path

import pytest

from core.__main__ import main
from core.recipe.config import TrainConfig
from core.recipe.config_text import write_settings
from core.recipe.presets import from_preset
from core.runs.run import Run
from core.trial import measure
from tests.processes import call_here, train_words


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[TrainConfig]:
    """Let `train` end where it would make a run; return the configs it would make them of."""
    found: list[TrainConfig] = []

    def prepare(config: TrainConfig, root: Path) -> Run:
        found.append(config)
        raise OSError("no run is made here")

    monkeypatch.setattr("core.runs.jobs.prepare", prepare)
    return found


def test_a_runs_settings_make_the_same_run_from_a_file(
    asked: list[TrainConfig], tiny_data: Path, tmp_path: Path
) -> None:
    config = from_preset("strong", data=str(tiny_data), name="first", focus=("2",), epochs=3)
    path = tmp_path / "settings.json"
    path.write_text(write_settings(config), encoding="utf-8")
    main(["train", "--config", str(path)])
    main(["train", "--config", str(path), "--epochs", "5", "--name", "second"])
    plain, changed = asked
    assert plain == from_preset("strong", data=str(tiny_data), focus=("2",), epochs=3)
    assert changed == from_preset("strong", data=str(tiny_data), focus=("2",), epochs=5, name="second")


def test_a_file_may_be_yaml_and_hold_a_few_settings_only(
    asked: list[TrainConfig], tiny_data: Path, tmp_path: Path
) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text("preset: demo\nepochs: 2\nlr: 1e-3  # as text in YAML 1.1\npairs: [['2', '10']]\n")
    main(["train", "--config", str(path), "--data", str(tiny_data)])
    assert asked == [from_preset("demo", data=str(tiny_data), epochs=2, lr=0.001, pairs=(("2", "10"),))]


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.json", '{"epoch": 3}', "epoch: unknown field; did you mean epochs?"),
        ("a.json", '{"epochs": "few"}', "epochs: must be a whole number, got 'few'"),
        ("a.json", '{"epochs": 3', "config: a.json cannot be read as JSON"),
        ("a.json", "[1]", "config: a.json must give settings by name"),
        ("a.yaml", "epochs: [", "config: a.yaml cannot be read as YAML"),
        ("a.yaml", "focus: &a [x]\nepochs: *a\n", "it uses aliases"),
        ("a.yml", "lr: fast", "lr: must be a number, got 'fast'"),
        ("a.json", '{"data": 3}', "3: No such file"),
    ],
)
def test_what_is_wrong_in_a_file_is_named_in_one_line(
    runs_root: Path, tiny_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    name: str, text: str, told: str,
) -> None:  # fmt: skip
    path = tmp_path / name
    path.write_text(text)
    data = [] if "data" in text else ["--data", str(tiny_data)]
    assert main(["train", "--config", str(path), *data]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert told in line
    assert list(runs_root.iterdir()) == []


def test_a_file_that_is_not_there_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--config", str(tmp_path / "none.json")]) == 2
    assert capsys.readouterr().err == f"error: {tmp_path}/none.json: No such file or directory\n"


def test_estimate_says_time_and_memory_and_makes_no_run(
    tiny_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "runs"
    monkeypatch.setattr(measure, "forecast_run", partial(measure.forecast_run, seconds=0.5))
    words = ["estimate", *train_words(tiny_data, "ignored", epochs=500, max_minutes=0.05)[1:]]
    done = call_here(*words, root=root)
    assert done.returncode == 0, done.stderr
    first, parts, *_, limit = done.stdout.splitlines()
    assert re.fullmatch(r"About [\w ]+ \(±\d+ %\), [\d,.]+ [MG]B of memory\.", first)
    assert "training " in parts
    assert "time limit of 3 s" in limit
    values = json.loads(call_here(*words, "--json", root=root).stdout)
    assert values["epochs"] == 500
    assert values["seconds"] > 499 * values["seconds_an_epoch"]
    assert list(root.iterdir()) == []
