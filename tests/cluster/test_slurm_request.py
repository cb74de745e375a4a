"""What is asked of Slurm: each field is checked, the file of usual answers is read, and options come of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from core.cluster.nodes import NodeFailure, find_cause
from core.cluster.request import SlurmRequest, is_offered, read_defaults
from core.errors import ConfigError
from tests.processes import call_here, make_images, train_words


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("partition", "gpu; rm -rf", "a name that Slurm knows"),
        ("partition", "--wrap=ls", "a name that Slurm knows"),
        ("gpus", -1, "from 0 to 64"),
        ("gpus", 1.5, "whole number"),
        ("cpus", 0, "from 1 to 1024"),
        ("nodes", 0, "from 1 to 64"),
        ("memory", "lots", "a size such as 16G"),
        ("time", "soon", "a time such as"),
        ("time", 7200, "in quotes"),  # what YAML makes of 2:00:00
        pytest.param("time", "9" * 400, "a time such as", id="time without end"),
        pytest.param("time", "1" * 5000 + "-0", "a time such as", id="days without end"),
        ("time", "4", "5 minutes or more"),
        ("time", "00:04:59", "5 minutes or more"),
        ("partitoin", "gpu", "did you mean partition"),
    ],
)
def test_a_value_that_is_wrong_is_refused_by_its_field(field: str, value: Any, said: str) -> None:
    with pytest.raises(ConfigError) as told:
        SlurmRequest.from_values({field: value})
    assert list(told.value.problems) == [field]
    assert said in told.value.problems[field]


@pytest.mark.parametrize("time", ["5", "5:30", "00:05:00", "1-0", "1-00:30", "2-12:00:00", "36:00:00"])
def test_a_time_as_sbatch_writes_it_is_taken(time: str) -> None:
    assert f"--time={time}" in SlurmRequest(time=time).list_options()


def test_only_what_is_asked_becomes_an_option() -> None:
    assert SlurmRequest().list_options() == ["--cpus-per-task=2"]
    asked = SlurmRequest(partition="gpu", gpus=1, memory="16G", cpus=4)
    assert asked.list_options() == ["--partition=gpu", "--gpus=1", "--cpus-per-task=4", "--mem=16G"]


def test_a_run_on_several_devices_asks_for_a_core_each_and_for_a_gpu_each_where_it_asks_for_any() -> None:
    usual = SlurmRequest(gpus=1, cpus=2)
    assert usual.for_devices(4) == SlurmRequest(gpus=4, cpus=4)
    assert usual.describe_more(4) == (
        "It asks Slurm for 4 GPUs and 4 cores: each of its 4 processes needs a GPU and a core."
    )
    assert SlurmRequest(gpus=4, cpus=16).for_devices(2) == SlurmRequest(gpus=4, cpus=16)
    assert SlurmRequest(cpus=1).describe_more(2) == (
        "It asks Slurm for 2 cores: each of its 2 processes needs a core."
    )
    assert usual.describe_more(1) == ""


def test_nodes_share_the_devices_evenly_and_ask_for_those_of_each() -> None:
    asked = SlurmRequest(gpus=1, nodes=2)
    assert asked.for_devices(8).list_options() == ["--gpus-per-node=4", "--cpus-per-task=4"]
    assert asked.describe_more(8).startswith(
        "It asks Slurm for 4 GPUs and 4 cores on each node: each of its 8"
    )
    with pytest.raises(ConfigError, match="ask for 2 devices, 4, or more in such steps"):
        asked.for_devices(1)


def test_a_run_that_its_nodes_cannot_share_is_refused_and_none_is_made(runs_root: Path) -> None:
    data = make_images(runs_root.parent / "data")
    told = call_here(*train_words(data, "odd", devices=3), "--slurm", "--nodes=2", root=runs_root)
    assert told.returncode == 2
    assert "nodes: must share the devices evenly, and 3 devices cannot be shared among 2" in told.stderr
    assert list(runs_root.iterdir()) == []


def test_of_several_nodes_the_first_that_failed_by_itself_says_why() -> None:
    lost = NodeFailure("Process 1 of 2 ended with the code 4.", True, 1.0).write()
    cause = NodeFailure("Process 2 of 2 was ended.", False, 2.0).write()
    assert find_cause([lost, "something else", cause]) == "Process 2 of 2 was ended."
    assert find_cause([]) == ""


def test_the_file_of_usual_answers_is_read_and_a_mistake_in_it_is_told_with_its_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "slurm.yaml"
    monkeypatch.setenv("WEAKSPOT_SLURM", str(path))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not is_offered()
    assert read_defaults() == SlurmRequest()
    path.write_text('partition: gpu\nmemory: 16000\ntime: "12:00:00"\n', encoding="utf-8")
    assert is_offered()
    assert read_defaults() == SlurmRequest(partition="gpu", memory="16000", time="12:00:00")
    path.write_text("time: 2:00:00\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=str(path)):
        read_defaults()


def test_where_there_is_no_slurm_the_command_says_so_and_leaves_no_run(
    runs_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = make_images(runs_root.parent / "data")
    monkeypatch.setenv("PATH", str(runs_root))
    monkeypatch.setenv("WEAKSPOT_SLURM", str(runs_root / "none.yaml"))
    told = call_here(*train_words(data, "run"), "--slurm", root=runs_root)
    assert told.returncode == 2
    assert "sbatch is not on this machine" in told.stderr
    assert list(runs_root.iterdir()) == []
    told = call_here(*train_words(data, "run"), "--partition=gpu", root=runs_root)
    assert "--partition is an option of Slurm: add --slurm" in told.stderr
