"""What reads the results in a run's folder, which may come from anywhere, and the files of a server: targets of tests/fuzz.py."""

from __future__ import annotations

import gzip
import io
import json
import tempfile
import types
from collections.abc import Callable, Mapping
from dataclasses import is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np
import torch

from core.answers.hand_in import HandIn, read_hand_in
from core.answers.judged import Judged, read_judged
from core.arrays import read_arrays
from core.cluster.request import SlurmRequest
from core.cluster.submit import ASKED, read_request
from core.confidence.kept import keep_calibration, read_calibration
from core.confidence.measured import calibrate
from core.confidence.threshold import read_threshold
from core.dataset import label_report
from core.landscape.table import About, read_about, read_table
from core.model.out_of_sample import OutOfFold, read_out_of_fold
from core.model.strangers import read_strangers
from core.people.actions import Action, read_actions
from core.people.users import read_users
from core.queue.slots import read_slots
from core.reading import take
from core.recipe.config_text import read_settings_text
from core.runs.imported import Origin, load_log_probs, read_origin
from core.runs.rate_curve import RateCurve, read_curve
from core.runs.run import Run
from core.runs.seen import Seen, read_seen
from core.runs.tasks import read_order
from core.ship.package import Shipment, read_shipment
from core.slices import report as slice_report
from core.slices.scenes import read_scenes
from core.trial.forecast import Forecast, read_forecast
from core.verdicts.predictions import read_predictions
from tests.fuzz_targets import Target, as_file, read_run_file

_T = TypeVar("_T")
_PLAIN = {str: "a", int: 1, float: 0.5, bool: True}
_TABLE = b"path,true,predicted,confidence\na,b,b,0.5\n"
_MAP = b"path,true,predicted,confidence,split,x,y,far,nearest\na,b,b,0.5,train,0.1,0.2,1.5,c\n"


def _sample(kind: Any) -> Any:
    """Return what JSON has for a value of a kind, whatever value."""
    origin, inner = get_origin(kind), get_args(kind)
    if is_dataclass(kind):
        return {name: _sample(one) for name, one in get_type_hints(kind).items()}
    if origin in (Union, types.UnionType):
        return _sample(inner[0])
    if origin is tuple:
        return [_sample(one) for one in inner if one is not Ellipsis]
    if origin in (dict, Mapping):
        return {"a": _sample(inner[1])}
    return _PLAIN[kind]


def _seed(kind: type) -> tuple[bytes, ...]:
    return (json.dumps(_sample(kind)).encode(),)


def _write(write: Callable[[Path, _T], None], kind: type[_T], folder: Path) -> tuple[bytes, ...]:
    write(folder / "one", take(kind, _sample(kind)))
    return ((folder / "one").read_bytes(),)


def _calibration(folder: Path) -> tuple[bytes, ...]:
    log_probs = np.log(np.random.default_rng(0).dirichlet(np.ones(3), 40)).astype(np.float32)
    keep_calibration(Run(folder), calibrate(log_probs, np.arange(40) % 3))
    return ((folder / "calibration.json").read_bytes(),)


def _tensors() -> bytes:
    file = io.BytesIO()
    values = {"format": 1, "epoch": 0, "threshold": 0.5, "count": 9, "bank": torch.zeros(2, 3).half()}
    torch.save(values, file)
    return file.getvalue()


def _arrays() -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, log_probs=np.zeros((2, 3), np.float32))
    return file.getvalue()


def _beside(name: str, read: Callable[[Run], object]) -> Callable[[Run], object]:
    """Put a table beside the file, without which it is not read."""

    def act(run: Run) -> object:
        (run.folder / name).write_bytes(_TABLE)
        return read(run)

    return act


def _read_slurm(data: bytes, _: Path) -> object:
    text = data.decode("utf-8", errors="replace")
    return (
        SlurmRequest.from_values(read_settings_text(text, "slurm.yaml")).list_options()
        if text.strip()
        else None
    )


