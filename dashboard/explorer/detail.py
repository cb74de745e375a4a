"""One image in detail: the likeliest classes, what speaks for each, whether the map is to be believed, its neighbours."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import streamlit as st

from core.confidence.apart import ANSWERED, explain_apart
from core.model.evidence import EIGENCAM, GRADCAM, METHODS, Evidence, choose_stage
from core.model.pictures import STRENGTH
from core.runs.imported import lacks_model
from core.runs.run import Run
from core.verdicts.predictions import list_guesses
from dashboard.components.class_box import MOST_LISTED, draw_class_box
from dashboard.components.gallery import Tile, show_bars, show_tiles
from dashboard.explorer import marking, neighbours
from dashboard.guard import guard_callback
from dashboard.state import address, maps, services
from dashboard.state.maps import Explained
from dashboard.state.services import RunData
from dashboard.text import escape_markdown, format_confidence

# What of the URL belongs to this view; it goes when the view is left.
PARAMS = ("image", "from", "method", "stage", "for", "strength")
AS_GIVEN = (
    "As the network gives it, not calibrated, and so are the likeliest classes. On Confusion and Weak classes it was computed when the "
    "run was trained, on Map and Predict later, perhaps in another precision. Predict also calibrates it once that was "
    "measured on the page Confidence. So figures for the same image can differ a little."
)
STRENGTHS = range(0, 101, 5)  # of the overlay, %


def open_image(path: str) -> None:
    """Write to the URL that an image is looked at in detail."""
    address.set_params(image=path, **{"for": address.ANY})


def close_image() -> None:
    """Go back to all images of the class."""
    address.set_params(**dict.fromkeys(PARAMS, address.ANY))


def draw_detail(run: Run, data: RunData, table: pd.DataFrame, path: str) -> None:
    """Draw all that is known of one validation image."""
    row = table[table["path"] == path].iloc[0]
    draw_way(table, data, row)
    with st.container(key="medium-detail"):
        picture, evidence = st.columns([2, 5], gap="large")
    with picture:
        draw_verdict(run, data, row)
    with evidence:
        if without := lacks_model(run):
            st.caption(
                f":material/block: {escape_markdown(run.id)} was imported without a model, so there are no heat maps."
            )
        else:
            draw_evidence(run, data, row)
    if without:
        return
    neighbours.draw_neighbours(run, data, path, row["predicted"], row["true"])


def draw_verdict(run: Run, data: RunData, row: pd.Series) -> None:
    """Draw an image, to be marked, with what it was taken for and its likeliest classes."""
    verdict = "Taken for" if row["true"] != row["predicted"] else "Rightly taken for"
    st.markdown(f"**{verdict} {escape_markdown(data.label(row['predicted']))}**")
    marking.draw_row(run, data, row)
    st.caption(
        f"True class (✓) {escape_markdown(data.label(row['true']))}: {format_confidence(row['true_confidence'])}",
        help=AS_GIVEN,
    )
    show_bars(
        [
            (f"{'✓ ' if guess == row['true'] else ''}{data.label(guess)}", share)
            for guess, share in list_guesses(row)
        ]
    )


def draw_evidence(run: Run, data: RunData, row: pd.Series) -> None:
    """Draw the heat maps of an image by the method chosen, and whether to trust them; none where it is gone."""
    path, guesses = row["path"], list_guesses(row)
    wrong = row["true"] not in ("", row["predicted"])  # without a label nobody knows
    # What it is held against: the true class of an error, else the runner-up.
    rival = row["true"] if wrong else next((name for name, _ in guesses if name != row["predicted"]), None)
    method, stage, name = draw_choices(run, data, row, guesses)
    asked = [Evidence(name)]
    if rival is not None and method != EIGENCAM:
        asked.append(Evidence(row["predicted"], rather_than=rival))
    (explained,) = maps.explain_images(run, [(path, tuple(asked))], method=method, stage=stage)
    if explained is not None:
        draw_maps(run, data, row, explained, asked, method)


def draw_way(table: pd.DataFrame, data: RunData, row: pd.Series) -> None:
    """Draw the way back, and to the errors before and after this one."""
    own = table[(table["true"] == row["true"]) & (table["predicted"] != row["true"])]
    paths = list(own.sort_values("confidence", ascending=False, kind="stable")["path"])
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            f"All of {escape_markdown(data.label(row['true']))}",
            icon=":material/arrow_back:",
            key="detail-back",
            on_click=guard_callback(close_image),
        )
        if row["path"] in paths:
            at = paths.index(row["path"])
            for text, icon, arrow, to in (
                ("Previous", "chevron_left", "Left", at - 1),
                ("Next", "chevron_right", "Right", at + 1),
            ):
                inside = 0 <= to < len(paths)
                st.button(
                    f"{text} error",
                    icon=f":material/{icon}:",
                    key=f"detail-{text}",
                    disabled=not inside,
                    shortcut=arrow,
                    on_click=guard_callback(open_image),
                    args=(paths[to] if inside else "",),
                )
            st.caption(f"Error {at + 1} of {len(paths)}, surest first")
    st.header(escape_markdown(row["path"]))


def draw_choices(
    run: Run, data: RunData, row: pd.Series, guesses: list[tuple[str, float]]
) -> tuple[str, int, str]:
    """Offer class, method and layer; return them as the URL has them: method, stage, class."""
    predictor = services.load_predictor(run)
    size, sides = predictor.image_size, predictor.sides
    method = address.get_param("method", list(METHODS)) or GRADCAM
    stage = int(address.get_param("stage", [str(number) for number in sides]) or choose_stage(sides))
    name = address.get_param("for", data.classes) or row["predicted"]
    roles = {row["true"]: "true", row["predicted"]: "predicted"}
    known = [row["predicted"], row["true"], *(guess for guess, _ in guesses)]
    likely = dict.fromkeys(option for option in (*known, name) if option)
    many = len(data.classes) > MOST_LISTED
    names = [*likely, *(() if many else (other for other in data.classes if other not in likely))]

    def label(option: str) -> str:
        return f"{data.label(option)} ({roles[option]})" if option in roles else data.label(option)

    methods = "\n".join(f"- {option}: {text}" for option, text in METHODS.items())
    with st.container(horizontal=True):
        _choose("for", "What speaks for", names, name, label, disabled=method == EIGENCAM)
        if many and method != EIGENCAM:
            draw_class_box(
                "Another class", data.classes, address.ANY, lambda other: address.set_params(**{"for": other}),
                key="detail-another", label=data.label, none="Part of its name", width=200,
            )  # fmt: skip
        _choose("method", "Method", list(METHODS), method, str, help=methods)
        _choose(
            "stage",
            "Layer",
            [str(number) for number in sides],
            str(stage),
            lambda option: f"stage {option} ({sides[int(option)]}×{sides[int(option)]})",
            help="Early stages see edges and textures finely, late ones whole objects coarsely: the cells of the map "
            f"over the image. At {size} px stage {choose_stage(sides)} is the deepest with at least 7×7.",
        )
    return method, stage, name


def _choose(
    param: str,
    title: str,
    options: list[str],
    value: str,
    label: Callable[[str], str],
    *,
    help: str | None = None,
    disabled: bool = False,
) -> None:
    key = f"detail-{param}"
    st.session_state[key] = value
    st.selectbox(
        title,
        options,
        key=key,
        format_func=label,
        help=help,
        disabled=disabled,
        width=300,
        on_change=guard_callback(lambda: address.set_params(**{param: st.session_state[key]})),
    )


def draw_maps(
    run: Run, data: RunData, row: pd.Series, explained: Explained, asked: list[Evidence], method: str
) -> None:
    """Show the maps asked for, the strength of their colour, and whether the first of them is to be believed."""
    path = row["path"]
    asked_strength = address.get_param("strength", [str(value) for value in STRENGTHS])
    strength = int(asked_strength or round(STRENGTH * 100))
    tiles = []
    for one in asked:
        heat = explained.maps[one]
        title = f"For {data.label(one.name)}"
        if method == EIGENCAM:
            title = "What the layer reacts to most"
        elif one.rather_than is not None:
            title += f" rather than {data.label(one.rather_than)}"
        lines = ("no evidence found",) if heat.blank else ()
        what = one.name if one.rather_than is None else f"{one.name} rather than {one.rather_than}"
        tiles.append(
            Tile(maps.redraw(run, path, heat, strength / 100), title, lines, f"{method} of {path} for {what}")
        )
    show_tiles(tiles, side=260, label="heat maps")
    if method == EIGENCAM:
        st.caption("EigenCAM does not depend on a class: its map is the same for all of them.")
    st.session_state["detail-strength"] = strength
    st.slider(
        "Strength of the colour",
        STRENGTHS[0],
        STRENGTHS[-1],
        step=STRENGTHS.step,
        format="%d %%",
        key="detail-strength",
        width=320,
        on_change=guard_callback(
            lambda: address.set_params(strength=str(st.session_state["detail-strength"]))
        ),
    )
    draw_faithfulness(run, data, row, explained, asked[0])


def draw_faithfulness(
    run: Run, data: RunData, row: pd.Series, explained: Explained, evidence: Evidence
) -> None:
    """Show how the confidence falls when what a map marks is hidden, and say what that means."""
    found = maps.measure(run, row["path"], explained.maps[evidence], evidence.name)
    if found is None:
        st.info(
            f"By this method and layer nothing in this image speaks for {escape_markdown(data.label(evidence.name))}, "
            "so there is nothing to hide.",
            icon=":material/info:",
        )
        return
    st.markdown(
        f"**Can you trust this map?** The confidence in {escape_markdown(data.label(evidence.name))} when "
        f"{found.share * 100:.0f} % of the pixels are hidden under the image's mean colour:"
    )
    figures = (
        ("Nothing hidden", found.whole, "The confidence for the whole image."),
        ("What the map marks", found.hidden, "The pixels with the most evidence are hidden."),
        (
            "As much elsewhere",
            found.random,
            f"As many pixels in the same shapes at {len(found.elsewhere)} random other places: the mean of "
            f"{format_confidence(min(found.elsewhere))} to {format_confidence(max(found.elsewhere))}.",
        ),
    )
    with st.container(horizontal=True, gap="medium"):
        for title, value, explanation in figures:
            st.metric(title, format_confidence(value), help=explanation, width="content")
    st.markdown(found.describe())
    if told := tell_apart(run, row, evidence.name, found.whole):
        st.caption(told)


def tell_apart(run: Run, row: pd.Series, name: str, whole: float) -> str:
    """Say why the best model's confidence in a class is not the one that a table's row has; nothing where both read alike."""
    known = dict(list_guesses(row))
    answered = "true_confidence" not in row  # of an image from outside, on Predict
    if not answered:
        known[row["true"]] = row["true_confidence"]
    if name not in known or format_confidence(known[name]) == format_confidence(whole):
        return ""
    if answered:
        return ANSWERED
    best = services.read_predictions(run) if run.predictions_path().exists() else None
    own = None if best is None else best[best["path"] == row["path"]]
    same = own is not None and len(own) == 1 and own["confidence"].iloc[0] == row["confidence"]
    return explain_apart(run, known[name], whole, same_table=same)
