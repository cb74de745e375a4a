"""Where it trains, on the page Train: asked only where there is a Slurm, checked, and told as the same command."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.runs.run import list_runs
from tests.pages.apps import Open, words


@pytest.fixture
def usual(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the path of the usual answers, not written yet, on a machine without Slurm's programs."""
    path = tmp_path / "slurm.yaml"
    monkeypatch.setenv("WEAKSPOT_SLURM", str(path))
    monkeypatch.setenv("PATH", str(tmp_path))
    return path


def test_without_a_slurm_nobody_is_asked_where_it_trains(open_page: Open, usual: Path) -> None:
    assert not usual.exists()
    assert "train-where" not in [group.key for group in open_page("train").get("button_group")]


def test_the_form_holds_the_usual_answers_says_what_is_wrong_and_what_slurm_refuses(
    open_page: Open, usual: Path, runs_root: Path
) -> None:
    usual.write_text("partition: gpu\ncpus: 4\n", encoding="utf-8")
    app = open_page("train")
    app.button_group(key="train-where").set_value("Slurm").run()
    assert app.text_input(key="train-slurm-partition").value == "gpu"
    assert app.number_input(key="train-slurm-cpus").value == 4
    assert "Slurm may not take a run now. Slurm's program squeue is not on this machine" in words(app)
    app.text_input(key="train-slurm-time").set_value("soon").run()
    assert "**Time limit** must be a time such as" in words(app)
    assert app.button(key="train-start").disabled
    app.number_input(key="train-slurm-cpus").set_value(None)
    app.text_input(key="train-slurm-time").set_value("02:00:00").run()
    assert "is empty; give a number" in words(app)
    assert app.button(key="train-start").disabled
    app.number_input(key="train-slurm-cpus").set_value(4).run()
    assert "--slurm --time=02:00:00" in words(app)
    app.text_input(key="train-slurm-qos").set_value("long").run()
    assert "--slurm --qos=long --time=02:00:00" in words(app)
    app.button(key="train-start").click().run()
    assert "sbatch is not on this machine" in words(app)
    assert list_runs(runs_root) == []


def test_a_run_on_more_devices_than_this_machine_has_can_be_handed_to_slurm(
    open_page: Open, usual: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    usual.write_text("gpus: 1\ncpus: 4\n", encoding="utf-8")
    app = open_page("train")
    app.button_group(key="train-preset").set_value("small").run()
    app.session_state["form-devices"] = 3
    app.run()
    assert "3 were asked for, but this machine has 1 GPU" in words(app)
    assert app.button(key="train-start").disabled
    app.button_group(key="train-where").set_value("Slurm").run()
    assert "It asks Slurm for 3 GPUs and 4 cores" in words(app)
    assert not app.button(key="train-start").disabled
    app.number_input(key="train-slurm-nodes").set_value(2).run()
    assert "**Nodes** must share the devices evenly" in words(app)
    assert app.button(key="train-start").disabled
    app.number_input(key="train-slurm-nodes").set_value(3).run()
    assert "--nodes=3" in words(app)
    assert not app.button(key="train-start").disabled


def test_a_bake_off_asks_where_it_trains_too_and_goes_to_slurm_whole_or_not_at_all(
    open_page: Open, usual: Path, runs_root: Path
) -> None:
    usual.write_text("partition: gpu\nnodes: 2\n", encoding="utf-8")  # its runs train on one device each
    app = open_page("bake-off")
    app.text_input(key="bake-seeds").set_value("0, 1").run()
    app.button_group(key="bake-where").set_value("Slurm").run()
    assert app.text_input(key="bake-slurm-partition").value == "gpu"
    assert "Slurm gets them as one job array" in words(app)
    app.text_input(key="bake-slurm-memory").set_value("lots").run()
    assert "**Memory** must be a size" in words(app)
    assert app.button(key="bake-start").disabled
    app.text_input(key="bake-slurm-memory").set_value("4G").run()
    app.button(key="bake-start").click().run()
    assert "sbatch is not on this machine" in words(app)
    assert list_runs(runs_root) == []
