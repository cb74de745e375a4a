"""What `make run` and `weakspot run` do before the server: built-in data, a first demo run where there is none, errors in one line."""

from __future__ import annotations

import configparser
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.errors import DataError
from core.recipe.config import TrainConfig
from core.runs.run import create_run
from dashboard import __main__ as command
from dashboard import start
from dashboard.access.modes import SignIn
from dashboard.access.who import BASE
from dashboard.builtin import STARTED_IN
from tests.made_job import make_job


class Started(BaseException):
    """The process would be the server now, on this port and in this environment."""

    def __init__(self, port: int, environment: dict[str, str]) -> None:
        self.port, self.environment = port, environment


@pytest.fixture
def submitted(runs_root: Path, monkeypatch: pytest.MonkeyPatch) -> list[TrainConfig]:
    """Return the list that gets each config a run is started with; nothing else starts."""
    configs: list[TrainConfig] = []

    def submit(config: TrainConfig, root: Path) -> object:
        configs.append(config)
        return create_run(config, root)

    def serve(port: int, environment: dict[str, str], mode: SignIn) -> None:
        raise Started(port, environment)

    monkeypatch.setattr("core.runs.jobs.submit", submit)
    monkeypatch.setattr(start, "serve", serve)
    monkeypatch.setattr(start, "builtin_folder", lambda name: start.places.HOUSE / "data" / name)
    return configs


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield int(server.getsockname()[1])


def call(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr("sys.argv", ["dashboard", *map(str, arguments)])
    return command.main()


def test_a_first_start_trains_the_demo_and_becomes_the_server(
    submitted: list[TrainConfig],
    runs_root: Path,
    free_port: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(Started) as started:
        call(monkeypatch, "--port", free_port)
    (config,) = submitted
    assert (config.preset, Path(config.data).name) == ("small", "glyphs")
    assert started.value.port == free_port
    assert started.value.environment == {
        "WEAKSPOT_RUNS": str(runs_root),
        STARTED_IN: str(Path.cwd()),
        BASE: "",
    }
    assert f"Open http://127.0.0.1:{free_port} in a browser" in capsys.readouterr().out


def test_a_later_start_trains_nothing(
    submitted: list[TrainConfig], runs_root: Path, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_run(TrainConfig(data="/data", name="first"), runs_root)
    with pytest.raises(Started):
        call(monkeypatch, "--port", free_port)
    assert submitted == []


def test_a_start_lets_runs_wait_again_whose_jobs_were_lost_with_the_machine(
    submitted: list[TrainConfig],
    runs_root: Path,
    free_port: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    make_job(runs_root, "lost")
    launched: list[str] = []
    monkeypatch.setattr("core.queue.turn.launch", lambda run: launched.append(run.id))
    with pytest.raises(Started):
        call(monkeypatch, "--port", free_port)
    assert launched == ["lost"]
    assert "Waiting again after a restart: 1 run." in capsys.readouterr().out


def test_a_start_on_ones_own_data_trains_nothing_and_hands_the_folder_on(
    submitted: list[TrainConfig], tiny_data: Path, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tiny_data.parent)
    with pytest.raises(Started) as started:
        call(monkeypatch, "tiny", "--port", free_port)
    assert submitted == []
    assert started.value.environment["WEAKSPOT_DATA"] == str(tiny_data.resolve())


def test_a_folder_in_the_home_folder_is_found_also_as_it_was_said_before(
    submitted: list[TrainConfig], tiny_data: Path, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tiny_data.parent))
    with pytest.raises(Started) as started:
        call(monkeypatch, "--data", "~/tiny", "--port", free_port)
    assert started.value.environment["WEAKSPOT_DATA"] == str(tiny_data.resolve())


@pytest.mark.parametrize("folder", ["/no/such/folder", "~nobody-of-this-name/pictures"])
def test_a_missing_folder_is_one_line(
    submitted: list[TrainConfig],
    folder: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert call(monkeypatch, "--data", folder) == 2
    told = capsys.readouterr().err
    assert told.startswith(f"error: {folder}: there is no such folder.")
    assert told.count("\n") == 1


def test_a_taken_port_is_one_line_with_what_to_do(
    submitted: list[TrainConfig],
    taken_port: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert call(monkeypatch, "--port", taken_port) == 2
    told = capsys.readouterr().err
    assert f"make run PORT={taken_port + 1}" in told
    assert told.count("\n") == 1


@pytest.mark.parametrize("port", ["0", "65536", "-1", "http"])
def test_a_port_that_cannot_be_is_told(
    port: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        call(monkeypatch, f"--port={port}")
    assert f"must be a number from 1 to 65535, got '{port}'" in capsys.readouterr().err


def test_a_folder_of_ones_own_in_the_place_of_the_built_in_data_is_one_line(
    submitted: list[TrainConfig],
    free_port: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def refuse(name: str) -> Path:
        raise DataError(f"data/{name} holds other files; choose a new or empty folder")

    monkeypatch.setattr(start, "builtin_folder", refuse)
    assert call(monkeypatch, "--port", free_port) == 2
    assert capsys.readouterr().err == "error: data/digits holds other files; choose a new or empty folder\n"


def test_one_run_of_a_page_ends_before_the_next_begins() -> None:
    """With Streamlit's default a click's URL parameters can be lost to the run beside it: docs/log.md, 2026-11-25."""
    parser = configparser.ConfigParser(inline_comment_prefixes=("#",))
    parser.read_string((start.SERVER.parent / ".streamlit/config.toml").read_text(encoding="utf-8"))
    assert parser["runner"]["fastReruns"] == "false"
