"""The network on the form: any of all there are, with what it takes, and its own image size at a click."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.networks.table import INSTALLED, TORCHVISION, find_network
from core.recipe.config import TrainConfig
from core.recipe.presets import from_preset
from dashboard.panels.network_field import describe_download, describe_network, label_network, list_names


def describe(name: str) -> str:
    network = find_network(name)
    assert network is not None
    return describe_network(network)


def test_a_network_is_described_by_what_it_weighs_takes_and_is_licensed_under() -> None:
    assert describe(INSTALLED) == (
        "4.7 million parameters as published · made for 224 px · colours by mean 0.5 and deviation 0.5, bicubic · "
        "weights under apache-2.0, installed"
    )
    assert "ImageNet's mean and deviation, bilinear · weights under bsd-3-clause" in describe("resnet50")
    assert describe("darknet17").endswith("nobody has published weights")


def test_the_list_begins_with_torchvisions_and_keeps_a_name_without_a_tag() -> None:
    names = list_names("convnext_tiny")
    assert list(names[:12]) == ["convnext_tiny", *TORCHVISION, INSTALLED]
    assert list(list_names("resnet50")) == list(list_names())
    assert label_network("convnext_tiny.in12k_ft_in1k") == "convnext_tiny.in12k_ft_in1k · 28.6 M · 224 px"
    assert label_network("darknet17") == "darknet17 · 14.3 M · 256 px · no published weights"


def test_what_has_to_be_downloaded_is_told_once_for_each_network() -> None:
    assert describe_download([INSTALLED]) == ""
    assert "about 47 MB" in describe_download(["resnet18", "resnet18", INSTALLED])


def draw_form() -> None:
    import streamlit as st

    from core.recipe import settings
    from dashboard.panels import forms

    if "given" in st.session_state:
        forms.fill_form(st.session_state.pop("given"))
    config, problems = forms.read_form()
    for title in ("Network", "Images"):
        forms.draw_fields(settings.GROUPS[title], problems)
    st.session_state["read"] = config, problems


@pytest.fixture
def form(runs_root: Path, tiny_data: Path, quick_apps: None) -> AppTest:
    """Return the part of the form that a network is chosen in, filled in with the report's."""
    app = AppTest.from_function(draw_form, default_timeout=60)
    app.session_state["given"] = from_preset("seed", data=str(tiny_data))
    return app.run()


def test_choosing_a_network_says_what_it_takes_and_leaves_the_sizes_until_its_own_are_asked_for(
    form: AppTest,
) -> None:
    assert not form.button
    form.selectbox(key="form-arch").set_value("seresnextaa101d_32x8d.sw_in12k_ft_in1k_288").run()
    assert any("made for 288 px" in caption.value for caption in form.caption)
    config, _ = form.session_state["read"]
    assert (config.arch, config.image_size, config.resize_size) == (
        "seresnextaa101d_32x8d.sw_in12k_ft_in1k_288",
        224,
        256,
    )
    [button] = form.button
    assert button.label == "Use its own image size: 288 px (resize 303)"
    button.click().run()
    config, _ = form.session_state["read"]
    assert (config.image_size, config.resize_size) == (288, 303)
    assert not form.button


def test_a_size_that_the_network_does_not_take_is_told_at_its_field(form: AppTest) -> None:
    form.selectbox(key="form-arch").set_value("vit_small_patch14_dinov2.lvd142m").run()
    form.number_input(key="form-image_size").set_value(230).run()
    config, problems = form.session_state["read"]
    assert config is None
    assert "must be a multiple of 14" in problems["image_size"]
    assert any("multiple of 14" in text.value for text in form.markdown)


def test_the_whole_list_costs_the_page_next_to_nothing(form: AppTest) -> None:
    begun = time.perf_counter()
    labels = [label_network(name) for name in list_names("resnet50")]
    assert len(labels) > 1900
    assert time.perf_counter() - begun < 0.2


def test_a_network_that_goes_by_a_name_without_a_tag_stays_chosen(form: AppTest, tiny_data: Path) -> None:
    form.session_state["given"] = TrainConfig(data=str(tiny_data), arch="convnext_tiny")
    form.run()
    assert form.selectbox(key="form-arch").value == "convnext_tiny"
    assert form.session_state["read"][0].arch == "convnext_tiny"
