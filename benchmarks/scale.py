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
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from core.census.count import count_data, read_count
from core.census.stamps import is_small, is_unchanged, stamp_tree
from core.dataset.folders import scan_folders
from core.recipe.config import TrainConfig
from core.runs.jobs import list_live
from core.runs.run import Run, Status
from core.verdicts.ordering import choose_confused, find_blocks, order_classes
from core.verdicts.predictions import class_figures, count_cells, find_codes, most_confused, read_predictions
from dashboard.charts.matrix_chart import Totals
from dashboard.charts.matrix_chart import confusion_matrix as draw_matrix
from dashboard.charts.matrix_colours import Look
from dashboard.components.plot import pack
from dashboard.explorer.matrices import MOST_DRAWN
from dashboard.state.services import read_metrics

GROUP = 8  # classes that are confused with each other
NEW_LINES = 200  # of figures, that come between two looks
FLAT = "image.jpg"  # what every name of a made file ends in

Part = Callable[[Path, int], None]


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
            process = multiprocessing.get_context("spawn").Process(
                target=part, args=(Path(folder), options.size or size)
            )
            process.start()
            process.join()
            if process.exitcode:
                sys.exit(f"{name} ended with {process.exitcode}")


def measure_runs(folder: Path, size: int) -> None:
    """List run folders: the first time, and again."""
    for number in range(size):
        _make_run(folder / f"run-{number:05d}", number)
    with timed(f"{size:,} runs listed first"):
        assert len(list_live(folder)) == size
    with timed(f"{size:,} runs listed again"):
        list_live(folder)
    from dashboard.listing import rows

    os.environ["WEAKSPOT_RUNS"] = str(folder)
    with timed(f"{size:,} rows of the page Runs first"):
        rows.read_rows()
    with timed(f"{size:,} rows of the page Runs again"):
        rows.read_rows()
    with timed(f"{size:,} runs by python -m core runs"):
        assert not os.system(f"{sys.executable} -m core runs >{os.devnull}")


def measure_figures(folder: Path, size: int) -> None:
    """Read a file of figures of so many lines as Live does: whole, and then what is new."""
    run = Run(folder / "run")
    run.folder.mkdir()
    _append_figures(run, 0, size)
    print(f"{run.metrics_path.stat().st_size / 1e6:,.0f} MB in metrics.jsonl", flush=True)
    with timed(f"{size:,} lines of figures opened"):
        read_metrics(run)
    for number in range(3):
        _append_figures(run, size + number * NEW_LINES, NEW_LINES)
        with timed(f"{NEW_LINES} new lines read"):
            _, steps = read_metrics(run)
    print(f"{len(steps):,} steps in the table", flush=True)


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
    for time_ in ("first", "again"):
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


def measure_classes(folder: Path, size: int) -> None:
    """Read a table of a hundred images a class and make all that the pages show of it."""
    path, images = folder / "predictions-val.csv", 100 * size
    classes = _write_table(path, size, images)
    print(f"{path.stat().st_size / 1e6:,.0f} MB in predictions-val.csv", flush=True)
    with timed(f"{images:,} predictions read"):
        table = read_predictions(path)
    with timed("most confused pairs"):
        most_confused(table)
    with timed(f"figures of {size:,} classes"):
        class_figures(table, classes)
    with timed("the most confused classes chosen, their matrix counted"):
        true, predicted = find_codes(table, classes)
        drawn = choose_confused(true, predicted, size, MOST_DRAWN)
        places = np.full(size, -1)
        places[drawn] = np.arange(len(drawn))
        counts = count_cells(places[true], places[predicted], len(drawn))
        support, named = (np.bincount(codes, minlength=size)[drawn] for codes in (true, predicted))
    with timed("blocks found"):
        find_blocks(counts, support)
    with timed("classes ordered by similarity"):
        order_classes(counts, "similarity", support)
    with timed(f"matrix of {len(drawn):,} classes drawn"):
        pack(draw_matrix(counts, [classes[index] for index in drawn], Look(), Totals(support, named)))


PARTS: dict[str, tuple[Part, int]] = {
    "runs": (measure_runs, 10_000),
    "figures": (measure_figures, 3_000_000),
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


def _write_table(path: Path, size: int, images: int) -> list[str]:
    """Write a predictions table in which an image in five is taken for a neighbour in its group; return the classes."""
    rng = np.random.default_rng(0)
    classes = np.array([f"class-{number:05d}" for number in range(size)])
    true = np.repeat(np.arange(size), images // size)
    near = (true // GROUP * GROUP + rng.integers(0, GROUP, images)).clip(max=size - 1)
    predicted = np.where(rng.random(images) < 0.2, near, true)
    values: dict[str, object] = {
        "path": [f"val/{name}/{row}.jpg" for row, name in enumerate(classes[true])],
        "true": classes[true],
        "predicted": classes[predicted],
        "confidence": np.full(images, 0.5),
        "true_confidence": np.full(images, 0.4),
        "loss": np.full(images, 0.9),
    }
    for rank in range(1, 6):
        values[f"top{rank}"] = classes[(predicted + rank - 1) % size]
        values[f"top{rank}_confidence"] = np.full(images, 0.5 / rank)
    pd.DataFrame(values).to_csv(path, index=False)
    return list(classes)


if __name__ == "__main__":
    main()
