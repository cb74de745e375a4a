"""Compare: the curves of two or more runs over each other, their results, tests, and the settings that differ."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import get_args

import pandas as pd
import streamlit as st

from core.errors import UserError
from core.overview.facts import read_recipe
from core.recipe.config import TrainConfig
from core.recipe.settings import find_differing, format_setting, label_of
from core.runs import jobs
from core.runs.imported import describe_origin
from core.runs.run import Run, default_root
from core.runs.seen import name_unknowns
from core.verdicts.comparison import compare_groups, group_seeds, match_groups
from core.verdicts.judged_on import JudgedOn, choose_common, describe_images, list_common
from core.words import tell_names_apart
from dashboard.charts.compare_charts import COLUMN_TITLES, Axis, EpochColumn, compare_curves, seed_accuracies
from dashboard.components.plot import plot
from dashboard.guard import guard_callback
from dashboard.panels.report_panel import draw_report_button, draw_report_panel
from dashboard.panels.results import draw_results
from dashboard.panels.specialise import draw_changes
from dashboard.state import address, services
from dashboard.state.offered import offer_runs
from dashboard.state.status_words import describe_early_end, find_initial
from dashboard.terms import explain
from dashboard.text import escape_markdown, format_count

MARKED = {"drop": "left out", "relabel": "relabelled"}  # of marks: what it says of a label that is wrong
_LETTERS = 34  # of a run's name that its chip shows on a phone


def render() -> None:
    """Draw the page."""
    st.title("Compare")
    asked = list_asked()
    offered = offer_runs(keep=asked)
    runs = {run.id: run for run in offered.runs}
    if len(runs) < 2:
        there = (
            "There is only one run so far, and comparing needs two. Start another with one setting changed."
            if runs
            else "There are no runs so far, and comparing needs two. Start one, and then another with one setting changed."
        )
        st.info(there, icon=":material/info:")
        st.page_link(
            st.session_state["pages"]["train"], label="Go to Train", icon=":material/model_training:"
        )
        return
    chosen = [runs[name] for name in draw_choice(runs, offered.note)]
    if len(chosen) < 2:
        st.info("Choose two or more runs above.", icon=":material/compare_arrows:")
        return
    draw_curves(chosen)
    draw_results(chosen)
    configs = read_configs(chosen)
    told = draw_tests(chosen, configs)
    draw_change(chosen, configs, told)
    draw_settings(configs)
    draw_report(chosen)


def draw_choice(runs: dict[str, Run], note: str) -> list[str]:
    """Let the user choose runs, which are given newest first; the URL keeps them as `runs`.

    Where it names none, or one alone as `run`, `pick_two` chooses. `note` says which are left out.
    """
    ids = list(runs)
    asked = [name for name in list_asked() if name in ids]
    if not asked or (len(asked) == 1 and not address.get_param("runs")):
        asked = pick_two([runs[name] for name in asked], list(runs.values()))
    st.session_state["compare-runs"] = asked
    return st.multiselect(
        "Runs",
        ids,
        format_func=dict(zip(ids, tell_names_apart(ids, _LETTERS), strict=True)).__getitem__,
        key="compare-runs",
        help=f"{note} Tick older ones there to compare them." if note else None,
        on_change=guard_callback(
            lambda: address.set_params(runs=",".join(st.session_state["compare-runs"]), run=address.ANY)
        ),
    )


def pick_two(asked: list[Run], runs: list[Run]) -> list[str]:
    """Return the newest two runs that have results on the same images, or the newest beside the one that is asked for.

    Where there are none such, those with results come first.
    """
    judged = [run for run in runs if jobs.live_status(run).has_best and run not in asked]
    newer: dict[tuple[str, int], list[Run]] = {}  # by what tells most other images without reading tables
    for run in [*asked, *judged]:
        alike = newer.setdefault((read_recipe(run).data, jobs.live_status(run).val_count), [])
        for other in asked or alike:
            if other in alike and have_same_images(other, run):
                return [other.id, run.id]
        alike.append(run)
    return list(dict.fromkeys(run.id for run in [*asked, *judged, *runs]))[:2]


def have_same_images(*runs: Run) -> bool:
    """Tell whether runs were judged on the same images."""
    return bool(list_common([partial(services.read_predictions, run) for run in runs]))


def list_asked() -> list[str]:
    """Return the names of the runs that the URL asks for, one after the other; of one alone as `run`."""
    return (address.get_param("runs") or address.get_param("run")).split(",")


def draw_curves(runs: list[Run]) -> None:
    """Draw one value of all runs over each other, smoothed as the user likes; nothing where none was trained here."""
    runs = [run for run in runs if not describe_origin(run)]
    if not runs:
        return
    quantities: dict[EpochColumn, str] = COLUMN_TITLES
    with st.container(horizontal=True, gap="medium", vertical_alignment="bottom"):
        quantity: EpochColumn = st.selectbox(  # four buttons side by side are cut on a phone
            "Curve", list(get_args(EpochColumn)), index=list(get_args(EpochColumn)).index("val_acc"),
            format_func=quantities.__getitem__, key="compare-quantity", width=230,
        )  # fmt: skip
        by = st.segmented_control(
            "By", list(get_args(Axis)), default="epoch", required=True, key="compare-by",
            help="By step and by time, training is drawn step by step. Time is what training and validation took.",
        )  # fmt: skip
        with st.container(width=190):
            smoothing = st.slider(
                "Smoothing", 0.0, 0.99, 0.0, 0.01, key="compare-smoothing",
                help="Exponential moving average: how much of the earlier points each one keeps. The measured values stay faintly visible.",
            )  # fmt: skip
    figure = compare_curves(
        {run.id: services.read_metrics(run) for run in runs},
        quantity=quantity,
        by=by or "epoch",
        smoothing=smoothing,
        initial={
            run.id: initial for run in runs if (initial := find_initial(jobs.live_status(run))) is not None
        },
    )
    plot(figure, key="compare-curves")


def read_configs(runs: list[Run]) -> dict[str, TrainConfig]:
    """Return the configs of the runs that were trained here, by id; one that cannot be read is left out and told."""
    configs = {}
    for run in runs:
        if describe_origin(run):
            continue
        try:
            configs[run.id] = run.read_config()
        except UserError as error:
            st.warning(escape_markdown(str(error)), icon=":material/warning:")
    return configs


def draw_tests(runs: list[Run], configs: dict[str, TrainConfig]) -> JudgedOn | None:
    """Say for each pair whether one is better on the same images, as far as seeds and images can tell.

    Return on which images two runs were held against each other, None where it is another comparison than one of two runs.
    """
    finished = {run.id for run in runs if jobs.live_status(run).state == "finished"}
    failed = {run.id for run in runs if describe_early_end(jobs.live_status(run))}
    trained = {name: config for name, config in configs.items() if name not in failed}
    members, notes = group_seeds(trained, finished)
    members |= {run.id: [run.id] for run in runs if run.id not in trained}
    compared = {name for names in members.values() for name in names}
    judged = [run for run in runs if run.id in compared and run.predictions_path().exists()]
    reads = [partial(services.read_predictions, run) for run in judged]
    judged_on = choose_common(reads)
    groups = read_groups(runs, members, judged_on)
    st.header("Is one better?")
    draw_seeds(groups, judged_on)
    verdicts, how = compare_groups(groups, escape_markdown)
    st.markdown("\n".join(f"- {line}" for line in (*verdicts, *map(escape_markdown, notes))))
    if len(reads) > 1:
        doubts = {escape_markdown(run): escape_markdown(name) for run, name in name_unknowns(judged).items()}
        imported = sum(bool(describe_origin(run)) for run in judged)
        said = describe_images(judged_on, runs=len(reads), unknown=doubts, imported=imported)
        st.caption(f"{said} {how}", help=explain(how, *verdicts))
        draw_without_marked(judged[0], groups)
    of_two = len(runs) == len(judged) == len(groups) == 2
    return judged_on if of_two else None


def draw_without_marked(run: Run, groups: dict[str, list[pd.DataFrame] | str]) -> None:
    """Say it once more without the images marked to be left out or relabelled: no run can be right on those but by chance."""
    try:
        known = services.read_marks(run, services.read_data(run)).marks.values()
    except UserError as error:
        st.warning(escape_markdown(str(error)), icon=":material/warning:")
        return
    wrong = {mark.path: mark.action for mark in known if mark.action in MARKED}
    tables = [table for found in groups.values() if not isinstance(found, str) for table in found]
    shared = set(wrong).intersection(*[table["path"] for table in tables]) if tables else set()
    if not shared:
        return
    actions = {wrong[path] for path in shared}
    marked = " or ".join(words for action, words in MARKED.items() if action in actions)
    left = {
        name: found if isinstance(found, str) else [table[~table["path"].isin(shared)] for table in found]
        for name, found in groups.items()
    }
    st.markdown(
        f"**Without the {format_count(len(shared), 'image')} that you marked to be {marked}:**\n\n"
        + "\n".join(f"- {line}" for line in compare_groups(left, escape_markdown)[0])
    )


def read_groups(
    runs: list[Run], groups: dict[str, list[str]], judged_on: JudgedOn
) -> dict[str, list[pd.DataFrame] | str]:
    """Return the predictions of groups of runs, named by their ids, or why there are none."""
    by_id = {run.id: run for run in runs}
    found: dict[str, list[pd.DataFrame] | str] = {}
    for name, members in groups.items():
        try:
            found[name] = [services.read_predictions(by_id[member], judged_on) for member in members]
        except UserError as error:
            ended = any(describe_early_end(jobs.live_status(by_id[member])) for member in members)
            found[name] = f"{error} Its Live page says why." if ended else str(error)
    return found


def draw_seeds(groups: dict[str, list[pd.DataFrame] | str], judged_on: JudgedOn) -> None:
    """Show the mean and the spread of runs that differ in their seed alone, beside other runs of the same images."""
    for number, sets in enumerate(match_groups(groups)[0]):
        several = {name: found for name, found in sets.items() if len(found.right) > 1}
        if several:
            plot(seed_accuracies(sets, judged_on), key=f"compare-seeds-{number}")
            st.markdown(
                "\n".join(f"- {escape_markdown(name)}: {found.describe()}" for name, found in several.items())
            )


def draw_change(runs: list[Run], configs: dict[str, TrainConfig], told: JudgedOn | None) -> None:
    """Draw what changed class by class from one run to another: the two there are, or two to choose.

    A specialised run comes after others, also after its control, which is trained later. `told` are the images on which
    the verdict on the two there are stands on the page already.
    """

    def rank(run: Run) -> tuple[bool, float]:
        config = configs.get(run.id)
        return config is not None and bool(config.focus), jobs.live_status(run).created

    ordered = sorted(runs, key=rank)
    first, second = ordered[0], ordered[-1]
    if len(ordered) > 2:
        by_id = {run.id: run for run in ordered}
        with st.container(horizontal=True, gap="medium"):
            for label, key, run in (("Changes from", "compare-from", first), ("to", "compare-to", second)):
                if st.session_state.get(key) not in by_id:
                    st.session_state[key] = run.id
                with st.container(width=320):
                    st.selectbox(label, list(by_id), key=key)
        first, second = by_id[st.session_state["compare-from"]], by_id[st.session_state["compare-to"]]
    if first.id != second.id:
        draw_changes(first, second, told)


def draw_settings(configs: dict[str, TrainConfig]) -> None:
    """Draw a table of the settings in which the runs differ."""
    if len(configs) < 2:
        return
    differing = find_differing(configs.values())
    st.header("Settings that differ")
    if not differing:
        judged = sum(jobs.live_status(Run(default_root() / name)).has_best for name in configs)
        chance = " Differences between them come from chance or from the data." if judged > 1 else ""
        st.info(f"None. These runs have the same settings.{chance}", icon=":material/info:")
        return
    labels = {name: find_label(Run(default_root() / name)) for name in configs}
    table = {
        label_of(field): {
            name: format_setting(config, field, labels[name]) for name, config in configs.items()
        }
        for field in differing
    }
    head = (
        "the setting" if "setting" in configs else "setting"
    )  # a run may be called so too, and never with a space
    st.dataframe(
        pd.DataFrame(table).T.rename_axis(head).reset_index(),
        hide_index=True,
        alt="Settings that differ",
    )


def find_label(run: Run) -> Callable[[str], str]:
    """Return what says how a class of a run's data is shown: as its folder until the run has read its data."""
    try:
        return services.read_data(run).label
    except UserError:
        return str


def draw_report(runs: list[Run]) -> None:
    """Offer the comparison as a part of a report."""
    st.header("Report")
    if imported := [escape_markdown(run.id) for run in runs if describe_origin(run)]:
        st.caption(
            f"A report compares how runs were trained, and that is not known of {', '.join(imported)}. Leave out what was imported."
        )
        return
    others = ", ".join(escape_markdown(run.id) for run in runs[1:])
    st.caption(f"On {escape_markdown(runs[0].id)}, the first of the runs chosen, compared with {others}.")
    draw_report_button(runs)
    draw_report_panel(runs)
