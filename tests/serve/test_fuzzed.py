"""The server against its own description: requests made up from it, right and wrong, are answered as it says."""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from tests.serve.serving import Server

REQUESTS = 60  # of each path and kind
# Most bytes drawn by chance are no image, which no schema can say, and what is too large is refused with a 413, which the second
# of these does not know. All else holds: no 5xx, and statuses, types and bodies as described.
NOT_CHECKED = [positive_data_acceptance, negative_data_rejection]


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["right", "wrong"])
def test_whatever_is_asked_is_answered_as_the_description_says(server: Server, mode: GenerationMode) -> None:
    schema = schemathesis.openapi.from_url(f"http://127.0.0.1:{server.port}/openapi.json")
    operations = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
    assert [operation.label for operation in operations] == [
        "POST /predict", "GET /model", "GET /healthz", "GET /metrics",
    ]  # fmt: skip
    asked: dict[str, list[int]] = {operation.label: [] for operation in operations}
    for operation in operations[:1] if mode is GenerationMode.NEGATIVE else operations:

        @given(case=operation.as_strategy(generation_mode=mode))
        @settings(
            max_examples=REQUESTS, deadline=None, database=None, derandomize=True,
            phases=[Phase.generate], suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        def ask(case: schemathesis.Case) -> None:
            answer = case.call_and_validate(excluded_checks=NOT_CHECKED)
            asked[case.operation.label].append(answer.status_code)

        ask()
    predict, *others = asked.values()
    assert len(predict) > REQUESTS // 2
    kinds = {status // 100 for status in predict}
    assert kinds == (
        {2, 4} if mode is GenerationMode.POSITIVE else {4}
    )  # some that are right hold a real image
    assert {status for found in others for status in found} <= {200}
    assert server.ask("GET", "/healthz").status == 200
