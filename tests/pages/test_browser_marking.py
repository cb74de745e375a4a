"""Images are marked in a real browser: by mouse, by keys, many at once; nothing waits and nothing is lost."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from core.marks.marks import Mark, list_path, read_marks
from core.runs.run import Run
from tests.conftest import make_tiny_data
from tests.dashboards import Dashboard, gallery, open_page, predictions, serve, settle, wait_until
from tests.made_run import make_run

pytestmark = pytest.mark.slow(40)


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    folder = tmp_path_factory.mktemp("marking")
    with serve(folder, make_tiny_data(folder / "tiny")) as server:
        yield server


@pytest.fixture(scope="module")
def made(dashboard: Dashboard, best_model: Path) -> Run:
    run = make_run(dashboard.runs, dashboard.data, name="made")
    run.best_path.hardlink_to(best_model)
    return run


@pytest.fixture(autouse=True)
def _nothing_marked(dashboard: Dashboard) -> None:
    list_path(dashboard.data, dashboard.runs).unlink(missing_ok=True)


def marks_of(dashboard: Dashboard) -> dict[str, Mark]:
    return read_marks(list_path(dashboard.data, dashboard.runs)).marks


def wait_marked(page: Page, dashboard: Dashboard, **actions: str) -> None:
    """Wait until exactly these images of validation, such as `rose_1`, are marked so."""
    classes = {"rose": "2", "tulip": "10", "iris": "35"}
    wanted = {
        f"val/{classes[name.split('_')[0]]}/{name.split('_')[1]}.png": action
        for name, action in actions.items()
    }

    def holds() -> bool:
        return {path: mark.action for path, mark in marks_of(dashboard).items()} == wanted

    wait_until(page, holds, 20, f"marks {wanted}")


def open_all(page: Page, dashboard: Dashboard) -> list[str]:
    """Open the images that were taken for a rose, two of a rose and two of others; return their paths."""
    open_page(page, dashboard, "confusion?run=made&pred=2")
    return gallery(page)


def test_an_image_is_marked_by_the_mouse_and_the_mark_is_there_on_every_page(
    page: Page, dashboard: Dashboard, made: Run
) -> None:
    open_all(page, dashboard)
    figure = page.locator("figure", has=page.get_by_alt_text("val/35/1.png", exact=True))
    figure.hover()
    figure.get_by_role("button", name="Leave out of training: val/35/1.png").click()
    expect(figure.locator(".ws-mark-said")).to_have_text("✕ left out")
    wait_marked(page, dashboard, iris_1="drop")
    mark = marks_of(dashboard)["val/35/1.png"]
    assert (mark.given, mark.run, mark.predicted) == ("35", "made", "2")
    assert 0 < mark.confidence <= 1
    open_page(page, dashboard, "data?run=made")
    assert gallery(page) == ["val/35/1.png"]
    expect(page.locator(".ws-mark-said").first).to_have_text("✕ left out")
    expect(page.get_by_role("button", name="Undo")).to_be_disabled()  # it was another page that marked it
    figure = page.locator("figure", has=page.get_by_alt_text("val/35/1.png", exact=True))
    figure.hover()
    figure.get_by_role("button", name="Leave out of training: val/35/1.png").click()
    wait_marked(page, dashboard)


def test_a_wrong_label_gets_the_class_that_is_found_by_typing(
    page: Page, dashboard: Dashboard, made: Run
) -> None:
    open_all(page, dashboard)
    figure = page.locator("figure", has=page.get_by_alt_text("val/35/1.png", exact=True))
    figure.hover()
    figure.get_by_role("button", name="Another class …: val/35/1.png").click()
    picker = page.locator(".ws-picker")
    expect(picker.get_by_role("textbox")).to_be_focused()
    page.keyboard.type("tul")
    expect(picker.locator(".ws-options button")).to_have_text(["10 · tulip"])
    page.keyboard.press("Enter")
    expect(figure.locator(".ws-mark-said")).to_have_text("→ 10 · tulip")
    wait_marked(page, dashboard, iris_1="relabel")
    assert marks_of(dashboard)["val/35/1.png"].to == "10"


def test_a_tag_is_new_once_and_offered_after_that(page: Page, dashboard: Dashboard, made: Run) -> None:
    names = open_all(page, dashboard)
    page.locator(".ws-open").first.focus()
    page.keyboard.press("t")
    page.keyboard.type("out of focus")
    page.keyboard.press("Enter")
    wait_until(page, lambda: names[0] in marks_of(dashboard), 20, "the tag")
    assert marks_of(dashboard)[names[0]].tags == ("out-of-focus",)
    settle(page)
    page.locator(".ws-open").nth(1).focus()
    page.keyboard.press("t")
    expect(page.locator(".ws-options button")).to_have_text(["out-of-focus"])
    page.keyboard.press("Escape")


def test_a_stretch_is_selected_by_shift_and_marked_and_undone_as_one(
    page: Page, dashboard: Dashboard, made: Run
) -> None:
    names = open_all(page, dashboard)
    for number in (0, 2):
        figure = page.locator(".ws-marking-grid figure").nth(number)
        figure.hover()
        figure.locator(".ws-pick").click(modifiers=["Shift"] if number else [])
    expect(page.locator(".ws-bar-top")).to_contain_text("3 selected")
    page.locator(".ws-bar-top").get_by_role("button", name="Unsure").click()
    wait_until(page, lambda: set(marks_of(dashboard)) == set(names[:3]), 20, "three marks")
    page.get_by_role("button", name="Select none").click()
    page.get_by_role("button", name="Undo").click()
    wait_marked(page, dashboard)


def test_images_are_selected_by_dragging_over_them(page: Page, dashboard: Dashboard, made: Run) -> None:
    names = open_all(page, dashboard)
    first, last = (page.locator(".ws-marking-grid figure").nth(n).bounding_box() for n in (0, 1))
    assert first is not None
    assert last is not None
    page.mouse.move(first["x"] + 4, first["y"] + first["height"] - 6)
    page.mouse.down()
    page.mouse.move(last["x"] + 20, last["y"] + 20, steps=5)
    page.mouse.up()
    expect(page.locator(".ws-bar-top")).to_contain_text("2 selected")
    assert page.locator(".ws-picked").count() == 2
    assert len(names) == 4


def test_labels_are_reviewed_one_by_one_by_keys_alone(page: Page, dashboard: Dashboard, made: Run) -> None:
    names = open_all(page, dashboard)
    page.get_by_role("button", name="Review one by one").focus()
    page.keyboard.press("Enter")
    review = page.locator(".ws-review")
    expect(review.get_by_alt_text(names[0], exact=True)).to_be_visible(timeout=20_000)
    expect(review).to_contain_text("1 of 4")
    page.keyboard.press("y")
    expect(review.get_by_alt_text(names[1], exact=True)).to_be_visible()
    page.keyboard.press("2")
    page.keyboard.press("x")
    expect(review).to_contain_text("4 of 4")
    page.keyboard.press("u")
    page.keyboard.press("ArrowLeft")
    expect(review.locator(".ws-review-mark")).to_have_text("not marked")
    page.keyboard.press("Escape")
    expect(review).to_have_count(0)
    wait_until(page, lambda: len(marks_of(dashboard)) == 2, 20, "two marks")
    known = marks_of(dashboard)
    assert known[names[0]].action == "right"
    (row,) = [row for row in predictions(made) if row["path"] == names[1]]
    assert known[names[1]].action == ("right" if row["top2"] == row["true"] else "relabel")


def test_what_is_marked_fast_is_all_kept_and_never_waits(page: Page, dashboard: Dashboard, made: Run) -> None:
    names = open_all(page, dashboard)
    page.locator(".ws-open").first.focus()
    waits = []
    for key in ("x", "n", "y", "x", "n", "x"):
        begun = time.perf_counter()
        page.keyboard.press(key)
        said = {"x": "✕ left out", "n": "? unsure", "y": "✓ label right"}[key]
        page.wait_for_function(
            "said => document.querySelector('.ws-mark-said').textContent === said", arg=said, polling=5
        )
        waits.append(time.perf_counter() - begun)
    assert sorted(waits)[len(waits) // 2] < 0.15
    wait_until(page, lambda: marks_of(dashboard).get(names[0], Mark("", "")).action == "drop", 20, "the last")
    settle(page)
    expect(page.locator(".ws-mark-said").first).to_have_text("✕ left out")


def test_the_image_that_is_open_is_marked_by_keys_wherever_the_focus_is(
    page: Page, dashboard: Dashboard, made: Run
) -> None:
    names = open_all(page, dashboard)
    page.locator(".ws-open").first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog.locator(".ws-frame img")).to_be_visible()
    settle(page)
    page.keyboard.press("x")
    expect(dialog.locator(".ws-mark-said")).to_have_text("✕ left out")
    wait_until(page, lambda: list(marks_of(dashboard)) == names[:1], 20, "the mark")
    settle(page)
    page.keyboard.press("ArrowRight")
    expect(dialog.get_by_alt_text(names[1], exact=True)).to_be_visible(timeout=20_000)
    expect(dialog.locator(".ws-mark-said")).to_have_text("")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(page.locator(".ws-mark-said").first).to_have_text("✕ left out")


def test_training_images_of_a_class_are_marked_on_weak_classes(
    page: Page, dashboard: Dashboard, made: Run
) -> None:
    open_page(page, dashboard, "weak?run=made&class=35")
    figure = page.locator("figure", has=page.get_by_alt_text("train/35/1.png", exact=True))
    figure.scroll_into_view_if_needed()
    figure.hover()
    figure.get_by_role("button", name="Unsure: train/35/1.png").click()
    wait_until(page, lambda: list(marks_of(dashboard)) == ["train/35/1.png"], 20, "the mark")
    assert marks_of(dashboard)["train/35/1.png"].given == "35"


def test_a_wrong_image_is_marked_on_its_card_beside_its_heat_maps(
    page: Page, dashboard: Dashboard, made: Run
) -> None:
    open_page(page, dashboard, "weak?run=made&class=35")
    card = page.locator(".ws-card")
    expect(card.locator("img")).to_have_count(3)
    card.get_by_role("button", name="Leave out of training: val/35/1.png").click()
    wait_marked(page, dashboard, iris_1="drop")
    expect(card.locator(".ws-mark-said")).to_have_text(["✕ left out"])
    card.get_by_alt_text("val/35/1.png", exact=True).click()
    expect(page).to_have_url(re.compile("image=val(/|%2F)35"))
    expect(page.locator(".ws-mark-said").first).to_have_text("✕ left out")


@pytest.mark.parametrize("width", [1440, 390])
def test_a_review_fits_the_window(page: Page, dashboard: Dashboard, made: Run, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 850})
    try:
        open_all(page, dashboard)
        page.get_by_role("button", name="Review one by one").click()
        expect(page.locator(".ws-review img")).to_be_visible(timeout=20_000)
        box = page.locator(".ws-review").bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
        page.keyboard.press("Escape")
    finally:
        page.set_viewport_size({"width": 1440, "height": 900})
