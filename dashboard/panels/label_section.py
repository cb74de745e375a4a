"""The part of the Data page about labels: those probably wrong, the fix list, and classes that overlap."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import streamlit as st

from core.dataset.fixes import list_corrections, prepare_fixes
from core.dataset.label_report import (
    ACTIONS,
    HEAD,
    LEAST_ACCURACY,
    LIKELIEST,
    SURE_ACCURACY,
    LabelIssue,
    LabelReport,
    fixes_path,
    list_fixes,
    read_decisions,
    report_path,
    write_fixes,
)
from core.errors import UserError
from core.runs.imported import lacks_model
from core.runs.run import ACTIVE, Run
from core.runs.tasks import launch_task, read_task
from dashboard.components.gallery import PAGE, Tile, draw_pager, show_tiles
from dashboard.components.task_panel import draw_end, draw_running
from dashboard.guard import guard_callback
from dashboard.panels import forms
from dashboard.state import address, services
from dashboard.state.services import RunData
from dashboard.text import escape_markdown, format_accuracy, format_count, format_share

SPLITS = {"val": "Validation", "train": "Training"}


def draw_labels(run: Run | None) -> None:
    """Draw the part of the page; `run` is the one whose data is looked at, None where there is none."""
    st.subheader("Labels that are probably wrong")
    if run is None:
        st.info(
            "A trained model is asked which labels it doubts: choose a run in the sidebar, and its own data above.",
            icon=":material/info:",
        )
        return
    if lacks_model(run):
        st.info(
            f"{escape_markdown(run.id)} was imported without a model, so there is none to ask which labels it doubts.",
            icon=":material/info:",
        )
        return
    if not run.best_path.exists():
        st.info(
            f"{escape_markdown(run.id)} has no model yet: it is saved after its first epoch.",
            icon=":material/info:",
        )
        return
    split = address.get_param("labels", list(SPLITS)) or "val"
    st.session_state["labels-split"] = split
    st.segmented_control(
        "Images",
        list(SPLITS),
        format_func=SPLITS.__getitem__,
        key="labels-split",
        required=True,
        on_change=guard_callback(
            lambda: address.set_params(labels=st.session_state["labels-split"], issue_page=address.ANY)
        ),
    )
    st.caption(explain_split(run, split))
    report = draw_search(run, split)
    if report is not None:
        draw_issues(run, report)
        draw_classes(report, services.read_data(run))


def explain_split(run: Run, split: str) -> str:
    """Return where the answers come from, and what that means."""
    if split == "val":
        return "The run's best model is asked about the validation images, which it was not trained on."
    asked = (
        "Each training image is judged by a logistic regression that was fitted without it (five folds), on what the "
        "best model's backbone makes of it. "
    )
    if run.read_config().head_only:
        return (
            asked
            + "This run trained its head only, so its training did not fit the backbone to these labels."
        )
    return asked + (
        "That backbone was trained on these images and their labels: it may have learnt wrong labels by heart, and "
        "those are not found here. The answers are out of sample for the regression, not for the backbone."
    )


def draw_search(run: Run, split: str) -> LabelReport | None:
    """Draw the search's button, progress or end, and return what the last one found."""
    folder = task_folder(run, split)
    status = read_task(folder)
    report = None
    try:
        report = services.read_label_report(report_path(run.folder, split))
    except UserError as error:
        st.warning(escape_markdown(str(error)), icon=":material/broken_image:")
    if status.state in ACTIVE:
        draw_running(folder, "images", key="labels")
        return report
    draw_end(status)
    if report is not None and report.model != run.read_status().best_epoch:
        st.warning(
            f"This was found by the model of epoch {report.model}, which is the best no more. Look again.",
            icon=":material/update:",
        )
    st.button(
        "Look again" if report else "Look for wrong labels",
        type="secondary" if report else "primary",
        icon=":material/rule:",
        key="labels-search",
        on_click=guard_callback(launch_task),
        args=(folder, "label-issues"),
        kwargs={"run": run.id, "split": split},
    )
    return report


