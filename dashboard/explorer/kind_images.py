"""The kinds of images that a run is weak on: told in words, with their images, and how they were tested."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from core.errors import UserError
from core.palette import BAD, GOOD
from core.runs.run import FOLD, Run
from core.slices.report import SliceReport, TriedSlice
from core.slices.search import list_splits
from dashboard.components.gallery import PAGE, Tile, draw_pager
from dashboard.explorer import detail, marking
from dashboard.explorer.browse import draw_large
from dashboard.guard import guard, guard_callback
from dashboard.state import address, services
from dashboard.state.services import RunData
from dashboard.text import escape_markdown, format_count, format_guess


def read_split(splits: list[str]) -> str:
    """Return of which judged images the kinds are shown: as the URL says, else the first."""
    return address.get_param("kinds", splits) or splits[0]


def draw_report(run: Run, report: SliceReport, data: RunData) -> None:
    """Draw what was found: the verdict, each weak kind with the way to its images, and how it was tested."""
    st.markdown(f"**{escape_markdown(report.describe())}**")
    numbers = [str(number) for number in range(1, len(report.weak) + 1)]
    opened = address.get_param("kind", numbers)
    for number, found in zip(numbers, report.weak, strict=True):
        shown = opened == number
        st.markdown(f"{number}. {escape_markdown(found.describe())}")
        st.button(
            "Hide its images" if shown else f"Show its {format_count(found.images, 'image')}",
            icon=":material/visibility_off:" if shown else ":material/photo_library:",
            key=f"kinds-open-{number}",
            on_click=guard_callback(open_kind),
            args=(address.ANY if shown else number, report.split),
        )
        if shown:
            draw_images(run, report.split, found, data)
    for words in report.list_notes():
        st.caption(escape_markdown(words))
    with st.expander("How was this tested?", icon=":material/science:"):
        st.markdown("\n\n".join(escape_markdown(words) for words in report.describe_method().split("\n\n")))
        for found in report.weak:
            st.markdown(f"- {escape_markdown(found.describe_test(report.tried))}")
        draw_tried(report)


def open_kind(number: str, split: str) -> None:
    """Write to the URL whose images are shown, by its number in the list; ANY for none."""
    address.set_params(kinds=split, kind=number, kind_page=address.ANY)


def find_open(run: Run) -> TriedSlice | None:
    """Return the kind whose images the URL asks for; None for none."""
    asked = address.get_param("kind")
    try:
        report = services.read_slice_report(run, read_split(list_splits(run)))
    except UserError:
        return None
    known = {} if report is None else {str(number): one for number, one in enumerate(report.weak, start=1)}
    return known.get(asked)


def is_open(run: Run, path: str) -> bool:
    """Tell whether the image at a path is among those shown, so that it opens over them."""
    found = find_open(run)
    return found is not None and path in found.paths


def draw_images(run: Run, split: str, found: TriedSlice, data: RunData) -> None:
    """Show the images of a kind, wrong ones first, the surest of these before the others; one that is opened large."""
    table = services.read_predictions(run, split)
    images = sort_images(table[table["path"].isin(found.paths)])
    if split == FOLD:
        st.caption(
            "Each was judged by a model fitted without it. Heat maps are of the run's best model, which was trained on these images."
        )
    page = draw_pager(len(images), PAGE, key="kinds-page", param="kind_page")
    marking.draw_marking(
        run,
        data,
        marking.shelve_predictions(images, data, make_tile),
        key="kinds-tiles",
        page=page,
        opener=lambda path: address.set_params(image=path),
        label=f"images of the kind: {found.title}",
    )
    if address.get_param("image", list(images["path"])):
        st.dialog("Image", width="large", on_dismiss=guard_callback(detail.close_image))(guard(draw_large))(
            run, images, data
        )


def make_tile(row: pd.Series, data: RunData, picture: bytes | None) -> Tile:
    """Return an image with what it was taken for, and whether that is right."""
    wrong = row["true"] != row["predicted"]
    return Tile(
        picture,
        f"true {data.label(row['true'])}",
        (f"predicted {format_guess(data.label(row['predicted']), row['confidence'])}",),
        alt=row["path"],
        mark="wrong" if wrong else "right",
        colour=BAD if wrong else GOOD,
    )


def sort_images(images: pd.DataFrame) -> pd.DataFrame:
    """Return rows of a predictions table, the wrong ones first and of these the surest."""
    wrong = images["true"] != images["predicted"]
    return pd.concat(
        [
            images[wrong].sort_values("confidence", ascending=False, kind="stable"),
            images[~wrong].sort_values("confidence", kind="stable"),
        ]
    )


def draw_tried(report: SliceReport) -> None:
    """Show all that was tried as a table, or of very many those least like chance."""
    rows = [*report.weak, *report.others]
    st.markdown(
        f"**The {format_count(report.tried, 'kind')} that were tried**"
        if len(rows) >= report.tried
        else f"**{len(rows):,} of {format_count(report.tried, 'kind')} that were tried**; the others look more like chance"
    )
    st.dataframe(
        pd.DataFrame(
            {
                "kind of image": [one.title for one in rows],
                "images": [one.images for one in rows],
                "right": [100 * one.right / one.images for one in rows],
                "points": [100 * one.difference for one in rows],
                "p": [one.p_value for one in rows],
                "p corrected": [one.corrected for one in rows],
            }
        ),
        hide_index=True,
        placeholder="–",
        height=300 if len(rows) > 7 else "content",
        column_config={
            "right": st.column_config.NumberColumn(format="%.1f %%"),
            "points": st.column_config.NumberColumn(
                format="%+.1f",
                help="How many more (+) or fewer (−) of its images are right than of the other images of its classes.",
            ),
            "p": st.column_config.NumberColumn(format="%.4f"),
            "p corrected": st.column_config.NumberColumn(format="%.4f"),
        },
        alt="The kinds of images that were tried",
    )
