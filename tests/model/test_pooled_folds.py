"""The folds of a bake-off say together what each training image is: pooled, kept, refused, and never judged by what saw it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from core.__main__ import main
from core.dataset.label_report import read_report, report_path
from core.errors import RunError
from core.model.better import choose_judges
from core.model.out_of_sample import judge_training, keep_pool, pool_folds, read_out_of_fold
from core.runs.run import FOLD, Run
from core.verdicts.predictions import read_predictions
from tests.made_run import make_fold
from tests.runs.test_bakeoff import set_state


@pytest.fixture
def folds(runs_root: Path, tiny_data: Path) -> list[Run]:
    """Return the finished runs of three folds, of which the last gets two of its six images wrong."""
    return [make_fold(runs_root, tiny_data, number, wrong=2 * (number == 3)) for number in (1, 2, 3)]


def test_every_training_image_is_judged_once_by_a_network_that_never_saw_it(folds: list[Run]) -> None:
    about = judge_training(folds[1], progress=lambda *_: True)
    assert about is not None
    table = read_predictions(folds[1].predictions_path(FOLD))
    record = folds[1].read_json("data.json")
    assert sorted(table["path"]) == sorted(path for path, _ in (*record["train"], *record["val"]))
    own = {path for path, _ in folds[2].read_json("data.json")["train"]}
    wrong = table[table["true"] != table["predicted"]]
    assert len(wrong) == 2
    assert not set(wrong["path"]) & own
    assert read_out_of_fold(folds[1]) == about
    assert (about.judged, about.right, about.folds, about.spared) == (18, 16, 3, 0)
    assert about.describe(str) == (
        "3 networks (resnet18), each trained on the other folds and asked about the fold it never saw. Near copies are never "
        "on both sides. Other photos of one scene may be, which makes figures too high: the setting Keep together (group_by) can name them. The best epoch of each was chosen on its fold, so these figures are a little too high."
    )


def test_labels_are_doubted_by_the_same_answers(folds: list[Run]) -> None:
    judge_training(folds[0], progress=lambda *_: True)
    report = read_report(report_path(folds[0].folder, "train"))
    assert (report.count, report.out_of_fold, round(report.accuracy, 3)) == (18, True, 0.889)


def test_confidences_that_a_table_lacks_are_shared_among_the_other_classes(
    folds: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.model import label_issues, out_of_sample

    asked: list[np.ndarray] = []
    monkeypatch.setattr(label_issues, "judge_labels", lambda *words, **_: asked.append(words[2]))
    pool = pool_folds(folds[0])
    wide = out_of_sample.Pool(pool.table, (*pool.classes, "x", "y"), pool.about)
    out_of_sample._doubt_pool(wide)
    (found,) = asked
    assert found.shape == (18, 5)
    assert (found >= 0).all()
    assert (found.argmax(axis=1) == pool.table["predicted"].map(list(pool.classes).index)).all()


@pytest.mark.parametrize("state", ["failed", "stopped", "running"])
def test_a_fold_that_has_not_finished_is_named(folds: list[Run], state: str) -> None:
    set_state(folds[2], state)
    with pytest.raises(RunError, match=rf"1 fold has not finished: {folds[2].id}\. All 3 have to"):
        pool_folds(folds[0])


def test_folds_of_data_that_changed_in_between_are_refused(folds: list[Run]) -> None:
    record = folds[1].read_json("data.json")
    record["train"] = record["train"][1:]
    (folds[1].folder / "data.json").write_text(json.dumps(record), encoding="utf-8")
    with pytest.raises(RunError, match="not made of the same images"):
        pool_folds(folds[0])


def test_the_command_judges_a_fold_by_all_of_them(
    folds: list[Run], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["judge", folds[0].id]) == 0
    said = capsys.readouterr().out
    assert said.startswith("Out of fold 16 of 18 right, 88.9 %")
    assert "3 networks (resnet18)" in said


def test_what_was_pooled_once_is_the_same_in_all_runs(folds: list[Run]) -> None:
    pool = pool_folds(folds[0])
    for run in folds:
        keep_pool(run, pool)
    texts = {run.predictions_path(FOLD).read_text(encoding="utf-8") for run in folds}
    assert len(texts) == 1


def test_folds_together_are_judged_on_the_val_folder_alone_and_never_on_each_others_images(
    folds: list[Run], runs_root: Path, tiny_data: Path
) -> None:
    judges = choose_judges(folds)
    assert judges.split == "held"
    assert {sample.path.partition("/")[0] for sample in judges.samples} == {"val"}
    with pytest.raises(
        RunError, match=r"was trained on 6 of the 6 images .* a val/ folder, or some held back"
    ):
        choose_judges(folds, ("val",))
