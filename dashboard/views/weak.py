"""Weak classes: all classes by recall, and for one of them its errors with the reason the network saw."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from core.model.evidence import Evidence
from core.runs.imported import lacks_model
from core.runs.run import FOLD, Run
from core.verdicts import class_report, predictions
from core.verdicts.predictions import format_interval
from core.verdicts.run_accuracy import WRITTEN_AGAIN, tell_apart
from dashboard.charts import curve_charts
from dashboard.components.class_box import MOST_LISTED, draw_class_box
from dashboard.components.gallery import Card, Tile, draw_pager, show_open_tiles
from dashboard.components.plot import plot
from dashboard.explorer import detail, kind_images, marking, opened
from dashboard.explorer.kinds import draw_kinds
from dashboard.explorer.sources import draw_judged_on
from dashboard.guard import guard
from dashboard.panels.out_of_fold import draw_method, draw_out_of_fold
from dashboard.panels.specialise import draw_for_class
from dashboard.state import address, maps, services
from dashboard.state.class_figures import report_run
from dashboard.state.maps import Explained
from dashboard.state.services import RunData
from dashboard.terms import explain
from dashboard.text import escape_markdown, format_confidence, format_count, format_guess, format_share

WEAKEST = 25  # classes the chart shows
ERRORS_PER_PAGE = 6
EXAMPLES = 6
NAMED = 6  # weak classes that are written out
MANY = 20  # images of a class that tell something
LINES = 200  # classes on a page of the table of very many
# How that table can be sorted, and by which figure, highest first; as they are ranked where there is none.
SORTED = {
    "Weakest first": "",
    "Training images": "train",
    "Judged images": "support",
    "Recall": "recall",
    "Precision": "precision",
    "F1": "f1",
}
PER_CENT = st.column_config.NumberColumn(format="%.1f %%")


def render() -> None:
    """Draw the page."""
    st.title("Weak classes")
    run = address.selected_run()
    if run is None:
        address.draw_no_run()
        return
    services.read_predictions(run)  # a run before its first epoch is told before any choice is offered
    split = draw_judged_on(run)
    table, data = services.read_predictions(run, split), services.read_data(run)
    path = address.get_param("image")
    if (
        path
        and (table["path"] == path).any()
        and not kind_images.is_open(run, path)
        and not address.get_param("from", ["training"])
    ):
        if split == FOLD:
            draw_method(run)
        detail.draw_detail(run, data, table, path)
        return
    draw_out_of_fold(run, split)
    figures = report_run(run, split)
    draw_answer(figures, table, data)
    if split == "val":
        right = int(figures["right"].sum())
        if told := tell_apart(run.read_status(), right, len(table), WRITTEN_AGAIN):
            st.caption(told)
    name = address.get_param("class", data.classes) or str(figures["class"].iloc[0])
    with st.container(key="wide-ranking"):
        chart, chosen = st.columns([5, 4], gap="large")
    with chart:
        draw_ranking(figures, data, name, split)
    with chosen:
        draw_choice(figures, data, name)
        draw_finding(figures, table, data, name, split)
        taken_for = str(figures.set_index("class").loc[name, "confused_with"])
        draw_for_class(run, data, table, name, taken_for)
        st.page_link(
            st.session_state["pages"]["map"],
            label="Show on the map",
            icon=":material/scatter_plot:",
            query_params={"run": run.id, "class": name},
        )
    guard(draw_images)(run, figures, table, data, name)
    guard(draw_kinds)(run, data)
    draw_all_classes(figures, table, data, name)


def draw_answer(figures: pd.DataFrame, table: pd.DataFrame, data: RunData) -> None:
    """Say first how many classes are surely weak, and which."""
    overall = float((table["true"] == table["predicted"]).mean())
    weak = class_report.find_weakness(figures, overall)
    verdict, _, rest = weak.describe(f"the {format_share(overall)} of all images").partition(". ")
    verdict = f"**{verdict.removesuffix('.')}.**"
    if weak.rows.empty:
        few = figures.loc[figures["support"] > 0, "support"].median() < MANY
        st.markdown(
            verdict + (" With so few images a class, a weak one cannot be told from bad luck." if few else "")
        )
        return
    names = [
        f"{escape_markdown(data.label(row.class_name))} ({row.right} of {row.support})"
        for row in weak.rows.head(NAMED).itertuples()
    ]
    more = f" and {len(weak.rows) - NAMED} more" if len(weak.rows) > NAMED else ""
    first = "The weakest" if weak.is_sure else "The first to look at"
    st.markdown(f"{verdict} {rest} {first}: {', '.join(names)}{more}.")


def draw_images(run: Run, figures: pd.DataFrame, table: pd.DataFrame, data: RunData, name: str) -> None:
    """Draw what needs the model: the errors of the class, and right answers for contrast."""
    if lacks_model(run):
        st.caption(
            f":material/block: {escape_markdown(run.id)} was imported without a model, so there are no heat maps."
        )
    draw_errors(run, table, data, name)
    draw_examples(run, table, data, figures, name)


def draw_ranking(figures: pd.DataFrame, data: RunData, name: str, split: str) -> None:
    """Draw the weakest classes with their intervals; a click chooses one."""
    judged = figures[figures["support"] > 0]
    weakest = judged.head(WEAKEST).assign(name=lambda t: [data.label(c) for c in t["class"]])
    by_label = dict(zip(weakest["name"], weakest["class"], strict=True))
    stronger, unknown = len(judged) - len(weakest), len(figures) - len(judged)
    plot(
        curve_charts.class_recall(weakest, highlight=data.label(name)),
        key="weak-recall",
        on_click=lambda click: choose_class(by_label[str(click.y)]),
    )
    lines = [
        "Ranked by the upper end of the interval: classes that are poor even allowing for bad luck come first."
    ]
    if stronger:
        lines.append(f"The {format_count(stronger, 'stronger class', 'is')} in the table below.")
    if unknown:
        image = "validation image" if split == "val" else "image here"
        lines.append(
            f"{format_count(unknown, 'class', 'has')} no {image} and {'is' if unknown == 1 else 'are'} not judged."
        )
    st.caption(" ".join(lines))


def draw_choice(figures: pd.DataFrame, data: RunData, name: str) -> None:
    """Offer all classes, weakest first."""
    draw_class_box(
        "Class (weakest first)",
        list(figures["class"]),
        name,
        choose_class,
        key="weak-class",
        label=data.label,
    )


def choose_class(name: str) -> None:
    """Write the class to the URL."""
    address.set_params(**{"class": name, "page": address.ANY, "training_page": address.ANY})


def draw_finding(figures: pd.DataFrame, table: pd.DataFrame, data: RunData, name: str, split: str) -> None:
    """Say in figures and words how the class does."""
    row = figures[figures["class"] == name].iloc[0]
    if not row["support"]:
        st.info(
            "Too few different training images of this class to judge it: a model needs some to learn from besides those it is tested on."
            if split == FOLD
            else "No image that was judged shows this class, so nothing can be said about it. Add some to val/.",
            icon=":material/info:",
        )
        return
    with st.container(horizontal=True, gap="medium"):
        st.metric(
            "Recall",
            f"{row['right']} of {row['support']}",
            help="Images of this class that were predicted right.",
            width="content",
        )
        interval = format_interval(row["low"], row["high"])
        st.metric(
            "95 % interval",
            interval,
            help=explain("Wilson"),
            width="content",
        )
        st.metric("Training images", f"{data.train_counts[name]:,}", width="content")
    finding = class_report.describe_class(name, table=table, report=figures, label=data.label)
    st.markdown(escape_markdown(finding))


def draw_errors(run: Run, table: pd.DataFrame, data: RunData, name: str) -> None:
    """Show the class's wrong images, each with the evidence for the predicted and for the true class."""
    own = table[table["true"] == name]
    if own.empty:
        return
    wrong = own[own["predicted"] != name].sort_values("confidence", ascending=False, kind="stable")
    st.header(f"Wrong images of {escape_markdown(data.label(name))}")
    if wrong.empty:
        st.success("Every image of this class is predicted right.", icon=":material/check:")
        return
    if not lacks_model(run):
        st.caption(
            "Coloured: where the network found evidence (Grad-CAM), once for what it answered and once for the true class.",
            help=explain("Grad-CAM"),
        )
    page = draw_pager(len(wrong), ERRORS_PER_PAGE, key="weak-page")
    rows = list(wrong.iloc[page * ERRORS_PER_PAGE : (page + 1) * ERRORS_PER_PAGE].itertuples())
    found = read_maps(run, [(row.path, (Evidence(row.predicted), Evidence(row.true))) for row in rows])
    marking.draw_marking(
        run,
        data,
        marking.shelve_predictions(wrong, data, make_tile),
        key="weak-errors",
        page=page,
        size=ERRORS_PER_PAGE,
        side=430,
        opener=detail.open_image,
        label=f"wrong images of {name}",
        cards=[make_card(row, data, explained) for row, explained in zip(rows, found, strict=True)],
    )


