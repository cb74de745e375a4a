"""What a report is made of: from what is known of its runs to figures, tables and the values of its page."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.errors import RunError, UserError
from core.recipe.settings import command_line, find_differing, format_setting, hide_paths, label_of
from core.report import phrases
from core.report.examples import (
    Examples,
    Picture,
    count_network,
    list_transforms,
    read_examples,
)
from core.report.facts import RunFacts
from core.report.figures import (
    DARK,
    LIGHT,
    MAX_COUNTED,
    Paper,
    draw_comparison,
    draw_matrix,
    draw_pictures,
    draw_rate,
    draw_recall,
    draw_training,
    measure_width,
)
from core.report.matrix import ChosenMatrix, choose_matrix
from core.runs.seen import name_unknown, name_unknowns
from core.verdicts import class_report, predictions
from core.verdicts.comparison import compare_focus, compare_groups, group_seeds
from core.verdicts.judged_on import choose_common, describe_images, load_pair
from core.verdicts.ordering import find_blocks, order_classes
from core.verdicts.paired import changes_by_class
from core.words import format_count, format_duration, format_share

WEAKEST = 25  # classes whose recall is drawn
PAIRS = 12  # confused pairs told
CHANGES = 15  # classes told that differ between two runs
LISTED = 200  # classes in the page's table; the CSV has all
_ZOOMED = 24  # classes of the matrix's part that is drawn larger

Step = Callable[[], None]


@dataclass(frozen=True)
class PaperFigure:
    """A figure for light and for dark paper, as PNG, and what it shows in words."""

    light: bytes
    dark: bytes
    alt: str

    @property
    def width(self) -> float:
        """Return how much of the page's width it takes, 0..1."""
        return measure_width(self.light)


@dataclass
class Parts:
    """The values of the page, and by their names the figures, sheets of pictures (PNG) and tables.

    `examples` are the page's pictures, of which it can do with fewer.
    """

    values: dict[str, Any] = field(default_factory=dict)
    figures: dict[str, PaperFigure] = field(default_factory=dict)
    sheets: dict[str, bytes] = field(default_factory=dict)
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    examples: Examples = field(default_factory=lambda: Examples((), (), (), ""))

    def draw(self, name: str, alt: str, draw: Callable[[Paper], bytes]) -> None:
        """Add a figure, drawn for both papers."""
        self.figures[name] = PaperFigure(draw(LIGHT), draw(DARK), alt)


def gather_parts(all_facts: Sequence[RunFacts], step: Step) -> Parts:
    """Make the parts of a report on the first run, compared with the others.

    `step` is called after each part and each weak class, and may end the work by raising.
    """
    if len(all_facts) > 1:
        refuse_comparison(all_facts)
    facts, parts = all_facts[0], Parts()
    _add_words(parts, facts)
    if facts.origin is None:
        _add_training(parts, facts)
    step()
    _add_matrix(parts, facts)
    step()
    _add_classes(parts, facts)
    step()
    _add_examples(parts, facts, step)
    step()
    if len(all_facts) > 1:
        _add_comparison(parts, all_facts)
        step()
    return parts


def refuse_comparison(all_facts: Sequence[RunFacts]) -> None:
    """Raise RunError where one of several runs was imported: how it was trained cannot be held against another."""
    for facts in all_facts:
        if facts.origin is not None:
            raise RunError(
                f"{facts.run.id} was imported from {facts.origin.table}, and a report compares how runs were trained. Leave it "
                "out, or report on it alone; the page Compare compares its predictions with others."
            )


def _add_words(parts: Parts, facts: RunFacts) -> None:
    if facts.origin is not None:
        parts.values |= {
            "title": facts.run.id,
            "subtitle": f"{len(facts.table):,} predictions {facts.origin.describe()}, {len(facts.data.classes):,} classes",
            "imported": True,
            "explained": facts.run.best_path.exists(),
            "made": time.strftime("%Y-%m-%d %H:%M"),
            "state": "",
            "highlights": phrases.list_highlights(facts),
            "data": phrases.list_data(facts),
            "comparison": None,
        }
        return
    config = facts.config
    settings = phrases.list_settings(facts)
    parts.values |= {
        "title": facts.run.id,
        "imported": False,
        "explained": True,
        "subtitle": f"{config.arch} on {facts.data.root.name}, {len(facts.data.classes):,} classes",
        "made": time.strftime("%Y-%m-%d %H:%M"),
        "state": phrases.describe_state(facts),
        "highlights": phrases.list_highlights(facts),
        "data": phrases.list_data(facts),
        "transforms": list_transforms(facts),
        "mixing": phrases.describe_mixing(config),
        "network": phrases.list_network(facts, count_network(facts)),
        "recipe": phrases.describe_recipe(config),
        "focus": phrases.describe_focus(facts),
        "settings": settings,
        "environment": phrases.list_environment(facts),
        "command": command_line(hide_paths([config])[0]),
        "comparison": None,
    }
    rows = [(group, s.field, s.label, s.value, s.what) for group, members in settings for s in members]
    parts.tables["settings"] = pd.DataFrame(rows, columns=["group", "field", "setting", "value", "what"])