def task_folder(run: Run, split: str) -> Path:
    """Return where the search of a split is watched."""
    return run.folder / f".label-issues-{split}"


def draw_issues(run: Run, report: LabelReport) -> None:
    """Show the doubtful labels with their images, and the fix list, which may hold labels of an earlier report too."""
    data = services.read_data(run)
    if report.accuracy < LEAST_ACCURACY:
        st.info(escape_markdown(report.describe()), icon=":material/block:")
    elif report.issues:
        draw_doubtful(report, data)
    else:
        st.success(
            f"None of the {report.count:,} labels is doubtful by confident learning.",
            icon=":material/check_circle:",
        )
    if read_decisions(fixes_path(run.folder, report.split), report.issues)[0]:
        draw_fixes(run, report, data)


def draw_doubtful(report: LabelReport, data: RunData) -> None:
    """Show the images whose labels are doubtful, a page at a time."""
    found, count = len(report.issues), report.count
    what = "probably wrong" if report.accuracy >= SURE_ACCURACY else "worth a look"
    st.markdown(
        f"**{found:,} of {format_count(count, 'label')}** ({format_share(found / count)}) {'is' if found == 1 else 'are'} {what}, the likeliest first. "
        "Look before you change one: the model can be wrong too."
    )
    if report.accuracy < SURE_ACCURACY:
        st.caption(
            f"The model gets {format_share(report.accuracy)} of these images right. One below {format_share(SURE_ACCURACY)} doubts more right "
            f"labels than wrong ones, so at most the likeliest {format_share(LIKELIEST)} are listed, and none is changed together with others."
        )
    page = draw_pager(found, PAGE, key="labels-page", param="issue_page")
    tiles = [
        Tile(
            services.thumbnail(data.root / issue.path),
            f"{data.label(issue.given)} → {data.label(issue.suggested)}?",
            (
                f"{format_share(issue.score)} sure of {data.label(issue.given)}, "
                f"{format_share(issue.confidence)} of {data.label(issue.suggested)}",
                issue.path,
            ),
            alt=issue.path,
        )
        for issue in report.issues[page * PAGE : (page + 1) * PAGE]
    ]
    show_tiles(tiles, label="images with doubtful labels")


def draw_fixes(run: Run, report: LabelReport, data: RunData) -> None:
    """Draw the fix list, whose actions are kept in the run folder as they are chosen."""
    split, path = report.split, fixes_path(run.folder, report.split)
    st.markdown("**Fix list**: choose what is to become of each label; your choice is kept with the run.")
    version = st.session_state.setdefault("labels-version", 0)
    key = f"labels-fixes-{run.id}-{split}-{report_path(run.folder, split).stat().st_mtime_ns}-{version}"
    # The table that a user edits must stay the same while they do, or it loses what they edited before.
    if key not in st.session_state:
        st.session_state["labels-before"] = read_decisions(path, report.issues)
    issues, before = st.session_state["labels-before"]

    def keep_edits() -> None:
        edits = st.session_state[key]["edited_rows"]
        write_fixes(path, issues, apply_edits(before, edits))

    def set_all(action: str) -> None:
        write_fixes(path, issues, [action] * len(issues))
        st.session_state["labels-version"] += 1

    table = pd.DataFrame(
        {
            "image": [issue.path for issue in issues],
            "given": [data.label(issue.given) for issue in issues],
            "suggested": [data.label(issue.suggested) for issue in issues],
            "sure of given": [100 * issue.score for issue in issues],
            "action": before,
        }
    )
    st.data_editor(
        table,
        key=key,
        hide_index=True,
        height=min(420, 38 + 35 * len(table)),
        disabled=["image", "given", "suggested", "sure of given"],
        column_config={
            "sure of given": st.column_config.NumberColumn(format="%.1f %%"),
            "action": st.column_config.SelectboxColumn(options=list(ACTIONS), required=True),
        },
        on_change=guard_callback(keep_edits),
    )
    if earlier := len(issues) - len(report.issues):
        st.caption(f"The last {earlier:,} were marked in an earlier report; this one does not list them.")
    kept, actions = read_decisions(path, report.issues)
    with st.container(horizontal=True, vertical_alignment="center"):
        if report.accuracy >= SURE_ACCURACY:
            with st.popover("Set all", icon=":material/checklist:"):
                st.caption(
                    f"Marks {format_count(len(issues), 'label')} at once. You can change single ones afterwards."
                )
                for action in ACTIONS:
                    st.button(
                        f"Set all to {action}",
                        key=f"labels-all-{action}",
                        on_click=guard_callback(set_all),
                        args=(action,),
                    )
        st.download_button(
            "Save the fix list",
            fixes_text(kept, actions),
            file_name=f"{run.id}-label-fixes-{split}.csv",
            mime="text/csv",
            icon=":material/download:",
            key="labels-save",
            help=f"CSV: {', '.join(HEAD)}. Paths are relative to the data folder.",
        )
    draw_training(run, split, actions)