def make_tile(row: pd.Series, data: RunData, picture: bytes | None) -> Tile:
    """Return a wrong image as it is reviewed, with what it was taken for."""
    lines = (f"taken for {format_guess(data.label(row['predicted']), row['confidence'], 'sure')}",)
    return Tile(picture, f"true {data.label(row['true'])}", lines, alt=row["path"])


def make_card(row: Any, data: RunData, explained: Explained | None) -> Card:
    """Return a wrong image with its two heat maps."""
    return Card(
        f"Taken for {format_guess(data.label(row.predicted), row.confidence, 'sure')}",
        (format_path(row.path, row.true_confidence),),
        error_pictures(row.path, row.predicted, row.true, data, explained),
    )


def format_path(path: str, true_confidence: float) -> str:
    """Return an image's path, with the confidence (0..1) in its true class where that is known."""
    return (
        path if math.isnan(true_confidence) else f"{path} · true class {format_confidence(true_confidence)}"
    )


def read_maps(run: Run, wanted: Sequence[tuple[str, tuple[Evidence, ...]]]) -> list[Explained | None]:
    """Return the heat maps wanted of images; None for a lost image, and for each where there is no model to ask."""
    return [None] * len(wanted) if lacks_model(run) else maps.explain_images(run, wanted)


def error_pictures(
    path: str, predicted: str, true: str, data: RunData, explained: Explained | None
) -> tuple[Tile, ...]:
    """Return an image and its two heat maps."""
    if explained is None:
        return (Tile(services.thumbnail(data.root / path), "image", alt=path),)
    return (
        Tile(explained.seen, "Seen", ("by the network",), alt=path),
        *(
            Tile(
                (heat := explained.maps[Evidence(name)]).overlay,
                f"For {data.label(name)}",
                (f"{role}: no evidence found" if heat.blank else role,),
                f"Grad-CAM of {path} for {name}",
            )
            for name, role in ((predicted, "predicted"), (true, "true"))
        ),
    )


