"""Which of two accuracies is the run's: the one measured when its best model was chosen. Where another is shown, it says what it is."""

from __future__ import annotations

from core.stored.status import ACTIVE, Status
from core.words import format_count, format_share

ASKED_AGAIN = "Here its best model was asked again in {precision}, as Predict asks it"
WRITTEN_AGAIN = "Its table of predictions was written again since"


def tell_apart(status: Status, right: int, count: int, how: str) -> str:
    """Say what the run's accuracy is where `right` of its `count` validation images is another one, and why; else nothing.

    The same model may answer an image or two otherwise in another precision or on another machine. `how` says how the
    other count came about, such as `WRITTEN_AGAIN`. Nothing is said of other images, nor of a run at work, whose table may
    be a moment ahead of its status.
    """
    more = right - round(status.best_val_acc * status.val_count)
    if not status.has_best or status.state in ACTIVE or count != status.val_count or not more:
        return ""
    other = f"{format_count(abs(more), 'more image', 'is')} {'right' if more > 0 else 'wrong'}"
    own = f"The run's accuracy is {format_share(status.best_val_acc)}, as measured when its best model was chosen."
    return f"{own} {how}, and {other}."
