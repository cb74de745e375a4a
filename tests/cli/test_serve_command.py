"""The command `serve` as its user meets it: a real process, what it says, how it ends, and what it refuses to do."""

from __future__ import annotations

import re
import shutil
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from core.__main__ import main
from core.runs.run import Run
from core.serve.gate import TOKEN, read_token
from tests.made_run import make_run, measure_confidence
from tests.processes import finish, start

SECRET = "4711-4711-4711-4711"


@pytest.fixture
def run(runs_root: Path, tiny_data: Path, best_model: Path) -> Run:
    """Return a run with a model of random weights."""
    run = make_run(runs_root, tiny_data, device="cpu")
    shutil.copy(best_model, run.best_path)
    return run


def read_line(server: subprocess.Popen[str]) -> str:
    assert server.stdout is not None
    return server.stdout.readline()


def ask(address: str, data: bytes | None = None, **headers: str) -> int:
    headers = {"Content-Type": "image/png", **headers}
    request = urllib.request.Request(address, data, headers)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_a_server_says_where_it_is_answers_and_ends_at_ctrl_c(
    run: Run, runs_root: Path, tiny_data: Path
) -> None:
    measure_confidence(run)
    server = start("serve", "first", "--port", "0", root=runs_root)
    try:
        told = read_line(server)
        found = re.fullmatch(
            r"first, epoch 2, answers this machine only on (http://127\.0\.0\.1:\d+) \(see /docs\)\. Ctrl-C ends it\.\n",
            told,
        )
        assert found, told
        assert ask(f"{found[1]}/predict", (tiny_data / "test" / "1.png").read_bytes()) == 200
    finally:
        server.send_signal(signal.SIGINT)
        ended = finish(server, timeout=30)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "The server has ended.\n", "")


def test_a_server_for_other_machines_asks_for_the_token_and_ends_at_sigterm(
    run: Run, runs_root: Path
) -> None:
    server = start("serve", "first", "--port=0", "--address=0.0.0.0", root=runs_root, env={TOKEN: SECRET})
    try:
        assert "Measure them: python -m weakspot calibrate first" in read_line(server)
        told = read_line(server)
        assert "answers whoever sends the token on http://0.0.0.0:" in told
        port = re.findall(r":(\d+)", told)[0]
        address = f"http://127.0.0.1:{port}/model"
        assert ask(address) == 401
        assert ask(address, Authorization=f"Bearer {SECRET}") == 200
    finally:
        server.send_signal(signal.SIGTERM)
        ended = finish(server, timeout=30)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "The server has ended.\n", "")


@pytest.mark.parametrize("address", ["0.0.0.0", "::"])
def test_without_a_token_no_other_address_is_listened_on(
    run: Run, address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", "first", "--port", "0", "--address", address]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "can be reached from other machines, so the server needs a token" in told
    assert "--token-file" in told


def test_a_port_in_use_and_an_address_that_is_not_here_are_one_line_each(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert main(["serve", "first", "--port", str(port)]) == 2
    for address in ("192.0.2.1", "no such name", "a" * 300):
        assert main(["serve", "first", "--port", "0", "--address", address]) == 2
    taken, *elsewhere = capsys.readouterr().err.splitlines()
    assert taken.startswith(f"error: Port {port} of 127.0.0.1 cannot be used (")
    assert taken.endswith("Choose another with --port.")
    assert len(elsewhere) == 3


def test_a_run_without_a_model_is_one_line(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run.best_path.unlink()
    assert main(["serve", "first", "--port", "0"]) == 2
    assert "there is no best.pt yet" in capsys.readouterr().err


@pytest.mark.parametrize("port", ["-1", "65536", "http"])
def test_a_port_is_a_number(run: Run, port: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["serve", "first", f"--port={port}"])
    assert f"must be a number from 0 to 65535, got '{port}'" in capsys.readouterr().err


def test_a_token_comes_from_the_file_else_from_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"{SECRET}\n")
    assert read_token(file, {TOKEN: "another-token-of-length"}) == SECRET
    assert read_token(None, {TOKEN: SECRET}) == SECRET
    assert read_token(None, {}) == ""


@pytest.mark.parametrize(
    "text", ["", "short", "with a blank in it all", "ümlaute-sind-keine-zeichen", "\x07" * 20]
)
def test_a_token_that_could_be_guessed_or_sent_wrongly_is_refused(
    run: Run, tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "token"
    file.write_text(text, encoding="utf-8")
    assert main(["serve", "first", "--port", "0", "--token-file", str(file)]) == 2
    told = capsys.readouterr().err
    assert f"{file}: a token needs at least 16" in told
    assert "secrets.token_urlsafe" in told
    if text:
        assert text not in told


def test_a_token_file_that_is_not_there_is_named(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", "first", "--port", "0", "--token-file", str(tmp_path / "gone")]) == 2
    assert f"{tmp_path / 'gone'}: No such file" in capsys.readouterr().err
