"""What fails on a page is told in words and the page stays: every page, fragment, dialog and callback is guarded."""

from __future__ import annotations

import ast
import errno
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.errors import RunError

DASHBOARD = Path(__file__).resolve().parents[2] / "dashboard"
FULL = OSError(errno.ENOSPC, "cannot be written (the disk is full)", "runs/a/status.json")


def is_guarded(node: ast.expr, by: str) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == by


def is_streamlits(node: ast.AST, name: str) -> bool:
    """Tell whether a node is `st.<name>`."""
    return isinstance(node, ast.Attribute) and node.attr == name and ast.unparse(node.value) == "st"


def find_unguarded(source: str) -> Iterator[str]:
    """Yield what Streamlit would call without a guard.

    What is handed on to a function of this house, as `plot(on_click=…)`, is guarded where that hands it to Streamlit.
    """
    tree = ast.parse(source)
    guarded_dialogs = {
        id(node.func)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and node.args and is_guarded(node.args[0], "guard")
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            bare = (decorator for decorator in node.decorator_list if is_streamlits(decorator, "fragment"))
            yield from (f"{node.lineno}: {ast.unparse(decorator)}" for decorator in bare)
        if not isinstance(node, ast.Call):
            continue
        if is_streamlits(node.func, "dialog") and id(node) not in guarded_dialogs:
            yield f"{node.lineno}: the dialog {ast.unparse(node)}"
        for kind in ("fragment", "Page"):
            if is_streamlits(node.func, kind) and not (node.args and is_guarded(node.args[0], "guard")):
                yield f"{node.lineno}: {ast.unparse(node)}"
        if isinstance(node.func, ast.Name):
            continue
        for keyword in node.keywords:
            harmless = isinstance(keyword.value, ast.Constant)  # "ignore"
            safe = harmless or is_guarded(keyword.value, "guard_callback")
            if (keyword.arg or "").startswith("on_") and not safe:
                yield f"{node.lineno}: {keyword.arg}={ast.unparse(keyword.value)}"


@pytest.mark.parametrize(
    "path", sorted(DASHBOARD.rglob("*.py")), ids=lambda path: str(path.relative_to(DASHBOARD))
)
def test_everything_that_streamlit_calls_is_guarded(path: Path) -> None:
    assert list(find_unguarded(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "source",
    [
        "st.button('Stop', on_click=stop)",
        "column.selectbox('Run', ids, on_change=lambda: choose(run))",
        "component()(on_open_change=forward)",
        "st.fragment(look, run_every=2)()",
        "@st.fragment\ndef look(): ...",
        "@st.fragment(run_every=2)\ndef look(): ...",
        "@st.dialog('Delete?')\ndef ask(): ...",
        "st.dialog('Delete?')(ask)(runs)",
        "dialog = st.dialog('Delete?')",
        "st.dialog('Delete?', on_dismiss=forget)(guard(ask))(runs)",
        "st.Page(render)",
    ],
)
def test_what_is_not_guarded_is_found(source: str) -> None:
    assert len(list(find_unguarded(source))) == 1


@pytest.mark.parametrize(
    "source",
    [
        "st.button('Stop', on_click=guard_callback(stop), args=(run,))",
        "st.download_button('Save', data, on_click='ignore')",
        "plot(figure, on_click=take_click)",
        "st.fragment(guard(look), run_every=2)()",
        "st.dialog('Delete?', on_dismiss=guard_callback(forget))(guard(ask))(runs)",
    ],
)
def test_what_is_guarded_is_left_alone(source: str) -> None:
    assert list(find_unguarded(source)) == []


def page_with_buttons(error: Exception, in_fragment: bool) -> None:
    """Be the script of a page, or of one that is a fragment, whose button fails."""
    import streamlit as st

    from dashboard.guard import guard, guard_callback

    def fail(error: Exception) -> None:
        raise error

    def draw() -> None:
        st.markdown("all of the page")
        st.button("Do it", on_click=guard_callback(fail), args=(error,))

    if in_fragment:
        st.fragment(guard(draw))()
    else:
        guard(draw)()


TOLD = [
    pytest.param(RunError("The *run* ended."), "The *run* ended.", "", id="for its user to mend"),
    pytest.param(
        FULL, "runs/a/status.json: cannot be written (the disk is full)", "", id="refused by the system"
    ),
    pytest.param(
        ValueError("shapes (2,)"),
        "That did not work. Nothing was lost. An unexpected fault (ValueError: shapes (2,)). "
        "The whole error is in the terminal that runs the dashboard.",
        "ValueError: shapes (2,)",
        id="a fault",
    ),
]


@pytest.mark.parametrize("in_fragment", [False, True], ids=["page", "fragment"])
@pytest.mark.parametrize(("error", "words", "logged"), TOLD)
def test_a_callback_that_fails_leaves_the_page_and_a_message_in_words(
    error: Exception, words: str, logged: str, in_fragment: bool, caplog: pytest.LogCaptureFixture
) -> None:
    app = AppTest.from_function(
        page_with_buttons, kwargs={"error": error, "in_fragment": in_fragment}, default_timeout=30
    ).run()
    with caplog.at_level(logging.WARNING):
        app.button[0].click().run()
    assert not app.exception
    assert [element.value for element in app.markdown] == ["all of the page"]
    assert [message.value.replace("\\", "") for message in app.toast] == [words]
    assert logged in caplog.text
    assert ("Traceback" in caplog.text) is bool(logged)
    assert not app.run().toast  # it is told once


REFUSAL = RunError(
    "The run cannot go on: you have 52.1 MB of the 50 MB that you may have on the disk. Delete one of your runs, or ask an administrator."
)


def page_with_a_refusal_and_more(error: Exception, page: str) -> None:
    """Be the script of a page of two fragments: one whose button fails, and one whose button does what it says."""
    import streamlit as st

    from dashboard.guard import forget_elsewhere, guard, guard_callback

    def fail(error: Exception) -> None:
        raise error

    def draw_failing() -> None:
        st.button("Resume", on_click=guard_callback(fail), args=(error,))

    def draw_other() -> None:
        st.button("Do more", on_click=guard_callback(lambda: None))

    forget_elsewhere(page)
    st.fragment(guard(draw_failing))()
    st.fragment(guard(draw_other))()


def test_long_words_stay_whole_on_the_page_until_the_next_action() -> None:
    app = AppTest.from_function(
        page_with_a_refusal_and_more, kwargs={"error": REFUSAL, "page": "live"}, default_timeout=30
    ).run()
    app.button[0].click().run()
    assert [message.value.replace("\\", "") for message in app.warning] == [str(REFUSAL)]
    assert len(app.run().warning) == 1
    app.button[1].click().run()
    assert not app.warning


def test_long_words_of_one_page_are_not_told_on_another() -> None:
    app = AppTest.from_function(
        page_with_a_refusal_and_more, kwargs={"error": REFUSAL, "page": "live"}, default_timeout=30
    ).run()
    app.button[0].click().run()
    app.session_state["told-on"] = "runs"  # as another page leaves it
    assert not app.run().warning


def page_that_fails(error: Exception) -> None:
    """Be the script of a page that fails half way."""
    import streamlit as st

    from dashboard.guard import guard

    def draw(error: Exception) -> None:
        st.markdown("half of the page")
        raise error

    guard(draw)(error)


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (RunError("The run ended."), "info", "The run ended."),
        (FULL, "error", "runs/a/status.json: cannot be written (the disk is full)"),
        (
            ValueError("shapes (2,)"),
            "error",
            "This part of the page could not be drawn. Nothing is lost. Reload the page. An unexpected fault (ValueError: shapes (2,)). "
            "The whole error is in the terminal that runs the dashboard.",
        ),
    ],
)
def test_a_page_that_fails_keeps_what_is_drawn_and_says_why(error: Exception, kind: str, words: str) -> None:
    app = AppTest.from_function(page_that_fails, kwargs={"error": error}, default_timeout=30).run()
    assert not app.exception
    assert [element.value for element in app.markdown] == ["half of the page"]
    assert [element.value.replace("\\", "") for element in app.get(kind)] == [words]


def test_a_page_drawn_by_the_thread_of_a_fragment_stands_at_the_top(
    runs_root: Path, quick_apps: None
) -> None:
    """A link clicked as a fragment ends: Streamlit goes on in the same thread, in the fragment's container."""

    def draw_after_a_fragment() -> None:
        import streamlit as st

        from dashboard.app import main

        with st.container(key="fragment"):
            main()

    app = AppTest.from_function(draw_after_a_fragment, default_timeout=60).run()
    assert not app.exception
    assert app.main.children[0].children == {}
    assert len(app.main.title) == 1
