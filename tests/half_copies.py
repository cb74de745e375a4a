"""Run folders as a copy leaves them that was broken off, or that another version has written, under pages that are open."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

from core.runs.run import Run, list_runs
from tests.harmed import PATIENCE, Place

COPIES = 3  # of one run
LOOKED_AT = ("live", "confusion", "weak", "confidence", "predict", "compare", "runs", "train")


def copy_half(place: Place, run: Run, chance: random.Random) -> None:
    """Copy a run until the copy breaks off, at a random byte of a random file, or alter it as another version would.

    The page that shows it is open meanwhile, others are opened after; then somebody asks for more epochs of it.
    """
    from tests.looks import dashboard_on, look_at, open_page

    for number in range(COPIES):
        copy = Run(place.root / f"copy-{run.id}-{number}")
        shutil.copytree(place.undisturbed.folder, copy.folder)
        query = {"run": copy.id, "runs": f"{copy.id},{place.undisturbed.id}"}
        with dashboard_on(place.root, place.data):
            first, *others = chance.sample(LOOKED_AT, 3)
            page = open_page(first, **query)
            how = chance.choice((break_off, alter))(copy, chance)
            try:
                look_at(page.run(), first)
                for name in others:
                    open_page(name, **query)
            except AssertionError as error:
                raise AssertionError(f"{how}: {error}") from None
        process = place.launch(copy, epochs=3)
        process.join(PATIENCE)
        assert process.exitcode == 0, f"{how}: to go on ended with the code {process.exitcode}"
        message = copy.read_status().message
        assert "unexpected fault" not in message, f"{how}: {message}"
        shutil.rmtree(copy.folder)
    known = {one.id: status.state for one, status in list_runs(place.root)}
    assert known[place.undisturbed.id] == "finished"
    shutil.rmtree(run.folder)


def break_off(run: Run, chance: random.Random) -> str:
    """Take away what a copy had not come to, and the end of the file that it was at; return what was done."""
    files = sorted(path for path in run.folder.rglob("*") if path.is_file())
    chance.shuffle(files)
    count = chance.randrange(len(files))
    for path in files[count + 1 :]:
        path.unlink()
    last = files[count]
    size = last.stat().st_size
    kept = max(0, chance.choice([0, size // 2, size - 1, size - chance.randint(1, 600)]))
    with last.open("r+b") as file:
        file.truncate(kept)
    return f"{count} files are there, and {kept} of {size} bytes of {last.relative_to(run.folder)}"


def alter(run: Run, chance: random.Random) -> str:
    """Let a JSON file have what a newer version writes, or lack what an older one did not know; return what was done."""
    path = chance.choice([p for p in run.folder.glob("*.json") if isinstance(_read(p), dict)])
    values, how = _read(path), chance.choice(["newer", "older"])
    if how == "newer":
        values |= {"version": 99, "of a newer version": {"x": [1, None]}}
    else:
        for key in chance.sample(sorted(values), min(len(values), chance.randint(1, 3))):
            del values[key]
    path.write_text(json.dumps(values))
    return f"{path.name} of an {how} version"


def _read(path: Path) -> object:
    return json.loads(path.read_text(encoding="utf-8"))
