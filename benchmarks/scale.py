"""`python -m benchmarks.scale`: what breaks first with many runs, figures, files and classes, made and measured.

Each part makes its data below `--dir`, measures in a process of its own, prints a row for docs/scale.md and takes its
data away again: at most 2 GB of disk at a time.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.scale_pages import look_at_classes, look_at_files, look_at_live, look_at_runs
from core.census.count import count_data, read_count
from core.census.stamps import is_small, is_unchanged, stamp_tree
from core.dataset.folders import scan_folders
from core.image_table import Names, write_table
from core.networks.table import inputs_of
from core.recipe.config import TrainConfig
from core.runs.run import Run
from core.stored.status import Status
from core.verdicts.many_classes import order_many
from core.verdicts.ordering import choose_confused, find_blocks
from core.verdicts.predictions import class_figures, count_cells, find_codes, most_confused, read_predictions
from dashboard.charts.level_chart import level_matrix
from dashboard.charts.matrix_colours import Look
from dashboard.components.plot import PackedFigure, pack
from dashboard.explorer.level_figures import Part, count_part, draw_level, find_right, make_sides
from dashboard.explorer.matrices import MOST_DRAWN, TableSource
from dashboard.state.services import read_metrics

GROUP = 8  # classes that are confused with each other
SHOWN = 1_000_000  # steps of the run that Live is opened on
NEW_LINES = 200  # of figures, that come between two looks
FLAT = "image.jpg"  # what every name of a made file ends in

Measure = Callable[[Path, int], None]


def main() -> None:
    """Measure the parts that are asked for, each in a process of its own."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument(
        "parts", nargs="*", metavar="PART", help=f"some of {', '.join(PARTS)}; all by default"
    )
    parser.add_argument("--dir", type=Path, default=Path(tempfile.gettempdir()), help="where data is made")
    parser.add_argument(
        "--size", type=int, help="how many runs, lines, files or classes in place of the usual"
    )
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    for name in options.parts or PARTS:
        part, size = PARTS[name]
        with tempfile.TemporaryDirectory(prefix="scale-", dir=options.dir) as folder:
            _measure_apart(part, Path(folder), options.size or size)


def _measure_apart(measure: Callable[..., None], *values: object) -> None:
    """Measure something in a process of its own, which has read nothing yet."""
    process = multiprocessing.get_context("spawn").Process(target=measure, args=values)
    process.start()
    process.join()
    if process.exitcode:
        sys.exit(f"{measure.__name__} ended with {process.exitcode}")


def measure_runs(folder: Path, size: int) -> None:
    """List run folders by the command and on the page Runs: the first time, and again by what was kept of them."""
    for number in range(size):
        _make_run(folder / f"run-{number:05d}", number)
    os.environ["WEAKSPOT_RUNS"] = str(folder)
    for time_ in ("first", "again", "a third time"):
        with timed(f"{size:,} runs by weakspot runs {time_}"):
            assert not os.system(f"{sys.executable} -m core runs >{os.devnull}")
    for server in ("", " by a server that was started again"):
        _measure_apart(_read_rows, server, size)
    look_at_runs(folder, size)


def _read_rows(server: str, size: int) -> None:
    from dashboard.listing import rows

    with timed(f"{size:,} rows of the page Runs first{server}"):
        assert len(rows.read_rows()) == size
    with timed(f"{size:,} rows of the page Runs again{server}"):
        rows.read_rows()


def measure_figures(folder: Path, size: int) -> None:
    """Read a file of figures of so many lines as Live does: whole, and then what is new."""
    run = Run(folder / "runs" / "run")
    run.folder.parent.mkdir()
    _make_run(run.folder, 0)
    _append_figures(run, 0, size)
    print(f"{run.metrics_path.stat().st_size / 1e6:,.0f} MB in metrics.jsonl", flush=True)
    with timed(f"{size:,} lines of figures opened"):
        read_metrics(run)
    for number in range(3):
        _append_figures(run, size + number * NEW_LINES, NEW_LINES)
        with timed(f"{NEW_LINES} new lines read"):
            _, steps = read_metrics(run)
    print(f"{len(steps):,} steps in the table", flush=True)
    run.metrics_path.unlink()
    _append_figures(run, 0, SHOWN)
    look_at_live(run, SHOWN, _append_figures)


