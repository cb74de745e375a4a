"""A run in the words and tables of a report: its data, recipe, training, and what its figures are worth."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from core.recipe.config import SETTINGS, TrainConfig, applies, is_augmented
from core.recipe.settings import GROUPS, format_setting, hide_paths, label_of
from core.report.facts import RunFacts
from core.verdicts import class_report, predictions
from core.verdicts.run_accuracy import WRITTEN_AGAIN, tell_apart
from core.words import format_count, format_duration, format_share

NOTABLE_GAP = 5.0  # points between training and validation accuracy
Pairs = list[tuple[str, str]]
_OPTIMIZERS = {"sgd": "SGD with momentum", "adamw": "AdamW", "ranger": "Ranger (RAdam with Lookahead)"}
_SCHEDULES = {
    "constant": "kept as it is",
    "step": "cut every few epochs",
    "cosine": "falling along a cosine to 0",
    "onecycle": "rising and falling in one cycle",
}


@dataclass(frozen=True)
class SettingRow:
    """A setting as it is read; one that is `off` was not used."""

    field: str
    label: str
    value: str
    what: str
    off: bool


def describe_state(facts: RunFacts) -> str:
    """Say that a run has not finished, and how far it is; empty when it has."""
    status = facts.status
    if status.state == "finished":
        return ""
    return (
        f"This run has not finished: it is {status.state} after {status.epoch} of {format_count(status.epochs, 'epoch')}. "
        "All figures are those so far."
    )


def list_highlights(facts: RunFacts) -> list[tuple[str, str, str]]:
    """Return what a reader looks for first: title, figure, and what belongs to it."""
    zero = int(((facts.classes["support"] > 0) & (facts.classes["right"] == 0)).sum())
    found = [
        _describe_accuracy("Validation accuracy" if facts.origin is None else "Accuracy", facts.table),
        *(_highlight_training(facts) if facts.origin is None else []),
        (
            "Classes never right",
            f"{zero:,}",
            f"of {len(facts.data.classes):,}; see what that can tell under Weak classes",
        ),
    ]
    if knows_top5(facts):
        share = format_share(float(class_report.find_top5(facts.table).mean()))
        found.insert(1, ("Top 5", share, "the true class is among the first five answers"))
    if facts.held is not None:
        title, share, figures = _describe_accuracy("Accuracy on images held back", facts.held)
        found.insert(1, (title, share, f"{figures}; they neither trained nor chose the best epoch"))
    return found


def _highlight_training(facts: RunFacts) -> list[tuple[str, str, str]]:
    best = str(facts.status.best_epoch or "initial")
    return [
        ("Best epoch", best, f"of {facts.status.epoch} trained"),
        ("Training time", format_duration(facts.status.seconds), facts.speed),
    ]


def knows_top5(facts: RunFacts) -> bool:
    """Tell whether the first five answers are known, of more classes than that."""
    return len(facts.data.classes) > 5 and "top5" in facts.table


def _describe_accuracy(title: str, table: pd.DataFrame) -> tuple[str, str, str]:
    right, count = int((table["true"] == table["predicted"]).sum()), len(table)
    low, high = (100 * float(end) for end in predictions.wilson_interval(right, count))
    return (
        title,
        format_share(right / count),
        f"{right:,} of {format_count(count, 'image')}; 95 % interval {low:.1f}–{high:.1f} %",
    )


def list_data(facts: RunFacts) -> Pairs:
    """Return what the run was trained and validated on."""
    data, record = facts.data, facts.record
    support = facts.classes["support"].to_numpy(dtype=int)
    train = np.array(list(data.train_counts.values()))
    if facts.origin is not None:
        return [
            ("Table", facts.origin.table),
            ("Data set", data.root.name),
            ("Classes", f"{len(data.classes):,}"),
            ("Images predicted", _describe_counts(support)),
            ("Other training images", _describe_counts(train)),
        ]
    made = (
        f"fold {record['fold']} of the training images"
        if record.get("fold")
        else f"{(record.get('val_fraction') or 0) * 100:g} % of each class split off training"
        if data.val_made
        else "a folder of their own"
    )
    rows = [
        ("Data set", data.root.name),
        ("Classes", f"{len(data.classes):,}"),
        ("Training images", _describe_counts(train)),
        ("Validation images", f"{_describe_counts(support)}; {made}"),
        ("Test images", f"{count:,}, without labels" if (count := record.get("test_count", 0)) else "none"),
    ]
    if (kept := record.get("kept")) and kept["groups"]:
        told = f"{format_count(kept['images'], 'image')} in {format_count(kept['groups'], 'group')}"
        rows.append(("Kept on one side", f"{told}; {format_count(kept['moved'], 'image')} moved for it"))
    if held_back := record.get("held"):
        counts = np.unique([name for _, name in held_back], return_counts=True)[1]
        told = f"{_describe_counts(counts)}; they neither trained nor chose the best epoch"
        rows.append(("Images held back", told))
    for key, what in (("dropped", "left out"), ("relabelled", "relabelled")):
        if paths := record.get(key):
            rows.append((f"Training images {what}", f"{len(paths):,}, as the fix list says"))
    if record["skipped"]:
        path, reason = record["skipped"][0]
        rows.append(
            (
                "Files left out",
                f"{len(record['skipped']):,} that cannot be read, such as {path}, which {reason}",
            )
        )
    if left_out := record.get("left_out"):
        path, reason = left_out[0]
        rows.append(("Files not taken", f"{len(left_out):,}, such as {path}, which {reason}"))
    known_by = "contents" if "contents" in record else "sizes"
    fingerprint = f"{record.get('fingerprint')} (of names, {known_by} and split: the same data has the same)"
    return [*rows, ("Fingerprint", fingerprint)]


def describe_recipe(config: TrainConfig) -> str:
    """Say in a sentence how the network was trained."""
    loss = f"focal loss (γ = {config.focal:g})" if config.focal else "cross-entropy"
    if config.label_smoothing:
        loss += f" with label smoothing {config.label_smoothing:g}"
    rate = f"a learning rate of {config.lr:g}" + ("" if config.schedule == "constant" else " at its peak")
    part = "The head was trained alone" if config.head_only else "It was trained"
    return (
        f"{part} for up to {format_count(config.epochs, 'epoch')} in batches of {config.batch_size} to minimise {loss}, by "
        f"{_OPTIMIZERS[config.optimizer]} with {rate}, {_SCHEDULES[config.schedule]}."
    )


def describe_mixing(config: TrainConfig) -> str:
    """Say what training does to images beyond the transforms; empty for nothing."""
    parts = []
    if config.progressive_from:
        parts.append(
            f"Training images grow from {config.progressive_from} to {config.image_size} px over the first epochs."
        )
    if config.mixup:
        parts.append(f"Pairs of images and their labels are blended (mixup, α = {config.mixup:g}).")
    if config.cutmix:
        parts.append(
            f"Rectangles of other images are pasted in, and labels shared (cutmix, α = {config.cutmix:g})."
        )
    return " ".join(parts)


def list_network(facts: RunFacts, parameters: int) -> Pairs:
    """Return what was trained; `parameters` are those of the network."""
    config = facts.config
    trained = (
        "the last layer alone; what the rest makes of each image was computed once"
        if config.head_only
        else "all of it"
    )
    if config.freeze_epochs:
        trained = f"the last layer alone for {format_count(config.freeze_epochs, 'epoch')}, then all of it"
    return [
        ("Network", config.arch),
        (
            "Parameters",
            f"{parameters / 1e6:.1f} million, with the last layer for {format_count(len(facts.data.classes), 'class')}",
        ),
        ("Input", f"colour images of {config.image_size} × {config.image_size} px"),
        (
            "Output",
            f"one value for each of {len(facts.data.classes):,} classes, by a last layer of that size",
        ),
        ("Initial weights", describe_weights(config.weights)),
        ("What was trained", trained),
    ]


def list_training(facts: RunFacts) -> Pairs:
    """Return how long training took, on what, and what it came to."""
    status, epochs, known = facts.status, facts.epochs, facts.environment
    hardware = (
        f"{known['device']}, {known['compute']}, {format_count(known['threads'], 'thread')}"
        if {"device", "compute", "threads"} <= known.keys()
        else "not recorded"
    )
    lowest = epochs.loc[epochs["val_loss"].idxmin()] if epochs["val_loss"].notna().any() else epochs.iloc[-1]
    told = tell_apart(status, facts.right, len(facts.table), WRITTEN_AGAIN)
    return [
        ("Best model", f"{facts.best_epoch}, validation accuracy {facts.accuracy}"),
        *([("Accuracy when it was chosen", told)] if told else []),
        ("Lowest validation loss", f"{lowest['val_loss']:.3f} nats, after epoch {int(lowest['epoch'])}"),
        ("Epochs", f"{status.epoch} of {status.epochs}"),
        (
            "Time",
            f"{format_duration(status.seconds)}; {format_duration(epochs['seconds'].median())} of training in the median epoch",
        ),
        ("Speed", f"{facts.speed} in training, in the median epoch"),
        ("Computed on", hardware),
    ]


def describe_weights(weights: str) -> str:
    """Return in words what a network began with."""
    kind, _, name = weights.partition(":")
    if weights == "imagenet":
        return "trained on ImageNet, but for the last layer, which is new"
    if weights == "none":
        return "random: trained from scratch"
    return f"the best model of the run {name}" if kind == "run" else f"the file {Path(weights).name}"


def list_settings(facts: RunFacts) -> list[tuple[str, list[SettingRow]]]:
    """Return every setting that has an effect with the others and on this data, by group."""
    config = facts.config
    (shown,), values = hide_paths([config]), vars(config)
    idle = {"name"} if facts.data.val_made else {"name", "val_fraction"}
    if not facts.record.get("kept") and not facts.record.get("groups"):
        idle.add("group_by")
    found = []
    for title, group in GROUPS.items():
        rows = [
            SettingRow(
                field,
                label_of(field),
                format_setting(shown, field, facts.data.label),
                SETTINGS[field].help,
                SETTINGS[field].is_off(values[field]),
            )
            for field in group
            if field not in idle and applies(field, values)
        ]
        found.append((title, rows))
    return found


def list_epochs(facts: RunFacts) -> pd.DataFrame:
    """Return the figures of each epoch that are one number each."""
    return facts.epochs.drop(columns=["kind", "val_correct", "best"], errors="ignore")


def describe_fit(facts: RunFacts) -> list[str]:
    """Say whether the run overfits: by its losses, and by what it can do with images it knows and does not know."""
    epochs = facts.epochs
    parts = [predictions.find_overfitting(epochs) or _describe_no_overfitting(epochs)]
    last = epochs[epochs["epoch"] == (facts.status.best_epoch or epochs["epoch"].iloc[-1])]
    if len(last):
        row = last.iloc[0]
        gap = 100 * (row["train_acc"] - row["val_acc"])
        seen = ", as augmented," if is_augmented(vars(facts.config)) else ""
        parts.append(
            f"In epoch {int(row['epoch'])} the training images{seen} were predicted right: {format_share(row['train_acc'])} "
            f"and the validation images in {format_share(row['val_acc'])}."
            + (
                f" {gap:.1f} points of what it learnt do not carry over to new images."
                if gap >= NOTABLE_GAP
                else ""
            )
        )
    return parts


def _describe_no_overfitting(epochs: pd.DataFrame) -> str:
    losses = epochs["val_loss"].to_numpy(dtype=float)
    if len(losses) < 3:
        return f"{format_count(len(losses), 'epoch')} cannot tell whether it overfits; three are the least."
    if not np.isfinite(losses).all():
        return "The validation loss is not a number in some epochs: the training diverged."
    lowest = int(losses.argmin())
    rise = 100 * (losses[-1] / losses[lowest] - 1) if losses[lowest] > 0 else 0.0
    where = (
        "It is lowest after the last epoch"
        if lowest == len(losses) - 1
        else f"It was lowest after epoch {int(epochs['epoch'].iloc[lowest])} ({losses[lowest]:.3f}) and is {rise:.0f} % above that at the end"
    )
    return (
        f"The validation loss shows no overfitting. {where} ({losses[-1]:.3f}); a rise of 5 % or more, two epochs after "
        "its lowest point or later and while the training loss falls, would be called so."
    )


def describe_trust(facts: RunFacts) -> str:
    """Say what the figures of single classes are worth on so many images."""
    support = facts.classes["support"]
    count = int(support[support > 0].median())
    (_, none), (every, _) = (
        tuple(100 * float(end) for end in predictions.wilson_interval(right, count)) for right in (0, count)
    )
    text = (
        f"The median class has {format_count(count, 'validation image')}. Of so many, none right is what a class of up to {none:.0f} % true recall "
        f"can show, and all right what one from {every:.0f} % can (95 % intervals by Wilson's formula)."
    )
    if none > 100 * class_report.WIDE:
        text += " So the order of single classes tells you where to look; it is not a measurement."
    return text


def list_pairs(facts: RunFacts, most: int) -> list[tuple[str, str, str]]:
    """Return the pairs of classes confused most: true, taken for, images."""
    pairs = predictions.most_confused(facts.table).head(most)
    support = facts.table["true"].value_counts()
    return [
        (facts.data.label(row.true), facts.data.label(row.predicted), f"{row.count} of {support[row.true]}")
        for row in pairs[["true", "predicted", "count"]].itertuples(index=False, name="Pair")
    ]


def list_environment(facts: RunFacts) -> Pairs:
    """Return what the run was computed on and with."""
    known = facts.environment
    titles = {
        "device": "Processor or GPU",
        "compute": "Device, precision, memory layout",
        "threads": "Threads",
        "workers": "Loading processes",
        "python": "Python",
        "torch": "PyTorch",
        "torchvision": "torchvision",
        "pytorch_optimizer": "pytorch-optimizer",
        "numpy": "NumPy",
        "pillow": "Pillow",
    }
    rows = [(title, str(known[key])) for key, title in titles.items() if key in known]
    began = facts.status.started
    if began:
        rows.insert(0, ("Started", time.strftime("%Y-%m-%d %H:%M", time.localtime(began))))
    return [*rows, ("Seed", str(facts.config.seed))]


def describe_focus(facts: RunFacts) -> str:
    """Name the classes a run specialised on; empty for none."""
    names = [facts.data.label(name) for name in facts.config.focus]
    return f"This run specialised on {', '.join(names)}." if names else ""


def _describe_counts(counts: np.ndarray) -> str:
    total = f"{int(counts.sum()):,}"
    if counts.min() == counts.max():
        return f"{total}, {int(counts.min()):,} of each class"
    return f"{total}; {int(counts.min()):,} to {int(counts.max()):,} a class, median {np.median(counts):,.0f}"
