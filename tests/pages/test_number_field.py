"""Fields for numbers: what was typed arrives as it was typed, and what cannot be is told."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from core.errors import UserError
from dashboard.state.number_field import as_typed, find_fault, take_whole


@pytest.mark.parametrize(
    ("value", "taken"), [(3.0, 3), (2.7, 2.7), (1e12, 10**12), (1e300, 1e300), (None, None), (4, 4)]
)
def test_a_whole_number_is_one_also_where_it_came_as_a_float(
    value: float | None, taken: float | None
) -> None:
    assert (as_typed(value), type(as_typed(value))) == (taken, type(taken))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (5, ""),
        (2.7, "must be a whole number from 1 to 9, got 2.7"),
        (10**12, "must be a whole number from 1 to 9, got 1,000,000,000,000"),
        (0, "must be a whole number from 1 to 9, got 0"),
    ],
)
def test_what_is_no_whole_number_of_its_span_is_named(value: float, words: str) -> None:
    assert find_fault(value, 1, 9) == words
    assert find_fault(-5, 1, None) == "must be a whole number of at least 1, got -5"


def test_a_callback_takes_what_the_session_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamlit.session_state", {"a": 4.0, "b": 12.0, "c": None})
    assert take_whole("Page", "a", 1, 9) == 4
    with pytest.raises(UserError, match="Page must be a whole number from 1 to 9, got 12"):
        take_whole("Page", "b", 1, 9)
    with pytest.raises(UserError, match="Page is empty; give a whole number"):
        take_whole("Page", "c", 1, 9)


def test_the_steps_of_a_field_end_where_its_span_ends() -> None:
    def page() -> None:
        import streamlit as st

        from dashboard.state.number_field import draw_number

        st.session_state.setdefault("few", 0)
        draw_number("Few", 0, 3, key="few")

    app = AppTest.from_function(page).run()
    faded = [block.proto.body for block in app.get("html")]
    assert ["StepDown" in body for body in faded] == [True]
    app.number_input(key="few").set_value(2).run()
    assert not app.get("html")
    app.number_input(key="few").set_value(7).run()
    assert app.number_input(key="few").value == 7
    assert ["StepUp" in block.proto.body for block in app.get("html")] == [True]


def test_an_emptied_field_is_empty_or_goes_back_to_its_value_but_never_becomes_another() -> None:
    def page() -> None:
        import streamlit as st

        from dashboard.state.number_field import draw_number

        st.session_state.setdefault("few", 2)
        draw_number("Few", 0, 3, key="few")
        draw_number("Some", 0, 9, key="some", value=4)

    app = AppTest.from_function(page).run()
    for key, left in (("few", None), ("some", 4)):
        app.number_input(key=key).set_value(1).run()
        app.number_input(key=key).set_value(None).run()
        assert app.number_input(key=key).value == left
        assert app.number_input(key=key).proto.HasField("default") == (left is not None)