def measure_files(folder: Path, size: int) -> None:
    """Scan a folder of so many files in 1,000 classes, all links to a few, the first time and again."""
    seed = folder / "seed"
    seed.write_bytes(b"")
    for number in range(1_000):
        place = folder / "data" / "train" / f"class-{number:04d}"
        place.mkdir(parents=True)
        # A file system has a limit of links to one file, so each class has a file of its own.
        (place / f"0-{FLAT}").write_bytes(b"")
        for image in range(1, size // 1_000):
            os.link(place / f"0-{FLAT}", place / f"{image}-{FLAT}")
    for time_ in ("first", "again", "a third time"):
        with timed(f"{size:,} files scanned {time_}"):
            found = scan_folders(folder / "data", val_fraction=0.2)
    print(f"{len(found.train) + len(found.val):,} images in {len(found.classes):,} classes", flush=True)
    config, kept = TrainConfig(data=str(folder / "data"), val_fraction=0.2), folder / "kept"
    kept.mkdir()
    with timed("known to be large"):
        assert not is_small(folder / "data")
    with timed(f"{size:,} files counted and kept, as the task does it"):
        count_data(config, kept, lambda *_: True)
    with timed("the kept count read"):
        assert read_count(config, kept)[1]
    stamps = stamp_tree(folder / "data")
    with timed(f"{len(stamps.folders):,} folders looked at again"):
        assert is_unchanged(folder / "data", stamps)
    (folder / "runs").mkdir()
    _make_run(folder / "runs" / "run", 0)
    look_at_files(folder / "data", folder / "runs")


def measure_classes(folder: Path, size: int) -> None:
    """Read a table of a hundred images a class, make what the pages show of it, and a report."""
    from core.report.page import write_report  # brings torch, whose memory is none of the other parts'

    run, images = Run(folder / "runs" / "large"), 100 * size
    classes = _make_large_run(run, size, images)
    path = run.predictions_path()
    _measure_apart(_look_at_matrix, run.folder)
    other = Run(run.folder.with_name("other"))
    shutil.copytree(run.folder, other.folder)
    _measure_apart(look_at_classes, run, other)
    shutil.rmtree(other.folder)
    with timed(f"{images:,} predictions read, {path.stat().st_size / 1e6:,.0f} MB in {path.name}"):
        table = read_predictions(path)
    csv = folder / "predictions-val.csv"
    table.to_csv(csv, index=False)
    with timed(f"the same of an older run, {csv.stat().st_size / 1e6:,.0f} MB in {csv.name}"):
        read_predictions(csv)
    csv.unlink()
    with timed("most confused pairs"):
        most_confused(table)
    with timed(f"figures of {size:,} classes"):
        class_figures(table, classes)
    true, predicted = find_codes(table, classes)
    for by in ("name", "similarity"):
        with timed(f"classes ordered by {by}"):
            order = order_many(true, predicted, size, by)
    with timed("the most confused classes chosen, their blocks found"):
        drawn = choose_confused(true, predicted, size, MOST_DRAWN)
        places = np.full(size, -1)
        places[drawn] = np.arange(len(drawn))
        find_blocks(
            count_cells(places[true], places[predicted], len(drawn)), np.bincount(true, minlength=size)[drawn]
        )
    for what, steps in (("all classes", ()), ("one pair of groups", ((0, 0),))):
        with timed(f"matrix of {what} drawn"):
            packed = _draw_level(Part.open(order, steps), true, predicted, classes)
        print(f"{len(packed.json) / 1e3:,.0f} kB to the browser", flush=True)
    del table
    with timed("report written"):
        page = write_report([run], folder / "report")
    assert page is not None
    print(f"{page.stat().st_size / 1e6:.1f} MB in {page.name}", flush=True)


def _look_at_matrix(folder: Path) -> None:
    with timed("first look at the matrix: table, record of the data, first level"):
        draw_level(TableSource(Run(folder)), "name", Look(), ())


def _draw_level(
    part: Part, true: npt.NDArray[np.intp], predicted: npt.NDArray[np.intp], classes: list[str]
) -> PackedFigure:
    cells, _ = count_part(part.level, part.find_places()[true], part.find_places()[predicted])
    return pack(level_matrix(cells, find_right(part.level), *make_sides(part, classes), Look()))


PARTS: dict[str, tuple[Measure, int]] = {
    "runs": (measure_runs, 10_000),
    "figures": (measure_figures, 10_000_000),
    "files": (measure_files, 1_000_000),
    "classes": (measure_classes, 10_000),
}


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Print how long something took and the most memory that the process has had since its beginning."""
    start = time.perf_counter()
    yield
    seconds = time.perf_counter() - start
    print(f"| {what} | {seconds:.2f} s | {_peak():,.0f} MB at most |", flush=True)


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _make_run(folder: Path, number: int) -> None:
    folder.mkdir()
    run = Run(folder)
    run.write_config(TrainConfig(data="data"))
    status = Status(
        state="finished", created=float(number + 1), epoch=3, epochs=3, best_epoch=2, best_val_acc=0.9
    )
    (folder / "status.json").write_text(json.dumps(asdict(status), indent=2))


def _append_figures(run: Run, first: int, count: int) -> None:
    with run.metrics_path.open("a") as file:
        for step in range(first, first + count):
            file.write(
                f'{{"kind":"step","step":{step},"epoch":{step // 10_000 + 1},"loss":{2 / (1 + step / 1e5):.6f},'
                f'"acc":0.{step % 1000:03d},"lr":0.001}}\n'
            )
            if step % 10_000 == 9_999:
                file.write(
                    f'{{"kind":"epoch","epoch":{step // 10_000 + 1},"step":{step},"train_loss":0.5,"train_acc":0.5,'
                    f'"val_loss":0.6,"val_acc":0.5,"seconds":9.0,"val_seconds":1.0,"images_per_second":100.0}}\n'
                )


def _make_large_run(run: Run, size: int, images: int) -> list[str]:
    """Make a finished run without pictures; an image in five is taken for a neighbour in its group. Return its classes."""
    run.folder.parent.mkdir()
    _make_run(run.folder, 0)
    run.write_inputs("resnet18", inputs_of("resnet18"))
    rng = np.random.default_rng(0)
    classes = [f"class-{number:05d}" for number in range(size)]
    true = np.repeat(np.arange(size), images // size)
    near = (true // GROUP * GROUP + rng.integers(0, GROUP, images)).clip(max=size - 1)
    predicted = np.where(rng.random(images) < 0.2, near, true)
    paths = [f"val/{classes[code]}/{row}.jpg" for row, code in enumerate(true.tolist())]
    columns: dict[str, Sequence[str] | Names | npt.NDArray[np.floating[Any]]] = {
        "path": paths,
        "true": Names(true, classes),
        "predicted": Names(predicted, classes),
        "confidence": rng.random(images),
        "true_confidence": rng.random(images),
        "loss": rng.random(images),
    }
    for rank in range(1, 6):
        columns[f"top{rank}"] = Names((predicted + rank - 1) % size, classes)
        columns[f"top{rank}_confidence"] = rng.random(images)
    write_table(run.predictions_path(), columns)
    record = {
        "root": str(run.folder.parent / "data"), "classes": classes, "display": {}, "val_made": False, "skipped": [],
        "sizes": {}, "train": [[f"train/{name}/0.jpg", name] for name in classes],
        "val": [[path, classes[code]] for path, code in zip(paths, true.tolist(), strict=True)],
    }  # fmt: skip
    (run.folder / "data.json").write_text(json.dumps(record))
    _append_figures(run, 0, 20_000)
    return classes


if __name__ == "__main__":
    main()