def draw_examples(run: Run, table: pd.DataFrame, data: RunData, figures: pd.DataFrame, name: str) -> None:
    """Show right images of the class beside those of a strong one, and what the class looks like in training."""
    others = figures[(figures["class"] != name) & (figures["right"] > 0)]
    strong = (
        str(others.sort_values(["low", "support"], kind="stable")["class"].iloc[-1]) if len(others) else None
    )
    with st.container(key="wide-examples"):
        columns = st.columns(2, gap="large")
    for column, title, member in (
        (columns[0], "Right images of", name),
        (columns[1], "For contrast, a strong class:", strong),
    ):
        if member is None:
            continue
        with column:
            st.header(f"{title} {escape_markdown(data.label(member))}")
            draw_right_images(run, table, data, member)
    st.header(f"{escape_markdown(data.label(name))} in training")
    paths = data.train_paths[name]
    shelf = marking.shelve_paths(paths, name, data)
    marking.draw_marking(
        run,
        data,
        shelf,
        key=f"weak-training-{name}",
        page=draw_pager(len(paths), 2 * EXAMPLES, key="weak-training-page", param="training_page"),
        size=2 * EXAMPLES,
        side=120,
        opener=opened.open_from("training"),
        label="training images",
    )
    opened.draw_opened(run, data, shelf, "training")


def draw_right_images(run: Run, table: pd.DataFrame, data: RunData, name: str) -> None:
    """Show images of a class that were predicted right, least sure first, with their heat maps."""
    right = (
        table[(table["true"] == name) & (table["predicted"] == name)]
        .sort_values("confidence", kind="stable")
        .head(EXAMPLES)
    )
    if right.empty:
        st.info("No image of it is predicted right.", icon=":material/info:")
        return
    found = read_maps(run, [(path, (Evidence(name),)) for path in right["path"]])
    tiles, paths = [], []
    for row, explained in zip(right.itertuples(), found, strict=True):
        known = not math.isnan(row.confidence)
        caption = f"{format_confidence(row.confidence)} sure" if known else row.path.rsplit("/", 1)[-1]
        picture = explained.seen if explained else services.thumbnail(data.root / row.path)
        tiles.append(Tile(picture, caption, alt=row.path))
        paths.append(row.path)
        if explained:
            heat = explained.maps[Evidence(name)].overlay
            tiles.append(Tile(heat, "evidence", alt=f"Grad-CAM of {row.path} for {name}"))
            paths.append(row.path)
    show_open_tiles(
        tiles,
        lambda number: detail.open_image(paths[number]),
        key=f"weak-right-{name}",
        side=110,
        label=f"right images of {name}",
    )


def draw_all_classes(figures: pd.DataFrame, table: pd.DataFrame, data: RunData, name: str) -> None:
    """Show all classes: averages, recall against frequency in training, and the figures as a table to sort and save."""
    st.header("All classes")
    with st.container(key="wide-all"):
        chart, words = st.columns([5, 4], gap="large")
    judged = figures[figures["support"] > 0]
    seen = thin_classes(judged, name).assign(name=lambda t: [data.label(c) for c in t["class"]])
    with chart:
        plot(
            curve_charts.frequency_recall(seen, highlight=data.label(name)),
            key="weak-frequency",
            on_click=lambda click: choose_class(str(seen["class"].iloc[int(click.customdata[0])])),
        )
        if len(seen) < len(judged):
            st.caption(
                f"{len(seen):,} of {len(judged):,} classes are drawn, taken evenly from the weakest to the strongest."
            )
    with words:
        draw_averages(figures, table)
        st.markdown(escape_markdown(class_report.describe_frequency(figures)))
    draw_table(figures if knows_top5(table) else figures.drop(columns="top5"), data)


