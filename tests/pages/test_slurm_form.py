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
    app.text_input(key="train-slurm-time").set_value("soon").run()
    assert "**Time limit** must be a time such as" in words(app)
    assert app.button(key="train-start").disabled
    app.text_input(key="train-slurm-time").set_value("02:00:00").run()
    assert "--slurm --time=02:00:00" in words(app)
    app.button(key="train-start").click().run()
    assert "sbatch is not on this machine" in words(app)
    assert list_runs(runs_root) == []
