"""What the parameters of each page's address may ask for, and what the page shows in place of what is not there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import get_args

from core.model.evidence import METHODS
from core.runs.run import FOLD, TEST, Run
from core.slices.search import list_splits
from core.verdicts.ordering import ORDERS
from core.words import shorten
from dashboard.charts.matrix_colours import VALUES
from dashboard.explorer.browse import SortBy
from dashboard.explorer.kind_images import find_open
from dashboard.explorer.levels import has_levels
from dashboard.explorer.look import MOST_LEAST, is_least
from dashboard.explorer.marked import KINDS
from dashboard.explorer.sources import list_others
from dashboard.listing.sought import PARAMS as SOUGHT
from dashboard.mapping.look import COLOUR_TITLES, SPLIT_TITLES
from dashboard.mapping.look import WRONG as WRONG_ONLY
from dashboard.panels.label_section import SPLITS as LABEL_SPLITS
from dashboard.state import services
from dashboard.state.part import WHOLE, is_part, read_steps
from dashboard.state.selection import unpack_names
from dashboard.text import escape_markdown
from dashboard.views.map import SIDES

_LONGEST = 60  # letters of a value that are repeated


@dataclass(frozen=True)
class Rule:
    """What a parameter of an address asks for in words, whether a run has it, and what the page shows where it has not.

    `lacks` says why not, with the run's name for `{run}`. Where `repeated` is off the value is no word that a reader knows.
    """

    what: str
    knows: Callable[[Run, str], bool]
    instead: str
    lacks: str = "which does not exist"
    repeated: bool = True

    def tell(self, run: str, value: str) -> str:
        """Return that the value is not there, to follow 'The address asks for', and what is shown instead."""
        named = f" “{escape_markdown(shorten(value, _LONGEST))}”" if self.repeated else ""
        return f"{self.what}{named}, {self.lacks.format(run=escape_markdown(run))}. {self.instead}"


def _is_class(run: Run, value: str) -> bool:
    return value in services.read_data(run).classes


def _is_block(run: Run, value: str) -> bool:
    classes = services.read_data(run).classes
    try:
        return all(unpack_names(side, classes) for side in value.split(".") if side)
    except ValueError:
        return False


def _is_image(run: Run, value: str) -> bool:
    """Tell whether a run has an image in any of its splits: which of them a page shows depends on what else is chosen."""
    for split in ("val", "held", FOLD, TEST):
        if (
            run.predictions_path(split).exists()
            and (services.read_predictions(run, split)["path"] == value).any()
        ):
            return True
    return any(value in paths for paths in services.read_data(run).train_paths.values())


def _is_epoch(run: Run, value: str) -> bool:
    return value in map(str, run.list_epochs())


def _is_other(run: Run, value: str) -> bool:
    kind, _, name = value.partition(":")
    if kind == "epoch":
        return name == "best" or _is_epoch(run, name)
    other = Run(run.folder.with_name(name)) if kind == "run" and name and "/" not in name else None
    return other is not None and other.predictions_path().exists()


def _is_part(run: Run, value: str) -> bool:
    count = len(services.read_data(run).classes)
    if not has_levels(count) or value == WHOLE:
        return True  # of fewer classes all are shown, whatever part of many was asked for
    steps = read_steps(value)
    return steps is not None and is_part(count, steps)


def _is_kind(run: Run, value: str) -> bool:  # noqa: ARG001  it is read from the address with what judged the run
    return find_open(run) is not None


def _is_accuracy(_: Run, value: str) -> bool:
    try:
        return 50 <= float(value) <= 99.9
    except ValueError:
        return False


def _is_one_of(allowed: tuple[str, ...], _: Run, value: str) -> bool:
    return value in allowed


def _one_of(*allowed: str) -> Callable[[Run, str], bool]:
    return partial(_is_one_of, allowed)


_LACKS = "which {run} does not have"
_GONE = "which {run} does not have, or no longer"
_IMAGE = Rule("the image", _is_image, "No image is opened.", _GONE)
_SORT = Rule(
    "images sorted by",
    _one_of(*get_args(SortBy)),
    "The surest ones come first.",
    "by which they cannot be sorted",
)
_ONLY = Rule("the filter", _one_of(WRONG_ONLY), "Right and wrong answers are shown.")
_JUDGED_ON = Rule(
    "answers on",
    lambda run, value: value in ("val", *list_others(run)),
    "Those on validation are shown.",
    _LACKS,
)
_HEAT_MAPS = {
    "method": Rule("heat maps by", _one_of(*METHODS), "Grad-CAM is shown."),
    "for": Rule("what speaks for the class", _is_class, "The predicted class is shown.", _LACKS),
}
# By page and parameter; what is searched for and may be any text, such as a part of a file's name, is always there.
RULES: Mapping[str, Mapping[str, Rule]] = {
    "confusion": {
        "true": Rule("the true class", _is_class, "It is left out of what is selected.", _LACKS),
        "pred": Rule("the predicted class", _is_class, "It is left out of what is selected.", _LACKS),
        "block": Rule("a block of classes", _is_block, "Nothing is selected.", _LACKS, repeated=False),
        "find": Rule("a look at the class", _is_class, "The whole matrix is shown.", _LACKS),
        "image": _IMAGE,
        "on": _JUDGED_ON,
        "epoch": Rule("the matrix of epoch", _is_epoch, "That of the best model is shown.", _GONE),
        "against": Rule(
            "the difference from", _is_other, "No difference is shown.", "which does not exist, or has no predictions"
        ),
        "order": Rule("the order", _one_of(*ORDERS), "The classes stand by name."),
        "colour": Rule("colours by", _one_of(*VALUES), "The colours are of images."),
        "sort": _SORT,
        "only": _ONLY,
        "least": Rule(
            "cells of at least as many images as", lambda _, value: is_least(value), "All cells are shown.",
            f"which is not a whole number from 1 to {MOST_LEAST:,}",
        ),
        "part": Rule("a part of the matrix", _is_part, "All classes are shown.", repeated=False),
        **_HEAT_MAPS,
    },
    "weak": {
        "class": Rule("the class", _is_class, "The weakest class is shown.", _LACKS),
        "image": _IMAGE,
        "on": _JUDGED_ON,
        "kind": Rule("the weak kind of images", _is_kind, "No kind is opened.", _GONE),
        "kinds": Rule(
            "kinds among the images", lambda run, value: value in list_splits(run), "The first there are is shown.", _LACKS
        ),
        **_HEAT_MAPS,
    },
    "map": {
        "class": Rule("the class", _is_class, "All classes are shown.", _LACKS),
        "by": Rule("colours by", _one_of(*COLOUR_TITLES), "The colours are of classes."),
        "split": Rule("the part of the data", _one_of(*SPLIT_TITLES), "All images are shown."),
        "only": _ONLY,
        "side": Rule("a list", _one_of(*SIDES), "The images chosen are shown."),
        "image": _IMAGE,
        "sort": _SORT,
        **_HEAT_MAPS,
    },
    "confidence": {
        "wanted": Rule("an accuracy of", _is_accuracy, "The usual one is shown.", "which is not a percentage from 50 to 99.9"),
    },
    "data": {
        "marked": Rule("the marks", _one_of(*KINDS), "All marked images are shown."),
        "labels": Rule("doubtful labels of", _one_of(*LABEL_SPLITS), "Those of validation are shown."),
    },
}  # fmt: skip
_ONE_IMAGE = ("image", "from", "method", "stage", "for", "strength")
# What else a page reads: what is searched for, places and pages of lists, of which any text may be there.
_FREE: Mapping[str, tuple[str, ...]] = {
    "": (),
    "start": (),
    "train": (),
    "live": (),
    "runs": ("view", "page", *SOUGHT),
    "bake-off": ("group",),
    "confusion": (*_ONE_IMAGE, "page", "zoom", "wide", "log", "right", "kind_page"),
    "weak": (*_ONE_IMAGE, "only", "page", "training_page", "kind_page", "classes"),
    "map": (*_ONE_IMAGE, "like", "area", "name", "page"),
    "confidence": ("on",),
    "data": (*_ONE_IMAGE, "folder", "finding", "page", "marked_page", "issue_page"),
    "predict": (*_ONE_IMAGE, "page"),
    "compare": (*_ONE_IMAGE, "runs", "on", "won_page", "lost_page"),
    "people": ("who", "what"),
}


def find_unknown(page: str, names: Iterable[str]) -> list[str]:
    """Return which parameters of an address its page does not know; none of a page of which that is not told."""
    known = {"run", *RULES.get(page, ()), *_FREE.get(page, ())}
    return [name for name in names if page in _FREE and name not in known]
