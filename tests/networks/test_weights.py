"""Initial weights from files and runs: taken in any usual form, and what does not fit is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from core.errors import WeightsError
from core.networks import weights
from core.networks.build import build_model, head_of
from tests.toy_net import build_toy, same

WRAPS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "plain": lambda state: state,
    "under model": lambda state: {"model": state, "epoch": 3},
    "under state_dict": lambda state: {"state_dict": state, "arch": "resnet18"},
    "of DataParallel": lambda state: {f"module.{key}": value for key, value in state.items()},
    "of torch.compile": lambda state: {f"_orig_mod.{key}": value for key, value in state.items()},
    "of both": lambda state: {f"module._orig_mod.{key}": value for key, value in state.items()},
    "of a framework": lambda state: {"state_dict": {f"model.{key}": value for key, value in state.items()}},
    "of an encoder": lambda state: {f"module.encoder.{key}": value for key, value in state.items()},
    "of a detector": lambda state: {f"backbone.{key}": value for key, value in state.items()},
    "of an early PyTorch": lambda state: {k: v for k, v in state.items() if "num_batches_tracked" not in k},
}


@pytest.mark.parametrize("wrap", WRAPS)
def test_weights_are_taken_from_a_file_in_any_usual_form(tmp_path: Path, wrap: str) -> None:
    original, model = build_toy(seed=1), build_toy(seed=2)
    torch.save(WRAPS[wrap](original.state_dict()), tmp_path / "weights.pt")
    weights.load_weights_file(model, tmp_path / "weights.pt")
    assert same(model, original)


def test_weights_are_taken_from_a_file_of_safetensors(tmp_path: Path) -> None:
    original, model = build_toy(seed=1), build_toy(seed=2)
    save_file(original.state_dict(), tmp_path / "weights.safetensors")
    assert str(weights.load_weights_file(model, tmp_path / "weights.safetensors")) == "all 9 tensors fit"
    assert same(model, original)


def test_a_head_for_other_classes_stays_fresh_and_that_is_told(tmp_path: Path) -> None:
    original, model = build_toy(classes=5, seed=1), build_toy(classes=3, seed=2)
    torch.save({**original.state_dict(), "neck.weight": torch.zeros(2)}, tmp_path / "weights.pt")
    fit = weights.load_weights_file(model, tmp_path / "weights.pt")
    assert str(fit) == "7 of 9 tensors fit; the head is new; 1 of the file are not used, first neck.weight"
    assert (fit.head, fit.outputs) == (False, 5)
    assert same(model, original, head="fc")
    assert torch.equal(head_of(model).weight, head_of(build_toy(classes=3, seed=2)).weight)


def test_weights_of_another_network_are_refused_and_nothing_is_loaded(tmp_path: Path) -> None:
    torch.save(build_toy(width=16, seed=1).state_dict(), tmp_path / "weights.pt")
    model = build_toy(width=8, seed=2)
    words = (
        r"another network: 6 of 9 tensors do not fit, first conv1\.weight, which is 16×3×3×3 and not 8×3×3×3"
    )
    with pytest.raises(WeightsError, match=words):
        weights.load_weights_file(model, tmp_path / "weights.pt")
    assert same(model, build_toy(width=8, seed=2))


def test_what_a_file_lacks_is_named(tmp_path: Path) -> None:
    state = build_toy(seed=1).state_dict()
    del state["bn1.bias"]
    torch.save(state, tmp_path / "weights.pt")
    with pytest.raises(WeightsError, match=r"1 of 9 tensors do not fit, first bn1\.bias, which it lacks"):
        weights.load_weights_file(build_toy(), tmp_path / "weights.pt")


def test_a_network_of_timm_takes_its_own_weights_at_another_size_and_for_other_classes(
    tmp_path: Path,
) -> None:
    torch.manual_seed(0)
    original = build_model("test_vit", 5, 64)
    torch.save(original.state_dict(), tmp_path / "weights.pt")
    model = build_model("test_vit", 3, 96)
    fit = weights.load_weights_file(model, tmp_path / "weights.pt")
    assert (fit.count, fit.total, fit.head, fit.unused) == (
        len(model.state_dict()) - 2,
        len(model.state_dict()),
        False,
        (),
    )
    ours, theirs = model.state_dict(), original.state_dict()
    assert torch.equal(ours["blocks.0.attn.qkv.weight"], theirs["blocks.0.attn.qkv.weight"])
    assert ours["pos_embed"].shape != theirs["pos_embed"].shape
    assert not torch.equal(ours["head.weight"], theirs["head.weight"])


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"there is no file .*gone\.pt"):
        weights.load_weights_file(build_toy(), tmp_path / "gone.pt")


class Surprise:
    """What a pickle can hold that is no weights: something that runs when it is loaded."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("surprise"),)


@pytest.mark.parametrize("content", [b"", b"a text", b"PK\x03\x04 no zip"])
@pytest.mark.parametrize("name", ["weights.pt", "weights.safetensors"])
def test_a_file_that_is_no_weights_file_is_refused(tmp_path: Path, content: bytes, name: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(WeightsError, match=rf"{name} is not a weights file"):
        weights.load_weights_file(build_toy(), tmp_path / name)


def test_a_file_that_would_run_code_is_refused_and_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"fc.weight": Surprise()}, tmp_path / "weights.pt")
    with pytest.raises(WeightsError, match="is not a weights file"):
        weights.load_weights_file(build_toy(), tmp_path / "weights.pt")
    assert not (tmp_path / "surprise").exists()


@pytest.mark.parametrize("value", [[1, 2], {"epoch": 3}, torch.zeros(3), {1: torch.zeros(3)}], ids=str)
def test_values_that_are_no_state_dict_are_refused(tmp_path: Path, value: object) -> None:
    torch.save(value, tmp_path / "weights.pt")
    with pytest.raises(WeightsError, match="does not contain the state dict"):
        weights.load_weights_file(build_toy(), tmp_path / "weights.pt")


# By the config's word


def load(model: torch.nn.Module, word: str, best_of: Callable[[str], Path]) -> str | None:
    return weights.load_initial_weights(
        model, "resnet18", word, best_of, image_size=32, progress=lambda *_: True
    )


def never(name: str) -> Path:
    raise AssertionError(f"asked for run {name}")


def test_none_leaves_the_random_weights() -> None:
    model = build_toy(seed=1)
    assert load(model, "none", never) == "random"
    assert same(model, build_toy(seed=1))


def test_a_path_names_a_file_of_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original, model = build_toy(seed=1), build_toy(seed=2)
    torch.save(original.state_dict(), tmp_path / "weights.pt")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert load(model, "~/weights.pt", never) == "all 9 tensors fit"
    assert same(model, original)


def test_a_run_names_its_best_model(tmp_path: Path) -> None:
    original, model = build_toy(seed=1), build_toy(seed=2)
    torch.save({"model": original.state_dict()}, tmp_path / "best.pt")
    load(model, "run:first", lambda name: {"first": tmp_path / "best.pt"}[name])
    assert same(model, original)