def _add_training(parts: Parts, facts: RunFacts) -> None:
    epochs, best = phrases.list_epochs(facts), facts.status.best_epoch
    parts.tables["epochs"] = epochs
    parts.values |= {
        "training": phrases.list_training(facts),
        "fit": phrases.describe_fit(facts),
        "overfits": bool(predictions.find_overfitting(facts.epochs)),
        "epochs": [
            (
                int(row.epoch),
                f"{row.train_loss:.3f}",
                format_share(row.train_acc),
                f"{row.val_loss:.3f}",
                format_share(row.val_acc),
                format_duration(row.seconds),
            )
            for row in epochs.itertuples()
        ],
        "best": best,
    }
    steps = facts.steps
    parts.draw(
        "training",
        f"Loss and accuracy of training and validation by epoch; the best is {facts.best_epoch}",
        partial(draw_training, epochs, steps, best),
    )
    if len(steps) and steps["lr"].nunique() > 1:
        parts.draw("learning-rate", "Learning rate by epoch", partial(draw_rate, steps))


def _add_matrix(parts: Parts, facts: RunFacts) -> None:
    names = facts.data.classes
    matrix = choose_matrix(facts.table, names)
    top5 = int(class_report.find_top5(facts.table).sum())
    parts.tables[matrix.name] = matrix.cells
    parts.tables["confused-pairs"] = predictions.most_confused(facts.table)
    parts.values |= {
        "top5": predictions.format_rate(top5, len(facts.table)) if phrases.knows_top5(facts) else "",
        "accuracy": predictions.format_rate(facts.right, len(facts.table)),
        "held_accuracy": facts.held_accuracy,
        "unknown_origin": name_unknown(facts.run),
        "averages": _format_averages(facts),
        "pairs_confused": phrases.list_pairs(facts, PAIRS),
        "pair_count": len(parts.tables["confused-pairs"]),
        "left_out": matrix.describe(),
    }
    order = order_classes(matrix.counts, "similarity", matrix.support)
    _draw_part(parts, facts, matrix, order, "confusion-matrix", "Confusion matrix")
    zoomed: list[int] = []
    for block in find_blocks(matrix.counts, matrix.support):
        if len(zoomed) + len(block.members) <= _ZOOMED:
            zoomed += block.members
    if len(names) > MAX_COUNTED and zoomed:
        title = "The classes confused with each other"
        _draw_part(parts, facts, matrix, np.array(zoomed), "confused-classes", title)


def _draw_part(
    parts: Parts,
    facts: RunFacts,
    matrix: ChosenMatrix,
    order: npt.NDArray[np.intp],
    name: str,
    title: str,
) -> None:
    every = facts.data.labels
    labels = [every[index] for index in matrix.drawn[order]]
    cells = matrix.counts[np.ix_(order, order)]
    parts.draw(name, f"{title}, {len(labels)} classes", partial(draw_matrix, cells, labels, title))


def _add_classes(parts: Parts, facts: RunFacts) -> None:
    classes, label = facts.classes, facts.data.label
    labels = [label(name) for name in classes["class"]]
    parts.tables["classes"] = classes.assign(label=labels)[["class", "label", *classes.columns[1:]]]
    parts.tables["predictions"] = facts.table
    if facts.held is not None:
        parts.tables["predictions-held"] = facts.held
    seen = classes[classes["support"] > 0].head(WEAKEST)
    named = [label(name) for name in seen["class"]]
    overall = facts.right / len(facts.table)
    parts.draw(
        "weakest-classes",
        f"Recall of the {format_count(len(seen), 'weakest class')} with 95 % intervals",
        partial(draw_recall, seen, named, overall),
    )
    parts.values |= {
        "trust": phrases.describe_trust(facts),
        "frequency": class_report.describe_frequency(classes),
        "weakest": len(seen),
        "classes": [
            (
                label(row.name),
                f"{row.train:,}",
                f"{row.right} of {row.support}",
                _format_part(row.recall),
                predictions.format_interval(row.low, row.high) if row.support else "–",
                _format_part(row.precision),
                _format_part(row.f1),
                label(row.confused_with) if row.confused_with else "",
            )
            for row in classes.rename(columns={"class": "name"}).head(LISTED).itertuples(index=False)
        ],
        "class_count": len(classes),
    }


