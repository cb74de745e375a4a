"""Published weights: installed, kept from before or downloaded once, and without a network told at once."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from core.errors import WeightsError
from core.networks import published
from core.networks.build import build_model, head_of
from core.networks.download import download
from core.networks.table import INSTALLED
from tests.toy_net import build_toy, same


def always(done: int, total: int) -> bool:
    return True


def is_here(arch: str) -> bool:
    """Tell whether the published weights of a network are on this machine already."""
    return any(source.path.is_file() for source in published.find_sources(arch))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty home of torch and of the hub, whatever this machine has."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "torch" / "hub" / "checkpoints"


@pytest.fixture
def no_network(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Cut off the network, whether this machine has one or not."""
    for scheme in ("http", "https"):
        monkeypatch.setenv(f"{scheme}_proxy", "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return home


# Without a network


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    ("arch", "host"),
    [("resnext50_32x4d", "download.pytorch.org"), ("test_vit.r160_in1k", "huggingface.co")],
)
def test_without_network_the_weights_fail_at_once_with_the_ways_out(
    no_network: Path, arch: str, host: str
) -> None:
    assert not is_here(arch)
    with pytest.raises(WeightsError) as caught:
        published.load_published(build_toy(), arch, 64, progress=always)
    message = str(caught.value)
    assert message.startswith(f"The weights of {arch} are not on this machine and cannot be downloaded")
    assert f"(there is no connection to {host})" in message
    assert all(way in message for way in ("a file", "run:<id>", "none (from scratch)", INSTALLED))
    assert not no_network.exists() or not list(no_network.iterdir())


def test_of_a_network_that_nobody_published_weights_of_that_is_told() -> None:
    with pytest.raises(WeightsError, match="there are no published weights of darknet17"):
        published.load_published(build_toy(), "darknet17", 64, progress=always)


# Those of EfficientNet-Lite0 are installed

# Of the tensors in their order, as float32: what the conversion by hand has that 88.3 % of 1,000 photos were told with.
LITE0 = "653246f58bc51a83041f31517635cb2e59f1b79d0313cf52a3f31437c768b2c7"


def test_the_installed_weights_are_the_networks_own_and_need_no_network(no_network: Path) -> None:
    assert is_here(INSTALLED)
    model = build_model(INSTALLED, 1000)
    fresh = head_of(model).weight.clone()
    told = published.load_published(model, INSTALLED, 224, progress=always)
    assert told is not None
    assert told.endswith("the head is new")
    assert torch.equal(head_of(model).weight, fresh)
    digest = hashlib.sha256()
    state = model.state_dict()
    assert len(state) == 296
    for name, value in state.items():
        if not name.startswith("classifier."):
            digest.update(name.encode() + value.numpy().tobytes())
    assert digest.hexdigest() == LITE0


# Kept from before


def test_weights_on_this_machine_load_into_all_but_the_head(no_network: Path) -> None:
    original, model = build_toy(classes=1000, seed=1), build_toy(seed=2)
    [source] = published.find_sources("resnet18")
    source.path.parent.mkdir(parents=True)
    torch.save(original.state_dict(), source.path)
    head = head_of(model).weight.clone()
    assert is_here("resnet18")
    published.load_published(model, "resnet18", 32, progress=always)
    assert same(model, original, head="fc")
    assert torch.equal(head_of(model).weight, head)


def test_damaged_weights_on_this_machine_say_what_to_delete(no_network: Path) -> None:
    [source] = published.find_sources("resnet18")
    source.path.parent.mkdir(parents=True)
    source.path.write_bytes(b"half of a download")
    with pytest.raises(WeightsError, match=r"damaged .*Delete the file and start again") as caught:
        published.load_published(build_toy(), "resnet18", 32, progress=always)
    assert str(source.path) in str(caught.value)


# Downloaded


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """Serve a folder on this machine; return its address and the folder."""
    folder = tmp_path / "served"
    folder.mkdir()

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_address[1]}", folder
        running.shutdown()
        thread.join()


def test_weights_of_the_hub_are_downloaded_once_and_fit_at_another_size(
    home: Path, server: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    address, folder = server
    torch.manual_seed(1)
    original = build_model("test_vit.r160_in1k", 1000, 160)
    place = folder / "timm" / "test_vit.r160_in1k" / "resolve" / "main" / "model.safetensors"
    place.parent.mkdir(parents=True)
    save_file(original.state_dict(), place)
    monkeypatch.setattr(
        "huggingface_hub.file_download.HUGGINGFACE_CO_URL_TEMPLATE",
        address + "/{repo_id}/resolve/{revision}/{filename}",
    )
    told: list[tuple[int, int]] = []

    def progress(done: int, total: int) -> bool:
        told.append((done, total))
        return True

    for _ in range(2):
        model = build_model("test_vit.r160_in1k", 3, 64)
        assert published.load_published(model, "test_vit.r160_in1k", 64, progress=progress)
        assert torch.equal(model.state_dict()["cls_token"], original.state_dict()["cls_token"])
    megabytes = place.stat().st_size // 1_000_000
    assert told[-1] == (megabytes, megabytes)
    assert [done for done, _ in told] == sorted(done for done, _ in told)  # the second time it asked nobody


def test_a_download_that_is_ended_or_of_another_file_leaves_nothing(
    server: tuple[str, Path], tmp_path: Path
) -> None:
    address, folder = server
    (folder / "weights.pt").write_bytes(b"x" * 3_000_000)
    path = tmp_path / "kept" / "weights.pt"
    assert not download(f"{address}/weights.pt", path, progress=lambda done, _: done < 2)
    with pytest.raises(OSError, match="not the file"):
        download(f"{address}/weights.pt", path, progress=always, digest="0123")
    assert list(path.parent.iterdir()) == []
    assert download(f"{address}/weights.pt", path, progress=always)
    assert path.stat().st_size == 3_000_000
