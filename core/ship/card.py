"""The model card beside a shipped file: what it knows, how good that is, where it is weak, and how it is used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from core.confidence.kept import read_calibration
from core.confidence.measured import Calibration
from core.errors import UserError
from core.runs.run import Run
from core.runs.run_data import RunData, read_run_data
from core.ship.check import Agreement
from core.ship.contract import INPUT, OUTPUT, Contract
from core.ship.cost import Cost
from core.ship.formats import FORMATS, contract_path
from core.ship.origin import describe_licence
from core.ship.snippet import write_snippet
from core.verdicts.class_report import find_top5, find_weakness, report_classes
from core.verdicts.predictions import format_interval, format_rate, macro_recall, read_predictions
from core.words import format_accuracy, format_count

_WEAK = 10  # classes told
_CLASSES = 200  # named; more are in the JSON file alone
# What Markdown takes for more than a letter inside a line: a class may be called <b> or C* or [a](b).
_MARKS = str.maketrans({mark: f"\\{mark}" for mark in "\\`*_[]<>&#|!~"})
_SPLITS = {"Validation": "val", "Held back": "held"}


@dataclass(frozen=True)
class Facts:
    """What a card tells: the file of a format, its contract, what its check found, and what int8 costs where it is that."""

    run: Run
    kind: str
    file: str
    size: int
    contract: Contract
    agreement: Agreement
    cost: Cost | None = None

    def list_findings(self) -> list[str]:
        """Return in sentences what was found of the file."""
        if self.cost is None:
            return [self.agreement.describe()]
        return [*self.cost.describe(), f"Of the fp32 form that it was made of: {self.agreement.describe()}"]


def write_card(facts: Facts) -> str:
    """Return the model card in Markdown."""
    data = read_run_data(facts.run)
    tables = {title: _read_table(facts.run, split) for title, split in _SPLITS.items()}
    sections = {
        "Use it": _describe_use(facts),
        "Data": _describe_data(data, facts.contract),
        "How good it is": _describe_figures(tables, int8=facts.cost is not None),
        "Confidences": _describe_confidence(facts),
        "Weak classes": _describe_weak(tables["Validation"], data),
        "Limits": _describe_limits(tables["Validation"], data),
        "Licence": [describe_licence(facts.run, facts.run.folder.parent)],
        "Check": facts.list_findings(),
    }
    head = [f"# Model card of {_escape(facts.run.id)}", _describe_head(facts, tables["Validation"])]
    parts = [*head, *(f"## {title}\n\n" + "\n\n".join(lines) for title, lines in sections.items())]
    return "\n\n".join(parts) + "\n"


def _escape(text: str) -> str:
    """Return a user's text on one line, so that Markdown shows it letter by letter."""
    return " ".join(text.split()).translate(_MARKS)


def _read_table(run: Run, split: str) -> pd.DataFrame | None:
    try:
        table = read_predictions(run.predictions_path(split))
    except (UserError, OSError):
        return None
    return None if table.empty else table


def _describe_head(facts: Facts, table: pd.DataFrame | None) -> str:
    contract = facts.contract
    if facts.cost is not None:  # its own, not those of the model it was made of
        known = f" On validation it has {format_rate(facts.cost.int8.right, facts.cost.images)}."
    else:
        known = "" if table is None else f" On validation it has {_rate(table)}."
    return (
        f"**{contract.network}**, which tells {len(contract.classes):,} classes apart, "
        f"as {FORMATS[facts.kind].title} in {contract.precision} (`{facts.file}`, {facts.size / 1e6:.1f} MB).{known}"
    )


def _rate(table: pd.DataFrame) -> str:
    return format_rate(int((table["true"] == table["predicted"]).sum()), len(table))


def _describe_use(facts: Facts) -> list[str]:
    contract, form = facts.contract, FORMATS[facts.kind]
    beside = contract_path(Path(facts.file)).name
    way = (
        f"`{INPUT}` are {contract.shape}: resize the image until its shorter side has {contract.resize_size} pixels "
        f"({contract.interpolation}) and cut out the middle. Normalisation, softmax and temperature are inside; `{OUTPUT}` "
        f"are those of all classes, in the order of `classes` in `{beside}`."
        if form.has_graph
        else f"Resize an image until its shorter side has {contract.resize_size} pixels ({contract.interpolation}), cut out "
        f"the middle ({contract.image_size} pixels square), and normalise as below. The classes' order is that of `classes` "
        f"in `{beside}`."
    )
    return [form.use, way, f"```python\n{write_snippet(facts.kind, facts.file, contract)}```"]


