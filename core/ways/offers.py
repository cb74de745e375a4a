"""Which other runs can answer beside a run, and why the others cannot; no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from core.dataset.walk import name_some
from core.errors import UserError
from core.runs.imported import lacks_model
from core.runs.notes import read_note
from core.runs.run import Run, list_runs
from core.runs.run_data import read_run_data

MOST = 200  # of each the record of its data is read


@dataclass(frozen=True)
class Offer:
    """Another run, and why its answers cannot be averaged with those of the run in question; empty where they can."""

    run: str
    refusal: str


def list_offers(run: Run) -> list[Offer]:
    """Return the other runs beside a run, newest first, without those that are archived; of very many the newest `MOST`.

    Raises:
        RunError: where what is known of the run's own data cannot be read.
    """
    own = read_run_data(run).classes
    others = [other for other, _ in list_runs(run.folder.parent) if other.id != run.id]
    listed = islice((other for other in others if not _is_archived(other)), MOST)
    return [Offer(other.id, _find_refusal(other, own)) for other in listed]


def describe_refused(offers: Sequence[Offer]) -> list[str]:
    """Return in sentences which runs are not offered, those with one reason together."""
    reasons = dict.fromkeys(offer.refusal for offer in offers if offer.refusal)
    return [
        f"{name_some([offer.run for offer in offers if offer.refusal == reason])}: {reason}."
        for reason in reasons
    ]


def _is_archived(run: Run) -> bool:
    try:
        return read_note(run).archived
    except UserError:
        return False


def _find_refusal(other: Run, own: Sequence[str]) -> str:
    if not other.best_path.exists():
        return "imported without a model" if lacks_model(other) else "no model yet"
    try:
        classes = read_run_data(other).classes
    except UserError:
        return "what is known of its data cannot be read"
    if list(classes) == list(own):
        return ""
    return "the same classes in another order" if set(classes) == set(own) else "other classes"
