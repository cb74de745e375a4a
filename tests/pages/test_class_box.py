"""The choice of a class: a list of few, and of very many a field whose words are looked for on the server."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest

from dashboard.components.class_box import SHOWN, find_classes

NAMES = [f"class-{number:04d}" for number in range(1_001)]


def page(classes: int) -> None:
    import streamlit as st

    from dashboard.components.class_box import draw_class_box

    def take(name: str) -> None:
        st.session_state["chosen"] = name

    names = [f"class-{number:04d}" for number in range(classes)]
    now = st.session_state.setdefault("chosen", "")
    draw_class_box("Class", names, now, take, key="box", label=str.upper, none="all")
    st.button("Elsewhere", on_click=take, args=("class-0007",))


def open_box(classes: int = len(NAMES)) -> AppTest:
    return AppTest.from_function(page, args=(classes,)).run()


def test_few_classes_are_a_list_with_what_stands_for_none() -> None:
    app = open_box(3)
    assert app.selectbox[0].options == ["all", "CLASS-0000", "CLASS-0001", "CLASS-0002"]
    app.selectbox[0].select("class-0002").run()
    assert app.session_state["chosen"] == "class-0002"


def test_no_page_is_sent_the_names_of_very_many() -> None:
    app = open_box()
    assert not app.selectbox
    assert app.text_input[0].placeholder == "all"


def test_a_whole_name_in_any_letters_is_chosen_at_once_and_none_by_no_word() -> None:
    app = open_box()
    app.text_input[0].input("Class-0420").run()
    assert (app.session_state["chosen"], app.text_input[0].value) == ("class-0420", "CLASS-0420")
    app.text_input[0].input(" ").run()
    assert app.session_state["chosen"] == ""


def test_of_several_that_have_the_words_one_is_chosen_from_a_list() -> None:
    app = open_box()
    app.text_input[0].input("042").run()
    assert app.selectbox[0].label == "11 classes found"
    app.selectbox[0].select("class-0425").run()
    assert (app.session_state["chosen"], app.text_input[0].value) == ("class-0425", "CLASS-0425")
    assert not app.selectbox


def test_words_that_no_class_has_are_told() -> None:
    app = open_box()
    app.text_input[0].input("a_b").run()
    assert "No class has" in app.caption[0].value
    assert r"a\_b" in app.caption[0].value


def test_a_search_ends_where_a_class_is_chosen_elsewhere() -> None:
    app = open_box()
    app.text_input[0].input("042").run()
    app.button[0].click().run()
    assert not app.selectbox
    assert app.text_input[0].value == "CLASS-0007"


def test_of_very_many_found_the_first_are_listed_and_all_counted() -> None:
    found = find_classes("class", NAMES, str)
    assert (len(found.names), found.count) == (SHOWN, len(NAMES))


def page_of_several(classes: int, most: int | None) -> None:
    import streamlit as st

    from dashboard.components.class_box import draw_classes_box

    def change() -> None:
        st.session_state["told"] = list(st.session_state["boxes"])

    names = [f"class-{number:04d}" for number in range(classes)]
    known = st.session_state.get("boxes", ["class-0001"])
    st.session_state["read"] = draw_classes_box(
        "Classes", names, known, key="boxes", label=str.upper, most=most, on_change=change
    )


def open_several(classes: int = len(NAMES), most: int | None = None) -> AppTest:
    return AppTest.from_function(page_of_several, args=(classes, most)).run()


def test_several_of_few_classes_are_chosen_from_a_list_alone() -> None:
    app = open_several(3)
    assert app.multiselect[0].options == ["CLASS-0000", "CLASS-0001", "CLASS-0002"]
    app.multiselect[0].select("class-0002").run()
    assert app.session_state["read"] == app.session_state["told"] == ["class-0001", "class-0002"]
    assert not app.text_input


def test_of_very_many_those_chosen_alone_are_sent_and_others_are_found_by_their_names() -> None:
    app = open_several()
    assert app.multiselect[0].options == ["CLASS-0001"]
    app.text_input[0].input("class-0420").run()
    assert app.session_state["read"] == app.session_state["told"] == ["class-0001", "class-0420"]
    assert app.text_input[0].value == ""
    app.text_input[0].input("042").run()
    app.selectbox[0].select("class-0425").run()
    assert app.session_state["read"] == ["class-0001", "class-0420", "class-0425"]
    app.multiselect[0].unselect("class-0001").run()
    assert app.session_state["read"] == ["class-0420", "class-0425"]


def test_a_class_that_is_chosen_already_is_not_added_again() -> None:
    app = open_several()
    app.text_input[0].input("class-0001").run()
    assert app.session_state["read"] == ["class-0001"]


def test_no_more_are_looked_for_than_may_be_chosen() -> None:
    app = open_several(most=2)
    app.text_input[0].input("class-0420").run()
    assert app.session_state["read"] == ["class-0001", "class-0420"]
    assert not app.text_input