def _read_users(path: Path) -> object:
    path.chmod(0o600)
    return read_users(path)


@cache
def result_targets() -> tuple[Target, ...]:
    """Return what reads results and the files of a server."""
    with tempfile.TemporaryDirectory() as name:
        labels = _write(label_report.write_label_report, label_report.LabelReport, Path(name))
        kinds = _write(slice_report.write_report, slice_report.SliceReport, Path(name))
        calibration = _calibration(Path(name))
    users = json.dumps({"users": {"ada": {"role": "look", "salt": "00", "digest": "00"}}}).encode()
    seen = json.dumps(Seen().to_values()).encode()
    slurm = json.dumps(SlurmRequest("gpu", "lab", "", 1, 2, "16G", "1-12:00:00").to_values()).encode()
    return (
        Target("users", (users,), as_file("users.json", _read_users)),
        Target("actions", (_seed(Action)[0] + b"\n",), as_file("actions", lambda path: [one.list_cells() for one in read_actions(path)])),
        Target("slots", (b'{"cpu": 2}',), as_file("queue.json", lambda path: read_slots(path.parent))),
        Target("task.json", (b'{"kind": "map", "parameters": {}}',), as_file("task.json", lambda path: read_order(path.parent))),
        Target("what Slurm was asked", (slurm,), read_run_file(ASKED, read_request)),
        Target("settings of Slurm", (b"partition: gpu\ntime: \"1-12:00\"\nmemory: 16G\n",), _read_slurm),
        Target("network.json", (b'{"arch": "a", "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "interpolation": "bilinear"}',), read_run_file("network.json", Run.read_inputs)),
        Target("seen.json", (seen,), read_run_file("seen.json", read_seen)),
        Target("imported.json", _seed(Origin), read_run_file("imported.json", read_origin)),
        Target("log-probs.npz", (_arrays(),), read_run_file("log-probs.npz", load_log_probs)),
        Target("arrays", (_arrays(),), as_file("a.npz", _read_arrays)),
        Target("calibration.json", calibration, read_run_file("calibration.json", read_calibration)),
        Target("threshold.json", (b'{"version": 1, "value": 0.5, "epoch": 0, "temperature": 1.0, "wanted": null}',), read_run_file("threshold.json", lambda run: read_threshold(run, temperature=1.0))),
        Target("strangers.pt", (_tensors(),), read_run_file("strangers.pt", read_strangers)),
        Target("map.json", _seed(About), read_run_file("map.json", _beside("map.csv.gz", read_about))),
        Target("map", (gzip.compress(_MAP),), read_run_file("map.csv.gz", read_table)),
        Target("packed predictions", (gzip.compress(_TABLE),), as_file("p.csv.gz", read_predictions)),
        Target("test.json", _seed(Judged), read_run_file("test.json", _beside("predictions-test.csv", read_judged))),
        Target("out-of-fold.json", _seed(OutOfFold), read_run_file("out-of-fold.json", _beside("predictions-fold.csv", read_out_of_fold))),
        Target("label issues", labels, as_file("l.json", label_report.read_report)),
        Target("kinds of images", kinds, as_file("s.json", slice_report.read_report)),
        Target("scenes", (b'{"a/1.png": 0}',), as_file("scenes-fold.json", lambda path: read_scenes(path.parent, "fold"))),
        Target("hand-in", _seed(HandIn), as_file("result/hand-in.json", lambda path: read_hand_in(path.parents[1]))),
        Target("export", _seed(Shipment), as_file("result/export.json", lambda path: read_shipment(path.parents[1]))),
        Target("rate curve", _seed(RateCurve), as_file("c.json", read_curve)),
        Target("forecast", _seed(Forecast), as_file("f.json", read_forecast)),
    )  # fmt: skip


def _read_arrays(path: Path) -> object:
    try:
        return read_arrays(path, most=1_000_000)
    except ValueError:
        return None  # its reader tells it
