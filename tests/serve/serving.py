"""A server of its own on a free port, of a network that tells colours, and clients that ask it over real HTTP."""

from __future__ import annotations

import http.client
import io
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from core.model.predict import Predictor
from core.runs.run import Run
from core.serve.app import Service
from core.serve.gate import Gate
from core.serve.limits import Limits
from core.serve.served import Served
from core.serve.server import make_server, open_socket
from core.training.engine import Compute
from tests.processes import wait_until

CLASSES = ("2", "10", "35")
FP32 = Compute(torch.device("cpu"), bf16=False, channels_last=False)
BOUNDARY = "-----a-boundary"


def make_predictor(network: torch.nn.Module | None = None) -> Predictor:
    """Return a predictor whose network tells the brightest channel: red is class 2, green 10, blue 35."""
    model = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(3, 3))
    model[2].weight.data = torch.eye(3)
    model[2].bias.data.zero_()
    return Predictor(
        network or model, classes=CLASSES, image_size=32, resize_size=32, compute=FP32, display={"2": "rose"}
    )


def make_served(
    folder: Path, predictor: Predictor | None = None, *, kind: type[Served] = Served, **changes: Any
) -> Served:
    """Return a model to serve as if it were of epoch 2 of the run in a folder."""
    values = {"network": "toy", "epoch": 2, "accuracy": 0.75, "val_count": 4}
    return kind(Run(folder), predictor or make_predictor(), **{**values, **changes})


class Slow(torch.nn.Module):
    """A network that answers nothing but noise, and that only when it may."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.may = threading.Event(), threading.Event()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.begun.set()
        self.may.wait(20)
        return torch.zeros(len(images), len(CLASSES))


@dataclass(frozen=True)
class Answer:
    """What came back: the status, the headers by their names in small letters, the body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Server:
    """A server that listens, and what a client does with it."""

    port: int
    service: Service
    headers: dict[str, str] = field(default_factory=dict)

    def ask(self, method: str, path: str, body: Any = None, timeout: float = 30, **headers: str) -> Answer:
        """Send one request over a connection of its own; headers by names with _ for -."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, body, {**self.headers, **named})
            answer = connection.getresponse()
            found = {name.casefold(): value for name, value in answer.getheaders()}
            return Answer(answer.status, found, answer.read())
        finally:
            connection.close()

    def predict(self, data: bytes, **headers: str) -> Answer:
        """Send one image as it is."""
        return self.ask("POST", "/predict", data, **{"Content_Type": "image/png", **headers})

    def send_form(self, *files: tuple[str, bytes]) -> Answer:
        """Send several images as the files of a form."""
        return self.ask("POST", "/predict", make_form(*files), Content_Type=FORM)

    def read_metrics(self) -> dict[str, float]:
        """Return what /metrics says, by name and labels."""
        lines = self.ask("GET", "/metrics").body.decode().splitlines()
        pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        return {name: float(value) for name, value in pairs}


FORM = f"multipart/form-data; boundary={BOUNDARY}"


def make_form(*files: tuple[str, bytes]) -> bytes:
    """Return the body of a form of files, each by its name."""
    parts = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="{name}"\r\n\r\n'.encode()
        + data
        + b"\r\n"
        for name, data in files
    )
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


@contextmanager
def serving(served: Served, *, token: str = "", **limits: Any) -> Iterator[Server]:
    """Serve a model in a thread on a free port of this machine, with some limits other than usual."""
    service = Service(served, gate=Gate(token), limits=Limits(**limits))
    with open_socket("127.0.0.1", 0) as opened:
        server = make_server(service)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [opened]})
        thread.start()
        try:
            wait_until(lambda: server.started, "the server listens", timeout=20)
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            yield Server(opened.getsockname()[1], service, headers)
        finally:
            server.should_exit = True
            thread.join(20)
            service.close()
    assert not thread.is_alive()


def encode(image: Image.Image, kind: str = "PNG") -> bytes:
    """Return an image as a file has it."""
    file = io.BytesIO()
    image.save(file, kind)
    return file.getvalue()


def paint(colour: str | tuple[int, int, int], side: int = 40) -> Image.Image:
    """Return a square image of one colour."""
    return Image.new("RGB", (side, side), colour)


def confidences(told: dict[str, Any]) -> dict[str, float]:
    """Return what was told of an image as confidences by class, in their order."""
    return {one["name"]: one["confidence"] for one in told["classes"]}
