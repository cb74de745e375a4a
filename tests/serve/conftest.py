"""The server that most tests of this room ask."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from core.confidence.measured import Estimate
from core.confidence.threshold import Threshold
from core.model.predict import Predictor
from tests.serve.serving import Server, make_predictor, make_served, serving

collect_ignore = [] if sys.version_info >= (3, 11) else ["test_fuzzed.py"]  # schemathesis needs 3.11


@pytest.fixture(scope="session")
def predictor() -> Predictor:
    """Return the predictor that tells colours."""
    return make_predictor()


@pytest.fixture(scope="module")
def server(predictor: Predictor, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a server of a calibrated model whose threshold is 0.6, with small limits."""
    served = make_served(
        tmp_path_factory.mktemp("served") / "first", predictor, temperature=0.5,
        calibration_error=Estimate(0.02, 0.01, 0.05), threshold=Threshold(0.6, 2, 0.5, 0.9),
    )  # fmt: skip
    with serving(served, image_bytes=20_000, request_bytes=100_000, images=4, gap=0.3, body=0.6) as made:
        yield made
