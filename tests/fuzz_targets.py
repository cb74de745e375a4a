"""What reads files that others have written, each with inputs that are right: the targets of tests/fuzz.py."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from PIL import Image
from safetensors.torch import save

from core.answers.submission import take_sample
from core.arrivals import label_table
from core.arrivals.bring_in import bring_in
from core.csv_table import parse_table, read_head, read_table
from core.dataset.folders import read_display_names
from core.dataset.images import read_image
from core.dataset.label_report import read_fixes
from core.errors import UserError
from core.imports.columns import find_columns
from core.imports.reading import understand_table
from core.marks.marks import read_marks
from core.networks.state import read_state
from core.queue.order import read_place
from core.recipe.config import TrainConfig
from core.recipe.config_text import read_settings_text
from core.runs.jobs import live_status
from core.runs.notes import read_note
from core.runs.run import Run
from core.runs.run_data import read_run_data
from core.slices.columns import take_columns
from core.training.checkpoint import load_checkpoint
from core.verdicts.predictions import read_predictions
from dashboard.state.area import unpack_area
from tests.arrivals.sending import image_bytes, send, zip_bytes


@dataclass(frozen=True)
class Target:
    """What reads an input: `read` gets the bytes and an empty folder; `seeds` are inputs that are right."""

    name: str
    seeds: tuple[bytes, ...]
    read: Callable[[bytes, Path], object]


def as_file(name: str, read: Callable[[Path], object]) -> Callable[[bytes, Path], object]:
    """Make a file of an input for what reads one; its folders are made too."""

    def act(data: bytes, folder: Path) -> object:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return read(path)

    return act


def _read_labels(path: Path) -> object:
    (path.parent / "rose.png").write_bytes(image_bytes())
    read_head(path)
    table = read_table(path)
    columns = label_table.suggest_columns(table.head)
    return columns and label_table.match_rows(table, columns, path.parent, skip_missing=True)


def _import_table(data: bytes, folder: Path) -> object:
    for path in ("train/a/1.png", "train/b/1.png", "val/a/1.png", "val/b/1.png"):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(b"")
    table = parse_table("p.csv", data)
    find_columns(table, ("a", "b"), {})
    return understand_table(table, folder)


def _read_settings(data: bytes, _: Path) -> object:
    text = data.decode("utf-8", errors="replace")
    for name in ("a.json", "a.yaml"):
        try:
            TrainConfig.from_dict(read_settings_text(text, name))
        except UserError:
            continue
    return None


def read_run_file(name: str, read: Callable[[Run], object]) -> Callable[[bytes, Path], object]:
    """Make a run's file of an input for what reads it."""
    return as_file(name, lambda path: read(Run(path.parent)))


def _bring_in(data: bytes, folder: Path) -> object:
    return bring_in(send(folder / "sent", {"flowers.zip": data}), "flowers", folder / "root", lambda *_: True)


def _save_image(kind: str, mode: str = "RGB") -> bytes:
    file = io.BytesIO()
    Image.new(mode, (9, 7)).save(file, kind)
    return file.getvalue()


def _save_tensors() -> bytes:
    file = io.BytesIO()
    torch.save({"format": 1, "model": {"fc.weight": torch.zeros(2, 3)}}, file)
    return file.getvalue()


def _save_parquet() -> bytes:
    file = io.BytesIO()
    names = pa.array(["a", "b"]).dictionary_encode()
    sure = pa.array([0.9, 0.5])
    table = {"path": ["val/a/1.png", "val/b/1.png"], "true": names, "predicted": names, "confidence": sure}
    pq.write_table(pa.table(table | {"true_confidence": sure, "loss": sure}), file)
    return file.getvalue()


@cache
def input_targets() -> tuple[Target, ...]:
    """Return what reads the files that users bring, and those that a run is made with and grows by."""
    images = tuple(_save_image(kind) for kind in ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "AVIF", "PPM"))
    status = json.dumps({"state": "running", "created": 1.0, "pid": 7, "epoch": 1}).encode()
    data = {
        "root": "/d", "classes": ["a", "b"], "display": {"a": "rose"}, "val_made": False, "train": [["a/1.png", "a"]],
        "val": [["b/1.png", "b"]], "skipped": [], "sizes": {"a": 1, "b": 1}, "test_count": 0, "fingerprint": "",
    }  # fmt: skip
    table = b"path,true,predicted,confidence\nval/a/1.png,a,b,0.9\nval/b/1.png,b,b,0.5\n"
    numbers = b"path,true,predicted,prob_a,prob_b\nval/a/1.png,0,1,0.25,0.75\nval/b/1.png,1.0,1,0,1\n"
    mark = {
        "id": "x",
        "marks": [{"path": "train/a/1.png", "action": "drop", "label": "", "tags": [], "at": 1.0}],
    }
    return (
        Target("labels CSV", (b"image,label,split\nrose.png,a,train\n", b"id;breed\nrose;b\n"), as_file("l.csv", _read_labels)),
        Target("sample submission", (b"image_name,pred_label\nrose,1\n",), lambda data, _: take_sample(parse_table("s.csv", data))),
        Target("predictions CSV", (table, numbers), _import_table),
        Target("columns CSV", (b"path,light\nval/a/1.png,3\n",), lambda data, at: take_columns(parse_table("c.csv", data), ("val/a/1.png",), at)),
        Target("class_names.csv", (b"label,name\na,rose\n",), as_file("class_names.csv", lambda path: read_display_names(path.parent, ("a",)))),
        Target("cat_to_name.json", (b'{"a": "rose"}',), as_file("cat_to_name.json", lambda path: read_display_names(path.parent, ("a",)))),
        Target("fix list", (b"path,action,label\ntrain/a/1.png,drop,\n",), as_file("fixes.csv", read_fixes)),
        Target("marks", (json.dumps(mark).encode() + b"\n",), as_file("marks.jsonl", read_marks)),
        Target("settings", (TrainConfig(data="/d").to_json().encode(), b"epochs: 3\nlr: 1e-3\n"), _read_settings),
        Target("config.json", (TrainConfig(data="/d").to_json().encode(),), read_run_file("config.json", Run.read_config)),
        Target("status.json", (status,), read_run_file("status.json", live_status)),
        Target("metrics.jsonl", (b'{"kind": "step", "loss": 1.0}\n',), read_run_file("metrics.jsonl", Run.read_metrics)),
        Target("data.json", (json.dumps(data).encode(),), read_run_file("data.json", read_run_data)),
        Target("notes.json", (b'{"text": "a", "tags": ["b"]}',), read_run_file("notes.json", read_note)),
        Target("queue.json", (b'{"since": 1.0, "priority": 1, "held": true}',), read_run_file("queue.json", read_place)),
        Target("predictions table", (b"path,true,predicted,confidence\na,b,b,0.5\n",), as_file("p.csv", read_predictions)),
        Target("predictions Parquet", (_save_parquet(),), as_file("p.parquet", read_predictions)),
        Target("image", images, lambda data, _: read_image(io.BytesIO(data))),
        Target("zip", (zip_bytes({"a/1.png": image_bytes(), "b/2.png": image_bytes()}),), _bring_in),
        Target("weights", (_save_tensors(),), as_file("w.pt", read_state)),
        Target("safetensors", (save({"fc.weight": torch.zeros(2, 3)}),), as_file("w.safetensors", read_state)),
        Target("checkpoint", (_save_tensors(),), as_file("best.pt", load_checkpoint)),
        Target("area in the address", (b"1.0,2.0,3.0,4.0,5.0,6.0",), lambda data, _: unpack_area(data.decode(errors="replace"))),
    )  # fmt: skip
