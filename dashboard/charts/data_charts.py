"""Figures about a data set: images a class, and their sizes."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Iterable, Mapping

import numpy as np
import plotly.graph_objects as go

from core.palette import MUTED, TRAIN, VAL
from dashboard.charts.curve_charts import alias_names, new_figure, wrap_names

MOST_NAMED = 40  # classes whose names have room below their bars
MAX_SIZES = 1500  # different sizes drawn one by one; more are put together


def class_counts(counts: Mapping[str, Mapping[str, int]]) -> go.Figure:
    """Draw the files of each class as bars, one colour a split, training below and validation on it.

    `counts` maps `train`, `val` and, where images are held back, `held` to the number of files by the class's label,
    labels in one order in all.
    """
    labels = [html.escape(name, quote=False) for name in counts["train"]]
    figure = new_figure("Images a class", height=360, revision=f"{len(labels)} classes")
    for split, name, colour in (
        ("train", "training", TRAIN),
        ("val", "validation", VAL),
        ("held", "held back", MUTED),
    ):
        if split not in counts:
            continue
        figure.add_bar(
            x=labels,
            y=list(counts[split].values()),
            name=name,
            marker={"color": colour},
            hovertext=wrap_names(counts["train"]),
            hovertemplate=f"%{{hovertext}}, {name}: <b>%{{y:,}}</b> images<extra></extra>",
        )
    figure.update_layout(barmode="stack", bargap=0.15)
    # Names such as "29" are not numbers.
    many = len(labels) > MOST_NAMED
    figure.update_xaxes(
        title_text=f"{len(labels):,} classes; point at a bar for its name" if many else "class",
        type="category", categoryorder="array", categoryarray=labels, showticklabels=not many,
        labelalias=alias_names(list(counts["train"])) if not many else None,
    )  # fmt: skip
    figure.update_yaxes(title_text="images", rangemode="tozero")
    return figure


def image_sizes(sizes: Iterable[tuple[int, int]]) -> go.Figure:
    """Draw the sizes (width, height) of images in pixels as dots, the larger the more images are of that size."""
    found = count_sizes(sizes)
    points = np.array(list(found), dtype=float).reshape(-1, 2)
    counts = np.array(list(found.values()), dtype=int)
    figure = new_figure("Sizes of the images", height=360, revision="sizes")
    figure.add_scatter(
        x=points[:, 0],
        y=points[:, 1],
        mode="markers",
        marker={
            "color": TRAIN,
            "opacity": 0.6,
            "size": 6 + 24 * np.sqrt(counts / max(1, counts.max(initial=1))),
            "line": {"width": 0},
        },
        customdata=np.column_stack([counts, points[:, 0] / np.maximum(points[:, 1], 1)]),
        hovertemplate="%{x:.0f} × %{y:.0f} px, width / height %{customdata[1]:.2f}"
        "<br><b>%{customdata[0]:,}</b> images<extra></extra>",
    )
    figure.update_xaxes(title_text="width (px)", rangemode="tozero")
    figure.update_yaxes(title_text="height (px)", rangemode="tozero")
    figure.update_layout(hovermode="closest", showlegend=False, margin={"t": 48})
    return figure


def count_sizes(sizes: Iterable[tuple[int, int]]) -> Counter[tuple[int, int]]:
    """Count images by size; where there are too many different ones, by the middle of a grid's cell."""
    found = Counter(sizes)
    step = 8
    while len(found) > MAX_SIZES:
        rounded: Counter[tuple[int, int]] = Counter()
        for (width, height), count in found.items():
            rounded[width // step * step + step // 2, height // step * step + step // 2] += count
        found, step = rounded, step * 2
    return found
