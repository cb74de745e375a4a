"""The formats a model is shipped in: what each is called, how its files end and who can use it; no torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ONNX, TORCHSCRIPT, TORCH_EXPORT, SAFETENSORS = "onnx", "torchscript", "torch-export", "safetensors"


@dataclass(frozen=True)
class Format:
    """A format: its title, how its files end, and in a sentence what it takes to use them.

    `has_graph` tells whether a file holds the whole way from pixels to probabilities, or the weights alone.
    """

    title: str
    suffix: str
    use: str
    has_graph: bool = True


FORMATS = {
    ONNX: Format("ONNX", ".onnx", "It runs without PyTorch, in ONNX Runtime and most other engines."),
    TORCHSCRIPT: Format("TorchScript", ".pt", "It runs in PyTorch and in C++, without this program."),
    TORCH_EXPORT: Format("torch.export", ".pt2", "It runs in PyTorch 2 and can be compiled ahead of time."),
    SAFETENSORS: Format(
        "safetensors",
        ".safetensors",
        "It holds the weights alone: torchvision or timm builds the network.",
        has_graph=False,
    ),
}


def suggest_name(run: str, kind: str, *, int8: bool = False) -> str:
    """Return what the file of a run is called in a format."""
    return f"{run}{'-int8' if int8 else ''}{FORMATS[kind].suffix}"


def contract_path(model: Path) -> Path:
    """Return where the facts about a shipped model lie: beside it, under its name."""
    return model.with_name(f"{model.name}.json")


def card_path(model: Path) -> Path:
    """Return where its model card lies: beside it, under its name."""
    return model.with_name(f"{model.name}.md")
