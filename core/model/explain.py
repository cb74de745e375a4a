"""Heat maps: where in an image the evidence for a class is, by four methods at any stage; hooks always released."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from core import torchvision_ops  # noqa: F401  pytorch_grad_cam imports torchvision
from core.model.evidence import EIGENCAM, GRADCAM, METHODS, choose_stage
from core.networks.stages import Stage, find_stages

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
    stages: Mapping[int, Stage] | None = None,
) -> npt.NDArray[np.float32]:
    """Return one map a question. An image of several questions goes through the network once.

    The network is hooked meanwhile, so nothing else may run it: `Predictor` sees to that.

    Args:
        model: network in evaluation mode, on the CPU or a GPU.
        images: float32 (N, 3, S, S), normalised as for validation, on the model's device.
        questions: any number, in any order; a class `rather_than` another is explained by the difference of logits.
        method: one of METHODS. EigenCAM shows what activates the stage most, whatever the class.
        stage: from 1, fine and general, to the last, coarse and of classes; by default `evidence.choose_stage`.
        stages: those of the network for this image size, where they have been found before.

    Returns:
        float32 (len(questions), S, S), each map scaled to 0..1 by its own maximum (all 0 where nothing speaks for the
        class). What is not a number, of a network that has diverged, counts as no evidence.

    Raises:
        ValueError: for a method or stage that does not exist.
        IndexError: for a class or image that does not exist.

    Source: R. R. Selvaraju et al., "Grad-CAM" (2017), A. Chattopadhay et al., "Grad-CAM++" (2018), P.-T. Jiang et al.,
    "LayerCAM" (2021), M. B. Muhammad and M. Yeasin, "Eigen-CAM" (2020), as in pytorch-grad-cam.
    """
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
    place = _choose_place(stages or find_stages(model, images.shape[-1]), stage)
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
                maps[chosen] = _explain_batch(model, place, batch, asked, method)
    return maps


def _explain_batch(
    model: nn.Module, place: Stage, images: torch.Tensor, questions: list[MapQuestion], method: str
) -> npt.NDArray[np.float32]:
    layer = model.get_submodule(place.module)
    activations, logits = _run(model, layer, images)
    rows = [question.image for question in questions]
    seen = place.to_map(activations.detach()).float()
    if method == EIGENCAM:
        raw = _project(seen)[rows]
    else:
        gradients = place.to_map(_differentiate(logits, activations, questions)).numpy()
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
        return leaves[-1].clone()  # what comes next may change it in place, which a leaf must not be

    hook = layer.register_forward_hook(cut)
    try:
        with torch.enable_grad():
            logits: torch.Tensor = model(images)
    finally:
        hook.remove()
    return leaves[0], logits.float()


def _differentiate(
    logits: torch.Tensor, activations: torch.Tensor, questions: list[MapQuestion]
) -> torch.Tensor:
    """Return the gradients of each question's score, on the CPU; one backward pass serves all images."""
    for question in questions:
        for index in (question.target, question.rather_than or 0):
            if not 0 <= index < logits.shape[1]:
                raise IndexError(f"there is no class {index} among {logits.shape[1]}")
    rounds: dict[int, list[int]] = defaultdict(list)  # each image at most once in each
    asked: dict[int, int] = defaultdict(int)
    for number, question in enumerate(questions):
        rounds[asked[question.image]].append(number)
        asked[question.image] += 1
    found = torch.zeros(len(questions), *activations.shape[1:])
    for members in rounds.values():
        score = logits.new_zeros(())
        for question in (questions[number] for number in members):
            score = score + logits[question.image, question.target]
            if question.rather_than is not None:
                score = score - logits[question.image, question.rather_than]
        (gradient,) = torch.autograd.grad(score, activations, retain_graph=True)
        found[members] = gradient[[questions[number].image for number in members]].float().cpu()
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


def _choose_place(stages: Mapping[int, Stage], stage: int | None) -> Stage:
    number = choose_stage({number: one.side for number, one in stages.items()}) if stage is None else stage
    if number not in stages:
        raise ValueError(f"stage must be one of {', '.join(map(str, stages))}, got {number}")
    return stages[number]
