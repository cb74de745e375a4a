"""What is unpacked is its maker's, also while it is not finished, and no more than they may have on the disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.arrivals.unpack import unfinished_folder, unpack
from core.people.limits import LimitReached, list_held
from core.people.users import add_user, set_limits
from tests.arrivals.shard_files import make_flowers


def test_unpacked_images_count_for_their_maker_and_more_than_the_limit_is_refused(
    tmp_path: Path, runs_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    users, uploads, source = tmp_path / "own/users.json", tmp_path / "uploads", make_flowers(tmp_path / "in")
    monkeypatch.setenv("WEAKSPOT_USERS", str(users))
    monkeypatch.setenv("WEAKSPOT_UPLOADS", str(uploads))
    add_user(users, "ada", "train", None)
    assert unpack(source, uploads / "new", lambda *_: False, owner="ada") is None
    (begun,) = list_held("ada", runs_root)
    assert begun.name == unfinished_folder(uploads / "new", source).name
    set_limits(users, "ada", disk=begun.bytes + 100, slots=None)
    with pytest.raises(LimitReached, match="of the disk, and"):
        unpack(source, uploads / "new", lambda *_: True, owner="ada")
    set_limits(users, "ada", disk=None, slots=None)
    assert unpack(source, uploads / "new", lambda *_: True, owner="ada") is not None
    assert [held.name for held in list_held("ada", runs_root)] == ["new"]
