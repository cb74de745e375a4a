"""Where things lie, in a checkout and when installed, on each system; what starts a process of ours."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

import core
from core import places
from core.__main__ import main
from core.errors import RunError, describe_error
from core.runs.run import default_root
from core.verdicts.predictions import read_predictions

HOME = Path.home()


def test_in_a_checkout_all_lies_beside_core() -> None:
    assert places.own_folder() == Path(__file__).resolve().parents[1]


@pytest.mark.parametrize(
    ("system", "environment", "folder"),
    [
        ("Linux", {}, HOME / ".local/share/weakspot"),
        ("Linux", {"XDG_DATA_HOME": "/elsewhere"}, Path("/elsewhere/weakspot")),
        ("Linux", {"XDG_DATA_HOME": "not/absolute"}, HOME / ".local/share/weakspot"),
        ("Darwin", {"XDG_DATA_HOME": "/elsewhere"}, HOME / "Library/Application Support/weakspot"),
        ("Windows", {}, HOME / "AppData/Local/weakspot"),
        ("Windows", {"LOCALAPPDATA": "/local"}, Path("/local/weakspot")),
    ],
)
def test_installed_it_lies_where_the_system_keeps_what_is_made_with_programs(
    system: str, environment: dict[str, str], folder: Path
) -> None:
    assert places.user_folder(system, environment) == folder


def test_a_relative_folder_of_runs_is_the_one_that_was_meant_where_it_was_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEAKSPOT_RUNS", "mine")
    monkeypatch.chdir(tmp_path)
    assert default_root() == tmp_path / "mine"


def test_a_folder_of_the_name_core_where_a_process_is_started_is_not_run_instead(tmp_path: Path) -> None:
    for name in ("core", "dashboard"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('the wrong one')")
    done = subprocess.run(
        places.launch_command(["--version"]), cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, f"Weakspot {core.__version__}\n", "")


def test_the_home_of_a_user_there_is_not_is_a_folder_there_is_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert places.expand_home("~/pictures") == tmp_path / "pictures"
    assert places.expand_home("~a user there is not/pictures") == Path("~a user there is not/pictures")
    assert main(["train", "--data", "~a user there is not/pictures"]) == 2
    assert capsys.readouterr().err.endswith("pictures: No such file or directory\n")


def test_an_error_names_a_file_of_a_run_by_its_place_among_the_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEAKSPOT_RUNS", str(tmp_path / "runs"))
    table = tmp_path / "runs" / "first" / "predictions-val.csv"
    table.mkdir(parents=True)
    assert places.name_place(table) == "first/predictions-val.csv"
    assert places.name_place(tmp_path / "photos") == str(tmp_path / "photos")
    with pytest.raises(RunError, match=r"^first/predictions-val\.csv cannot be read"):
        read_predictions(table)
    assert describe_error(IsADirectoryError(21, "Is a directory", str(table))) == (
        "first/predictions-val.csv: Is a directory"
    )
