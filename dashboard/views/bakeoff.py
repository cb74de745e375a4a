"""Bake-off: choose what is crossed, watch the board fill, and read the ranking with its verdicts."""

from __future__ import annotations

import math
from contextlib import suppress

import streamlit as st

from core.cluster import follow as slurm
from core.cluster.follow import follow
from core.cluster.submit import go_on_bakeoff
from core.errors import UserError
from core.people.acting import TRAIN
from core.queue.order import set_held
from core.queue.slots import read_slots, spread_time
from core.queue.turn import revive_queue
from core.runs import bakeoff
from core.runs.bakeoff import Board
from core.runs.run import FOLD, default_root, list_runs
from core.verdicts.ranking import Folds, describe_held, rank_board
from core.verdicts.seeds import SeedSet, compare_with_best, describe_tests
from core.words import shorten_ids
from dashboard.access.lock import lock
from dashboard.charts import compare_charts
from dashboard.components.plot import plot
from dashboard.guard import guard, guard_callback
from dashboard.launch.bakeoff_form import describe_todo, draw_form
from dashboard.panels.board import board_html
from dashboard.panels.deletion import confirm_delete, role_to_delete
from dashboard.panels.results import NAME, draw_results
from dashboard.predicting.ways import MOST, ask_average
from dashboard.state import address, services
from dashboard.terms import explain
from dashboard.text import escape_markdown, format_count, format_duration

POLL = 2.0
NEW = "-"  # in the URL; no bake-off's name begins so


def render() -> None:
    """Draw the page."""
    st.title("Bake-off")
    found = list_runs(default_root())
    revive_queue(found)
    follow(found)
    name = draw_choice(names) if (names := list_names()) else NEW
    if name == NEW:
        st.caption(
            "A bake-off trains every combination of networks, optimizers, presets and seeds. At the end it ranks them, with a verdict "
            "on each difference. K-fold trains each several times, so that all training images judge."
        )
        draw_form()
        return
    board = bakeoff.read_board(name, default_root())
    active = board.is_active
    st.fragment(guard(draw_board), run_every=POLL if active else None)(name, active)
    if not active:
        draw_ranking(board)


def list_names() -> list[str]:
    """Return the bake-offs that can be chosen, the newest first: not those all archived, but for the one in the URL."""
    names, asked = bakeoff.list_bakeoffs(default_root(), archived=False), address.get_param("group")
    return [*names, asked] if asked not in names and asked in bakeoff.list_bakeoffs(default_root()) else names


def draw_choice(names: list[str]) -> str:
    """Let the user choose a bake-off or a new one; the URL keeps it as `group`.

    Without one there it is the one looked at last, else the newest while it trains; it is written to the URL.
    """
    known = [NEW, *names]
    asked = address.get_param("group") or st.session_state.get("bake-group", "")
    if asked not in known:
        trains = bakeoff.read_board(names[0], default_root()).is_active
        asked = names[0] if trains else NEW
    st.session_state["bake-group"] = asked
    if address.get_param("group") != asked:
        st.query_params["group"] = asked
    st.session_state["bake-choice"] = asked
    with st.container(width=460):
        st.selectbox(
            "Bake-off",
            known,
            format_func=lambda name: "New bake-off …" if name == NEW else name,
            key="bake-choice",
            on_change=guard_callback(lambda: address.set_params(group=st.session_state["bake-choice"])),
        )
    return asked


def draw_board(name: str, was_active: bool) -> None:
    """Draw what changes while the runs go on."""
    follow(list_runs(default_root()))
    try:
        board = bakeoff.read_board(name, default_root())
    except UserError:  # its last run was deleted on another page
        st.rerun()
    if was_active != board.is_active:
        st.rerun()  # draws the page anew, with or without polling
    ended = sum(member.status.state == "finished" for member in board.members)
    st.progress(
        board.share, text=f"{ended} of {format_count(board.count, 'run')} finished{describe_left(board)}"
    )
    with st.container(horizontal=True, vertical_alignment="center", key="bake-actions"):
        if board.is_active:
            draw_stop(board)
            draw_release(board)
        else:
            draw_go_on(board)
            draw_delete(board)
    st.html(board_html(board))
    ids = [member.run.id for member in board.members]
    names = dict(zip(ids, shorten_ids(ids, NAME), strict=True))
    for member in board.members:
        if member.status.state in ("failed", "crashed"):
            text = f"{escape_markdown(names[member.run.id])}: {escape_markdown(member.status.message)}"
            st.error(text, icon=":material/error:")
    folds = any(map(board.count_folds, board.rows))
    st.caption(
        ("Best accuracy on the fold that the run left out" if folds else "Best validation accuracy")
        + " with its 95 % interval. Click a cell to open its run."
        + (
            " The verdict comes when all runs have ended: testing at every step would find differences by chance."
            if board.is_active
            else ""
        )
    )


