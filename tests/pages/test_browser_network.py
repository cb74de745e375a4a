"""One of timm's networks in a real browser: found by a part of its name, its head trained, an error looked at."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from core.networks.table import INSTALLED
from tests.dashboards import (
    Dashboard,
    chart,
    choose,
    choose_network,
    field,
    fill,
    fill_all,
    gallery,
    open_page,
    serve,
    settle,
    show_all_settings,
)
from tests.processes import make_images

pytestmark = pytest.mark.slow(35)
WRONG = "val/2/green.png"


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """Serve three colours told apart with ease, and a green image that is labelled as a red one."""
    folder = tmp_path_factory.mktemp("network")
    data = make_images(folder / "tiny", train=12, val=4)
    (data / "val/10/0.png").rename(data / WRONG)
    with serve(folder, data) as server:
        yield server


def test_the_head_of_a_network_of_timm_is_trained_and_an_error_of_it_has_a_heat_map(
    page: Page, dashboard: Dashboard
) -> None:
    start_training(page, dashboard)
    expect(page.get_by_test_id("stAlert").first).to_contain_text(
        re.compile("Finished: best validation accuracy"), timeout=120_000
    )
    page.get_by_test_id("stMain").get_by_role("link", name="Confusion").click()
    chart(page, "Confusion matrix")
    settle(page)
    page.get_by_role("button", name=re.compile("2 taken for 10")).click()
    expect(page).to_have_url(re.compile("true=2&pred=10"))
    settle(page)
    assert gallery(page) == [WRONG]
    page.locator(".ws-open").first.click()
    dialog = page.get_by_role("dialog")
    seen = dialog.get_by_alt_text(WRONG, exact=True)
    heat = dialog.get_by_alt_text(f"Grad-CAM of {WRONG} for 10", exact=True)
    # The image is of one colour and noise, which a map that is the same all over would even out.
    assert spread(heat) > 1.5 * spread(seen)


def start_training(page: Page, dashboard: Dashboard) -> None:
    open_page(page, dashboard, "train")
    page.get_by_role("radio", name="Digits from scratch").click()
    settle(page)
    show_all_settings(page)
    fill(page, "Name of the run", "lite")
    choose_network(page, "Network", INSTALLED, typed="net_lite0")
    expect(page.get_by_text("4.7 million parameters as published · made for 224 px")).to_be_visible()
    choose(page, "Initial weights", "As published (pretrained)")
    page.get_by_text("Train the head only").click()
    settle(page)
    fill_all(
        page,
        {"Epochs": "9", "Learning rate": "0.02", "Image size (px)": "64", "Validation resize (px)": "64"},
    )
    expect(field(page, "Mixup (alpha)")).to_have_count(0)  # it has no say where the head trains alone
    page.get_by_role("button", name="Start training").click()
    expect(page).to_have_url(re.compile(r"/live\?run=lite"))


def spread(picture: Locator) -> float:
    """Return how much the colours (0..255) of a picture that is really there differ between its 4×4 parts."""
    expect(picture).to_be_visible(timeout=60_000)
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") >= 32
    coded = str(picture.get_attribute("src")).removeprefix("data:image/webp;base64,")
    parts = (
        Image.open(io.BytesIO(base64.b64decode(coded))).convert("RGB").resize((4, 4), Image.Resampling.BOX)
    )
    return float(np.asarray(parts, dtype=np.float64).std(axis=(0, 1)).mean())
