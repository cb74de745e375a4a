"""Images brought here by the browser, or labelled by a table: a task makes a folder of them, which the form then has."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Literal

import streamlit as st

from core.arrivals.bring_in import ARRIVAL, MOST_BYTES, MOST_FILES, Arrival, read_arrival
from core.arrivals.sources import keep_sent
from core.errors import RunError
from core.files import discard_folder, make_draft
from core.people.acting import TRAIN, needs, now_acting, refusal_of
from core.people.limits import demand_room, refusal_of_room
from core.places import uploads_folder
from core.runs.run import default_root
from core.runs.tasks import launch_task, read_order, read_task
from core.stored.status import ACTIVE, Status
from dashboard.components.task_panel import draw_end, draw_running
from dashboard.guard import guard_callback
from dashboard.launch.table_form import draw_table_form
from dashboard.text import escape_markdown, format_bytes, format_count

if TYPE_CHECKING:
    from streamlit.typing import UploadedFile

WAYS = {"folder": "A folder", "archive": "A zip archive or images", "table": "A CSV with the labels"}
_AWAITED, _OPEN, _TURN, _PAGE = "arrivals-awaited", "arrivals-open", "arrivals-turn", "arrivals-page"
_MOST_MB = 2000  # of one file that is sent
_SHOWN = 100  # refused files
_SECOND = "Other images are being brought in. Wait until they are there, or stop that first."


def open_arrivals() -> None:
    """Let the panel be open when it is drawn next."""
    st.session_state[_OPEN] = True


def take_over(use: Callable[[str], None], page: str = "train") -> None:
    """Give the folder that was made to the form of the page it was begun on, once, before its fields are drawn.

    Where a table of labels came with the images, the panel asks for its columns first.
    """
    status = read_task(task_folder())
    here = st.session_state.get(_PAGE, "train") == page
    if not here or not st.session_state.get(_AWAITED) or status.state in ACTIVE:
        return
    st.session_state[_AWAITED] = False
    found = read_arrival(task_folder() / ARRIVAL) if status.state == "finished" else None
    if found is None:
        return
    if found.tables:
        st.session_state["arrivals-way"] = "table"
        st.session_state["arrivals-images"] = found.folder
        st.session_state["arrivals-table"] = str(Path(found.folder) / found.tables[0])
    else:
        use(found.folder)


def draw_arrivals(use: Callable[[str], None]) -> None:
    """Offer to bring images here, and show how far that is, what came of it and what was refused."""
    status = read_task(task_folder())
    active = status.state in ACTIVE
    awaited = is_awaited()
    elsewhere = is_unpacking()  # it is begun and drawn outside of this panel, which may be closed
    if active and elsewhere:
        return
    with st.expander(
        "Bring images here, or label them by a CSV", icon=":material/upload:", key="arrivals",
        expanded=active or (awaited and not elsewhere) or bool(st.session_state.get(_OPEN)),
    ):  # fmt: skip
        if active:
            draw_running(task_folder(), "files", key="arrivals")
            return
        if awaited and not elsewhere:
            _draw_result(status, use)
        st.session_state.setdefault("arrivals-way", "folder")
        way = st.segmented_control(
            "What do you have?", list(WAYS), format_func=WAYS.__getitem__, key="arrivals-way", required=True,
            persist_state="session",  # while the task runs it is not drawn
        )  # fmt: skip
        if way == "table":
            draw_table_form(begin, task_folder())
        else:
            _draw_uploader(str(way))


def is_awaited() -> bool:
    """Tell whether bringing in was begun in this window."""
    return _AWAITED in st.session_state


def task_folder() -> Path:
    """Return where the bringing in is watched: one at a time for each user, whom those of others do not hold up."""
    name = now_acting().person.name
    return default_root() / (f".arrivals-{name}" if name else ".arrivals")


def is_unpacking() -> bool:
    """Tell whether what is begun here last is the unpacking of shards, which is counted in MB: nobody knows their rows."""
    try:
        return read_order(task_folder())[0] == "unpack"
    except RunError:
        return False


def _draw_uploader(way: str) -> None:
    """Take files of the browser's machine, and send them when they are named."""
    turn = int(st.session_state.get(_TURN, 0))
    several: Literal[True, "directory"] = "directory" if way == "folder" else True
    owner, root = now_acting().person.name, default_root()
    refusal = refusal_of(TRAIN) or refusal_of_room(owner, root)
    if refusal:  # before anything is sent
        st.info(escape_markdown(refusal), icon=":material/lock:")
    files: list[UploadedFile] = st.file_uploader(
        "Drop a folder with one subfolder for each class" if way == "folder" else "Drop a zip archive, or images with a CSV",
        accept_multiple_files=several,
        max_upload_size=_MOST_MB,
        key=f"arrivals-{way}-{turn}",
        help="They stay on the machine that runs Weakspot.",
        disabled=bool(refusal),
    )  # fmt: skip
    st.caption(
        f"At most {_MOST_MB:,} MB a file to send. In all, unpacked: at most {MOST_FILES:,} files and {format_bytes(MOST_BYTES)}. "
        "For more, copy the folder to this machine and give its path."
    )
    if not files:
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.text_input(
            "Name of the data set", _suggest_name(files, way), key=f"arrivals-name-{way}-{turn}", width=300
        )
        refusal = refusal or refusal_of_room(owner, root, adding=sum(file.size for file in files))
        st.button(
            f"Bring in {format_count(len(files), 'file')}",
            type="primary",
            icon=":material/upload:",
            key="arrivals-send",
            on_click=guard_callback(_send),
            args=(files, name),
            disabled=bool(refusal),
            help=escape_markdown(refusal) or None,
        )
    if refusal and not refusal_of(TRAIN):
        st.caption(escape_markdown(refusal))


