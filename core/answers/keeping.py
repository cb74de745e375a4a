"""Images that arrived, put on disk: under a folder of our own, by names that cannot lead out of it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from core.answers.arriving import Arrived
from core.files import draft_folder, replace_folder


def keep_images(arrived: Iterable[Arrived], folder: Path) -> None:
    """Write what arrived and was taken into a folder, in place of what lay there; the folders in their names are kept.

    Raises:
        OSError: when it cannot be written; what lay there stays.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with draft_folder(folder) as draft:
        for one in arrived:
            if one.problem:
                continue
            parts = [
                part for part in PurePosixPath(one.name.replace("\\", "/")).parts if part not in ("/", "..")
            ]
            path = draft.joinpath(*parts)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(one.content)
        replace_folder(draft, folder)
