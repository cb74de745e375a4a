"""What is unpacked is its maker's, also while it is not finished, and no more than they may have on the disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.arrivals import unpack as room
from core.arrivals.unpack import unfinished_folder, unpack
from core.people.limits import LimitReached, list_held
from core.people.users import add_user, set_limits
from tests.arrivals.shard_files import make_flowers, make_table, picture, write_parquet

MB = 10**6


@pytest.fixture
def users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file of the user ada, who trains."""
    monkeypatch.setenv("WEAKSPOT_USERS", str(tmp_path / "own/users.json"))
    monkeypatch.setenv("WEAKSPOT_UPLOADS", str(tmp_path / "uploads"))
    add_user(tmp_path / "own/users.json", "ada", "train", None)
    return tmp_path / "own/users.json"


def test_unpacked_images_count_for_their_maker_and_more_than_the_limit_is_refused(
    users: Path, tmp_path: Path, runs_root: Path
) -> None:
    uploads, source = tmp_path / "uploads", make_flowers(tmp_path / "in")
    assert unpack(source, uploads / "new", lambda *_: False, owner="ada") is None
    (begun,) = list_held("ada", runs_root)
    assert begun.name == unfinished_folder(uploads / "new", source).name
    set_limits(users, "ada", disk=begun.bytes + 100, slots=None)
    with pytest.raises(LimitReached, match="of the disk, and"):
        unpack(source, uploads / "new", lambda *_: True, owner="ada")
    set_limits(users, "ada", disk=None, slots=None)
    assert unpack(source, uploads / "new", lambda *_: True, owner="ada") is not None
    assert [held.name for held in list_held("ada", runs_root)] == ["new"]


@pytest.mark.usefixtures("runs_root")
def test_shards_that_hold_more_than_their_size_end_at_the_limit_of_their_maker(
    users: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Parquet file of kilobytes can say one image of a megabyte any number of times."""
    monkeypatch.setattr(room, "_AT_ONCE", 4)
    image = picture(1) + bytes(MB)
    write_parquet(
        tmp_path / "in/a.parquet", make_table([(image, f"{n}.jpg", 0) for n in range(40)]), row_group=40
    )
    assert (tmp_path / "in/a.parquet").stat().st_size < MB
    set_limits(users, "ada", disk=10 * MB, slots=None)
    with pytest.raises(LimitReached, match="of the disk, and ada's limit is 10 MB"):
        unpack(tmp_path / "in", tmp_path / "uploads/new", lambda *_: True, owner="ada")
    written = [path for path in (tmp_path / "uploads").rglob("*.jpg") if path.stat().st_size]
    assert len(written) == 12