def _suggest_name(files: Sequence[UploadedFile], way: str) -> str:
    """Return the name of the folder that was dropped, or of the archive."""
    first = PurePosixPath(files[0].name.replace("\\", "/"))
    if way == "folder" and len(first.parts) > 1:
        return first.parts[0]
    return first.stem if len(files) == 1 else "images"


@needs(TRAIN, "bring in images", lambda files, name: f"{name}: {format_count(len(files), 'file')}")
def _send(files: Sequence[UploadedFile], name: str) -> None:
    _refuse_second()
    owner = now_acting().person.name
    demand_room(owner, default_root(), adding=sum(file.size for file in files))
    task_folder().mkdir(parents=True, exist_ok=True)
    sent = make_draft(task_folder(), "sent")  # of its own: another user may send at the same moment
    try:
        keep_sent(((file.name, file.getvalue()) for file in files), sent)
        begin("bring-in", sent=str(sent), name=name)
    except Exception:
        discard_folder(sent)
        raise
    # Another widget in the place of this one lets go of the files, which the server keeps in memory.
    st.session_state[_TURN] = int(st.session_state.get(_TURN, 0)) + 1


@needs(TRAIN, "bring in images", lambda kind, *_, **parameters: parameters.get("name", kind))
def begin(kind: str, page: str = "train", **parameters: object) -> None:
    """Start the task that makes the folder, which a page then gets."""
    left = _find_sent()
    _refuse_second()
    owner = now_acting().person.name
    demand_room(owner, default_root())  # the task asks again with the size of what it makes
    (task_folder() / ARRIVAL).unlink(missing_ok=True)
    asked = {"root": str(uploads_folder()), "owner": owner, **parameters}
    launch_task(task_folder(), kind, **asked)
    if read_order(task_folder()) != (kind, asked):  # of two who begin at once the second launches nothing
        raise RunError(_SECOND)
    if left is not None:  # the task before was killed, else it is gone
        shutil.rmtree(left, ignore_errors=True)
    st.session_state[_AWAITED] = True
    st.session_state[_PAGE] = page


def _find_sent() -> Path | None:
    """Return where that lies, or lay, which was sent for the last task."""
    try:
        kind, asked = read_order(task_folder())
    except RunError:
        return None
    return Path(asked["sent"]) if kind == "bring-in" and "sent" in asked else None


def _refuse_second() -> None:
    if read_task(task_folder()).state in ACTIVE:
        raise RunError(_SECOND)


def _draw_result(status: Status, use: Callable[[str], None]) -> None:
    draw_end(status)
    found = read_arrival(task_folder() / ARRIVAL)
    if status.state != "finished" or found is None:
        return
    st.success(escape_markdown(status.message), icon=":material/check:")
    if found.tables:
        st.markdown(
            f"A table came with them: **{escape_markdown(found.tables[0])}**. If it has the labels, use it "
            "here to make a folder of classes. Otherwise train on the folder as it is."
        )
        st.button(
            "Use the folder as it is",
            icon=":material/folder_open:",
            key="arrivals-as-is",
            on_click=guard_callback(partial(use, found.folder)),
        )
    draw_refused(found)


def draw_refused(found: Arrival) -> None:
    """List what was refused and why, where anything was."""
    if not found.refused:
        return
    with st.expander(f"{format_count(found.refused_count, 'file')} refused", icon=":material/block:"):
        st.dataframe(
            {
                "file": [item.path for item in found.refused[:_SHOWN]],
                "why": [item.reason for item in found.refused[:_SHOWN]],
            },
            hide_index=True,
            alt="Files that were refused, and why",
        )
        if found.refused_count > _SHOWN:
            st.caption(f"The first {_SHOWN} are shown.")
