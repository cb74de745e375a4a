"""Data: is it the data? What a scan finds in the images, each finding with its images, and labels probably wrong."""

from __future__ import annotations

import csv
import io
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from core.dataset.audit import GONE, Audit, AuditedImage, audit_folder
from core.dataset.export import defuse
from core.dataset.findings import Finding
from core.errors import UserError
from core.people.acting import TRAIN
from core.people.roots import allow_path
from core.recipe.config import TrainConfig
from core.runs.run import Run, default_root
from core.runs.tasks import launch_task, read_task
from core.stored.status import ACTIVE
from dashboard.access.lock import lock
from dashboard.builtin import builtin_folder, wanted_data
from dashboard.charts import data_charts
from dashboard.components.gallery import PAGE, Card, Tile, draw_pager, show_cards, show_tiles
from dashboard.components.marking import Item
from dashboard.components.plot import plot
from dashboard.components.task_panel import draw_end, draw_running
from dashboard.explorer import marking, opened
from dashboard.explorer.marked import draw_marked
from dashboard.guard import guard_callback
from dashboard.launch import arrivals_panel, shards_panel
from dashboard.launch.leak_remedy import draw_remedy
from dashboard.panels import forms
from dashboard.panels.label_section import draw_labels
from dashboard.state import address, services
from dashboard.text import escape_markdown, format_class, format_count, format_duration

GROUPS_PER_PAGE = 12
COPIES_SHOWN = 4  # of a group
PLACES_SHOWN = 6  # splits and classes of a group that are named
SPLIT_WORDS = {
    "train": "training",
    "val": "validation",
    "held": "held back",
    "test": "test",
    "": "not taken",
    GONE: "gone",
}
ICONS = {
    "serious": ":red[:material/error:]",
    "warning": ":orange[:material/warning:]",
    "note": ":blue[:material/info:]",
}


@dataclass(frozen=True)
class ShownData:
    """The data the page is about; `run` is the one selected if this is its data, and the split is then its own."""

    root: Path
    run: Run | None
    val_fraction: float = TrainConfig.val_fraction
    hold_back: int = TrainConfig.hold_back
    group_by: str = TrainConfig.group_by

    @property
    def folder(self) -> Path:
        """Return where the audit of this data is kept."""
        return audit_folder(
            self.root,
            default_root(),
            val_fraction=self.val_fraction,
            hold_back=self.hold_back,
            group_by=self.group_by,
        )


def render() -> None:
    """Draw the page."""
    st.title("Data")
    arrivals_panel.take_over(show_folder, "data")
    source = choose_source()
    if not source.root.is_dir():
        st.warning(
            f"{escape_markdown(str(source.root))}: there is no such folder. Give the one that holds "
            "train/\\<class\\>/\\*.",
            icon=":material/folder_off:",
        )
        return
    if shards_panel.draw_in_place(str(source.root), "data"):
        return
    audit = draw_scan(source)
    if audit is not None:
        draw_remedy(audit, source.folder, source.run, source.group_by)
        draw_counts(audit)
        draw_findings(audit, source.run)
    draw_labels(source.run)
    if source.run is not None and (source.run.folder / "data.json").exists():
        draw_marked(source.run, forms.fill_fixed)


def show_folder(folder: str) -> None:
    """Put a folder into the address, for the page to be about."""
    address.set_params(folder=folder, finding=address.ANY, page=address.ANY)


def choose_source() -> ShownData:
    """Offer the folder to look at: that of the run selected unless the URL names another."""
    run = address.selected_run()
    config = None
    if run is not None:
        try:
            config = run.read_config()
        except UserError:
            st.info(
                f"The settings of {escape_markdown(run.id)} cannot be read, so it is not known which images are its own.",
                icon=":material/info:",
            )
            run = None
    own = config.data if config is not None else wanted_data() or str(builtin_folder("digits"))
    asked = address.get_param("folder") or own
    st.session_state["data-folder"] = asked

    def apply_folder() -> None:
        chosen = str(st.session_state["data-folder"]).strip()
        show_folder(address.ANY if chosen == own else chosen)

    st.text_input("Folder of images", key="data-folder", on_change=guard_callback(apply_folder))
    if asked != own:
        if run is not None:
            st.button(
                f"Back to the data of {escape_markdown(run.id)}",
                key="data-back",
                icon=":material/undo:",
                on_click=guard_callback(address.set_params),
                kwargs={"folder": address.ANY, "finding": address.ANY, "page": address.ANY},
            )
        return ShownData(allow_path(asked), None)
    if run is None or config is None:
        return ShownData(allow_path(own), None)
    st.caption(f"The data of {escape_markdown(run.id)}.")
    return ShownData(allow_path(own), run, config.val_fraction, config.hold_back, config.group_by)


