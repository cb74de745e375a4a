"""The race: our presets against the plain loop and other libraries, from the same weights on the same images.

    python -m benchmarks.race --data FOLDER --weights FILE

Entrants run one after another, each in a process of its own, all on the CPU with as many threads, and are judged on the
same images: validation, and some of each class that nobody trains on. Writes benchmarks/results/race-<set>.md after
each of them, so that what was measured is there even if the rest is not.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from benchmarks.engine import describe_machine
from benchmarks.peers.course import Course, Image, read_course, write_course
from benchmarks.peers.environments import DEFAULT, PINS, make_environment
from benchmarks.race_table import Entrant, describe_race
from core.dataset.folders import scan_folders
from core.files import write_text
from core.networks.table import inputs_of
from core.recipe.presets import PRESETS
from core.words import format_count

ROOT = Path(__file__).resolve().parents[1]
RESULTS = Path(__file__).with_name("results")
SIZE = 224  # pixels, those of the report
SLACK = 1800.0  # seconds that a peer may take beyond thrice its minutes before it is ended
LEADER = "fast"  # by which all others are measured, where it takes part
ENTRANTS = "plain,quick,fast,fastai,autogluon,ultralytics"


def main() -> None:
    """Run the entrants that were asked for and write the page."""
    options = read_options()
    folder = Path(tempfile.mkdtemp(prefix="race-", dir=options.work))
    print(f"Predictions, logs and runs lie in {folder}", flush=True)
    course, entrants = lay_course(options), list[Entrant]()
    presets = sorted((name for name in options.entrants if name in PRESETS), key=lambda name: name != LEADER)
    page = options.results / f"race-{options.data.name}.md"
    for name in options.entrants:
        if name in PINS and not course.minutes:
            course = replace(course, minutes=find_minutes(entrants, presets))
        write_course(course, folder)
        entrants.append(run_entrant(name, folder, environments=options.environments, threads=options.threads))
        print(f"{name}: {entrants[-1].how}", flush=True)
        title, setting = f"The race on {options.data.name}", describe_setting(course, options)
        write_text(page, describe_race(entrants, presets, title=title, setting=setting))
    print(page.read_text(encoding="utf-8"))


def read_options() -> argparse.Namespace:
    """Return the command line's options."""
    known = ("plain", *PRESETS, *PINS)
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.race",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--data", type=Path, required=True, help="folder with train/<class>/* and val/<class>/*"
    )
    parser.add_argument(
        "--weights", type=Path, required=True, help="the weights that all start from, .safetensors"
    )
    parser.add_argument("--arch", default="tf_efficientnet_lite0", help="the network, by its name in timm")
    parser.add_argument(
        "--entrants", type=lambda text: text.split(","), default=ENTRANTS.split(","), metavar="A,B",
        help=f"in the order in which they run, of {', '.join(known)}; default: {ENTRANTS}",
    )  # fmt: skip
    parser.add_argument("--epochs", type=int, default=25, help="of the plain loop")
    parser.add_argument(
        "--timed-epochs", type=int, default=0, metavar="N",
        help="the plain loop's time is that of its first N epochs, scaled up to all; default: of all",
    )  # fmt: skip
    parser.add_argument(
        "--minutes", type=float, default=0.0,
        help=f"of training for each peer; default: as many as our preset {LEADER} took, else another of ours",
    )  # fmt: skip
    parser.add_argument("--hold-back", type=int, default=5, help="images of each class that nobody trains on")
    parser.add_argument(
        "--threads", type=int, default=os.cpu_count(), help="of the processor, for every entrant"
    )
    parser.add_argument(
        "--environments", type=Path, default=DEFAULT, help="folder of the peers' environments"
    )
    parser.add_argument(
        "--work", type=Path, help="folder in which a new one takes all that is written on the way"
    )
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the page")
    options = parser.parse_args()
    if unknown := set(options.entrants) - set(known):
        parser.error(f"--entrants: there is no {', '.join(sorted(unknown))}, only {', '.join(known)}")
    if not 0 <= options.timed_epochs <= options.epochs:
        parser.error(f"--timed-epochs: from 0 to the plain loop's {options.epochs} epochs")
    options.data, options.weights = options.data.resolve(), options.weights.resolve()
    options.environments = options.environments.resolve()  # entrants start in another folder
    return options


def lay_course(options: argparse.Namespace) -> Course:
    """Return what every entrant is given; images are held back by the product's own fixed rule."""
    folders = scan_folders(options.data, hold_back=options.hold_back)
    splits = {"train": folders.train, "val": folders.val, "held": folders.held}
    images = tuple(
        Image(sample.path, folders.classes[sample.target], split)
        for split, samples in splits.items()
        for sample in samples
    )
    inputs = inputs_of(options.arch)
    return Course(
        options.data, options.arch, options.weights, SIZE, inputs.mean, inputs.std,
        options.epochs, options.minutes, options.hold_back, images,
        options.timed_epochs,
    )  # fmt: skip


