"""An image of any gallery, opened large: what the run's tables say of it, or what its best model answers now."""

from __future__ import annotations

import math
from collections.abc import Callable

import pandas as pd
import streamlit as st

from core.runs.imported import lacks_model
from core.runs.run import FOLD, Run
from dashboard.components.gallery import draw_steps
from dashboard.explorer import marking
from dashboard.explorer.browse import draw_image
from dashboard.explorer.detail import close_image
from dashboard.guard import guard, guard_callback
from dashboard.state import address, services
from dashboard.state.services import RunData

TOLD = {
    "val": "",
    "held": "It was held back: it took no part in training.",
    FOLD: "The answer is of a model that was fitted without this image; heat maps are of the best model, which was trained on it.",
    "": "The best model was trained on this image, or may have been: its answer says little about how well it recognises new ones.",
}


def open_from(gallery: str) -> Callable[[str], None]:
    """Return what opens an image of a gallery by its path: the URL says which image, and of which gallery."""
    return lambda path: address.set_params(**{"image": path, "from": gallery, "for": address.ANY})


def draw_opened(run: Run, data: RunData, shelf: marking.Shelf, gallery: str) -> None:
    """Draw the image that the URL names, where it is of this gallery."""
    paths = list(shelf.paths)
    if address.get_param("from", [gallery]) and address.get_param("image", paths):
        st.dialog("Image", width="large", on_dismiss=guard_callback(close_image))(guard(draw_large))(
            run, data, shelf, paths
        )


def draw_large(run: Run, data: RunData, shelf: marking.Shelf, paths: list[str]) -> None:
    """Draw the image, what is known of it, and the way to those before and after it."""
    path = address.get_param("image", paths) or paths[0]
    draw_steps(paths, paths.index(path), "opened")
    item = shelf.find(path)
    given = item.given if item is not None else ""
    found = find_row(run, data, path, given)
    if found is not None:
        row, told = found
        st.caption(told) if told else None
        draw_image(run, data, row)
    elif item is not None:
        marking.draw_alone(run, data, shelf.make(paths.index(path), marking.LARGE))
        without = "is no model" if lacks_model(run) else "is no model yet"
        st.caption(f"There {without} to ask about this image, or the file cannot be read.")


def find_row(run: Run, data: RunData, path: str, given: str) -> tuple[pd.Series, str] | None:
    """Return an image's row of the run's predictions tables, and what is to be said of it; None where no model can be asked."""
    for split in ("val", "held", FOLD):
        if run.predictions_path(split).exists():
            table = services.read_predictions(run, split)
            rows = table[table["path"] == path]
            if len(rows):
                return rows.iloc[0], TOLD[split]
    row = ask_now(run, data, path, given)
    return None if row is None else (row, TOLD[""])


def ask_now(run: Run, data: RunData, path: str, given: str) -> pd.Series | None:
    """Return what the best model answers for an image, as a row of a predictions table; None without model or file."""
    if not run.best_path.exists():
        return None
    from core.dataset.images import ImageProblem, read_image

    try:
        image = read_image(data.root / path)
    except (ImageProblem, OSError):
        return None
    predictor = services.load_predictor(run)
    weights = dict(zip(predictor.classes, map(float, predictor.weigh_classes([image])[0]), strict=True))
    likely = sorted(weights, key=weights.__getitem__, reverse=True)[:5]
    true = weights.get(given, math.nan)
    row = {"path": path, "true": given, "predicted": likely[0], "confidence": weights[likely[0]]}
    row |= {"true_confidence": true, "loss": -math.log(max(true, 1e-12)) if given in weights else math.nan}
    for rank, name in enumerate(likely, start=1):
        row |= {f"top{rank}": name, f"top{rank}_confidence": weights[name]}
    return pd.Series(row)
