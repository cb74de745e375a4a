"""Each kind of network in each format that has a graph: the same answers for a batch of any size, also of one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from timm.models.swin_transformer import SwinTransformer

from core.model.predict import Predictor
from core.networks.build import build_model
from core.networks.table import inputs_of
from core.ship.contract import Contract
from core.ship.formats import FORMATS, ONNX
from core.ship.network import Source
from core.ship.readers import open_model
from core.ship.writers import write_model
from core.training.engine import Compute
from tests.networks.test_fold import settle

pytestmark = pytest.mark.slow(40)
SIDE = 32
FP32 = Compute(torch.device("cpu"), bf16=False, channels_last=False)
ARCHS = [
    "resnext50_32x4d", "convnext_atto", "tf_efficientnet_lite0", "test_vit",
]  # fmt: skip


def make_source(arch: str) -> Source:
    """Return a network of random weights as one to be shipped."""
    torch.manual_seed(0)
    model, inputs = settle(build_model(arch, 3, SIDE)), inputs_of(arch)
    contract = Contract(
        run="first", epoch=1, network=arch, image_size=SIDE, resize_size=SIDE, interpolation=inputs.interpolation,
        mean=inputs.mean, std=inputs.std, classes=("2", "10", "35"), class_names=("rose", "tulip", "iris"),
        temperature=0.5, threshold=0.0,
    )  # fmt: skip
    own = Predictor(
        model, classes=contract.classes, image_size=SIDE, resize_size=SIDE, compute=FP32, inputs=inputs
    )
    return Source(model, contract, own)


def make_swin() -> Source:
    """Return a Swin of two stages, whose windows shift; the smallest in the table takes a minute to follow."""
    torch.manual_seed(0)
    like = make_source("test_vit")
    network = SwinTransformer(
        img_size=SIDE, patch_size=4, window_size=4, embed_dim=16, depths=(2, 1), num_heads=(2, 2), num_classes=3
    ).eval()  # fmt: skip
    own = Predictor(
        network, classes=like.contract.classes, image_size=SIDE, resize_size=SIDE, compute=FP32,
        inputs=like.contract.inputs,
    )  # fmt: skip
    return Source(network, like.contract, own)


def ask_both(source: Source, kind: str, path: Path) -> None:
    """Write a network, and assert that the file says of one image and of several what the product does."""
    write_model(source, kind, path)
    shipped = open_model(kind, path)
    pixels = np.random.default_rng(0).integers(0, 256, (5, SIDE, SIDE, 3), dtype=np.uint8)
    wanted = source.own.weigh_classes([Image.fromarray(one) for one in pixels], temperature=0.5).numpy()
    for count in (1, 5):
        np.testing.assert_allclose(shipped.answer(pixels[:count]), wanted[:count], atol=1e-4)


@pytest.mark.parametrize("arch", ARCHS)
def test_each_kind_of_network_says_the_same_as_onnx(arch: str, tmp_path: Path) -> None:
    ask_both(make_source(arch), ONNX, tmp_path / "model.onnx")


@pytest.mark.parametrize("kind", [kind for kind, form in FORMATS.items() if form.has_graph and kind != ONNX])
@pytest.mark.parametrize("arch", ["convnext_atto", "test_vit"])
def test_transformers_and_their_kin_say_the_same_in_pytorchs_own_formats(
    arch: str, kind: str, tmp_path: Path
) -> None:
    ask_both(make_source(arch), kind, tmp_path / f"model{FORMATS[kind].suffix}")


def test_windows_that_shift_say_the_same_as_onnx(tmp_path: Path) -> None:
    ask_both(make_swin(), ONNX, tmp_path / "model.onnx")
