"""The yardstick: the report's recipe as plainly as a student would write it. Nothing here is made fast on purpose."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader

from core import torchvision_ops  # noqa: F401  torchvision must find its ops declared first

# isort: split
from torchvision import datasets, transforms

Loader = DataLoader[tuple[torch.Tensor, torch.Tensor]]
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass
class Reference:
    """What the plain loop did: loss of every step, validation accuracy (0..1) and seconds so far of every epoch.

    `best_state` are the weights after the epoch of best validation accuracy, the first of equals.
    """

    losses: list[float] = field(default_factory=list)
    val_acc: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    best_state: dict[str, torch.Tensor] = field(default_factory=dict)


def make_loaders(
    data: Path,
    *,
    size: int,
    batch_size: int = 32,
    workers: int = 4,
    mean: tuple[float, ...] = MEAN,
    std: tuple[float, ...] = STD,
) -> tuple[Loader, Loader]:
    """Return training and validation loaders with the report's transforms at `size` pixels (224 in the report)."""
    train_transform = transforms.Compose(
        [
            transforms.RandomResizedCrop(size),
            transforms.RandomHorizontalFlip(),
            transforms.RandomRotation(15),
            transforms.RandomAffine(0, translate=(0.1, 0.1)),
            transforms.ColorJitter(brightness=0.3, contrast=0.3, saturation=0.3),
            transforms.ToTensor(),
            transforms.Normalize(mean, std),
            transforms.RandomErasing(p=0.5),
        ]
    )
    val_transform = transforms.Compose(
        [
            transforms.Resize(size * 256 // 224),
            transforms.CenterCrop(size),
            transforms.ToTensor(),
            transforms.Normalize(mean, std),
        ]
    )
    train = datasets.ImageFolder(str(data / "train"), train_transform)
    val = datasets.ImageFolder(str(data / "val"), val_transform)
    return (
        DataLoader(train, batch_size=batch_size, shuffle=True, num_workers=workers),
        DataLoader(val, batch_size=batch_size, num_workers=workers),
    )


def train_step(
    model: nn.Module, images: torch.Tensor, labels: torch.Tensor, optimizer: torch.optim.Optimizer
) -> float:
    """Do one step and return its loss."""
    optimizer.zero_grad()
    outputs = model(images)
    loss = nn.functional.cross_entropy(outputs, labels)
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    return loss.item()


def train_reference(
    model: nn.Module,
    train: Loader,
    val: Loader,
    *,
    epochs: int,
    device: str = "cpu",
) -> Reference:
    """Train with SGD at a constant rate of 0.001 and momentum 0.9, validating after every epoch."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.001, momentum=0.9)
    done, begun = Reference(), time.perf_counter()
    model.to(device)
    for _ in range(epochs):
        model.train()
        for images, labels in train:
            done.losses.append(train_step(model, images.to(device), labels.to(device), optimizer))
        model.eval()
        right = count = 0
        with torch.no_grad():
            for images, labels in val:
                right += int((model(images.to(device)).argmax(1).cpu() == labels).sum())
                count += len(labels)
        if right / count > max(done.val_acc, default=-1.0):
            done.best_state = {name: value.cpu().clone() for name, value in model.state_dict().items()}
        done.val_acc.append(right / count)
        done.seconds.append(time.perf_counter() - begun)
    return done