def draw_stop(board: Board) -> None:
    """Draw the button that ends it all."""
    asked = all(
        member.run.stop_requested()
        for member in board.members
        if member.status.state in ("queued", "running")
    )
    st.button(
        "Stop all",
        icon=":material/stop:",
        key="bake-stop",
        on_click=guard_callback(stop_all),
        args=(board.name,),
        **lock(
            TRAIN,
            help="Running trainings finish their step and save. Waiting ones do not start. You can continue later.",
            disabled=asked,
        ),
    )
    if asked:
        st.caption("Stopping …")


def stop_all(name: str) -> None:
    """Ask all that are active now to stop."""
    bakeoff.stop_all(bakeoff.read_board(name, default_root()))


def draw_release(board: Board) -> None:
    """Offer to release what is on hold, where anything is."""
    if not board.held:
        return
    st.button(
        f"Release {format_count(len(board.held), 'run')}",
        icon=":material/play_arrow:",
        key="bake-release",
        on_click=guard_callback(release_held),
        args=(board.name,),
        **lock(TRAIN, help="Lets what is on hold have its turn in the queue again."),
    )


def release_held(name: str) -> None:
    """Let all that are on hold wait for their turn again, here or in Slurm."""
    for member in bakeoff.read_board(name, default_root()).held:
        (slurm.set_held if member.status.job else set_held)(member.run, False)


def draw_go_on(board: Board) -> None:
    """Offer to queue again what has ended early, and what is missing."""
    todo = bakeoff.find_todo(board.plan_rest(), default_root())
    if not (todo.new or todo.again):
        return
    if st.button("Go on", type="primary", icon=":material/resume:", key="bake-go-on", **lock(TRAIN)):
        go_on_bakeoff(todo, default_root())
        st.rerun()
    st.caption(describe_todo(todo))


def draw_delete(board: Board) -> None:
    """Draw the button that deletes the whole bake-off, after asking."""
    runs = [member.run for member in board.members]
    if st.button(
        "",
        icon=":material/delete:",
        key="bake-delete",
        **lock(role_to_delete(runs), help="Delete this bake-off with all its runs"),
    ):
        what = f"**{escape_markdown(board.name)}** and its {format_count(len(runs), 'run')}"
        confirm_delete(runs, "Delete this bake-off?", what, lambda: address.set_params(group=NEW))


def describe_left(board: Board) -> str:
    """Say how long the bake-off still takes, as far as it is known."""
    if not board.is_active:
        return ""
    running = [member.status for member in board.members if member.status.state == "running"]
    waiting = tuple(
        member.config
        for member in board.members
        if member.status.state == "queued" and not member.status.is_on_hold
    )
    if not running and not waiting:
        return f" · {format_count(len(board.held), 'run', 'is')} on hold"
    found = services.estimate_time(waiting)
    known = [status.seconds_left for status in running if status.seconds_left]  # they train side by side
    if not known and not found.known:
        return " · estimating the time left"
    unknown = found.unknown + len(running) - len(known)
    left_out = [f"{unknown} with no estimate yet"] if unknown else []
    left_out += [f"{len(board.held)} on hold"] if board.held else []
    without = f" without {' and '.join(left_out)}" if left_out else ""
    waits = spread_time(found.seconds, waiting, read_slots(default_root()))
    return f" · about {format_duration(waits + sum(known) / max(1, len(known)))} left{without}"


