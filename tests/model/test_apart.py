"""Why one image has two confidences: said in a sentence, with the precisions it comes from."""

from __future__ import annotations

import json
from pathlib import Path

from core.confidence.apart import explain_apart
from tests.made_run import make_run, measure_confidence


def test_a_training_in_another_precision_is_the_reason_given(runs_root: Path, tiny_data: Path) -> None:
    run = make_run(runs_root, tiny_data)
    measure_confidence(run)
    for precision, said in (("bf16", "were computed in bf16"), ("fp32", "the last digits can differ")):
        (run.folder / "environment.json").write_text(json.dumps({"precision": precision}))
        assert said in explain_apart(run, 0.58, 0.55, same_table=True)
    assert "of another model" in explain_apart(run, 0.58, 0.55, same_table=False)
    assert "the last digits can differ" in explain_apart(
        run, 0.581, 0.582, same_table=False
    )  # such as of the map