def draw_training(run: Run, split: str, actions: Sequence[str]) -> None:
    """Offer to train the run once more with the labels corrected, or say why that cannot be."""
    marked = len(actions) > actions.count(ACTIONS[0])
    reason = ""
    if split == "val":
        reason = (
            "A training never changes validation labels, so that runs are judged on the same images and labels. Choose "
            "**Training** above to correct what a run learns from."
        )
    elif not marked:
        reason = "Choose *relabel* or *drop* for a label above to train without it."
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button(
            "Train without these errors",
            type="primary",
            icon=":material/model_training:",
            key="labels-train",
            disabled=bool(reason),
        ):
            forms.fill_fixed(run, prepare_fixes(run.folder))
            st.switch_page(st.session_state["pages"]["train"])
        st.caption(
            reason
            or "Fills the form with this run's settings and its fix list "
            f"({format_count(len(list_corrections(run.folder)), 'label')} to correct). Afterwards Compare shows the two side by side, on the same validation images."
        )


def apply_edits(actions: list[str], edits: dict[int, dict[str, str]]) -> list[str]:
    """Return the actions with a table's edits, which are given by row and column, applied."""
    return [edits.get(row, {}).get("action", action) for row, action in enumerate(actions)]


def fixes_text(issues: Sequence[LabelIssue], actions: Sequence[str]) -> str:
    """Return the fix list as CSV."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([HEAD, *list_fixes(issues, actions)])
    return text.getvalue()


def draw_classes(report: LabelReport, data: RunData) -> None:
    """Tell pairs of classes that overlap from classes that are weak for another reason."""
    with st.container(key="wide-label-classes"):
        left, right = st.columns(2, gap="large")
    with left:
        st.markdown("**Classes that overlap**")
        st.caption(
            "Taken for each other both ways, and for little else: the labels mix them, or these images do not show "
            "the difference. More training does not help; clearer labels, merging, or larger images can."
        )
        for pair in report.overlaps:
            one, other = escape_markdown(data.label(pair.one)), escape_markdown(data.label(pair.other))
            share = format_accuracy(pair.crossed / pair.count, pair.low, pair.high)
            st.markdown(
                f"- **{one}** and **{other}**: {pair.crossed} of {format_count(pair.count, 'image')} cross over, {share}; "
                f"about {pair.mislabelled} of them by a wrong label"
            )
        if not report.overlaps:
            st.markdown("None.")
    with right:
        st.markdown("**Classes that are weak for another reason**")
        st.caption(
            "Recognised worse than the rest, and taken for many things or one way only: they need more or better "
            "images. Intervals are 95 %, by Wilson's formula."
        )
        for found in report.weak:
            share = format_accuracy(found.right / found.count, found.low, found.high)
            name = escape_markdown(data.label(found.name))
            st.markdown(f"- **{name}**: {found.right} of {format_count(found.count, 'image')} right, {share}")
        if not report.weak:
            st.markdown("None.")
