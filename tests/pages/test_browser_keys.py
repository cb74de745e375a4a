"""A newcomer without a mouse: from no run at all to the reason of an error, by Tab, Enter, arrows and typing alone."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.dashboards import Dashboard, chart, field, open_page, serve, settle
from tests.processes import make_images

pytestmark = pytest.mark.slow(45)
MOST = 90  # presses of Tab that a page may take to anything on it
AROUND = 6  # pixels around an element in which its focus may be shown


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """Serve three colours, and a green image that is labelled as a red one: whatever is trained, there is an error."""
    folder = tmp_path_factory.mktemp("keys")
    data = make_images(folder / "tiny", train=12, val=4)
    (data / "val/10/0.png").rename(data / "val/2/green.png")
    with serve(folder, data) as server:
        yield server


@pytest.mark.timeout(300)
def test_from_no_run_to_the_reason_of_an_error_by_keys_alone(page: Page, dashboard: Dashboard) -> None:
    open_page(page, dashboard, "")
    tab_to(page, page.get_by_role("button", name="Train on my images"))
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/train"))
    settle(page)
    start_training(page)
    expect(page).to_have_url(re.compile(r"/live\?run=by-keys"))
    expect(page.get_by_test_id("stAlert").first).to_contain_text("Finished", timeout=200_000)
    settle(page)
    tab_to(page, page.get_by_test_id("stSidebarNav").get_by_role("link", name="Confusion"))
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/confusion"))
    settle(page)
    open_largest_error(page)


def start_training(page: Page) -> None:
    """Choose the recipe, type a name and one epoch, and start."""
    recipe = page.get_by_role("radio", name="Digits from scratch")
    tab_to(page, page.get_by_role("radiogroup").filter(has=recipe).get_by_role("radio").first)
    for _ in range(MOST):
        if recipe.evaluate("element => element === document.activeElement"):
            break
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    settle(page)
    expect(recipe).to_be_checked()
    type_into(page, field(page, "Name of the run"), "by-keys")
    type_into(page, field(page, "Epochs"), "1")
    tab_to(page, page.get_by_role("button", name="Start training"))
    page.keyboard.press("Enter")


def open_largest_error(page: Page) -> None:
    """Go to a cell of the matrix that has errors, and from its images to one of them."""
    matrix = chart(page, "Confusion matrix")
    tab_to(page, matrix)
    page.keyboard.press("Home")  # the cell of most errors
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("true=.*pred="))
    settle(page)
    tab_to(page, page.locator(".ws-open").first)
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_alt_text(re.compile("Grad-CAM of")).first).to_be_visible(timeout=60_000)
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)


def type_into(page: Page, box: Locator, text: str) -> None:
    tab_to(page, box)
    page.keyboard.press("Control+A")
    page.keyboard.type(text)
    page.keyboard.press("Tab")
    settle(page)


def tab_to(page: Page, target: Locator) -> None:
    """Press Tab until something has the focus; where that is must be seen."""
    expect(target).to_be_visible()
    for _ in range(MOST):
        if target.evaluate("element => element === document.activeElement"):
            assert shows_focus(page, target), f"{target} has the focus and does not show it"
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{MOST} presses of Tab do not lead to {target}")


def shows_focus(page: Page, target: Locator) -> bool:
    """Tell whether an element looks otherwise with the focus than without."""
    box = target.bounding_box()
    assert box is not None
    clip = {"x": max(box["x"] - AROUND, 0), "y": max(box["y"] - AROUND, 0)}
    size = {"width": box["width"] + 2 * AROUND, "height": box["height"] + 2 * AROUND}
    page.wait_for_timeout(300)  # colours change in a transition
    focused = page.screenshot(clip={**clip, **size}, caret="hide")
    target.evaluate("element => element.blur()")
    page.wait_for_timeout(300)
    without = page.screenshot(clip={**clip, **size}, caret="hide")
    target.evaluate("element => element.focus()")
    return focused != without
