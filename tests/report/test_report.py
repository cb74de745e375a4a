"""A report: all that was found on one page that needs nothing else, honest, private, whole or not there."""

from __future__ import annotations

import gzip
import json
import shutil
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from core.__main__ import main
from core.dataset.folders import scan_folders
from core.errors import RunError
from core.files import write_text
from core.report.facts import read_facts
from core.report.page import fit_page, write_report
from core.report.parts import gather_parts
from core.report.phrases import list_data, list_training
from core.runs.run import Run
from core.runs.run_data import record_data, scan_config
from core.runs.seen import Seen, write_seen
from core.verdicts import class_report, predictions
from tests.conftest import make_tiny_data
from tests.made_run import TRUE, make_run

pytestmark = pytest.mark.slow(20)
ODD = '<b>&"rose'
SECTIONS = [
    "Data", "Transforms", "Network", "Hyper-parameters", "Training", "Results", "Confusion matrix", "Weak classes",
    "Comparison", "Environment",
]  # fmt: skip


class Page(HTMLParser):
    """A page taken apart: its text, its headings, and what it would load."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.source = path.read_text(encoding="utf-8")
        self.headings: list[str] = []
        self.loaded: list[str] = []
        self.tags: list[str] = []
        self._words: list[str] = []
        self.feed(self.source)
        self.text = " ".join(" ".join(self._words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag == "h2":
            self.headings.append("")
        self.loaded += [
            value or "" for name, value in attrs if name in ("src", "srcset", "href", "data", "action")
        ]

    def handle_data(self, data: str) -> None:
        if self.tags[-1:] == ["h2"] and not self.headings[-1]:
            self.headings[-1] = data
        if self.tags[-1:] != ["style"]:
            self._words.append(data)


@dataclass(frozen=True)
class Made:
    """A report on the run `first`, compared with `second`, whose model is that of the first epoch."""

    first: Run
    second: Run
    folder: Path
    page: Page
    steps: list[tuple[int, int]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, best_model: Path) -> Made:
    place = tmp_path_factory.mktemp("report")
    data = make_tiny_data(place / "pictures")
    (data / "class_names.csv").write_text('label,name\n2,"<b>&""rose"\n10,tulip\n35,iris\n', encoding="utf-8")
    fixes = [str(place / folder / "label-fixes-train.csv") for folder in ("first", "second")]
    first = make_run(place / "runs", data, lr=0.002, fixes=fixes[0], focus=["10"], pairs=[["2", "35"]])
    shutil.copy(best_model, first.best_path)
    write_text(
        first.folder / "environment.json",
        json.dumps({"device": "A small processor", "compute": "cpu, fp32", "threads": 2, "torch": "9.9"}),
    )
    second = make_run(place / "runs", data, name="second", lr=0.004, fixes=fixes[1])
    second.predictions_path().write_bytes(gzip.decompress(first.epoch_path(1).read_bytes()))
    steps: list[tuple[int, int]] = []

    def note(done: int, total: int) -> bool:
        steps.append((done, total))
        return True

    page = write_report([first, second], place / "out", progress=note)
    assert page == place / "out" / "report.html"
    return Made(first, second, page.parent, Page(page), steps)


def test_every_section_is_there_in_the_order_of_the_homework(made: Made) -> None:
    assert made.page.headings == SECTIONS


@pytest.mark.parametrize(
    "words",
    [
        predictions.format_rate(4, 6),
        "Training images 18, 6 of each class",
        "Validation images 6, 2 of each class; a folder of their own",
        "RandomHorizontalFlip p=0.5 mirrors left and right",
        "11.2 million",
        "Learning rate 0.002",
        "by SGD with momentum with a learning rate of 0.002, kept as it is",
        "epoch 2, validation accuracy 66.7 % (30.0–90.3 %)",
        "2 epochs cannot tell whether it overfits",
        "The median class has 2 validation images. Of so many, none right is what a class of up to 66 % true recall",
        "10 · tulip",
        "A small processor, cpu, fp32, 2 threads",
        "9 images a second",
        "PyTorch 9.9",
        "--name first --arch resnet18",
        "The best epoch was chosen on these very images",
    ],
)
def test_the_page_tells(made: Made, words: str) -> None:
    assert words in made.page.text


def test_weak_classes_come_with_their_finding_and_heat_maps(made: Made) -> None:
    facts = read_facts(made.first)
    for name in ("10", "35"):
        finding = class_report.describe_class(
            name, table=facts.table, report=facts.classes, label=facts.data.label
        )
        assert finding in made.page.text
    assert made.page.text.count("the true class,") == 2
    assert "Heat maps are left out" not in made.page.text


def test_the_comparison_has_a_verdict_and_the_settings_that_differ(made: Made) -> None:
    assert "No evidence of a difference between first and second" in made.page.text
    assert "Learning rate 0.002 0.004" in made.page.text
    assert "(CSV) label-fixes-train.csv label-fixes-train.csv (2)" in made.page.text
    assert "Classes to specialise on 10 · tulip –" in made.page.text
    assert "What changed from first to second" in made.page.text


def test_odd_names_are_escaped(made: Made) -> None:
    assert f"2 · {ODD}" in made.page.text
    assert ODD not in made.page.source


def test_the_page_loads_nothing_and_is_small(made: Made) -> None:
    assert [value for value in made.page.loaded if not value.startswith(("data:", "#"))] == []
    assert not {"script", "link", "iframe", "object", "embed", "form"} & set(made.page.tags)
    assert "url(" not in made.page.source
    assert "@import" not in made.page.source
    assert len(made.page.source.encode()) < 2_000_000


def test_no_folder_of_the_machine_is_told(made: Made) -> None:
    place = str(made.first.folder.parents[1])
    for path in [made.folder / "report.html", *(made.folder / "tables").iterdir()]:
        assert place not in path.read_text(encoding="utf-8"), path.name


def test_settings_name_files_alone_and_classes_as_they_are_shown(made: Made) -> None:
    settings = pd.read_csv(made.folder / "tables" / "settings.csv").set_index("field")["value"]
    assert settings["fixes"] == "label-fixes-train.csv"
    assert settings["focus"] == "10 · tulip"
    assert settings["pairs"] == f"2 · {ODD} and 35 · iris"
    assert "--fixes label-fixes-train.csv" in made.page.text


def test_runs_that_differ_in_a_fix_list_are_told_apart_by_its_name(tmp_path: Path, tiny_data: Path) -> None:
    for name, seed, fixes in (("a", 0, ""), ("b", 0, "/my/own.csv"), ("c", 1, "/my/own.csv")):
        make_run(tmp_path / "runs", tiny_data, name=name, seed=seed, fixes=fixes)
    all_facts = [read_facts(Run(tmp_path / "runs" / name)) for name in "abc"]
    values = gather_parts(all_facts, lambda: None).values["comparison"]
    assert "fixes own.csv, 2 seeds" in str(values)
    assert "/my" not in str(values)


def test_changed_labels_and_images_held_back_are_told(tmp_path: Path, tiny_data: Path) -> None:
    fixes = tmp_path / "fixes.csv"
    held = {sample.path for sample in scan_folders(tiny_data, hold_back=1).held}
    left = [f"train/2/{number}.png" for number in range(1, 7) if f"train/2/{number}.png" not in held]
    rows = [f"{left[0]},2,10,relabel", f"{left[1]},2,10,drop", f"{left[2]},2,10,drop"]
    fixes.write_text("path,given,suggested,action\n" + "\n".join(rows) + "\n", encoding="utf-8")
    plain = list_data(read_facts(make_run(tmp_path / "runs", tiny_data, name="plain")))
    run = make_run(tmp_path / "runs", tiny_data, fixes=str(fixes), hold_back=1)
    config = run.read_config()
    record_data(run, scan_config(config), config)
    found = dict(list_data(read_facts(run)))
    assert found["Images held back"].startswith("3, 1 of each class")
    assert found["Training images left out"] == "2, as the fix list says"
    assert found["Training images relabelled"] == "1, as the fix list says"
    assert set(found) - set(dict(plain)) == {
        "Images held back", "Training images left out", "Training images relabelled"
    }  # fmt: skip


def test_figures_are_whole_pictures(made: Made) -> None:
    names = sorted(path.stem for path in (made.folder / "figures").iterdir())
    assert names == [
        "comparison",
        "confusion-matrix",
        "training",
        "transforms",
        "weak-1",
        "weak-2",
        "weakest-classes",
    ]
    for path in (made.folder / "figures").iterdir():
        with Image.open(path) as image:
            assert image.format == "PNG"
            assert np.asarray(image.convert("L")).std() > 5  # something is drawn


def test_tables_are_those_of_the_analysis(made: Made) -> None:
    facts = read_facts(made.first)

    def read(name: str) -> pd.DataFrame:
        return pd.read_csv(made.folder / "tables" / f"{name}.csv", dtype={"class": str, "true": str, "predicted": str}, keep_default_na=False, na_values=[""])  # fmt: skip

    classes = class_report.report_classes(facts.table, facts.data.classes, facts.data.train_counts)
    found = read("classes")
    assert list(found["class"]) == list(classes["class"])
    for column in ("support", "right", "recall", "low", "high", "precision", "f1", "top5", "train"):
        np.testing.assert_allclose(found[column].to_numpy(float), classes[column].to_numpy(float))
    counts = predictions.confusion_matrix(facts.table, facts.data.classes)
    np.testing.assert_array_equal(read("confusion-matrix")[facts.data.classes], counts)
    pd.testing.assert_frame_equal(
        read("confused-pairs"), predictions.most_confused(facts.table), check_dtype=False
    )
    assert list(read("epochs")["epoch"]) == [1, 2]
    pd.testing.assert_frame_equal(
        predictions.read_predictions(made.folder / "tables/predictions.csv"), facts.table
    )
    names = {path.stem for path in (made.folder / "tables").iterdir()}
    assert names >= {"settings", "comparison", "changes-first-second"}


def test_progress_goes_step_by_step_to_its_end(made: Made) -> None:
    total = made.steps[0][1]
    assert made.steps == [(done, total) for done in range(1, total + 1)]


def test_without_data_and_model_the_rest_is_reported(tmp_path: Path, tiny_data: Path) -> None:
    run = make_run(tmp_path / "runs", tiny_data)
    page = write_report([run], tmp_path / "no-model")
    assert page is not None
    assert "Heat maps are left out. first: there is no best.pt yet" in Page(page).text
    assert "image/webp" in Page(page).source
    tiny_data.rename(tmp_path / "moved")
    page = write_report([run], tmp_path / "no-data")
    assert page is not None
    seen = Page(page)
    assert "The data folder (tiny) is not where the run found it" in seen.text
    assert "image/webp" not in seen.source
    assert seen.headings == [name for name in SECTIONS if name != "Comparison"]
    assert predictions.format_rate(4, 6) in seen.text


def test_a_run_that_goes_on_says_so(tmp_path: Path, tiny_data: Path) -> None:
    run = make_run(tmp_path / "runs", tiny_data, state="stopped", epochs=5)
    run.write_status(replace(run.read_status(), epochs=5))
    page = write_report([run], tmp_path / "out")
    assert page is not None
    assert "This run has not finished: it is stopped after 2 of 5 epochs." in Page(page).text


def test_a_table_that_was_written_again_says_what_the_run_s_accuracy_is(
    tmp_path: Path, tiny_data: Path
) -> None:
    run = make_run(tmp_path / "runs", tiny_data)
    assert "Accuracy when it was chosen" not in dict(list_training(read_facts(run)))
    run.write_status(replace(run.read_status(), best_val_acc=0.5))
    told = dict(list_training(read_facts(run)))["Accuracy when it was chosen"]
    assert told.startswith("The run's accuracy is 50.0 %")


def test_runs_on_other_images_are_not_compared(tmp_path: Path, tiny_data: Path) -> None:
    run = make_run(tmp_path / "runs", tiny_data)
    other = make_run(tmp_path / "runs", tiny_data, name="other", lr=0.5)
    table = predictions.read_predictions(other.predictions_path())
    table.assign(path="elsewhere/" + table["path"]).to_csv(other.predictions_path(), index=False)
    page = write_report([run, other], tmp_path / "out")
    assert page is not None
    text = Page(page).text
    assert "other: not compared with first. They were validated on different images" in text
    assert "What changed from" not in text


def test_runs_are_judged_on_what_both_held_back(tmp_path: Path, tiny_data: Path) -> None:
    before = make_run(tmp_path / "runs", tiny_data)
    after = make_run(tmp_path / "runs", tiny_data, name="after", focus=["35"], guessed=TRUE)
    for run in (before, after):
        shutil.copy(before.predictions_path(), run.predictions_path("held"))
    page = write_report([before, after], tmp_path / "out")
    assert page is not None
    text = Page(page).text
    assert "Accuracy on images held back : 66.7 % (30.0–90.3 %)" in text
    assert "first and after are right and wrong on the same 6 images" in text
    assert text.count("Judged on images held back from both") == 2
    assert text.count("unbiased") == 3
    assert "would settle it" not in text
    after.predictions_path("held").unlink()
    write_seen(before, Seen(unknown=("the file x.pt",)))
    page = write_report([before, after], tmp_path / "out", overwrite=True)
    assert page is not None
    text = Page(page).text
    assert "and only after on 2 of 6 images" in text
    assert "is unbiased, unless the file x.pt, which it came from, had seen them" in text
    assert text.count("first came from the file x.pt, and what that model had seen is not known") == 2
    assert text.count("Judged on validation.") == text.count("back from both would settle it") == 2


def test_a_repeat_is_no_second_seed(tmp_path: Path, tiny_data: Path) -> None:
    runs = [make_run(tmp_path / "runs", tiny_data, name=name) for name in ("one", "again")]
    page = write_report(runs, tmp_path / "out")
    assert page is not None
    assert "again repeats the seed of one, so it is left out." in Page(page).text


def test_a_report_is_replaced_only_when_asked_and_nothing_else_ever(
    made: Made, tmp_path: Path, tiny_data: Path
) -> None:
    run, out = make_run(tmp_path / "runs", tiny_data), tmp_path / "out"
    shutil.copytree(made.folder, out)
    (out / "old.txt").touch()
    with pytest.raises(RunError, match=r"already has a report. Add --overwrite"):
        write_report([run], out)
    write_report([run], out, overwrite=True)
    assert not (out / "old.txt").exists()
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").touch()
    with pytest.raises(RunError, match="already exists and is not a report"):
        write_report([run], mine, overwrite=True)
    with pytest.raises(RunError, match="there is no folder"):
        write_report([run], tmp_path / "no" / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "out", "runs", "tiny"]


@pytest.mark.parametrize("last", [1, 4, 8])
def test_a_report_that_is_stopped_leaves_nothing(tmp_path: Path, tiny_data: Path, last: int) -> None:
    run = make_run(tmp_path / "runs", tiny_data)
    assert write_report([run], tmp_path / "out", progress=lambda done, _: done < last) is None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["runs", "tiny"]


def test_an_interruption_leaves_nothing(tmp_path: Path, tiny_data: Path) -> None:
    run = make_run(tmp_path / "runs", tiny_data)

    def interrupt(done: int, _: int) -> bool:
        if done == 8:  # the files are written next
            raise KeyboardInterrupt
        return True

    with pytest.raises(KeyboardInterrupt):
        write_report([run], tmp_path / "out", progress=interrupt)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["runs", "tiny"]


def test_what_cannot_be_reported_is_told(tmp_path: Path, tiny_data: Path) -> None:
    run = make_run(tmp_path / "runs", tiny_data)
    with pytest.raises(RunError, match="named twice"):
        write_report([run, run], tmp_path / "out")
    run.predictions_path().unlink()
    with pytest.raises(
        RunError, match=r"has no predictions table. Write it: python -m weakspot evaluate first"
    ):
        write_report([run], tmp_path / "out")
    run.metrics_path.unlink()
    with pytest.raises(RunError, match="has not finished an epoch yet, so there is nothing to report"):
        write_report([run], tmp_path / "out")


def test_a_page_that_would_be_too_large_shows_fewer_images(tmp_path: Path, tiny_data: Path) -> None:
    parts = gather_parts([read_facts(make_run(tmp_path / "runs", tiny_data))], lambda: None)
    whole = fit_page(parts)
    size = len(whole.encode())
    smaller = fit_page(parts, limit=size)
    assert len(smaller.encode()) < size
    assert "left out to keep this page small" in smaller
    assert "image/webp" in smaller
    smallest = fit_page(parts, limit=len(smaller.encode()))
    assert "image/webp" not in smallest
    with pytest.raises(RunError, match="even without example images"):
        fit_page(parts, limit=1000)


def test_the_command_writes_a_report_and_refuses_in_one_line(
    runs_root: Path,
    tiny_data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_run(runs_root, tiny_data)
    monkeypatch.chdir(tmp_path)
    assert main(["report", "latest"]) == 0
    assert capsys.readouterr().out == "first-report/report.html\n"
    assert (tmp_path / "first-report/tables/classes.csv").exists()
    for words, told in (
        (["first"], "first-report already has a report"),
        (["nothing"], "There is no run 'nothing'"),
    ):
        assert main(["report", *words]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert told in line
