"""A short program that uses a shipped file, for its model card."""

from __future__ import annotations

from pathlib import Path

from core.networks.table import TORCHVISION, find_network
from core.ship.contract import INPUT, OUTPUT, Contract
from core.ship.formats import ONNX, SAFETENSORS, TORCH_EXPORT, TORCHSCRIPT, contract_path

_PREPARE = """\
image = ImageOps.exif_transpose(Image.open("image.jpg")).convert("RGB")
short = min(image.size)
image = image.resize([{resize} * side // short for side in image.size], Image.Resampling.{interpolation})
left, top = [round((side - {size}) / 2) for side in image.size]
pixels = np.asarray(image.crop((left, top, left + {size}, top + {size})))[None]
"""
_ASK_TORCH = "probabilities = model(torch.from_numpy(pixels.copy()))[0].numpy()\n"
_ASK = {
    ONNX: """\
session = onnxruntime.InferenceSession("{file}", providers=["CPUExecutionProvider"])
probabilities = session.run(["{output}"], {{"{input}": pixels}})[0][0]
""",
    TORCHSCRIPT: 'model = torch.jit.load("{file}")\n' + _ASK_TORCH,
    TORCH_EXPORT: 'model = torch.export.load("{file}").module()\n' + _ASK_TORCH,
    SAFETENSORS: """\
model = {build}
model.load_state_dict(safetensors.torch.load_file("{file}"))
mean, std = torch.tensor({mean}), torch.tensor({std})
inputs = ((torch.from_numpy(pixels.copy()) / 255 - mean) / std).permute(0, 3, 1, 2)
probabilities = (model.eval()(inputs) / {temperature}).softmax(1)[0].detach().numpy()
""",
}
_TELL = """\
classes = json.load(open("{beside}", encoding="utf-8"))["classes"]
print(classes[probabilities.argmax()], probabilities.max())
"""


def write_snippet(kind: str, file: str, contract: Contract) -> str:
    """Return a program that prints the likeliest class of `image.jpg` by a shipped file of this name beside it."""
    imports = [f"import {name}" for name in sorted({"json", *_list_imports(kind, contract)})]
    parts = [
        *imports,
        "import numpy as np",
        "from PIL import Image, ImageOps",
        "",
        _PREPARE + _ASK[kind] + _TELL,
    ]
    return "\n".join(parts).format(
        file=file,
        beside=contract_path(Path(file)).name,
        input=INPUT,
        output=OUTPUT,
        size=contract.image_size,
        resize=contract.resize_size,
        interpolation=contract.interpolation.upper(),
        build=_build(contract),
        mean=list(contract.mean),
        std=list(contract.std),
        temperature=contract.temperature,
    )


def _list_imports(kind: str, contract: Contract) -> list[str]:
    if kind == ONNX:
        return ["onnxruntime"]
    if kind == SAFETENSORS:
        return ["safetensors.torch", "torch", "torchvision" if contract.network in TORCHVISION else "timm"]
    return ["torch"]


def _build(contract: Contract) -> str:
    """Return the call that builds the network."""
    count = f"num_classes={len(contract.classes)}"
    if contract.network in TORCHVISION:
        return f'torchvision.models.get_model("{contract.network}", {count})'
    network = find_network(contract.network)
    size = f", img_size={contract.image_size}" if network is not None and network.built else ""
    return f'timm.create_model("{contract.network}", {count}{size})'