def draw_scan(source: ShownData) -> Audit | None:
    """Draw the scan's button, progress or end, and return what the last one found."""
    folder = source.folder
    status = read_task(folder)
    audit = None
    try:
        audit = (
            services.read_audit(folder) if source.run is None else services.read_run_audit(folder, source.run)
        )
    except UserError as error:
        st.warning(escape_markdown(str(error)), icon=":material/broken_image:")
    if status.state in ACTIVE:
        draw_running(folder, "files", key="data-scan")
        return audit
    draw_end(status)
    if audit is None and status.state in ("", "finished"):
        st.info(
            "Not scanned yet. A scan reads every image once and finds copies, leaks between the splits, conflicting "
            "labels and unusable files. 25,000 photos take a few minutes; it continues when you leave this page.",
            icon=":material/image_search:",
        )
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Go on" if status.state == "stopped" else "Scan again" if audit else "Scan the images",
            type="secondary" if audit else "primary",
            icon=":material/image_search:",
            key="data-scan",
            on_click=guard_callback(start_scan),
            args=(source,),
            **lock(TRAIN, help="Only new and changed files are read." if audit else None),
        )
        if audit is not None:
            st.caption(describe_audit(audit))
    return audit


def start_scan(source: ShownData) -> None:
    """Start the scan as a process of its own."""
    launch_task(
        source.folder,
        "audit",
        data=str(source.root.resolve()),
        val_fraction=source.val_fraction,
        hold_back=source.hold_back,
        group_by=source.group_by,
    )


def describe_audit(audit: Audit) -> str:
    """Return when the scan was and what lies in the folder."""
    counts = ", ".join(f"{audit.count_split(split):,} {SPLIT_WORDS[split]}" for split in audit.splits)
    made = " Validation is split off training." if audit.val_made else ""
    ago = format_duration(max(0.0, time.time() - audit.created))
    return f"Scanned {ago} ago: {len(audit.classes):,} classes · files: {counts}.{made}"


def draw_counts(audit: Audit) -> None:
    """Draw the images a class and their sizes."""
    with st.container(key="wide-data-charts"):
        left, right = st.columns(2, gap="large")
    counts = audit.count_images()
    shown = {
        split: {format_class(name, audit.display): count for name, count in found.items()}
        for split, found in counts.items()
    }
    with left:
        plot(data_charts.class_counts(shown), key="data-classes")
        st.caption(describe_balance(counts["train"], audit.display))
    sizes = [(image.width, image.height) for image in audit.images if image.width]
    if sizes:
        with right:
            plot(data_charts.image_sizes(sizes), key="data-sizes")
            st.caption(describe_sizes(sizes))


def describe_balance(train: dict[str, int], display: dict[str, str]) -> str:
    """Return how even the classes are in training."""
    filled = {name: count for name, count in train.items() if count}
    if not filled:
        return "Training has no images."
    none = len(train) - len(filled)
    rest = f" {format_count(none, 'class', 'has')} none." if none else ""
    least, most = min(filled, key=filled.__getitem__), max(filled, key=filled.__getitem__)
    if filled[least] == filled[most]:
        every = "Every other class" if none else "Every class"
        return f"{every} has {format_count(filled[most], 'training image')}.{rest}"
    names = [escape_markdown(format_class(name, display)) for name in (least, most)]
    return (
        f"From {format_count(filled[least], 'training image')} ({names[0]}) to {filled[most]:,} ({names[1]}): "
        f"{filled[most] / filled[least]:.1f} times as many.{rest}"
    )


def describe_sizes(sizes: list[tuple[int, int]]) -> str:
    """Return the commonest size, the smallest and the largest in words."""
    found = Counter(sizes)
    (width, height), count = found.most_common(1)[0]
    if len(found) == 1:
        return f"All {count:,} images are {width} × {height} px."
    small, large = (pick(sizes, key=lambda size: size[0] * size[1]) for pick in (min, max))
    return (
        f"{len(found):,} sizes, from {small[0]} × {small[1]} to {large[0]} × {large[1]} px; "
        f"the most common is {width} × {height} px ({format_count(count, 'image')})."
    )


def draw_findings(audit: Audit, run: Run | None) -> None:
    """List what was found, the gravest first; each is a button that opens its images."""
    st.header("Findings")
    if not audit.findings:
        st.success(f"No problems were found in {len(audit.images):,} files.", icon=":material/check_circle:")
        return
    by_kind = {finding.kind: finding for finding in audit.findings}
    chosen = by_kind.get(address.get_param("finding", list(by_kind)))
    with st.container(gap=None):
        for finding in audit.findings:
            st.button(
                f"{ICONS[finding.severity]} {finding.title}",
                key=f"finding-{finding.kind}",
                type="secondary" if finding == chosen else "tertiary",
                on_click=guard_callback(address.set_params),
                kwargs={"finding": finding.kind, "page": address.ANY},
            )
    if chosen is None:
        st.caption("Choose one to see its images.")
        return
    draw_finding(audit, chosen, run)