def find_minutes(entrants: Sequence[Entrant], presets: Sequence[str]) -> float:
    """Return the minutes that the first of our presets to have finished trained for; 0 where none did."""
    done = {entrant.name: entrant.seconds / 60 for entrant in entrants if entrant.table is not None}
    return next((done[name] for name in presets if name in done), 0.0)


def run_entrant(name: str, folder: Path, *, environments: Path, threads: int) -> Entrant:
    """Run an entrant on the course in a folder and return what became of it; no failure of it ends the race."""
    course = read_course(folder)
    if name in PINS and not course.minutes:
        return Entrant(name, "no preset of ours finished before it, so it had no minutes; name --minutes")
    try:
        python = make_environment(name, environments) if name in PINS else Path(sys.executable)
    except (RuntimeError, OSError, subprocess.SubprocessError) as error:
        return Entrant(name, str(error))
    module = f"peer_{name}" if name in PINS else "plain" if name == "plain" else "ours"
    command = [str(python), "-m", f"benchmarks.peers.{module}", name, str(folder)]
    limit = 3 * 60 * course.minutes + SLACK if name in PINS else None
    begun, load = time.perf_counter(), os.getloadavg()[0]
    trouble = run_process(command, folder / f"log-{name}.txt", threads=threads, limit=limit)
    whole = time.perf_counter() - begun
    if trouble:
        return Entrant(name, hide_places(trouble, course, folder), whole=whole, load=load)
    result = json.loads((folder / f"result-{name}.json").read_text(encoding="utf-8"))
    table = read_table(folder / f"predictions-{name}.csv", course)
    return Entrant(name, result["how"], table, result["seconds"], whole, load, result["versions"])


def run_process(command: Sequence[str], log: Path, *, threads: int, limit: float | None) -> str:
    """Run a command with its output in a log; return what went wrong, "" for nothing."""
    # Our command line has its threads sleep while they wait. On a busy machine that alone makes a step several times as
    # fast, so all entrants get it, or the race would measure this and not the training.
    limits = {"OMP_NUM_THREADS": str(threads), "OMP_WAIT_POLICY": "passive", "CUDA_VISIBLE_DEVICES": ""}
    limits["HF_HUB_OFFLINE"] = "1"
    limits["YOLO_CONFIG_DIR"] = str(
        log.parent
    )  # where Ultralytics would else write into the user's own folder
    with log.open("w", encoding="utf-8") as file:
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=file, stderr=subprocess.STDOUT, env={**os.environ, **limits},
            start_new_session=True,
        )  # fmt: skip
        try:
            code = process.wait(limit)
        except BaseException as error:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if isinstance(error, subprocess.TimeoutExpired):
                return f"had not ended after {error.timeout / 60:.0f} min and was ended"
            raise
    lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    if code < 0:
        return f"was ended by signal {-code}, as a system that has no memory left does"
    return f"{lines[-1].strip() if lines else 'no word'} (exit code {code})" if code else ""


def hide_places(text: str, course: Course, folder: Path) -> str:
    """Return a text with the places of this machine cut down to their names."""
    for place in (course.weights, course.data, folder, ROOT):
        text = text.replace(str(place), place.name)
    return text


def read_table(path: Path, course: Course) -> pd.DataFrame:
    """Read an entrant's predictions as a table with path, true, predicted and split."""
    table = pd.read_csv(path, dtype=str, keep_default_na=False).rename(columns={"label": "true"})
    return table.assign(split=table["path"].map({image.path: image.split for image in course.judged}))


def describe_setting(course: Course, options: argparse.Namespace) -> str:
    """Return what was run on what."""
    counts = {split: len(course.of_split(split)) for split in ("train", "val", "held")}
    command = shlex.join(["python", "-m", "benchmarks.race", *_tell_words(options)])
    minutes = f"{course.minutes:.1f} minutes of training for each peer" if course.minutes else "no peer yet"
    return f"""`{command}` {describe_machine()}

- images: {format_count(counts["train"], "image")} of {len(course.classes)} classes to train on, judged on {counts["val"]} of validation and {counts["held"]} held back ({course.hold_back} a class), the same for all
- all start from {course.weights.name} of {course.arch}, at {course.size} px, seed 0, on the CPU with {format_count(options.threads, "thread")}, one after another; threads that wait sleep (OMP_WAIT_POLICY=passive)
- {format_count(course.epochs, "epoch")} for the plain loop; {minutes}
- plain and our presets are judged by their best epoch on validation, so their figures there are a little too high; those on the images held back are not
- training of our presets counts the whole job: reading every image first, validation, judging and calibrating in the end; that of the others ends with the trained model"""


def _tell_words(options: argparse.Namespace) -> list[str]:
    """Return the options as typed, without where things lie on this machine."""
    words = ["--data", options.data.name, "--weights", options.weights.name, "--arch", options.arch]
    words += ["--entrants", ",".join(options.entrants), "--epochs", str(options.epochs)]
    words += ["--timed-epochs", str(options.timed_epochs)] if options.timed_epochs else []
    words += ["--hold-back", str(options.hold_back), "--threads", str(options.threads)]
    return [*words, "--minutes", f"{options.minutes:g}"] if options.minutes else words


if __name__ == "__main__":
    main()
