"""The part of the Data page about labels: those probably wrong, to be marked, and classes that overlap."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pandas as pd
import streamlit as st

from core.confidence.apart import tell_asked_again
from core.dataset.label_report import (
    LEAST_ACCURACY,
    LIKELIEST,
    SURE_ACCURACY,
    LabelReport,
    most_listed,
    report_path,
)
from core.errors import UserError
from core.people.acting import TRAIN
from core.runs import jobs
from core.runs.imported import lacks_model
from core.runs.run import Run
from core.runs.tasks import launch_task, read_task
from core.stored.status import ACTIVE
from dashboard.access.lock import lock
from dashboard.components.gallery import PAGE, Tile, draw_pager
from dashboard.components.marking import Item, Step
from dashboard.components.task_panel import draw_end, draw_running
from dashboard.explorer import marking, opened
from dashboard.guard import guard, guard_callback
from dashboard.panels import forms
from dashboard.state import address, services
from dashboard.state.services import RunData
from dashboard.state.status_words import describe_early_end
from dashboard.terms import explain
from dashboard.text import escape_markdown, format_accuracy, format_count, format_share

SPLITS = {"val": "Validation", "train": "Training"}


def draw_labels(run: Run | None) -> None:
    """Draw the part of the page; `run` is the one whose data is looked at, None where there is none."""
    st.header("Labels that are probably wrong")
    if run is None:
        st.info(
            "A trained model can tell which labels it doubts. No run is known to be of these images.",
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
            escape_markdown(str(services.lack_model(run)))
            + (" Its Live page says why." if describe_early_end(jobs.live_status(run)) else ""),
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
        if split == "val" and (told := tell_asked_again(run, report.right, report.count)):
            st.caption(told)
        draw_issues(run, report)
        draw_classes(report, services.read_data(run))


def explain_split(run: Run, split: str) -> str:
    """Return where the answers come from, and what that means."""
    if split == "val":
        return "The run's best model predicts the validation images, which it was not trained on."
    from core.model.out_of_sample import read_out_of_fold

    about = read_out_of_fold(run)
    if about is None and run.read_config().fold:
        return "Each training image is judged by the network of the fold that left it out. All folds have to have finished."
    if about is None:
        return (
            "A model that has seen an image knows its label, right or wrong. So each training image is judged by a model that was "
            "fitted without it, on features of a network that has not seen it. This takes minutes, and Confusion and Weak classes "
            "can show the same answers."
        )
    return f"Judged out of fold: {escape_markdown(about.describe(services.read_data(run).label))}"


def draw_search(run: Run, split: str) -> LabelReport | None:
    """Draw the search's button, progress or end, and return what the last one found."""
    folder = task_folder(run, split)
    status = read_task(folder)
    report = None
    try:
        report = services.read_label_report(report_path(run.folder, split))
    except UserError as error:
        st.warning(escape_markdown(str(error)), icon=":material/broken_image:")
    if report is not None and split == "train" and not report.out_of_fold:
        st.info(
            "An earlier version used a model that had seen these images. Its findings are left out. Search again.",
            icon=":material/update:",
        )
        report = None
    if status.state in ACTIVE:
        draw_running(folder, "images" if split == "val" else "", key="labels")
        return report
    draw_end(status)
    if report is not None and split == "val" and report.model != run.read_status().best_epoch:
        st.warning(
            f"This was found by the model of epoch {report.model}, which is no longer the best. Look again.",
            icon=":material/update:",
        )
    config = run.read_config()
    if split == "train" and config.weights == "none" and not config.fold:
        draw_no_judge(run)
        return report
    st.button(
        "Look again" if report else "Look for wrong labels",
        type="secondary" if report else "primary",
        icon=":material/rule:",
        key="labels-search",
        on_click=guard_callback(launch_task),
        args=(folder, "label-issues"),
        kwargs={"run": run.id, "split": split},
        **lock(TRAIN),
    )
    return report


def draw_no_judge(run: Run) -> None:
    """Say that a run from scratch has no network that has not seen its training images, and offer one that has."""
    st.info(
        f"{escape_markdown(run.id)} was trained from scratch: there is no network that has not seen its training images. A run "
        "from published weights has one, and takes minutes.",
        icon=":material/block:",
    )
    if st.button("Set up such a run", icon=":material/bolt:", key="labels-quick"):
        forms.fill_judge(run)
        st.switch_page(st.session_state["pages"]["train"])


def task_folder(run: Run, split: str) -> Path:
    """Return where the search of a split is watched; training images are judged for other pages by the same task."""
    return run.folder / (".judge" if split == "train" else f".label-issues-{split}")


def draw_issues(run: Run, report: LabelReport) -> None:
    """Show the doubtful labels with their images, to be marked."""
    if report.accuracy < LEAST_ACCURACY:
        st.info(escape_markdown(report.describe()), icon=":material/block:")
    elif report.issues:
        draw_doubtful(run, report, services.read_data(run))
    else:
        st.success(
            f"No label is doubtful: confident learning agrees with all {report.count:,}.",
            icon=":material/check_circle:",
        )