def draw_ranking(board: Board) -> None:
    """Draw how it came out, once all have ended."""
    ranking = rank_board(board, services.read_predictions)
    st.header("All folds together" if any(map(board.count_folds, board.rows)) else "Ranking")
    for why, names in ranking.left_out.items():
        named = ", ".join(map(escape_markdown, shorten_ids(names, NAME)))
        st.info(f"{why}: {named}.", icon=":material/info:")
    if ranking.problem:
        st.info(escape_markdown(ranking.problem), icon=":material/info:")
        return
    for label, trainings in ranking.folds.items():
        for folds in trainings:
            draw_folds(label, folds, several=len(trainings) > 1)
    if len(ranking.sets) > 1 or not ranking.folds:
        draw_verdicts(ranking.sets)
        plot(compare_charts.seed_accuracies(ranking.sets), key="bake-ranking")
    finished = {member.run.id: member.run for member in board.members if member.status.state == "finished"}
    ranked = [
        member.run
        for label in ranking.sets
        for member in board.rows[label].values()
        if member.run.id in finished
    ]
    draw_held(board, [label for label in ranking.sets])
    draw_results(ranked)
    if ranking.folds:  # their runs are judged on different images
        return
    if st.button("Compare these runs", icon=":material/compare_arrows:", key="bake-compare"):
        ids = ",".join(run.id for run in ranked)
        st.switch_page(st.session_state["pages"]["compare"], query_params={"runs": ids})


def draw_held(board: Board, labels: list[str]) -> None:
    """Say how each row does on the images held back from all of its runs, where there are any."""
    lines = []
    for label in labels:
        runs = [member.run for member in board.rows[label].values() if member.status.state == "finished"]
        with suppress(UserError):
            tables = [
                services.read_predictions(run, "held")
                for run in runs
                if run.predictions_path("held").exists()
            ]
            if tables and len({tuple(table["path"]) for table in tables}) == 1:
                lines.append(f"- **{escape_markdown(label)}**: {describe_held(tables)}")
    if lines:
        st.markdown("\n".join(lines))
        st.caption(
            "These images took no part in training or in the choice of an epoch, so only the highest of several is a little too high."
        )


def draw_folds(label: str, folds: Folds, *, several: bool) -> None:
    """Say what the folds of a training come to, and lead to what can be done with it."""
    title = f"{escape_markdown(label)}, {len(folds.runs)} folds" + (f", seed {folds.seed}" if several else "")
    words = folds.describe()
    st.markdown(f"**{title}**: {words}", help=explain(title, words))
    first = folds.runs[0]
    if not first.predictions_path(FOLD).exists():
        st.caption(
            "Not pooled yet: that happens when the last fold ends. Weak classes of any of these runs offers to do it now."
        )
    pages, run = st.session_state["pages"], {"run": first.id}
    with st.container(horizontal=True, vertical_alignment="center", key=f"bake-next-{first.id}"):
        for page, title, icon, params in (
            ("weak", "Weak classes on all of them", "trending_down", {"on": FOLD}),
            ("confusion", "What is confused", "grid_on", {"on": FOLD}),
            ("data", "Labels probably wrong", "rule", {"labels": "train"}),
        ):
            st.page_link(
                pages[page],
                label=title,
                icon=f":material/{icon}:",
                query_params={**run, **params},
                width="content",
            )
        if len(folds.runs) <= MOST + 1 and st.button(
            "Predict with all folds",
            type="tertiary",
            icon=":material/image_search:",
            key=f"bake-predict-{first.id}",
        ):
            st.switch_page(pages["predict"], query_params=ask_average(first, folds.runs[1:]))
    st.caption(
        "Each network was chosen by the fold it left out, so these figures are a little too high. Predict with all folds takes "
        "the mean of their answers. Images that they trained on cannot judge it; a val/ folder or images held back can."
    )


def draw_verdicts(sets: dict[str, SeedSet]) -> None:
    """Say who is first, and whether the others are worse."""
    named = {escape_markdown(label): found for label, found in sets.items()}
    lines = [
        f"{place}. **{label}**: {found.describe()}"
        for place, (label, found) in enumerate(named.items(), start=1)
    ]
    st.markdown("\n".join(lines))
    verdicts = compare_with_best(named)
    if verdicts:
        st.markdown("\n".join(f"- {verdict}" for verdict in verdicts))
        sizes = [len(found.right) for found in sets.values()]
        how = describe_tests(sizes, math.comb(len(sizes), 2))
        st.caption(
            f"{how} The best epoch of each run was chosen on these very images, so all accuracies are a little too high.",
            help=explain(how, *verdicts),
        )
