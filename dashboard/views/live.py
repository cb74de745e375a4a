"""Live: the curves, progress and log of a run while it trains, its newest matrix, and the same after."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Literal

import numpy as np
import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.cluster import follow as slurm
from core.overview.facts import read_recipe
from core.people.acting import TRAIN
from core.queue.order import set_held
from core.queue.restart import is_to_go_on
from core.queue.turn import revive_queue
from core.recipe.config import applies
from core.recipe.presets import PRESET_TITLES
from core.recipe.rules import fits_alone
from core.recipe.settings import GROUPS, command_line, format_setting, label_of
from core.runs import jobs
from core.runs.imported import Origin, read_origin
from core.runs.notes import read_note
from core.runs.run import Run, default_root, list_runs
from core.stored.status import ACTIVE, Status
from core.verdicts.predictions import find_overfitting, format_rate
from dashboard.access.lock import lock
from dashboard.charts import curve_charts
from dashboard.charts.matrix_chart import recall_by_epoch
from dashboard.charts.matrix_colours import Look
from dashboard.components.note_panel import describe_note, draw_note_button
from dashboard.components.plot import plot
from dashboard.explorer import matrices
from dashboard.explorer.matrices import TableSource
from dashboard.guard import guard, guard_callback
from dashboard.launch.settings_file import draw_save
from dashboard.panels import forms
from dashboard.panels.specialise import find_before
from dashboard.panels.tracker_notice import draw_tracker_notice
from dashboard.state import address, services
from dashboard.state.number_field import draw_number, take_whole
from dashboard.state.status_words import describe_phase, find_initial, format_best
from dashboard.terms import explain
from dashboard.text import escape_markdown, format_duration, format_share

POLL = 2.0
CLASSES = 30  # whose recall is drawn
MOST_EPOCHS = 10_000  # of a run


def render() -> None:
    """Draw the page."""
    st.title("Live")
    run = address.selected_run()
    if run is None:
        address.draw_no_run()
        return
    draw_about(run)
    origin = read_origin(run)
    if origin is not None:
        draw_imported(run, origin)
        return
    slurm.follow_run(run)
    status = run.read_status()
    if status.state == "queued" or is_to_go_on(run, status):  # its job may have been lost with the machine
        revive_queue(list_runs(default_root()))
    active = jobs.live_status(run).state in ACTIVE
    epochs, steps = services.read_metrics(run)
    by = "epoch"
    if active or not is_fitted_at_once(epochs, steps):
        by = st.segmented_control(
            "Curves by", ["epoch", "step"], default="epoch", required=True, key="live-by"
        )
    # A fragment that polls is left behind when the page is; one for an ended run does not poll at all.
    st.fragment(guard(draw), run_every=POLL if active else None)(
        run, active, len(epochs), "step" if by == "step" else "epoch"
    )
    if not read_recipe(run).damage:  # of a config that cannot be used the fragment above has told
        guard(draw_settings)(run)
    if not epochs.empty:
        guard(draw_classes)(run, epochs)


def draw_imported(run: Run, origin: Origin) -> None:
    """Say that there is no training to see and how the table was taken, and lead to what there is."""
    st.info(
        f"There is no training to see: {escape_markdown(run.id)} was {escape_markdown(origin.describe())}.",
        icon=":material/upload_file:",
    )
    st.markdown("\n".join(f"- {escape_markdown(note)}" for note in origin.notes))
    with st.container(horizontal=True):
        draw_links(run)


def draw_links(run: Run) -> None:
    """Lead to the errors of a run."""
    pages, query = st.session_state["pages"], {"run": run.id}
    st.page_link(pages["confusion"], label="Confusion", icon=":material/grid_on:", query_params=query)
    st.page_link(pages["weak"], label="Weak classes", icon=":material/troubleshoot:", query_params=query)


def draw(run: Run, was_active: bool, drawn: int, by: Literal["epoch", "step"]) -> None:
    """Draw what changes while the run goes on; `drawn` epochs have been drawn below it."""
    if not run.folder.exists():
        st.rerun()  # the whole page, whose sidebar still says that it runs, tells that it is gone
    slurm.follow_run(run)
    status = jobs.live_status(run)
    epochs, steps = services.read_metrics(run)
    if was_active != (status.state in ACTIVE) or drawn != len(epochs):
        st.rerun()  # draws the page anew, with or without polling, and with the newest epoch
    draw_head(run, status)
    draw_tracker_notice(run)
    if was_active or not is_fitted_at_once(epochs, steps):
        draw_curves(status, epochs, steps, by)
    else:
        train, val = (format_share(float(epochs[f"{split}_acc"].iloc[0])) for split in ("train", "val"))
        st.markdown(
            f"The head was fitted at once, so there are no curves. It is right on {train} of the training images and on {val} of "
            "the validation images."
        )
    finding = find_overfitting(epochs)
    if finding:
        st.warning(finding, icon=":material/trending_up:")
    lines = run.read_log(14)
    st.header("Log", help=explain(*lines))
    st.code(
        "\n".join(lines) if lines else "The job has not written anything yet.", language=None, wrap_lines=True
    )


def is_fitted_at_once(epochs: pd.DataFrame, steps: pd.DataFrame) -> bool:
    """Tell whether a run has ended without a step: its head was fitted, which leaves one point and no curve."""
    return steps.empty and len(epochs) == 1


def draw_curves(
    status: Status, epochs: pd.DataFrame, steps: pd.DataFrame, by: Literal["epoch", "step"]
) -> None:
    """Draw the loss and the accuracy of a run."""
    with st.container(key="wide-curves"):
        loss, accuracy = st.columns(2)
    places: dict[curve_charts.Quantity, DeltaGenerator] = {"loss": loss, "accuracy": accuracy}
    for quantity, place in places.items():
        with place:
            figure = curve_charts.training_curves(
                epochs, steps, quantity=quantity, by=by, best_epoch=status.best_epoch or None,
                active=status.state in ACTIVE, initial=find_initial(status),
            )  # fmt: skip
            plot(figure, key=f"live-{quantity}")


def draw_about(run: Run) -> None:
    """Draw what is said of the run, with the way to change it."""
    with st.container(horizontal=True, vertical_alignment="center"):
        if said := describe_note(read_note(run)):
            st.markdown(said, width="content")
        draw_note_button(run, "Note, tags and name")


def draw_classes(run: Run, epochs: pd.DataFrame) -> None:
    """Draw the matrix of the newest epoch and how each class came there; drawn anew only after another epoch."""
    newest = int(epochs["epoch"].iloc[-1])
    source = TableSource(run, newest if newest in run.list_epochs() else 0)
    judged, data = matrices.judge(source), services.read_data(run)
    status = run.read_status()
    best = status.best_epoch
    st.header(f"Matrix of epoch {newest}, the latest" if source.epoch else "Matrix of the best model")
    if source.epoch and status.has_best and best != newest:
        which = f"that of epoch {best}" if best else "the initial one"
        st.caption(f"The best model is {which}; its matrix is on the page Confusion.")
    with st.container(key="wide-classes"):
        left, right = st.columns(2)
    with left:
        plot(matrices.draw_matrix(source, "name", Look()), key="live-matrix")
        st.page_link(
            st.session_state["pages"]["confusion"],
            label="Explore its images",
            icon=":material/grid_on:",
            query_params={"run": run.id, **({"epoch": str(newest)} if source.epoch else {})},
        )
    support = judged.support
    known = epochs[
        [isinstance(counts, list) and len(counts) == len(support) for counts in epochs["val_correct"]]
    ]
    if known.empty:
        return
    hits = np.bincount(judged.true[judged.true == judged.predicted], minlength=len(support))
    by_recall = np.argsort(hits / np.maximum(support, 1), kind="stable")
    weakest = [index for index in by_recall if support[index]][:CLASSES]
    correct = np.array(known["val_correct"].tolist())[:, weakest]
    with right:
        labels = [data.labels[index] for index in weakest]
        plot(recall_by_epoch(correct, support[weakest], labels, known["epoch"].tolist()), key="live-recall")
        left_out = int((support > 0).sum()) - len(weakest)
        if left_out:
            st.caption(
                f"The {len(weakest)} classes of lowest recall; {left_out:,} more {'is' if left_out == 1 else 'are'} on the page Weak classes."
            )


def draw_head(run: Run, status: Status) -> None:
    """Draw state, progress and the buttons."""
    with st.container(horizontal=True, gap="medium"):
        st.metric(
            "Epoch",
            f"{status.epoch} / {status.epochs}" if status.epochs else "–",
            help="Whole epochs done.",
            width="content",
        )
        st.metric(
            "Best validation accuracy" + ("" if find_initial(status) is None else ", of the initial model"),
            format_best(status) if status.has_best else "–",
            help=explain("95 % interval"),
            width="content",
        )
        st.metric(
            "Speed",
            f"{status.images_per_second:,.0f} images/s" if status.images_per_second else "–",
            width="content",
        )
        if status.state in ACTIVE:
            left = format_duration(status.seconds_left) if status.seconds_left else "–"
            st.metric("Time left", left, help="Estimated from the last epochs.", width="content")
        else:
            st.metric("Time taken", format_duration(status.seconds), width="content")
    if status.state in ACTIVE:
        draw_progress(run, status)
    else:
        draw_end(run, status)


def draw_progress(run: Run, status: Status) -> None:
    """Draw the progress bar of an active run, with the buttons that end it."""
    share = min(1.0, status.done / status.total) if status.total else 0.0
    where = f"{status.slot} · " if status.job else ""
    words = status.message if status.state == "queued" else f"{where}{describe_phase(status)}"
    asked = {"stopped": "stopping", "paused": "pausing"}.get(run.requested_state(), "")
    st.progress(
        share, text=f"{asked}: finishing the step and saving" if asked else words or "waiting for its turn"
    )
    with st.container(horizontal=True):
        if asked:
            draw_button(
                "End now", "dangerous", slurm.end_now, run, "Ends the process at once, without saving."
            )
        else:
            if status.job and status.state == "queued":
                draw_slurm_hold(run, status)
            if status.is_on_hold and not status.job:
                draw_button(
                    "Release", "play_arrow", release, run, "Lets it have its turn in the queue again."
                )
            draw_button("Pause", "pause", jobs.pause, run, "Finishes the step, saves and frees the machine.")
            draw_button("Stop", "stop", jobs.stop, run, "Finishes the step, saves and ends.")


def release(run: Run) -> None:
    """Let a held run wait for its turn again."""
    set_held(run, False)


def draw_slurm_hold(run: Run, status: Status) -> None:
    """Offer to hold a run's job back in Slurm, or to release it."""
    if status.is_on_hold:
        let_go = functools.partial(slurm.set_held, held=False)
        draw_button("Release", "play_arrow", let_go, run, "Lets Slurm start it.")
    else:
        keep = functools.partial(slurm.set_held, held=True)
        draw_button("Hold", "front_hand", keep, run, "Slurm does not start it until you release it.")