def _describe_data(data: RunData, contract: Contract) -> list[str]:
    counts = list(data.train_counts.values())
    spread = f"{min(counts):,}" if min(counts) == max(counts) else f"{min(counts):,} to {max(counts):,}"
    names = [_escape(data.label(name)) for name in contract.classes]
    told = ", ".join(names[:_CLASSES]) + (
        f" and {len(names) - _CLASSES:,} more" if len(names) > _CLASSES else ""
    )
    origin = "split off from training" if data.val_made else "a folder of their own"
    return [
        f"Trained on {format_count(sum(counts), 'image')} of the data set {_escape(data.root.name)}, {spread} a class "
        f"(epoch {contract.epoch}). Validation images were {origin}; the best epoch was chosen on them.",
        f"Classes: {told}.",
    ]


def _describe_figures(tables: dict[str, pd.DataFrame | None], *, int8: bool) -> list[str]:
    rows = [
        f"| {title} | {_rate(table)} | {find_top5(table).mean() * 100:.1f} % | {format_accuracy(*macro_recall(table))} |"
        for title, table in tables.items()
        if table is not None
    ]
    if not rows:
        return ["There is no table of its predictions, so nothing can be said."]
    lines = ["\n".join(["| images | right | true class among the first five | mean of the classes' recalls |",
                        "|---|---|---|---|", *rows])]  # fmt: skip
    if int8:
        lines.append(
            "The figures above are those of the model before it was cut to 8 bits; what that costs is given below."
        )
    if tables["Held back"] is None:
        lines.append(
            "The best epoch was chosen on these images, so it will get slightly fewer new ones right."
        )
    return lines


def _describe_confidence(facts: Facts) -> list[str]:
    try:
        found = read_calibration(facts.run)
    except UserError:
        found = None
    how = (
        "How far its confidences can be trusted was not measured. They are the network's own, which are mostly too high."
        if found is None
        else _describe_calibration(found)
    )
    limit = facts.contract.threshold
    unsure = (
        f'An answer below {limit * 100:.1f} % is to be taken as "not sure" (`threshold`).' if limit else ""
    )
    return [how, *([unsure] if unsure else [])]


def _describe_calibration(found: Calibration) -> str:
    error = found.after.ece
    how = (
        f"Probabilities are calibrated: the temperature {found.temperature:.3f} is inside"
        if found.temperature != 1
        else "Probabilities are the network's own, since no temperature made them better"
    )
    return (
        f"{how}. They are {error.value * 100:.1f} % off on average (expected calibration error, 95 % interval "
        f"{error.low * 100:.1f}–{error.high * 100:.1f} %)."
    )


def _describe_weak(table: pd.DataFrame | None, data: RunData) -> list[str]:
    if table is None:
        return ["They are not known."]
    report = report_classes(table, data.classes, data.train_counts)
    weak = find_weakness(report, float((table["true"] == table["predicted"]).mean()))
    if weak.rows.empty:
        return [weak.describe()]
    lines = [
        f"- **{_escape(data.label(row.class_name))}**: {row.right} of {row.support} right ({format_interval(row.low, row.high)})"
        + (f", mostly taken for {_escape(data.label(row.confused_with))}" if row.confused_with else "")
        for row in weak.rows.head(_WEAK).itertuples()
    ]
    more = len(weak.rows) - _WEAK
    return [weak.describe(), "\n".join([*lines, *([f"- and {more:,} more"] if more > 0 else [])])]


def _describe_limits(table: pd.DataFrame | None, data: RunData) -> list[str]:
    lines = [
        "Every image is given one of these classes, also one that shows none of them.",
        "The figures hold for images like those of the data set; other cameras, places or times may be harder.",
    ]
    if table is not None and (unseen := [name for name in data.classes if name not in set(table["true"])]):
        lines.append(
            f"No validation image shows {_name_some(unseen, data)}, so nothing is known of how well that goes."
        )
    return ["\n".join(f"- {line}" for line in lines)]


def _name_some(names: Sequence[str], data: RunData) -> str:
    told = ", ".join(_escape(data.label(name)) for name in names[:_WEAK])
    return f"{told} and {len(names) - _WEAK:,} more" if len(names) > _WEAK else told
