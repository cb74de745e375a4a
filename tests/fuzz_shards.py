"""What reads shards with images inside, and what is kept beside the runs of them and of folders: targets of tests/fuzz.py."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from dataclasses import asdict
from functools import cache
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from core.arrivals.unpack import unpack
from core.arrivals.unpacked import State, read_state
from core.census.count import KEPT, read_count
from core.census.stamps import Stamps
from core.census.summary import DataSummary
from core.overview.facts import read_facts
from core.overview.index import NAME, recall
from core.people.limits import parse_size
from core.people.owner import FILE, read_owner
from core.recipe.config import TrainConfig
from core.runs.run import Run
from core.trackers.fault import FAULT, TrackerFault, read_fault
from tests.arrivals.shard_files import make_rows, make_samples, make_table
from tests.fuzz_targets import Target, as_file, read_run_file


def _save_table(write: Callable[[pa.Table, io.BytesIO], None]) -> bytes:
    file = io.BytesIO()
    write(make_table(make_rows(4)), file)
    return file.getvalue()


def _write_stream(table: pa.Table, file: io.BytesIO) -> None:
    with pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=2)


def _write_file(table: pa.Table, file: io.BytesIO) -> None:
    with pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=2)


def _save_tar(kind: int) -> bytes:
    file = io.BytesIO()
    samples = make_samples(3) | {"é" * 120 + ".jpg": b"x", "a/9.json": b'{"label": 1}', "a/9.png": b"x"}
    with tarfile.open(fileobj=file, mode="w", format=kind) as archive:
        for name, data in samples.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return file.getvalue()


def _unpack(ending: str) -> Callable[[bytes, Path], object]:
    def act(data: bytes, folder: Path) -> object:
        (folder / "in").mkdir()
        (folder / "in/classes.txt").write_text("rose\ntulip\n")
        (folder / f"in/train-0.{ending}").write_bytes(data)
        found = unpack(folder / "in", folder / "out" / "made", lambda *_: True)
        inside = {path.name for path in folder.iterdir()}
        assert inside == {"in", "out"}, inside
        assert len(list((folder / "out").iterdir())) == 1
        return found

    return act


def _read_count(path: Path) -> object:
    return read_count(TrainConfig(data=str(path.parent)), path.parent)


def _recall(path: Path) -> object:
    run = path.parent / "first"
    run.mkdir()
    (run / "config.json").write_text(TrainConfig(data="/d").to_json())
    recall(path.parent)
    return Run(run).read_status(), read_facts(Run(run))


@cache
def shard_targets() -> tuple[Target, ...]:
    """Return what reads shards, and what is kept of them, of folders, of owners and of all runs."""
    state = State((("a.tar", 9, 1),), "", "", pending={"0": "train/a/0.jpg"}, labels=("a",))
    kept = {
        "version": 1,
        "summary": asdict(DataSummary(names=("a",))),
        "stamps": asdict(Stamps((("a", 1),), 1, 1.0)),
        "files": {},
    }
    entry = {"status": [1, 1, 1, {"state": "finished"}], "recipe": [1, 1, 1, "", "/d", "a", "fast", "", ""]}
    facts = {"facts": [1, "", 9, "ada", "note", ["tag"], False]}
    return (
        Target("Parquet shard", (_save_table(pq.write_table),), _unpack("parquet")),
        Target("Arrow shard", (_save_table(_write_stream), _save_table(_write_file)), _unpack("arrow")),
        Target("tar shard", tuple(map(_save_tar, (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT))), _unpack("tar")),
        Target("how far unpacking is", (json.dumps(asdict(state)).encode(),), as_file("s.json", read_state)),
        Target("count of a folder", (json.dumps(kept).encode(),), as_file(KEPT, _read_count)),
        Target("index of runs", (json.dumps({"version": 1, "runs": {"first": entry | facts}}).encode(),), as_file(NAME, _recall)),
        Target("owner", (b'{"name": "ada"}',), as_file(FILE, lambda path: read_owner(path.parent))),
        Target("fault of a tracker", (json.dumps(asdict(TrackerFault("mlflow", "why"))).encode(),), read_run_file(FAULT, lambda run: (fault := read_fault(run)) and fault.describe(run))),
        Target("size in words", (b"50G", b"1.5 TB"), lambda data, _: parse_size(data.decode(errors="replace"))),
    )  # fmt: skip
