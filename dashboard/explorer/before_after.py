"""The images that one of two runs gets right and the other wrong; one of them large, with the heat maps of both models."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from core.errors import UserError
from core.model.evidence import Evidence
from core.runs.imported import lacks_model
from core.runs.run import Run
from core.verdicts.judged_on import TablePair
from core.verdicts.paired import pair_tables
from core.verdicts.predictions import list_guesses
from dashboard.components.gallery import Card, Tile, draw_pager, draw_steps, show_cards
from dashboard.explorer import marking
from dashboard.explorer.browse import draw_image
from dashboard.explorer.detail import close_image
from dashboard.guard import guard, guard_callback
from dashboard.state import address, maps, services
from dashboard.state.services import RunData
from dashboard.terms import explain
from dashboard.text import escape_markdown, format_guess

SHOWN = 12  # images won on a page, and as many lost
MODELS = ("Both", "Before", "After")


def draw_won_and_lost(first: Run, second: Run, pair: TablePair, data: RunData) -> None:
    """Show the images that only the second run gets right, and those that only the first does; each opens large."""
    both = pair_tables(pair.first, pair.second)
    was, now = both["predicted_first"] == both["true"], both["predicted_second"] == both["true"]
    found = {
        "won": both[~was & now].sort_values("confidence_second", ascending=False, kind="stable"),
        "lost": both[was & ~now].sort_values("confidence_second", ascending=False, kind="stable"),
    }
    for title, rows in found.items():
        st.markdown(f"**Images {title}: {len(rows):,}**")
        if not rows.empty:
            draw_tiles(second, rows, data, title)
    for rows in found.values():
        paths = list(rows["path"])
        if address.get_param("image", paths):
            st.dialog("Before and after", width="large", on_dismiss=guard_callback(close_image))(
                guard(draw_large)
            )(first, second, pair, paths, data)


def draw_tiles(run: Run, rows: pd.DataFrame, data: RunData, title: str) -> None:
    """Show a page of images with what was predicted before and after."""
    page = draw_pager(len(rows), SHOWN, key=f"changes-{title}-page", param=f"{title}_page")
    marking.draw_marking(
        run,
        data,
        marking.shelve_predictions(name_as_after(rows), data, make_tile),
        key=f"changes-{title}",
        page=page,
        size=SHOWN,
        side=120,
        opener=lambda path: address.set_params(image=path),
        label=f"images {title}",
    )


def name_as_after(rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows of two runs with the columns of one: what the second answered, and what the first did as `before`."""
    named = rows.rename(columns=lambda name: str(name).removesuffix("_second"))
    return named.rename(columns={"predicted_first": "before", "confidence_first": "before_confidence"})


def make_tile(row: pd.Series, data: RunData, picture: bytes | None) -> Tile:
    """Return an image with what was predicted before and after."""
    lines = (
        f"before {format_guess(data.label(row['before']), row['before_confidence'])}",
        f"after {format_guess(data.label(row['predicted']), row['confidence'])}",
    )
    return Tile(picture, f"true {data.label(row['true'])}", lines, alt=row["path"])


def draw_large(first: Run, second: Run, pair: TablePair, paths: list[str], data: RunData) -> None:
    """Draw the image the URL names: what each model answered and saw, side by side, or one of them in detail."""
    path = address.get_param("image", paths) or paths[0]
    place = paths.index(path)
    draw_steps(paths, place, "changes")
    rows = [table[table["path"] == path].iloc[0] for table in (pair.first, pair.second)]
    chosen = st.segmented_control(
        "Which model",
        MODELS,
        default=MODELS[0],
        required=True,
        key="changes-model",
        label_visibility="collapsed",
    )
    for when, run, row in zip(MODELS[1:], (first, second), rows, strict=True):
        if chosen == when:
            draw_image(run, data, row)
            return
    st.markdown(
        f"**True class {escape_markdown(data.label(rows[0]['true']))}** · {escape_markdown(path)}  \n"
        "Coloured: where each model found evidence for its own answer (Grad-CAM).",
        help=explain("Grad-CAM"),
    )
    cards = [
        make_card(when, run, row, data)
        for when, run, row in zip(MODELS[1:], (first, second), rows, strict=True)
    ]
    show_cards(cards, side=380, label="before and after")


def make_card(when: str, run: Run, row: pd.Series, data: RunData) -> Card:
    """Return what a run's model makes of an image; where it has no model any more, the image without a map."""
    name, path = row["predicted"], row["path"]
    verdict = "right" if name == row["true"] else "wrong"
    lines = [f"{when}: {run.id}"]
    plain = Tile(services.thumbnail(data.root / path), "image", alt=path)
    pictures: tuple[Tile, ...] = (plain,)
    if not run.best_path.exists():
        lines.append(
            f"It {'has no model' if lacks_model(run) else 'no longer has a model'}, so there is no heat map."
        )
    else:
        try:
            (explained,) = maps.explain_images(run, [(path, (Evidence(name),))])
        except UserError as error:
            explained = None
            lines.append(f"No heat map: {error}")
        if explained is not None:
            heat = explained.maps[Evidence(name)]
            pictures = (
                Tile(explained.seen, "Seen", alt=path),
                Tile(
                    heat.overlay,
                    f"For {data.label(name)}",
                    ("no evidence found",) if heat.blank else (),
                    f"Grad-CAM of {path} for {name} by {run.id}",
                ),
            )
    title = f"{format_guess(data.label(name), row['confidence'], 'sure')}: {verdict}"
    bars = tuple((data.label(guess), value) for guess, value in list_guesses(row))
    return Card(title, tuple(lines), pictures, bars)
