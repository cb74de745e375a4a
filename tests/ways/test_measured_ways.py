"""Ways to predict: which runs can answer together and why others cannot, what was measured and how long that holds."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from core.errors import RunError
from core.model.predict import Predictor
from core.model.strangers import Strangers
from core.runs.notes import archive
from core.runs.run import Run
from core.training.checkpoint import load_checkpoint, save_checkpoint
from core.ways.answers import make_answers
from core.ways.choice import CROPS, FLIP, Choice, list_choices
from core.ways.measure import measure_runs
from core.ways.offers import describe_refused, list_offers
from core.ways.record import read_measured, task_folder
from tests.made_run import make_run, measure_confidence


@pytest.fixture
def runs(runs_root: Path, tiny_data: Path, best_model: Path) -> list[Run]:
    """Return two runs whose networks differ in their heads alone."""
    made = [
        make_run(runs_root, tiny_data, name=name, precision="fp32", device="cpu", workers=0, weights="none")
        for name in ("first", "second")
    ]
    shutil.copy(best_model, made[0].best_path)
    values = load_checkpoint(best_model)
    values["model"]["fc.weight"] = values["model"]["fc.weight"].roll(1, 0)
    save_checkpoint(made[1].best_path, values)
    return made


def test_a_way_has_a_name_and_survives_being_written() -> None:
    choices = list_choices(["a", "b"], ["b", "a"])
    assert [choice.describe() for choice in choices] == [
        "a, plain", "a, flip", "a, crops", "b, plain", "2 runs averaged", "2 runs averaged, flip", "soup of b + a",
    ]  # fmt: skip
    assert [Choice.from_values(choice.to_values()) for choice in choices] == choices
    assert [choice.is_plain for choice in choices] == [True, False, False, True, False, False, False]
    with pytest.raises(ValueError, match="tta must be a text"):
        Choice.from_values({"runs": ["a"], "tta": 3})


def test_only_runs_of_the_same_classes_are_offered_and_the_others_are_told_why(
    runs: list[Run], runs_root: Path, tiny_data: Path
) -> None:
    for name in ("other", "turned", "empty", "gone"):
        made = make_run(runs_root, tiny_data, name=name, weights="none")
        if name != "empty":
            shutil.copy(runs[0].best_path, made.best_path)
        record = made.folder / "data.json"
        text = record.read_text()
        if name == "other":
            record.write_text(text.replace('"35"', '"36"'))
        elif name == "turned":
            values = json.loads(text)
            record.write_text(json.dumps({**values, "classes": values["classes"][::-1]}))
    archive([Run(runs_root / "gone")])
    offers = {offer.run: offer.refusal for offer in list_offers(runs[0])}
    assert offers == {
        "second": "", "other": "other classes", "turned": "the same classes in another order", "empty": "no model yet",
    }  # fmt: skip
    assert "'other': other classes." in describe_refused(list_offers(runs[0]))


def test_what_was_measured_is_kept_until_a_run_has_another_best_model(runs: list[Run]) -> None:
    calls: list[tuple[int, int]] = []
    found = measure_runs(runs, progress=lambda *call: not calls.append(call))
    assert found is not None
    assert read_measured(runs) == found
    assert read_measured(runs[:1]) is None
    assert [way.choice.describe() for way in found.ways][:3] == [
        "first, plain",
        "first, flip",
        "first, crops",
    ]
    assert {len(way.right) for way in found.ways} == {6}
    assert "Judged on 6 validation images of first." in found.describe_judges(runs)
    # Both alone and the soup of both, six images each, and then all ways at once.
    assert (calls[0][1], calls[-1]) == (18, (18, 18))
    assert [done for done, _ in calls] == sorted(done for done, _ in calls)
    runs[1].write_status(replace(runs[1].read_status(), best_epoch=1))
    assert read_measured(runs) is None


def test_a_stop_keeps_nothing_and_a_damaged_record_is_told(runs: list[Run]) -> None:
    assert measure_runs(runs[:1], progress=lambda *_: False) is None
    assert read_measured(runs[:1]) is None
    assert measure_runs(runs[:1]) is not None
    (path,) = task_folder(runs[0]).glob("measured-*.json")
    path.write_text(path.read_text().replace('"seconds"', '"minutes"'))
    with pytest.raises(RunError, match=r"minutes is not a field .* Measure again"):
        read_measured(runs[:1])


def test_each_run_answers_at_its_own_temperature_unless_raw_confidences_are_asked_for(
    runs: list[Run], tiny_data: Path
) -> None:
    warm = measure_confidence(runs[0]).temperature
    image = Image.open(tiny_data / "test/1.png").convert("RGB")
    choice = Choice(("first", "second"))
    model, asked_at = make_answers(runs[0], choice, warm)
    raw, _ = make_answers(runs[0], choice, 1.0)
    assert (warm != 1, asked_at) == (True, 1.0)
    one, other = (Predictor.from_run(run) for run in runs)
    wanted = (one.weigh_classes([image], temperature=warm) + other.weigh_classes([image])) / 2
    plain = (one.weigh_classes([image]) + other.weigh_classes([image])) / 2
    for answers, mean in ((model, wanted), (raw, plain)):
        (told,) = answers.answer([answers.look(image)])
        assert told.confidences == pytest.approx(mean[0].sort(descending=True).values.tolist(), abs=1e-6)


def test_a_soup_answers_as_the_mean_of_the_weights_and_a_plain_way_as_the_run(
    runs: list[Run], tiny_data: Path
) -> None:
    image = Image.open(tiny_data / "test/1.png").convert("RGB")
    soup, _ = make_answers(runs[0], Choice(("first", "second"), soup=True), 1.0)
    assert len(soup.look(image)) == 1
    plain, asked_at = make_answers(runs[0], None, 1.5)
    assert (isinstance(plain, Predictor), asked_at) == (True, 1.5)
    crops, _ = make_answers(runs[0], Choice(("first",), CROPS), 1.0)
    assert len(crops.look(image)) == 3
    with pytest.raises(RunError, match="no run 'gone'"):
        make_answers(runs[0], Choice(("first", "gone")), 1.0)


def test_a_committee_tells_strangers_by_its_first_model(runs: list[Run], tiny_data: Path) -> None:
    import torch

    from core.model.better import Committee

    image = Image.open(tiny_data / "test/1.png").convert("RGB")
    first = Predictor.from_run(runs[0])
    first.strangers = Strangers(2, 0.999, 6, torch.eye(512)[:2])
    (told,) = Committee([first], tta=FLIP).predict([image])
    (alone,) = first.predict([image])
    assert (told.strange, told.nearness) == (alone.strange, alone.nearness) == (True, alone.nearness)