def thin_classes(figures: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return at most about `MOST_LISTED` classes, every n-th from the weakest to the strongest, and the one that is chosen."""
    every = max(1, math.ceil(len(figures) / MOST_LISTED))
    return figures[(np.arange(len(figures)) % every == 0) | (figures["class"] == name)]


def knows_top5(table: pd.DataFrame) -> bool:
    """Tell whether a predictions table has more than the first guess of each image."""
    return "top1" in table


def draw_averages(figures: pd.DataFrame, table: pd.DataFrame) -> None:
    """Show the averages over classes and over images, and the accuracies over all images with their intervals."""
    right = int((table["true"] == table["predicted"]).sum())
    lines = [f"**Accuracy** over all images: {predictions.format_rate(right, len(table))}."]
    names = {"precision": "precision", "recall": "recall", "f1": "F1"}
    if knows_top5(table):
        found = round(
            float((figures["top5"] * figures["support"]).sum())
        )  # without images it is NaN, which adds nothing
        top5 = predictions.format_rate(found, len(table))
        lines.append(f"**Top 5**, the true class among the first five guesses: {top5}.")
        names["top5"] = "top 5"
    st.markdown("  \n".join(lines))
    averages = class_report.average_figures(figures)[list(names)].rename(columns=names) * 100
    averages.insert(0, "average", list(averages.index))
    st.dataframe(
        averages,
        hide_index=True,
        placeholder="–",
        column_config={
            **dict.fromkeys(names.values(), PER_CENT),
            "average": st.column_config.Column(help=f"{explain('macro')} Weighted: each image counts alike."),
        },
        alt="Averages over all classes",
    )


def draw_table(figures: pd.DataFrame, data: RunData) -> None:
    """Show all classes' figures as a table that can be sorted and saved; of very many a page of them at a time."""
    if len(figures) > MOST_LISTED:
        with st.container(horizontal=True, vertical_alignment="bottom"):
            by = st.selectbox("Sorted by", list(SORTED), key="weak-sorted", width=220)
            figures = sort_classes(figures, by)
            page = draw_pager(len(figures), LINES, key="weak-table-page", param="classes", unit="classes")
            st.download_button(
                "All classes (CSV)",
                lambda: tabulate_classes(figures, data).to_csv(index=False),
                file_name="classes.csv",
                mime="text/csv",
                key="weak-csv",
                icon=":material/table:",
                on_click="ignore",
            )
        shown = tabulate_classes(figures.iloc[page * LINES : (page + 1) * LINES], data)
    else:
        shown = tabulate_classes(figures, data)
    helps = {
        "training": "Training images of the class.",
        "judged": "Images of the class that were judged: the support of its figures.",
        "95 % interval": str(explain("Wilson")),
        "confused with": "What its images are most often taken for.",
        "mistaken for it": "Whose images are most often taken for it.",
    }
    st.dataframe(
        shown,
        hide_index=True,
        height=420 if len(shown) > 10 else "content",
        placeholder="–",
        column_config={
            **dict.fromkeys(("recall", "precision", "F1", "top 5"), PER_CENT),
            **{name: st.column_config.Column(help=text) for name, text in helps.items()},
        },
        alt="Figures of all classes",
    )


def sort_classes(figures: pd.DataFrame, by: str) -> pd.DataFrame:
    """Return the figures of all classes, which are ranked weakest first, in another order; `by` is one of SORTED."""
    if not (column := SORTED[by]):
        return figures
    return figures.sort_values(column, ascending=False, kind="stable")


def tabulate_classes(figures: pd.DataFrame, data: RunData) -> pd.DataFrame:
    """Return the figures of classes as a reader sees them, shares in per cent."""
    return pd.DataFrame(
        {
            "class": [data.label(name) for name in figures["class"]],
            "training": figures["train"],
            "judged": figures["support"],
            "right": figures["right"],
            "recall": figures["recall"] * 100,
            "95 % interval": [
                format_interval(low, high) for low, high in zip(figures["low"], figures["high"], strict=True)
            ],
            "precision": figures["precision"] * 100,
            "F1": figures["f1"] * 100,
            **({"top 5": figures["top5"] * 100} if "top5" in figures else {}),
            "confused with": [data.label(name) if name else "" for name in figures["confused_with"]],
            "mistaken for it": [data.label(name) if name else "" for name in figures["mistaken_for_it"]],
        }
    )
