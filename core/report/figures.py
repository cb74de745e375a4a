"""A report's figures by matplotlib, each for light and for dark paper; nothing global is touched.

Texts are a user's data: they are drawn letter by letter, never as formulas.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font
from matplotlib.ticker import MaxNLocator, PercentFormatter
from PIL import Image, ImageDraw, ImageFont, ImageOps

from core.palette import BAD, GOOD, MUTED, RUNS, TRAIN, VAL
from core.words import shorten_names

DPI = 130
MATRIX_DPI = 180  # the names of a hundred classes are small
WIDTH = 9.0  # inches of a figure that takes all of the page's width
MAX_NAMED = 120  # classes of a matrix whose names are drawn
MAX_COUNTED = 30  # classes of a matrix whose cells hold their numbers
LONGEST = 22  # letters of a class's name beside a figure
MAX_STEPS = 1500  # drawn
PICTURE = 192  # pixels a side on a sheet
_GAP = 16  # pixels
_BESIDE = 22  # letters of a line beside curves
_SCALES = 0.8  # inches beside a matrix
_TITLE_LETTER = 0.1  # inches of a title's letter
_MARKERS = ("o", "s", "D", "^", "X", "P", "*", "p")


@dataclass(frozen=True)
class Paper:
    """The colours of what a figure is drawn on: paper, text, and lines that stand back."""

    ground: str
    ink: str
    grid: str


LIGHT = Paper("#FFFFFF", "#1D2733", "#DDE2E8")
DARK = Paper("#1A2029", "#E4E8ED", "#38414D")


def draw_training(epochs: pd.DataFrame, steps: pd.DataFrame, best_epoch: int, paper: Paper) -> bytes:
    """Draw loss and accuracy by epoch as PNG: each step thin, each epoch strong, the best epoch marked.

    The tables are of a run's metrics: accuracies 0..1, losses in nats. `best_epoch` 0 is marked nowhere.
    """
    figure, (loss, accuracy) = _new_figure(paper, 3.6, columns=2)
    drawn = steps.iloc[:: max(1, -(-len(steps) // MAX_STEPS))]
    for axes, name, scale in ((loss, "loss", 1.0), (accuracy, "acc", 100.0)):
        if len(drawn):
            axes.plot(drawn["epoch"], scale * drawn[name], color=TRAIN, linewidth=0.6, alpha=0.35)
        for split, words, colour in (("train", "training", TRAIN), ("val", "validation", VAL)):
            values = scale * epochs[f"{split}_{name}"]
            axes.plot(
                epochs["epoch"], values, color=colour, linewidth=2, marker="o", markersize=3.5, label=words
            )
        best = epochs[epochs["epoch"] == best_epoch]
        if len(best):
            value = scale * float(best[f"val_{name}"].iloc[0])
            axes.axvline(best_epoch, color=MUTED, linewidth=1, linestyle="--", zorder=1)
            axes.plot(
                [best_epoch], [value], color=VAL, marker="*", markersize=14, markeredgecolor=paper.ground,
                linestyle="none", label=f"best: epoch {best_epoch},\n{_describe_best(best)}", zorder=5,
            )  # fmt: skip
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_ylim(bottom=0)
    loss.set_ylim(top=_loss_limit(epochs, drawn))
    _name(loss, "Loss", paper)
    loss.set_ylabel("cross-entropy (nats)")
    _name(accuracy, "Accuracy", paper)
    accuracy.set_ylabel("images predicted right (%)")
    accuracy.set_ylim(top=102)
    _add_legend(figure, accuracy, paper)
    return _render(figure)


def draw_rate(steps: pd.DataFrame, paper: Paper) -> bytes:
    """Draw the learning rate by epoch as PNG, of a run's steps."""
    figure, (axes,) = _new_figure(paper, 1.9)
    drawn = steps.iloc[:: max(1, -(-len(steps) // MAX_STEPS))]
    axes.plot(drawn["epoch"], drawn["lr"], color=TRAIN, linewidth=2)
    _name(axes, "Learning rate", paper)
    axes.set_xlabel("epoch")
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    return _render(figure)


def draw_matrix(
    counts: npt.NDArray[np.integer[Any]], names: Sequence[str], title: str, paper: Paper
) -> bytes:
    """Draw a confusion matrix (C, C) as PNG, rows true and columns predicted in the order of `names`.

    A cell's colour is its share of the true class's images: green on the diagonal, orange to red beside it.
    """
    size = len(names)
    side = float(np.clip(0.3 * size, 2.5, 7.0))  # inches
    letters = float(np.clip(0.78 * 72 * side / size, 3, 8))  # points, so that names fit their rows
    labels = shorten_all(names) if size <= MAX_NAMED else []
    beside = 0.4 + max(map(len, labels), default=4) * letters * 0.56 / 72
    side = min(side, WIDTH - beside - _SCALES)
    width = min(WIDTH, max(beside + side + _SCALES, len(title) * _TITLE_LETTER))
    height = side + beside + 0.4
    figure, (axes,) = _new_figure(paper, height, width=width, dpi=MATRIX_DPI)
    # Matplotlib's own layout measures each label several times: seconds for a hundred classes.
    figure.set_layout_engine(None)
    figure.subplots_adjust(beside / width, beside / height, (beside + side) / width, 1 - 0.4 / height)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    right = np.eye(size, dtype=bool)
    wrong_map = LinearSegmentedColormap.from_list("wrong", (paper.ground, VAL, BAD))
    right_map = LinearSegmentedColormap.from_list("right", (paper.ground, GOOD))
    image = np.where(right[..., None], right_map(share), wrong_map(np.sqrt(share)))
    axes.imshow(image, interpolation="nearest", aspect="equal")
    if size > MAX_NAMED:  # a cell is about a pixel here, and a lone error would be lost
        row, column = np.nonzero(np.where(right, 0, counts))
        axes.scatter(column, row, s=5, marker="s", linewidths=0, c=wrong_map(np.sqrt(share[row, column])))
    if size <= MAX_COUNTED:
        for y, x in np.argwhere(counts).tolist():
            colour = "#FFFFFF" if share[y, x] > 0.35 else paper.ink
            axes.text(x, y, str(counts[y, x]), ha="center", va="center", fontsize=7, color=colour)
    if size <= MAX_NAMED:
        axes.set_xticks(range(size), labels, rotation=90, fontsize=letters, parse_math=False)
        axes.set_yticks(range(size), labels, fontsize=letters, parse_math=False)
        axes.tick_params(length=0, pad=2)
    axes.grid(visible=False)
    for at in range(0, size + 1, 10 if size > MAX_COUNTED else 1):
        axes.axhline(at - 0.5, color=paper.grid, linewidth=0.5, zorder=0.5)
        axes.axvline(at - 0.5, color=paper.grid, linewidth=0.5, zorder=0.5)
    _name(axes, title, paper, left=(0.1 - beside) / side)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    for number, (colours, words) in enumerate(((right_map, "right"), (wrong_map, "wrong"))):
        bar = axes.inset_axes((1 + 0.2 / side, 0.72 - 0.36 * number, 0.14 / side, 0.24))
        values = np.linspace(1, 0, 64)[:, None] ** (0.5 if number else 1.0)
        bar.imshow(colours(values[:, 0])[:, None], aspect="auto", extent=(0, 1, 0, 100))
        bar.set_xticks([])
        bar.yaxis.tick_right()
        bar.tick_params(colors=paper.ink, labelsize=7, length=2)
        bar.yaxis.set_major_formatter(PercentFormatter(decimals=0, symbol=" %"))
        bar.set_title(words, fontsize=8, color=paper.ink, loc="left")
        for spine in bar.spines.values():
            spine.set_color(paper.grid)
    return _render(figure)


def draw_recall(classes: pd.DataFrame, names: Sequence[str], overall: float, paper: Paper) -> bytes:
    """Draw the recall of classes as PNG, points on their 95 % intervals, in the order of the table.

    `classes` has recall, low, high (0..1), right and support; `names` are what a reader calls them, `overall` is the
    accuracy of all (0..1).
    """
    figure, (axes,) = _new_figure(paper, 1.2 + 0.21 * len(classes))
    rows = np.arange(len(classes))
    axes.hlines(rows, 100 * classes["low"], 100 * classes["high"], color=MUTED, linewidth=3, alpha=0.55)
    axes.plot(100 * classes["recall"], rows, "o", color=BAD, markersize=6)
    axes.axvline(
        100 * overall, color=GOOD, linewidth=1.2, linestyle="--", label=f"all classes: {100 * overall:.1f} %"
    )
    labels = [
        f"{n}   {r} of {s}"
        for n, r, s in zip(shorten_all(names), classes["right"], classes["support"], strict=True)
    ]
    axes.set_yticks(rows, labels, fontsize=8, parse_math=False)
    axes.set_ylim(len(classes) - 0.5, -0.5)
    axes.set_xlim(-2, 102)
    axes.set_xlabel("recall (% of the class's validation images), with 95 % Wilson interval")
    _name(axes, "The weakest classes", paper)
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), frameon=False, fontsize=8, labelcolor=paper.ink)
    return _render(figure)


def draw_comparison(runs: Mapping[str, pd.DataFrame], paper: Paper) -> bytes:
    """Draw validation loss and accuracy of runs by epoch over each other as PNG; `runs` maps a name to its epochs."""
    figure, panels = _new_figure(paper, 3.6, columns=2)
    for axes, column, scale, title, unit in (
        (panels[0], "val_loss", 1.0, "Validation loss", "cross-entropy (nats)"),
        (panels[1], "val_acc", 100.0, "Validation accuracy", "images predicted right (%)"),
    ):
        for number, (name, epochs) in enumerate(runs.items()):
            axes.plot(
                epochs["epoch"], scale * epochs[column], color=RUNS[number % len(RUNS)], linewidth=1.8,
                marker=_MARKERS[number % len(_MARKERS)], markersize=4,
                label="\n".join(wrap(shorten(name, 80), _BESIDE)),
            )  # fmt: skip
        _name(axes, title, paper)
        axes.set_ylabel(unit)
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_ylim(bottom=0)
    panels[1].set_ylim(top=102)
    _add_legend(figure, panels[1], paper)
    return _render(figure)


def draw_pictures(title: str, rows: Sequence[Sequence[tuple[bytes, str, str]]], paper: Paper) -> bytes:
    """Draw rows of pictures as PNG, each an image file's bytes with a title and a note below it.

    Pillow does it: matplotlib takes a second for what is done here in a fiftieth of it.
    """
    face, side = findfont("DejaVu Sans"), PICTURE
    head, line = ImageFont.truetype(face, 20), ImageFont.truetype(face, 13)
    step = side + _GAP, side + 3 * _GAP
    size = max(map(len, rows)) * step[0] + _GAP, len(rows) * step[1] + 4 * _GAP
    sheet = Image.new("RGB", size, paper.ground)
    pen = ImageDraw.Draw(sheet)
    pen.text((_GAP, _GAP), shorten(title, 60), paper.ink, font=head)
    for row, pictures in enumerate(rows):
        for column, (data, caption, note) in enumerate(pictures):
            left, top = _GAP + column * step[0], 3 * _GAP + row * step[1]
            picture = ImageOps.contain(Image.open(io.BytesIO(data)).convert("RGB"), (side, side))
            sheet.paste(picture, (left + (side - picture.width) // 2, top + (side - picture.height) // 2))
            lines = [shorten(text, 26) for text in (caption, note) if text]
            pen.text((left, top + side + 4), "\n".join(lines), paper.ink, font=line)
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG")
    return buffer.getvalue()


def measure_width(png: bytes) -> float:
    """Return how much of the page's width a figure takes, 0..1."""
    with Image.open(io.BytesIO(png)) as image:
        return round(min(1.0, image.width / float(image.info["dpi"][0]) / WIDTH), 3)


def shorten_all(names: Sequence[str]) -> list[str]:
    """Return names that fit beside a figure and differ where they do."""
    return [shorten(name) for name in shorten_names(names, LONGEST)]


def shorten(name: str, longest: int = LONGEST) -> str:
    """Return a name that fits beside a figure; letters that its typeface lacks become question marks."""
    cut = name if len(name) <= longest else f"{name[: longest - 1].rstrip()}…"
    face = get_font(findfont("DejaVu Sans"))
    return "".join(letter if face.get_char_index(ord(letter)) else "?" for letter in cut)


def _new_figure(
    paper: Paper, height: float, *, width: float = WIDTH, columns: int = 1, dpi: int = DPI
) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(width, height), dpi=dpi, facecolor=paper.ground, layout="constrained")
    FigureCanvasAgg(figure)
    panels = [figure.add_subplot(1, columns, number + 1) for number in range(columns)]
    for axes in panels:
        axes.set_facecolor(paper.ground)
        axes.tick_params(colors=paper.ink, labelsize=8)
        axes.grid(color=paper.grid, linewidth=0.7)
        axes.set_axisbelow(True)
        for text in (axes.xaxis.label, axes.yaxis.label):
            text.set_color(paper.ink)
            text.set_fontsize(9)
        for side, spine in axes.spines.items():
            spine.set_color(paper.grid)
            spine.set_visible(side in ("left", "bottom"))
    return figure, panels


def _name(axes: Axes, title: str, paper: Paper, *, left: float = 0.0) -> None:
    axes.set_title(
        title, loc="left", x=left, color=paper.ink, fontsize=11, fontweight="bold", parse_math=False
    )


def _add_legend(figure: Figure, axes: Axes, paper: Paper) -> None:
    """Name the curves of all panels, which are those of `axes`, beside them, where it hides none."""
    legend = figure.legend(
        *axes.get_legend_handles_labels(), loc="outside right upper", fontsize=8, labelcolor=paper.ink,
        frameon=False,
    )  # fmt: skip
    for text in legend.get_texts():
        text.set_parse_math(False)


def _describe_best(best: pd.DataFrame) -> str:
    row = best.iloc[0]
    return f"loss {row['val_loss']:.3f}, {100 * row['val_acc']:.1f} %"


def _loss_limit(epochs: pd.DataFrame, steps: pd.DataFrame) -> float | None:
    """Return the end of the axis of losses, so that a single early one presses no curve flat; None for any."""
    losses = [epochs["train_loss"], epochs["val_loss"], *([steps["loss"]] if len(steps) else [])]
    every = pd.concat(losses)
    every = every[np.isfinite(every)]
    if every.empty:
        return None
    usual = float(every.quantile(0.98))
    return 1.15 * usual if every.max() > 2 * usual > 0 else None


def _render(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", facecolor=figure.get_facecolor())
    return buffer.getvalue()
