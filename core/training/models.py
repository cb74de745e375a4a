"""Build a network, load its initial weights, and name the layer its heat maps are read from."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from core import torchvision_ops  # noqa: F401  torchvision must find its ops declared first
from core.errors import WeightsError
from core.places import expand_home
from core.recipe.config import ARCHS

# isort: split
from torchvision import models as tv_models

HEAD = "fc"  # the last layer's name in every network here
_DOWNLOAD_TIMEOUT = 20.0  # seconds without a byte


def build_model(arch: str, classes: int) -> nn.Module:
    """Return a torchvision network with random weights and a fresh head of `classes` outputs.

    It maps float (N, 3, S, S) to logits (N, classes).
    """
    if arch not in ARCHS:
        raise ValueError(f"arch must be one of {', '.join(ARCHS)}, got {arch!r}")
    # Residual branches that begin at zero train from scratch in a fraction of the epochs (P. Goyal et al., "Accurate,
    # Large Minibatch SGD", 2017, section 5.1); loaded weights replace the zeros.
    model: nn.Module = tv_models.get_model(arch, weights=None, num_classes=classes, zero_init_residual=True)
    return model


def load_imagenet(model: nn.Module, arch: str) -> None:
    """Load torchvision's best ImageNet weights into everything but the head, downloading them once.

    Raises:
        WeightsError: when they are not cached and cannot be downloaded, or are damaged.
    """
    weights = tv_models.get_model_weights(arch).DEFAULT
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_DOWNLOAD_TIMEOUT)
    try:
        state = weights.get_state_dict(progress=True, check_hash=True, weights_only=True)
    except Exception as error:  # network, disk and file each fail in their own kinds
        if imagenet_cached(arch):
            raise WeightsError(
                f"The ImageNet weights of {arch} at {_imagenet_path(arch)} are damaged ({_reason(error)}). "
                "Delete the file and start again."
            ) from None
        raise WeightsError(
            f"The ImageNet weights of {arch} are not on this machine and cannot be downloaded ({_reason(error)}). "
            "Connect to the network and start again, or choose other initial weights: "
            "a file, an earlier run's best model (run:<id>), or none (from scratch)."
        ) from None
    finally:
        socket.setdefaulttimeout(before)
    _load_but_head(model, state)


def imagenet_cached(arch: str) -> bool:
    """Tell whether the ImageNet weights of a network are on this machine already."""
    return _imagenet_path(arch).is_file()


def load_weights_file(model: nn.Module, path: Path) -> None:
    """Load a state dict (plain, or under `model` or `state_dict`) from a file; a head of another size stays fresh.

    Raises:
        WeightsError: when the file is missing, is no state dict or is of another network.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise WeightsError(f"weights: there is no file {path}.") from None
    except Exception as error:  # torch.load raises a dozen kinds on files that are not its own
        raise WeightsError(f"weights: {path} is no PyTorch weights file ({_reason(error)}).") from None
    for key in ("model", "state_dict"):
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
    if not isinstance(state, dict) or not all(
        isinstance(key, str) and isinstance(value, torch.Tensor) for key, value in state.items()
    ):
        raise WeightsError(f"weights: {path} holds no state dict of a network.")
    # DataParallel and torch.compile put their own name before each of the network's.
    state = {re.sub(r"^((module|_orig_mod)\.)+", "", key): value for key, value in state.items()}
    wanted = model.state_dict()
    fits = {k: v for k, v in state.items() if k in wanted and v.shape == wanted[k].shape}
    # Files of the first PyTorch versions lack BatchNorm's counter, and nothing here reads it.
    free = re.compile(r"fc\.|.*\.num_batches_tracked$")
    missing = [k for k in wanted if k not in fits and not free.match(k)]
    if missing:
        raise WeightsError(
            f"weights: {path} is of another network: {len(missing)} tensors do not fit, first {missing[0]}."
        )
    model.load_state_dict(fits, strict=False)


def fold_norms(model: nn.Module) -> nn.Module:
    """Fold each normalisation of a ResNet in evaluation mode into the convolution before it, in place; return the model.

    The outputs stay the same up to rounding and come a tenth to a third sooner on a CPU, most for single images. Such a
    model can only predict: it has nothing left to adapt in training.
    """
    for module in [*model.modules()]:
        children = dict(module.named_children())
        pairs = [(name, f"bn{name[4:]}") for name in children if name.startswith("conv")]
        if isinstance(module, nn.Sequential):  # a shortcut: a convolution and its normalisation
            pairs = [("0", "1")]
        for first, second in pairs:
            convolution, norm = children.get(first), children.get(second)
            if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                setattr(module, first, fuse_conv_bn_eval(convolution, norm))
                setattr(module, second, nn.Identity())
    return model


def head_of(model: nn.Module) -> nn.Module:
    """Return a network's last layer, which maps its features (N, D) to logits (N, C)."""
    return model.get_submodule(HEAD)


def freeze_backbone(model: nn.Module, frozen: bool) -> None:
    """Make everything but the head keep its weights, or learn again."""
    for name, parameter in model.named_parameters():
        if not name.startswith(f"{HEAD}."):
            parameter.requires_grad_(not frozen)


def count_parameters(model: nn.Module) -> int:
    """Return the number of trainable parameters."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def load_initial_weights(model: nn.Module, arch: str, weights: str, best_of: Callable[[str], Path]) -> None:
    """Load what the config's `weights` names; `best_of` gives the path of a run's best model.

    Raises:
        WeightsError: when it cannot be had or does not fit.
    """
    if weights == "imagenet":
        load_imagenet(model, arch)
    elif weights.startswith("run:"):
        load_weights_file(model, best_of(weights.removeprefix("run:")))
    elif weights != "none":
        load_weights_file(model, expand_home(weights))


def _imagenet_path(arch: str) -> Path:
    url: str = tv_models.get_model_weights(arch).DEFAULT.url
    return Path(torch.hub.get_dir()) / "checkpoints" / url.rsplit("/", 1)[-1]


def _load_but_head(model: nn.Module, state: dict[str, torch.Tensor]) -> None:
    head = {"fc.weight", "fc.bias"}
    model.load_state_dict({k: v for k, v in state.items() if k not in head}, strict=False)


def _reason(error: BaseException) -> str:
    reason = getattr(error, "reason", None) or error
    return str(reason).splitlines()[0][:160] if str(reason) else type(error).__name__
