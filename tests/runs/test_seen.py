"""What a model has seen: kept small, added up, compared by contents, and told where it is not known."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.dataset.contents import read_contents
from core.dataset.folders import ImageFolders, scan_folders
from core.errors import DataError
from core.model.ancestry import see_run, see_weights
from core.runs.run import Run
from core.runs.run_data import record_data
from core.runs.seen import (
    NOTHING,
    SEEN_FILE,
    Seen,
    name_unknown,
    read_seen,
    refuse_seen,
    see_data,
    write_seen,
)
from core.training.checkpoint import save_checkpoint
from tests.made_run import make_run


@pytest.fixture
def run(runs_root: Path, tiny_data: Path) -> Run:
    """Return a run whose model began as nothing had been seen."""
    return make_run(runs_root, tiny_data, weights="none")


def make_old(run: Run) -> Run:
    """Make a run one of an older version, which kept no record of what its model had seen."""
    (run.folder / SEEN_FILE).unlink()
    return run


def count(seen: Seen) -> tuple[int, int, tuple[str, ...]]:
    return len(seen.trained), len(seen.chosen), seen.unknown


def check(run: Run, folders: ImageFolders, initial: Seen) -> None:
    contents = read_contents(folders.root, folders.files, run.folder.parent)
    assert contents is not None
    refuse_seen(folders, contents, run.read_config(), initial, run.folder.parent)


def test_digests_of_20000_images_come_back_from_less_than_a_quarter_of_a_megabyte(run: Run) -> None:
    digests = np.unique(np.random.default_rng(0).integers(0, 2**64, 20_000, np.uint64))
    write_seen(run, Seen(digests, digests[:5], ("the file x.pt",)))
    assert (run.folder / SEEN_FILE).stat().st_size < 250_000
    found = read_seen(run)
    assert found is not None
    assert np.array_equal(found.trained, digests)
    assert np.array_equal(found.chosen, digests[:5])
    assert found.unknown == ("the file x.pt",)


def test_what_two_models_have_seen_adds_up_once() -> None:
    one = Seen(np.array([1, 2], np.uint64), np.array([9], np.uint64), ("the file x.pt",))
    both = one | Seen(np.array([2, 3], np.uint64), unknown=("the file x.pt", "the run lost"))
    assert both.trained.tolist() == [1, 2, 3]
    assert both.chosen.tolist() == [9]
    assert both.unknown == ("the file x.pt", "the run lost")


def test_a_split_as_the_initial_model_s_is_taken_even_where_the_data_repeats_an_image(
    run: Run, tiny_data: Path
) -> None:
    shutil.copy(next((tiny_data / "train" / "2").iterdir()), tiny_data / "val" / "2" / "again.png")
    folders = scan_folders(tiny_data)
    contents = read_contents(folders.root, folders.files, run.folder.parent)
    assert contents is not None
    check(run, folders, see_data(folders, contents))


def test_a_model_that_was_chosen_by_images_may_be_chosen_by_them_again_but_not_proven(
    run: Run, tiny_data: Path
) -> None:
    folders = scan_folders(tiny_data)
    contents = read_contents(folders.root, folders.files, run.folder.parent)
    assert contents is not None
    initial = Seen(chosen=see_data(folders, contents).chosen)
    check(run, folders, initial)
    held = replace(folders, val=folders.train, held=folders.val, train=())
    with pytest.raises(DataError, match=r"hold_back: .* of the 6 images to hold back"):
        check(run, held, initial)


def test_a_run_of_an_older_version_has_seen_what_its_record_and_its_files_still_tell(
    run: Run, tiny_data: Path
) -> None:
    recorded = read_seen(run)
    assert recorded is not None
    told = count(recorded)
    root = run.folder.parent
    assert count(see_run(make_old(run), root)) == told
    next((tiny_data / "train" / "2").iterdir()).unlink()
    assert count(see_run(run, root)) == (told[0] - 1, told[1], ("the run first",))
    shutil.rmtree(tiny_data)
    assert count(see_weights("run:first", root)) == (0, 0, ("the run first",))


def test_runs_of_older_versions_are_followed_to_where_they_began(run: Run, tiny_data: Path) -> None:
    root = run.folder.parent
    child = make_old(make_run(root, tiny_data, name="child", weights="run:first"))
    assert see_run(child, root).unknown == ()
    run.write_status(replace(run.read_status(), created=child.read_status().created + 1))
    assert see_run(child, root).unknown == ("the run first",)  # another one of the same name
    shutil.rmtree(run.folder)
    assert see_run(child, root).unknown == ("the run first",)


def test_a_file_from_elsewhere_is_named_as_unknown(run: Run, tmp_path: Path) -> None:
    root = run.folder.parent
    save_checkpoint(tmp_path / "x.pt", {"model": {}})
    (tmp_path / "y.pt").write_bytes(b"no checkpoint")
    assert see_weights(str(tmp_path / "x.pt"), root).unknown == ("the file x.pt",)
    assert see_weights(str(tmp_path / "y.pt"), root).unknown == ("the file y.pt",)
    assert see_weights("imagenet", root) is NOTHING


def test_the_best_model_in_a_run_s_folder_is_that_run_s_also_by_its_path(run: Run) -> None:
    save_checkpoint(run.best_path, {"model": {}})
    found, kept = see_weights(str(run.best_path), run.folder.parent), read_seen(run)
    assert kept is not None
    assert count(found) == count(kept)


def test_what_is_not_known_of_a_run_is_named(run: Run, tiny_data: Path) -> None:
    assert name_unknown(run) == ""
    record_data(run, scan_folders(tiny_data), run.read_config(), initial=Seen(unknown=("the file x.pt",)))
    assert name_unknown(run) == "the file x.pt"
    (run.folder / SEEN_FILE).write_text(json.dumps({"trained": "?"}))
    assert name_unknown(run) == "a model whose record is lost"
    make_old(run)
    assert name_unknown(run) == ""
    run.write_config(replace(run.read_config(), weights="run:gone"))
    assert name_unknown(run) == "the run gone"