def draw_doubtful(run: Run, report: LabelReport, data: RunData) -> None:
    """Show the images whose labels are doubtful, a page at a time."""
    found, count = len(report.issues), report.count
    sure = report.accuracy >= SURE_ACCURACY
    st.markdown(
        f"**{found:,} of {format_count(count, 'label')}** ({format_share(found / count)}) {'is' if found == 1 else 'are'} "
        f"{'probably wrong' if sure else 'worth a look'}, the likeliest first. Look before you mark one: the model can be wrong too."
    )
    if not sure:
        st.caption(
            f"The model gets {format_share(report.accuracy)} of these images right. One below {format_share(SURE_ACCURACY)} doubts more right "
            f"labels than wrong ones, so no more than {format_count(most_listed(count), 'label')} can be listed, the likeliest "
            f"({format_share(LIKELIEST)} of {count:,}, rounded up), and you cannot mark all of them at once."
        )
    page = draw_pager(found, PAGE, key="labels-page", param="issue_page")
    shelf = shelve_issues(report, data)
    marking.draw_marking(
        run, data, shelf, key=f"labels-{report.split}", page=page, label="images with doubtful labels",
        opener=opened.open_from("labels"),
    )  # fmt: skip
    opened.draw_opened(run, data, shelf, "labels")
    if sure:
        draw_bulk(run, report, data, shelf)


def shelve_issues(report: LabelReport, data: RunData) -> marking.Shelf:
    """Return the images with doubtful labels: likeliest is the class suggested, then the one given."""

    def make(number: int, side: int) -> Item:
        issue = report.issues[number]
        given, suggested = data.label(issue.given), data.label(issue.suggested)
        lines = (
            f"{format_share(issue.score)} sure of {given}, {format_share(issue.confidence)} of {suggested}",
            issue.path,
        )
        picture = services.thumbnail(data.root / issue.path, side) if side else None
        tile = Tile(picture, f"{given} → {suggested}?", lines, alt=issue.path)
        guesses = (issue.suggested, issue.given)
        return Item(tile, issue.path, issue.given, guesses, issue.suggested, issue.confidence)

    return marking.Shelf([issue.path for issue in report.issues], make)


def draw_bulk(run: Run, report: LabelReport, data: RunData, shelf: marking.Shelf) -> None:
    """Offer to mark all doubtful labels that are not marked yet as the model suggests, after showing what that would do."""
    known = services.read_marks(run, data).marks
    left = [issue for issue in report.issues if issue.path not in known]
    if not left:
        return

    def mark_all(action: str) -> None:
        named: dict[str, list[str]] = {}
        for issue in left:
            named.setdefault(issue.suggested if action == "relabel" else "", []).append(issue.path)
        steps = [Step(tuple(paths), action, to) for to, paths in named.items()]
        marking.keep_together(run, data, shelf, steps)

    def ask() -> None:
        pairs = Counter((issue.given, issue.suggested) for issue in left)
        st.markdown(
            f"**{format_count(len(left), 'label')} of {format_count(len(pairs), 'kind')} would change** in your marks, none on "
            "disk. You can take it back with Undo, and mark single images differently afterwards."
        )
        st.dataframe(
            pd.DataFrame(
                [
                    (data.label(given), data.label(suggested), count)
                    for (given, suggested), count in pairs.most_common()
                ],
                columns=["label now", "suggested", "images"],
            ),
            hide_index=True,
            height=min(360, 38 + 35 * len(pairs)),
        )
        with st.container(horizontal=True):
            for action, words in (
                ("relabel", "Relabel all as suggested"),
                ("drop", "Leave all out of training"),
            ):
                if st.button(
                    words,
                    key=f"labels-all-{action}",
                    on_click=guard_callback(mark_all),
                    args=(action,),
                    **lock(TRAIN),
                ):
                    st.rerun()

    if st.button(
        f"Mark the {format_count(len(left), 'label')} left …", icon=":material/checklist:", key="labels-bulk"
    ):
        st.dialog("Mark all doubtful labels", width="large")(guard(ask))()


def draw_classes(report: LabelReport, data: RunData) -> None:
    """Tell pairs of classes that overlap from other classes of low recall."""
    with st.container(key="wide-label-classes"):
        left, right = st.columns(2, gap="large")
    with left:
        st.markdown("**Classes that overlap**")
        st.caption(
            "These classes are confused in both directions, and with little else. Either the labels mix them, or the images do not show the difference. More training will not help; clearer labels, merging the classes, or larger images can."
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
        st.markdown("**Other classes of low recall**")
        st.caption(
            "Even the upper end of their interval is below the accuracy of all images. They are confused with many classes, or in one direction only. "
            "Luck alone puts some classes here: Weak classes says how many. Those that are truly weak need more or better images. "
            "Intervals are 95 %, by Wilson's formula.",
            help=explain("Wilson"),
        )
        for found in report.weak:
            share = format_accuracy(found.right / found.count, found.low, found.high)
            name = escape_markdown(data.label(found.name))
            st.markdown(f"- **{name}**: {found.right} of {format_count(found.count, 'image')} right, {share}")
        if not report.weak:
            st.markdown("None.")