def draw_button(label: str, icon: str, action: Callable[[Run], None], run: Run, help_text: str) -> None:
    """Draw a button that does something to a run."""
    key = f"live-{label.split()[0].lower()}"
    st.button(
        label,
        icon=f":material/{icon}:",
        key=key,
        on_click=guard_callback(action),
        args=(run,),
        **lock(TRAIN, help=help_text),
    )


def draw_end(run: Run, status: Status) -> None:
    """Say how a run ended and what can be done next."""
    show = {"finished": st.success, "stopped": st.warning, "paused": st.info}.get(status.state, st.error)
    show(escape_markdown(status.message or status.state))
    if run.predictions_path("held").exists():
        held = services.read_predictions(run, "held")
        right = format_rate(int((held["true"] == held["predicted"]).sum()), len(held))
        st.markdown(f"On the images held back, which neither trained nor chose the best model: **{right}**.")
    pages = st.session_state["pages"]
    with st.container(horizontal=True, vertical_alignment="center"):
        if status.state == "failed":  # the same again would fail again
            draw_again(run, "Change and start again", primary=True)
        if status.state != "finished" and not status.hopeless:
            draw_button("Resume", "resume", slurm.go_on, run, "Goes on from its last checkpoint.")
        elif status.state == "finished" and not fits_alone(
            vars(run.read_config())
        ):  # of a head that was fitted there is no longer training
            draw_extension(run, status)
        if status.state != "failed":
            draw_again(run, "Start again with these settings")
        if status.has_best:
            draw_links(run)
            if (before := find_before(run)) is not None:
                st.page_link(
                    pages["compare"],
                    label="Before and after",
                    icon=":material/compare:",
                    query_params={"runs": f"{before.id},{run.id}"},
                )


