"""Tables as other programs write them about the tiny data, and a run made of one."""

from __future__ import annotations

from pathlib import Path

from core.csv_table import parse_table
from core.imports.made import make_run
from core.imports.reading import Reading, understand_table
from core.runs.run import Run

# Of the six validation images, by class as the folders are sorted (2, 10, 35): the second of class 10 and the first of
# class 35 are taken for class 2, as `tests.made_run` has it.
PATHS = ("val/2/1.png", "val/2/2.png", "val/10/1.png", "val/10/2.png", "val/35/1.png", "val/35/2.png")
PREDICTED = ("2", "2", "10", "2", "2", "35")
PLAIN = "path,true,predicted\n" + "".join(
    f"{path},{path.split('/')[1]},{predicted}\n" for path, predicted in zip(PATHS, PREDICTED, strict=True)
)
SURE = PLAIN.replace("predicted\n", "predicted,confidence\n", 1)
for place, (path, predicted) in enumerate(zip(PATHS, PREDICTED, strict=True)):
    row = f"{path},{path.split('/')[1]},{predicted}\n"
    SURE = SURE.replace(row, f"{row.rstrip()},0.{9 - place}\n")
WHOLE = "path,predicted,prob_10,prob_2,prob_35\n" + "".join(
    f"{path},{predicted},"
    + ",".join({True: "0.8", False: "0.1"}[name == predicted] for name in ("10", "2", "35"))
    + "\n"
    for path, predicted in zip(PATHS, PREDICTED, strict=True)
)


def understand(text: str | bytes, data: Path, *, classes: str = "auto", **columns: str) -> Reading:
    raw = text.encode() if isinstance(text, str) else text
    return understand_table(parse_table("table.csv", raw), data, columns=columns, classes=classes)


def import_run(runs: Path, data: Path, text: str = PLAIN, *, name: str = "elsewhere") -> Run:
    """Make a run of a table, by default of one without confidences."""
    return make_run(understand(text, data), runs, name=name)
