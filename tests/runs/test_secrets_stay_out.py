"""Secrets of the environment, that services of others are reached by, are nowhere in what a training leaves behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.runs import jobs
from tests.processes import call, make_images, tiny_config, wait_until

SECRETS = {
    "WANDB_API_KEY": "planted-wandb-5f2a9c",
    "HF_TOKEN": "hf_planted7c1e",
    "AWS_SECRET_ACCESS_KEY": "planted-aws-91bd",
    "WEAKSPOT_TOKEN": "planted-serve-token-33",
    "STREAMLIT_SERVER_COOKIE_SECRET": "planted-cookie-77aa",
    "MLFLOW_TRACKING_PASSWORD": "planted-mlflow-d0",
    "https_proxy": "http://user:planted-proxy-8e@127.0.0.1:9",
}


def test_no_secret_stands_in_a_run_its_log_or_its_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, secret in SECRETS.items():
        monkeypatch.setenv(name, secret)
    root = tmp_path / "runs"
    run = jobs.submit(tiny_config(make_images(tmp_path / "data"), "first", epochs=1), root)
    wait_until(lambda: jobs.live_status(run).state == "finished", "the training has ended", 90)
    told = call("report", "first", "--out", tmp_path / "report", root=root)
    assert told.returncode == 0
    kept = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert run.log_path in kept
    assert [path for path in kept if path.suffix == ".html"]
    kept[Path("what was printed")] = f"{told.stdout}{told.stderr}".encode()
    found = [
        (str(path), name)
        for name, secret in SECRETS.items()
        for path in kept
        if secret.encode() in kept[path]
    ]
    assert found == []