def draw_again(run: Run, label: str, *, primary: bool = False) -> None:
    """Offer the form with the settings of this run."""
    if st.button(
        label, icon=":material/replay:", key="live-again", type="primary" if primary else "secondary",
        help="Opens the form with these settings.",
    ):  # fmt: skip
        forms.fill_again(run)
        st.switch_page(st.session_state["pages"]["train"])


def draw_settings(run: Run) -> None:
    """Show what the run was asked to do."""
    config = run.read_config()
    label = services.label_classes(run)
    fields = [
        (title, field) for title, names in GROUPS.items() for field in names if applies(field, vars(config))
    ]
    with st.expander(f"Settings: {PRESET_TITLES.get(config.preset, config.preset)}", icon=":material/tune:"):
        table = pd.DataFrame(
            {
                "setting": [label_of(field) for _, field in fields],
                "value": [format_setting(config, field, label) for _, field in fields],
                "group": [title for title, _ in fields],
            }
        )
        st.dataframe(table, hide_index=True, alt="Settings of the run")
        st.code(command_line(config), language="bash", wrap_lines=True)
        draw_save(run)


def draw_extension(run: Run, status: Status) -> None:
    """Offer to train a finished run longer."""
    with st.popover("Train longer", icon=":material/more_time:"):
        most = max(MOST_EPOCHS, status.epoch + 1)
        longer = min(most, status.epoch + max(1, status.epoch // 2))
        label, least = "Epochs in all", status.epoch + 1
        draw_number(label, least, most, value=longer, key="live-epochs")
        st.caption("The learning rate follows the schedule of the new length from here on.")

        def go_on(run: Run) -> None:
            slurm.go_on(run, epochs=take_whole(label, "live-epochs", least, most))

        draw_button("Go on", "resume", go_on, run, "Goes on from the last epoch.")
