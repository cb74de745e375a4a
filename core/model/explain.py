"""Heat maps: where in an image the evidence for a class is, by four methods at any stage; hooks always released."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from core import torchvision_ops  # noqa: F401  pytorch_grad_cam imports torchvision
from core.model.evidence import EIGENCAM, GRADCAM, METHODS, STAGES, choose_stage

# isort: split
from pytorch_grad_cam import GradCAM, GradCAMPlusPlus, LayerCAM
from pytorch_grad_cam.utils.image import scale_cam_image

_BY_GRADIENT = {GRADCAM: GradCAM, "Grad-CAM++": GradCAMPlusPlus, "LayerCAM": LayerCAM}
_BATCH = 12  # images at a time: larger is no faster on a CPU and takes more memory


@dataclass(frozen=True)
class MapQuestion:
    """What a map answers: where in image number `image` is evidence for class `target`, or for it `rather_than` another."""

    image: int
    target: int
    rather_than: int | None = None


def explain(
    model: nn.Module,
    images: torch.Tensor,
    questions: Sequence[MapQuestion],
    *,
    method: str = GRADCAM,
    stage: int | None = None,
) -> npt.NDArray[np.float32]:
    """Return one map a question. An image of several questions goes through the network once.

    The network is hooked meanwhile, so nothing else may run it: `Predictor` sees to that.

    Args:
        model: network in evaluation mode, on the CPU or a GPU.
        images: float32 (N, 3, S, S), normalised as for validation, on the model's device.
        questions: any number, in any order; a class `rather_than` another is explained by the difference of logits.
        method: one of METHODS. EigenCAM shows what activates the stage most, whatever the class.
        stage: 1 to 4, from fine and general to coarse and of classes; by default `evidence.choose_stage`.

    Returns:
        float32 (len(questions), S, S), each map scaled to 0..1 by its own maximum (all 0 where nothing speaks for the
        class). What is no number, of a network that has diverged, counts as no evidence.

    Raises:
        ValueError: for a method or stage that does not exist.
        IndexError: for a class or image that does not exist.

    Source: R. R. Selvaraju et al., "Grad-CAM" (2017), A. Chattopadhay et al., "Grad-CAM++" (2018), P.-T. Jiang et al.,
    "LayerCAM" (2021), M. B. Muhammad and M. Yeasin, "Eigen-CAM" (2020), as in pytorch-grad-cam.
    """
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
    layer = cam_layer(model, images.shape[-1], stage)
    for question in questions:
        if not 0 <= question.image < len(images):
            raise IndexError(f"there is no image {question.image} among {len(images)}")
    maps = np.zeros((len(questions), *images.shape[-2:]), dtype=np.float32)
    with _frozen(model), np.errstate(all="ignore"):
        for start in range(0, len(images), _BATCH):
            chosen = [n for n, q in enumerate(questions) if start <= q.image < start + _BATCH]
            if chosen:
                asked = [replace(questions[n], image=questions[n].image - start) for n in chosen]
                batch = images[start : start + _BATCH]
                maps[chosen] = _explain_batch(model, layer, batch, asked, method)
    return maps


def _explain_batch(
    model: nn.Module, layer: nn.Module, images: torch.Tensor, questions: list[MapQuestion], method: str
) -> npt.NDArray[np.float32]:
    activations, logits = _run(model, layer, images)
    rows = [question.image for question in questions]
    seen = activations.detach().float()
    if method == EIGENCAM:
        raw = _project(seen)[rows]
    else:
        gradients = _differentiate(logits, activations, questions)
        cam = _BY_GRADIENT[method](model=model, target_layers=[])  # only its formula: the hooks are ours
        raw = cam.get_cam_image(images, layer, None, seen[rows].cpu().numpy(), gradients, eigen_smooth=False)
    raw = np.nan_to_num(raw, nan=0.0, posinf=0.0, neginf=0.0).clip(min=0)
    # Twice, as in pytorch-grad-cam: enlarging takes the edge off the maximum.
    scaled: npt.NDArray[np.float32] = scale_cam_image(
        scale_cam_image(raw, (images.shape[3], images.shape[2]))
    )
    return scaled


def _run(model: nn.Module, layer: nn.Module, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the layer's activations, as a leaf of the graph, and the logits that follow from them."""
    leaves: list[torch.Tensor] = []

    def cut(_: nn.Module, __: object, output: torch.Tensor) -> torch.Tensor:
        # Gradients are wanted up to here only; further back they would cost more than the pass forward.
        leaves.append(output.detach().requires_grad_(True))
        return leaves[-1]

    hook = layer.register_forward_hook(cut)
    try:
        with torch.enable_grad():
            logits: torch.Tensor = model(images)
    finally:
        hook.remove()
    return leaves[0], logits.float()


def _differentiate(
    logits: torch.Tensor, activations: torch.Tensor, questions: list[MapQuestion]
) -> npt.NDArray[np.float32]:
    """Return the gradients (len(questions), C, h, w) of each question's score; one backward pass serves all images."""
    for question in questions:
        for index in (question.target, question.rather_than or 0):
            if not 0 <= index < logits.shape[1]:
                raise IndexError(f"there is no class {index} among {logits.shape[1]}")
    rounds: dict[int, list[int]] = defaultdict(list)  # each image at most once in each
    asked: dict[int, int] = defaultdict(int)
    for number, question in enumerate(questions):
        rounds[asked[question.image]].append(number)
        asked[question.image] += 1
    found = np.zeros((len(questions), *activations.shape[1:]), dtype=np.float32)
    for members in rounds.values():
        score = logits.new_zeros(())
        for question in (questions[number] for number in members):
            score = score + logits[question.image, question.target]
            if question.rather_than is not None:
                score = score - logits[question.image, question.rather_than]
        (gradient,) = torch.autograd.grad(score, activations, retain_graph=True)
        found[members] = gradient[[questions[number].image for number in members]].float().cpu().numpy()
    return found


def _project(activations: torch.Tensor) -> npt.NDArray[np.float32]:
    """Return activations (N, C, h, w) along their first principal component, (N, h, w), its largest value positive.

    pytorch-grad-cam's EigenCAM leaves the sign to chance, and decomposes in full what takes a tenth of the time.
    """
    count, _, height, width = activations.shape
    points = torch.nan_to_num(activations).flatten(2).transpose(1, 2)  # (N, h·w, C)
    left, values, _ = torch.linalg.svd(points - points.mean(dim=1, keepdim=True), full_matrices=False)
    along = left[..., 0] * values[..., :1]
    sign = torch.where(along.amax(1) >= -along.amin(1), 1.0, -1.0)
    projected: npt.NDArray[np.float32] = (along * sign[:, None]).reshape(count, height, width).cpu().numpy()
    return projected


@contextmanager
def _frozen(model: nn.Module) -> Iterator[None]:
    """Let no parameter ask for a gradient meanwhile: a map needs only those of activations."""
    free = [parameter for parameter in model.parameters() if parameter.requires_grad]
    for parameter in free:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in free:
            parameter.requires_grad_(True)


def cam_layer(model: nn.Module, image_size: int, stage: int | None = None) -> nn.Module:
    """Return the last block of a ResNet's stage 1 to 4, by default of the one that suits the image size.

    Raises:
        ValueError: for another stage.
    """
    number = choose_stage(image_size) if stage is None else stage
    if number not in STAGES:
        raise ValueError(f"stage must be one of {', '.join(map(str, STAGES))}, got {number}")
    blocks = model.get_submodule(f"layer{number}")
    assert isinstance(blocks, nn.Sequential)
    return blocks[-1]
