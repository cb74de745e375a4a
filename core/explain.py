"""Grad-CAM maps of a model for chosen classes, with the hooks always released."""

from __future__ import annotations

import threading

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from core import torchvision_ops  # noqa: F401  pytorch_grad_cam imports torchvision
from core.models import cam_layer

# isort: split
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

# Hooks sit on the model, so two explanations of one model at a time would mix their activations.
_LOCK = threading.Lock()


def explain(model: nn.Module, images: torch.Tensor, targets: list[int]) -> npt.NDArray[np.float32]:
    """Return one Grad-CAM map an image: where the evidence for its target class is.

    Args:
        model: network in evaluation mode, on the CPU or a GPU.
        images: float32 (N, 3, H, W), normalised as for validation, on the model's device.
        targets: N class indices to explain.

    Returns:
        float32 (N, H, W), each map scaled to 0..1 by its own maximum (all 0 where nothing speaks for the class).

    Raises:
        ValueError: when there are not as many targets as images.
        IndexError: for a target that is no class.

    Source: R. R. Selvaraju et al., "Grad-CAM" (2017), as in pytorch-grad-cam.
    """
    if len(targets) != len(images):
        raise ValueError(f"{len(images)} images need as many targets, got {len(targets)}")
    layer = cam_layer(model, images.shape[-1])
    # Parameters need no gradients for a map; the input does, or a frozen backbone would give none.
    inputs = images.detach().clone().requires_grad_(True)
    with _LOCK:
        cam = GradCAM(model=model, target_layers=[layer])
        try:  # its own `with` would swallow an IndexError
            maps = cam(input_tensor=inputs, targets=[ClassifierOutputTarget(t) for t in targets])
        finally:
            cam.activations_and_grads.release()
            model.zero_grad(set_to_none=True)
    return np.nan_to_num(np.asarray(maps, dtype=np.float32))
