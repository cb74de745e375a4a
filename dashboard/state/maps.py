"""Heat maps for pages: each is computed once and kept; what a page lacks is computed in one batch."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import streamlit as st
from PIL import Image

from core.dataset.kept import stamp_file
from core.model.evidence import GRADCAM, Evidence, choose_stage
from core.model.pictures import STRENGTH, encode_image, enlarge, overlay_map
from core.runs.run import Run
from dashboard.state import services

if TYPE_CHECKING:
    from core.model.faithfulness import Faithfulness
    from core.model.predict import Predictor

KEPT_BYTES = 128 << 20  # of maps; those used longest ago beyond this are given up


@dataclass(frozen=True)
class HeatMap:
    """A map, uint8 (S, S) in 0..255, and the image under it as WebP bytes; `blank` where nothing speaks for the class."""

    heat: npt.NDArray[np.uint8]
    overlay: bytes

    @property
    def blank(self) -> bool:
        """Tell whether the map marks nothing."""
        return not self.heat.any()

    def scale(self) -> npt.NDArray[np.float32]:
        """Return the map in 0..1."""
        scaled: npt.NDArray[np.float32] = self.heat.astype(np.float32) / np.float32(255)
        return scaled


@dataclass(frozen=True)
class Explained:
    """One image as the network sees it, as WebP bytes, and its heat map for each evidence asked for."""

    seen: bytes
    maps: dict[Evidence, HeatMap]

    @property
    def nbytes(self) -> int:
        """Return the memory it takes."""
        return len(self.seen) + sum(one.heat.nbytes + len(one.overlay) for one in self.maps.values())


@dataclass(frozen=True)
class _Key:
    """All that the maps of an image depend on: `stamp` and `mtime` change with the model and the image."""

    folder: Path
    stamp: int
    path: Path
    mtime: int
    method: str
    stage: int


class _Shelf:
    """What is known of images, at most KEPT_BYTES of it."""

    def __init__(self) -> None:
        self._kept: OrderedDict[_Key, Explained] = OrderedDict()
        self._bytes, self._lock = 0, threading.Lock()

    def get(self, key: _Key) -> Explained | None:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def put(self, key: _Key, value: Explained) -> None:
        with self._lock:
            old = self._kept.pop(key, None)
            self._kept[key] = value
            self._bytes += value.nbytes - (old.nbytes if old else 0)
            while self._bytes > KEPT_BYTES and len(self._kept) > 1:
                self._bytes -= self._kept.popitem(last=False)[1].nbytes


@st.cache_resource
def _shelf() -> _Shelf:
    return _Shelf()


def explain_images(
    run: Run,
    wanted: Sequence[tuple[str, tuple[Evidence, ...]]],
    *,
    method: str = GRADCAM,
    stage: int | None = None,
) -> list[Explained | None]:
    """Return the heat maps wanted of images, by their paths under the data folder; None for a lost image.

    A result may hold more maps than were wanted now. `stage` is by default the one that suits the image size.

    Raises:
        RunError: when the run has no model.
    """
    predictor, shelf = services.load_predictor(run), _shelf()
    root, stamp = services.read_data(run).root, run.best_path.stat().st_mtime_ns
    depth = stage or choose_stage(predictor.sides)
    keys = [_find_key(run.folder, stamp, root / path, method, depth) for path, _ in wanted]
    known = {key: entry for key in keys if key is not None and (entry := shelf.get(key)) is not None}
    lacking = {
        key: tuple(one for one in evidences if key not in known or one not in known[key].maps)
        for key, (_, evidences) in zip(keys, wanted, strict=True)
        if key is not None
    }
    lacking = {key: evidences for key, evidences in lacking.items() if evidences or key not in known}
    if lacking:
        with st.spinner("Computing heat maps …"):
            for key, entry in _compute(predictor, lacking).items():
                before = known[key].maps if key in known else {}
                known[key] = Explained(entry.seen, before | entry.maps)
                shelf.put(key, known[key])
    return [known.get(key) if key is not None else None for key in keys]


def _find_key(folder: Path, stamp: int, path: Path, method: str, stage: int) -> _Key | None:
    try:
        return _Key(folder, stamp, path, stamp_file(path.parent, path.name)[1], method, stage)
    except OSError:
        return None


def _compute(predictor: Predictor, lacking: dict[_Key, tuple[Evidence, ...]]) -> dict[_Key, Explained]:
    from core.dataset.images import ImageProblem, read_image

    def read(key: _Key) -> Image.Image | None:
        try:
            return read_image(key.path)
        except ImageProblem:
            return None

    with ThreadPoolExecutor() as pool:
        read_ones = zip(lacking, pool.map(read, lacking), strict=True)
        images = {key: image for key, image in read_ones if image is not None}
    if not images:
        return {}
    one = next(iter(images))
    seen, maps = predictor.explain(
        list(images.values()), [lacking[key] for key in images], method=one.method, stage=one.stage
    )
    return {
        key: Explained(
            encode_image(enlarge(Image.fromarray(pixels))),
            {
                evidence: HeatMap(
                    (heat * 255).round().astype(np.uint8), encode_image(overlay_map(pixels, heat))
                )
                for evidence, heat in zip(lacking[key], heats, strict=True)
            },
        )
        for key, pixels, heats in zip(images, seen, maps, strict=True)
    }


def redraw(run: Run, path: str, heat: HeatMap, strength: float) -> bytes:
    """Return an image under a map of it at another strength of the colour (0..1) than the usual."""
    if strength == STRENGTH:
        return heat.overlay
    from core.dataset.images import read_image
    from core.training.loaders import to_pixels

    image = read_image(services.read_data(run).root / path)
    predictor = services.load_predictor(run)
    pixels = to_pixels(predictor.prepare([image]), predictor.inputs)[0]
    return encode_image(overlay_map(pixels, heat.scale(), strength=strength))


def measure(run: Run, path: str, heat: HeatMap, name: str) -> Faithfulness | None:
    """Return how the confidence for a class falls when what a map of an image marks is hidden; None for a blank map."""
    stamp = run.best_path.stat().st_mtime_ns
    return _measure(run.folder, stamp, services.read_data(run).root / path, heat.scale(), name)


@st.cache_data(max_entries=500, show_spinner="Hiding what the map marks …")
def _measure(
    folder: Path,
    stamp: int,  # noqa: ARG001
    path: Path,
    heat: npt.NDArray[np.float32],
    name: str,
) -> Faithfulness | None:
    from core.dataset.images import read_image

    predictor = services.load_predictor(Run(folder))
    return predictor.measure_faithfulness(read_image(path), heat, name)