def _add_examples(parts: Parts, facts: RunFacts, step: Step) -> None:
    parts.examples = examples = read_examples(facts, step)
    for number, weak in enumerate(examples.weak, start=1):
        rows = [*weak.errors, *weak.alike]
        if rows:
            parts.sheets[f"weak-{number}"] = _draw_sheet(f"{weak.label}: errors, and training images", rows)
    if examples.augmented:
        parts.sheets["transforms"] = _draw_sheet(
            "Training images, and as the network sees them", examples.augmented
        )


def _part_asterisks(text: str) -> str:
    """Return a text no pair of whose asterisks begins what is strong, by a letter of no width between them."""
    return text.replace("**", "*\N{WORD JOINER}*")


def _draw_sheet(title: str, rows: Sequence[Sequence[Picture]]) -> bytes:
    return draw_pictures(title, [[(p.image, p.title, p.note) for p in row] for row in rows], LIGHT)


def _add_comparison(parts: Parts, all_facts: Sequence[RunFacts]) -> None:
    configs = hide_paths([facts.config for facts in all_facts])
    groups, notes = group_seeds(
        {facts.run.id: config for facts, config in zip(all_facts, configs, strict=True)},
        finished={facts.run.id for facts in all_facts if facts.status.state == "finished"},
    )
    reads = {facts.run.id: facts.read_table for facts in all_facts}
    compared = [reads[run] for members in groups.values() for run in members]
    judged_on = choose_common(compared)
    unknown = name_unknowns(
        facts.run for facts in all_facts if any(facts.run.id in names for names in groups.values())
    )
    verdicts, how = compare_groups(
        {name: [reads[run](judged_on) for run in members] for name, members in groups.items()},
        _part_asterisks,
    )
    results = [
        (
            facts.run.id,
            facts.accuracy,
            facts.held_accuracy or "–",
            facts.best_epoch,
            f"{facts.status.epoch} of {facts.status.epochs}",
            format_duration(facts.status.seconds),
            facts.speed,
        )
        for facts in all_facts
    ]
    head = ["run", "validation accuracy (95 % interval)", "on images held back", "best model", "epochs", "time", "speed"]  # fmt: skip
    parts.tables["comparison"] = pd.DataFrame(results, columns=head)
    parts.draw(
        "comparison",
        "Validation loss and accuracy of the runs by epoch",
        partial(draw_comparison, {facts.run.id: facts.epochs for facts in all_facts}),
    )
    parts.values["comparison"] = {
        "runs": [facts.run.id for facts in all_facts],
        "head": head,
        "results": results,
        "verdicts": [*verdicts, *map(_part_asterisks, notes)],
        "tests": f"{describe_images(judged_on, runs=len(compared), unknown=unknown)} {how}" if how else "",
        "differing": [
            (
                label_of(name),
                [
                    format_setting(config, name, facts.data.label)
                    for facts, config in zip(all_facts, configs, strict=True)
                ],
            )
            for name in find_differing(configs)
        ],
        "changes": [
            change
            for other in all_facts[1:]
            if (change := _compare_classes(parts, all_facts[0], other)) is not None
        ],
    }


def _compare_classes(parts: Parts, subject: RunFacts, other: RunFacts) -> dict[str, Any] | None:
    """Return what the later of two runs won and lost class by class; None where they are of other images."""
    before, after = sorted((subject, other), key=lambda facts: facts.status.created)
    try:
        pair = load_pair(before.read_table, after.read_table)
    except UserError:
        return None  # the verdict says so
    changes = changes_by_class(pair.first, pair.second)
    focus = compare_focus(after.config, pair.first, pair.second)
    parts.tables[f"changes-{before.run.id}-{after.run.id}"] = changes
    lines = []
    if focus is not None:
        lines.append(f"On the classes it specialised on: {focus[0].describe('before', 'after')}")
        lines.append(f"On all others: {focus[1].describe('before', 'after')}")
    return {
        "before": before.run.id,
        "after": after.run.id,
        "count": len(changes),
        "focus": lines,
        "images": describe_images(pair.judged_on, runs=2, unknown=name_unknowns([before.run, after.run])),
        "rows": [
            (subject.data.label(row.name), row.images, row.first, row.second, row.won, row.lost)
            for row in changes.rename(columns={"class": "name"}).head(CHANGES).itertuples(index=False)
        ],
    }


def _format_averages(facts: RunFacts) -> list[tuple[str, ...]]:
    averages = class_report.average_figures(facts.classes)
    words = {"macro": "macro: each class counts alike", "weighted": "weighted: each image counts alike"}
    return [
        (words[str(name)], *(_format_part(row[column]) for column in ("precision", "recall", "f1")))
        for name, row in averages.iterrows()
    ]


def _format_part(value: float) -> str:
    return "–" if np.isnan(value) else format_share(value)
