"""Shards that were made to do harm: each is told in words or left out, and takes neither the memory nor for ever."""

from __future__ import annotations

import io
import tarfile
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.arrivals.unpack import unpack
from core.dataset.folders import scan_folders
from core.errors import DataError
from core.shards import table_places, tables
from core.shards.tables import iter_rows, read_table_head
from core.shards.tar_samples import iter_samples
from tests.arrivals.shard_files import (
    make_rows,
    make_samples,
    make_table,
    picture,
    write_arrow,
    write_parquet,
    write_tar,
)

MB = 10**6


@pytest.fixture
def traced() -> Iterator[Callable[[], int]]:
    """Return what tells the most bytes that were taken at a time."""
    tracemalloc.start()
    yield lambda: tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()


def write_entries(
    path: Path, entries: list[tuple[tarfile.TarInfo, bytes]], *, kind: int = tarfile.GNU_FORMAT
) -> Path:
    """Write an archive of entries whose headers say what they are told to, and after each header the bytes given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        for member, data in entries:
            file.write(member.tobuf(kind, "utf-8", "surrogateescape"))
            file.write(data + bytes(-len(data) % tarfile.BLOCKSIZE))
        file.write(bytes(2 * tarfile.BLOCKSIZE))
    return path


def entry(
    name: str, size: int, type: bytes = tarfile.REGTYPE, pax: dict[str, str] | None = None
) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.type, member.pax_headers = size, type, pax or {}
    return member


def unpack_all(source: Path) -> tuple[int, list[str]]:
    """Return how many images a folder of shards holds, and why others were refused."""
    found = unpack(source, source.parent / "made", lambda *_: True)
    assert found is not None
    return found.images, [item.reason for item in found.refused]


def test_only_plain_files_of_an_archive_are_taken(tmp_path: Path) -> None:
    """Links, devices and pipes are left out, and so is a file with holes, which has gigabytes in a line."""
    odd = [
        (tarfile.LNKTYPE, "/etc/passwd"), (tarfile.SYMTYPE, "../../secret"), (tarfile.CHRTYPE, ""), (tarfile.BLKTYPE, ""),
        (tarfile.FIFOTYPE, ""), (tarfile.DIRTYPE, ""),
    ]  # fmt: skip
    entries = []
    for number, (kind, aim) in enumerate(odd):
        member = entry(f"odd{number}.jpg", 0, kind)
        member.linkname = aim
        entries.append((member, b""))
    giant = {"GNU.sparse.major": "0", "GNU.sparse.minor": "1", "GNU.sparse.name": "giant.jpg"}
    giant |= {"GNU.sparse.realsize": str(150 * MB), "GNU.sparse.map": f"0,512,{150 * MB},0"}
    whole = picture(1)[:512]
    entries.append((entry("giant.jpg", 512, pax=giant), whole))
    entries += [(entry(name, len(data)), data) for name, data in make_samples(2).items()]
    write_entries(tmp_path / "in/a.tar", entries, kind=tarfile.PAX_FORMAT)
    assert unpack_all(tmp_path / "in") == (2, [])
    assert sum(path.stat().st_size for path in (tmp_path / "made").rglob("*")) < MB


@pytest.mark.parametrize("kind", ["negative", "pax", "long name", "without end"])
def test_an_archive_whose_headers_lie_is_told(traced: Callable[[], int], tmp_path: Path, kind: str) -> None:
    first = [(entry(name, len(data)), data) for name, data in make_samples(2).items()]
    path = tmp_path / "in/a.tar"
    if kind == "pax":  # of which Python read the same entries for ever
        write_entries(
            path, [*first, (entry("b.jpg", 0, pax={"size": "-2560"}), b"")], kind=tarfile.PAX_FORMAT
        )
    else:
        sizes = {"negative": -1024, "long name": 3 * 10**9, "without end": 3 * 10**9}
        type = tarfile.GNUTYPE_LONGNAME if kind == "long name" else tarfile.REGTYPE
        write_entries(path, [*first, (entry("b.jpg", sizes[kind], type), b"x")])
        if kind == "long name":
            with path.open("ab") as file:
                file.truncate(2 * 10**9)  # of holes, which would have been read whole
    with pytest.raises(DataError, match=r"a\.tar is cut off or damaged after [12] images? \("):
        list(iter_samples(path))
    assert traced() < 50 * MB


def test_a_sample_has_no_more_files_than_anybody_means(tmp_path: Path) -> None:
    write_tar(tmp_path / "a.tar", {f"1.x{number}": b"" for number in range(1_200)})
    with pytest.raises(DataError, match="a sample has more than 1,000 files"):
        list(iter_samples(tmp_path / "a.tar"))


def test_entries_that_are_past_take_no_memory(traced: Callable[[], int], tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for number in range(5_000):
            archive.addfile(tarfile.TarInfo(f"{number}.txt"), io.BytesIO())
    tracemalloc.reset_peak()
    assert list(iter_samples(tmp_path / "a.tar")) == []
    assert traced() < 2 * MB


@pytest.mark.parametrize("label", ["0" * 12 + "99999", "9" * 5000, "-0"])
def test_a_number_that_is_no_class_refuses_its_image_alone(tmp_path: Path, label: str) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/classes.txt").write_text("rose\ntulip\n")
    write_tar(tmp_path / "in/a.tar", {"0.jpg": picture(0), "0.cls": label.encode(), **make_samples(2, 1)})
    images, refused = unpack_all(tmp_path / "in")
    assert images == 2 + (label == "-0")
    assert all(reason.startswith("has the label ") for reason in refused)


@pytest.mark.parametrize("kind", ["tar", "parquet"])
def test_a_label_without_end_refuses_its_image_alone(tmp_path: Path, kind: str) -> None:
    label = "rose" * 50_000
    if kind == "tar":
        write_tar(tmp_path / "in/a.tar", {"0.jpg": picture(0), "0.cls": label.encode(), **make_samples(2, 1)})
    else:
        table = make_table(make_rows(3), classes=None)
        table = table.set_column(1, "label", [[label, "rose", "tulip"]])
        write_parquet(tmp_path / "in/a.parquet", table)
    assert unpack_all(tmp_path / "in") == (2, ["has a label of more than 1,000 letters"])


@pytest.mark.parametrize("twice", ["image", "label", "bytes"])
def test_of_two_columns_of_one_name_none_is_taken(tmp_path: Path, twice: str) -> None:
    images, labels = pa.array([picture(0), picture(1)]), pa.array([0, 1])
    if twice == "bytes":
        kind = pa.field("bytes", pa.binary())
        images = pa.StructArray.from_arrays([images, images], fields=[kind, kind])
    columns = {"image": images, "label": labels}
    names = [*columns, *([twice] if twice in columns else [])]
    table = pa.Table.from_arrays([columns[name] for name in names], names=names)
    write_arrow(tmp_path / "in/a.arrow", table)
    with pytest.raises(DataError, match=r"a\.arrow has no column of (images|labels)"):
        unpack_all(tmp_path / "in")


def write_giant(path: Path, rows: int, size: int) -> Path:
    """Write a Parquet file of kilobytes that says one giant image in each row of one group."""
    image = picture(1) + bytes(size)
    table = make_table([(image, f"{number}.jpg", number % 2) for number in range(rows)])
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, row_group_size=rows, compression="zstd")
    assert path.stat().st_size < MB // 10
    return path


@pytest.mark.usefixtures("runs_root")
def test_rows_that_unpack_to_gigabytes_are_refused_with_file_and_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_places, "MOST_AT_ONCE", 10 * MB)
    write_giant(tmp_path / "in/train.parquet", rows=40, size=MB)
    with pytest.raises(
        DataError, match=r"train\.parquet: the images from row 0 to row 9 .* more than 10 MB, .*Unpack"
    ):
        scan_folders(tmp_path / "in")


def test_few_rows_are_unpacked_at_a_time_where_each_may_be_giant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "MOST_AT_ONCE", 12 * MB)
    path = write_giant(tmp_path / "train.parquet", rows=64, size=MB)
    table, before = read_table_head(path), pa.total_allocated_bytes()
    most = max(pa.total_allocated_bytes() - before for _ in iter_rows(path, table))
    assert most < 16 * MB


@pytest.mark.usefixtures("runs_root")
def test_one_giant_image_is_left_out_with_its_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "MOST_OF_ONE", MB)
    rows = [*make_rows(8), (picture(9) + bytes(2 * MB), "giant.jpg", 1)]
    write_parquet(tmp_path / "in/train.parquet", make_table(rows))
    (unread,) = scan_folders(tmp_path / "in").unread
    assert (unread.path, unread.reason) == ("train.parquet/tulip/giant.jpg", "has more than 1 MB")
