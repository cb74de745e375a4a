"""Parquet files and a large folder in a real browser: trained on as they are and looked at; counted while the page goes on."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from core.census.stamps import SMALL
from tests.arrivals.shard_files import make_flowers
from tests.conftest import make_tiny_data
from tests.dashboards import Dashboard, fill, gallery, open_page, serve, settle, show_all_settings, wait_until

pytestmark = pytest.mark.slow(40)


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    folder = tmp_path_factory.mktemp("shards")
    make_flowers(folder / "flowers")
    with serve(folder, make_tiny_data(folder / "tiny")) as server:
        yield server


def test_parquet_files_are_trained_on_as_they_are_and_their_images_looked_at(
    page: Page, dashboard: Dashboard
) -> None:
    open_page(page, dashboard, "train")
    fill(page, "Folder of images", str(dashboard.data.parent / "flowers"))
    expect(page.get_by_role("button", name="Unpack them instead")).to_be_visible()
    expect(page.get_by_text("2 classes · 12 training, 4 validation and 2 test images")).to_be_visible()
    settle(page)
    page.get_by_role("radio", name="Digits from scratch").click()
    settle(page)
    show_all_settings(page)
    fill(page, "Name of the run", "flowers")
    fill(page, "Epochs", "1")
    page.get_by_role("button", name="Start training").click()
    expect(page).to_have_url(re.compile(r"/live\?run=flowers"))
    run = dashboard.run("flowers")
    wait_until(page, lambda: run.read_status().state == "finished", 120, "the end of the run")
    open_page(page, dashboard, "confusion?run=flowers&true=tulip")
    shard = "validation-00000-of-00001.parquet"
    assert sorted(gallery(page)) == [f"{shard}/tulip/photo_13.jpg", f"{shard}/tulip/photo_15.jpg"]


def test_a_large_folder_is_counted_in_the_background(page: Page, dashboard: Dashboard) -> None:
    large = make_tiny_data(dashboard.data.parent / "large")
    for number in range(SMALL):
        os.link(large / "train/2/1.png", large / f"train/2/more-{number}.png")
    open_page(page, dashboard, "train")
    fill(page, "Folder of images", str(large))
    counts = page.get_by_text(f"3 classes · {18 + SMALL:,} training, 6 validation and 3 test images")
    expect(counts).to_be_visible()
    settle(page)
    expect(page.get_by_text("counted in the background")).to_have_count(0)
    assert len(list((dashboard.runs / ".counts").iterdir())) == 1
