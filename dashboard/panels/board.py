"""A bake-off's board as one block of HTML: a row a combination, a cell a seed and fold; every text from outside escaped."""

from __future__ import annotations

import html
from urllib.parse import quote

from core.palette import BAD, GOOD, MUTED, TRAIN, VAL
from core.runs.bakeoff import Board, Member, Place
from core.stored.status import Status
from dashboard.state.status_words import format_best
from dashboard.text import format_duration

_LOOKS = {
    "queued": (MUTED, "waits"),
    "running": (TRAIN, "trains"),
    "finished": (GOOD, "finished"),
    "stopped": (VAL, "stopped"),
    "paused": (VAL, "paused"),
    "failed": (BAD, "failed"),
    "crashed": (BAD, "crashed"),
}
_STYLE = """
<style>
.ws-board { overflow-x: auto; }
.ws-board table { border-collapse: separate; border-spacing: 6px; min-width: 100%; }
.ws-board th { text-align: left; font-weight: 600; font-size: .9rem; padding: 2px 6px; vertical-align: middle; }
.ws-board td { padding: 0; min-width: 165px; height: 1px; border-radius: 8px; vertical-align: top;
  border-left: 4px solid var(--ws-state); background: color-mix(in srgb, currentColor 6%, transparent); }
.ws-board .ws-place { display: block; box-sizing: border-box; height: 100%; padding: 8px 10px; border-radius: 8px;
  color: inherit; text-decoration: none; font-size: .82rem; line-height: 1.4; }
.ws-board a.ws-place:hover, .ws-board a.ws-place:focus-visible { background: color-mix(in srgb, currentColor 7%, transparent); }
.ws-board b { font-size: 1.05rem; font-weight: 600; white-space: nowrap; }
.ws-board .ws-bounds { opacity: .8; white-space: nowrap; }
.ws-board .ws-word { display: block; }
.ws-board .ws-share { height: 4px; border-radius: 2px; margin-top: 5px; background: color-mix(in srgb, currentColor 14%, transparent); }
.ws-board .ws-share i { display: block; height: 100%; border-radius: 2px; background: var(--ws-state); }
</style>
"""


def board_html(board: Board) -> str:
    """Return the board; a cell leads to its run's page."""
    places = board.places
    head = "".join(f"<th scope='col'>{_title(place, board)}</th>" for place in places)
    rows = "".join(
        f"<tr><th scope='row'>{html.escape(label)}</th>"
        + "".join(_cell(row.get(place)) for place in places)
        + "</tr>"
        for label, row in board.rows.items()
    )
    return (
        f"{_STYLE}<div class='ws-board'><table aria-label='Runs of {html.escape(board.name)}'>"
        f"<thead><tr><th></th>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _title(place: Place, board: Board) -> str:
    if not place.fold:
        return f"seed {place.seed}"
    return f"fold {place.fold}" + (f", seed {place.seed}" if len(board.seeds) > 1 else "")


def _cell(member: Member | None) -> str:
    if member is None:
        return f"<td style='--ws-state:{MUTED}'><span class='ws-place'>no run</span></td>"
    status = member.status
    colour, word = (MUTED, "on hold") if status.is_on_hold else _LOOKS[status.state]
    best, _, bounds = format_best(status).partition(" (") if status.has_best else ("–", "", "")
    interval = f" <span class='ws-bounds'>({html.escape(bounds)}</span>" if bounds else ""
    share = (
        f"<div class='ws-share'><i style='width:{member.share * 100:.1f}%'></i></div>"
        if status.state != "finished" and member.share
        else ""
    )
    page = "confusion" if status.has_best and status.state == "finished" else "live"
    return (
        f"<td style='--ws-state:{colour}'><a class='ws-place' target='_self' href='{page}?run={quote(member.run.id)}' "
        f"title='{html.escape(f'{member.run.id}: {status.message or status.phase}', quote=True)}'>"
        f"<b>{html.escape(best)}</b>{interval}"
        f"<span class='ws-word'>{html.escape(f'{word}{_describe_progress(status)}')}</span>{share}</a></td>"
    )


def _describe_progress(status: Status) -> str:
    if status.state == "running":
        left = f", about {format_duration(status.seconds_left)} left" if status.seconds_left else ""
        return f", epoch {min(status.epoch + 1, status.epochs)} of {status.epochs}{left}"
    if status.state == "finished":
        return f" in {format_duration(status.seconds)}"
    return f" at epoch {status.epoch} of {status.epochs}" if status.epoch else ""
