"""Judging a run on all its training images: offered where validation is small, done by a task, and said how it was done."""

from __future__ import annotations

import streamlit as st

from core.people.acting import TRAIN
from core.runs.imported import describe_origin
from core.runs.run import FOLD, Run
from core.runs.tasks import launch_task, read_task
from core.splits.fold import read_fold
from core.stored.status import ACTIVE
from dashboard.access.lock import lock
from dashboard.components.task_panel import draw_end, draw_running
from dashboard.guard import guard_callback
from dashboard.state import services
from dashboard.text import escape_markdown, format_count


def draw_out_of_fold(run: Run, split: str) -> None:
    """Draw how far the judging is, how it was done where its table is shown, or the offer to do it."""
    if describe_origin(run):  # what its training images taught is not known
        return
    folder = run.folder / ".judge"
    status = read_task(folder)
    if status.state in ACTIVE:
        st.markdown("**Judging all training images**, each by a model that was fitted without it.")
        draw_running(folder, "", key="judge")
        return
    if split == FOLD:
        draw_method(run)
        return
    draw_end(status)
    if run.predictions_path(FOLD).exists() or run.read_status().state in ACTIVE:
        return  # two trainings at once would only wait for each other
    count = sum(services.read_data(run).train_counts.values())
    fold = read_fold(run.read_config().fold)
    st.button(
        f"Judge on all {fold.count} folds"
        if fold
        else f"Judge on all {format_count(count, 'training image')}",
        icon=":material/fact_check:",
        key="judge-start",
        on_click=guard_callback(launch_task),
        args=(folder, "judge"),
        kwargs={"run": run.id},
        **lock(
            TRAIN,
            help="Puts together what each fold said of the images it left out. All folds have to have finished."
            if fold
            else f"Instead of {format_count(len(services.read_predictions(run)), 'validation image')}: a few images say little about "
            "a class. Each is judged by a model that never saw it. This takes minutes.",
        ),
    )


def draw_method(run: Run) -> None:
    """Say how the training images were judged, and which model the heat maps are of."""
    from core.model.out_of_sample import read_out_of_fold

    about = read_out_of_fold(run)
    if about is not None:
        words = about.describe(services.read_data(run).label)
        seen = "all but its own fold of these images" if about.folds else "these images"
        st.caption(
            f":material/info: {escape_markdown(words)} Heat maps are of the run's best model, which was trained on {seen}."
        )