def draw_finding(audit: Audit, finding: Finding, run: Run | None) -> None:
    """Show one finding: what it means, its images, and the list of them to save."""
    st.markdown(f"### {finding.title}")
    st.markdown(finding.advice)
    if finding.classes:
        named = [escape_markdown(format_class(name, audit.display)) for name in finding.classes]
        more = f" and {len(named) - 20:,} more" if len(named) > 20 else ""
        st.markdown(f"**{', '.join(named[:20])}**{more}")
    if not finding.groups:
        return
    images = {image.path: image for image in audit.images}
    if finding.classes or all(len(group) == 1 for group in finding.groups):
        paths = [path for group in finding.groups for path in group]
        page = draw_pager(len(paths), PAGE, key="data-page")
        known = run is not None and (run.folder / "data.json").exists()
        if run is not None and known and finding.kind != GONE and all(images[path].label for path in paths):
            draw_openable(run, audit, [images[path] for path in paths], page, finding.title)
        else:
            shown = [images[path] for path in paths[page * PAGE : (page + 1) * PAGE]]
            show_tiles([draw_tile(audit, image) for image in shown], label=finding.title)
    else:
        page = draw_pager(len(finding.groups), GROUPS_PER_PAGE, key="data-page", unit="groups")
        groups = finding.groups[page * GROUPS_PER_PAGE : (page + 1) * GROUPS_PER_PAGE]
        cards = [draw_card(audit, [images[path] for path in group]) for group in groups]
        show_cards(cards, side=270, label=finding.title)
    st.download_button(
        "Save the list",
        list_paths(finding, images),
        file_name=f"{audit.root.name}-{finding.kind}.csv",
        mime="text/csv",
        icon=":material/download:",
        key="data-save",
        help="CSV: group, path, split, class.",
    )


def draw_openable(run: Run, audit: Audit, images: list[AuditedImage], page: int, title: str) -> None:
    """Show a page of images that can be marked and opened, as those of a run's own data can."""
    data = services.read_data(run)
    shelf = marking.Shelf(
        [image.path for image in images],
        lambda number, _: Item(draw_tile(audit, images[number]), images[number].path, images[number].label),
    )
    marking.draw_marking(
        run, data, shelf, key="data-finding", page=page, label=title, opener=opened.open_from("finding")
    )
    opened.draw_opened(run, data, shelf, "finding")


def draw_tile(audit: Audit, image: AuditedImage) -> Tile:
    """Return an image with its class, split, size and place."""
    size = f", {image.width} × {image.height} px" if image.width else ""
    return Tile(
        services.thumbnail(audit.root / image.path),
        format_class(image.label, audit.display) if image.label else "no label",
        (f"{SPLIT_WORDS[image.split]}{size}", image.path, *([image.problem] if image.problem else [])),
        alt=image.path,
    )


def draw_card(audit: Audit, images: list[AuditedImage]) -> Card:
    """Return the images of a group side by side, those of different splits and classes first."""
    seen: Counter[tuple[str, str]] = Counter()
    order = []
    for image in images:
        order.append(seen[image.split, image.label])
        seen[image.split, image.label] += 1
    ranked = [image for _, image in sorted(zip(order, images, strict=True), key=lambda pair: pair[0])]
    parts = [
        f"{count} {'' if split == 'held' else 'in '}{SPLIT_WORDS[split]}{f' as {format_class(label, audit.display)}' if label else ''}"
        for (split, label), count in seen.items()
    ]
    places = ", ".join(parts[:PLACES_SHOWN]) + (" …" if len(parts) > PLACES_SHOWN else "")
    more = len(images) - COPIES_SHOWN
    return Card(
        format_count(len(images), "image"),
        (places, *([f"{more:,} more are in the list to save"] if more > 0 else [])),
        tuple(draw_tile(audit, image) for image in ranked[:COPIES_SHOWN]),
    )


def list_paths(finding: Finding, images: dict[str, AuditedImage]) -> str:
    """Return a finding's images as CSV: group (from 1), path, split, class."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["group", "path", "split", "class"])
    for number, group in enumerate(finding.groups, start=1):
        writer.writerows(
            [number, defuse(path), images[path].split, defuse(images[path].label)] for path in group
        )
    return text.getvalue()
