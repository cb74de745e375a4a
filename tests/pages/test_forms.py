"""The form: every setting has its place, the command line equals the form, and what is wrong is told at its field."""

from __future__ import annotations

import dataclasses
import itertools
import random
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from core.__main__ import build_parser
from core.places import own_folder
from core.recipe import settings
from core.recipe.config import TrainConfig, applies
from core.recipe.presets import PRESETS, from_preset
from core.runs.run import create_run
from dashboard.panels import forms
from tests.made_run import make_member

PARSER = build_parser()
FIELDS = [field.name for field in dataclasses.fields(TrainConfig)]


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch, runs_root: Path) -> dict[str, Any]:
    """Return the session's state, empty, on a root without runs."""
    state: dict[str, Any] = {}
    monkeypatch.setattr("streamlit.session_state", state)
    return state


@pytest.fixture
def filled(session: dict[str, Any], tiny_data: Path) -> dict[str, Any]:
    """Return the session's state with a form that is right."""
    forms.fill_form(from_preset("demo", data=str(tiny_data)))
    return session


def problems_of(**values: Any) -> dict[str, str]:
    """Return what is wrong with the form after these widgets got these values."""
    import streamlit as st

    st.session_state.update({f"form-{key.replace('_kind', '-kind')}": value for key, value in values.items()})
    config, problems = forms.read_form()
    assert (config is None) == bool(problems)
    return problems


# Places


def test_every_setting_of_a_run_has_a_place_and_a_label_of_its_own() -> None:
    placed = [field for group in settings.GROUPS.values() for field in group]
    assert sorted(placed) == sorted(set(FIELDS) - {"preset", "group"})
    labels = [settings.label_of(field) for field in placed]
    assert len(set(labels)) == len(labels)
    assert all(labels)


def test_a_field_is_called_by_its_label() -> None:
    assert settings.label_of("lr") == "Learning rate"
    assert settings.label_of("preset") == "preset"


def test_small_pictures_are_suggested_for_the_built_in_sets_and_a_result_in_minutes_for_ones_own(
    tmp_path: Path,
) -> None:
    assert forms.suggest_preset(str(own_folder() / "data" / "glyphs")) == "small"
    assert forms.suggest_preset(str(own_folder() / "data" / "digits")) == "demo"
    assert forms.suggest_preset(str(tmp_path)) == "quick"


def test_a_class_to_specialise_on_that_the_data_lacks_is_told_at_its_field(filled: dict[str, Any]) -> None:
    assert "'7' is not a class of this data" in problems_of(focus=["7"])["focus"]
    assert problems_of(focus=["2"]) == {}


def test_a_look_alike_that_the_data_lacks_is_told_at_its_field(filled: dict[str, Any]) -> None:
    assert "'7' is not a class of this data" in problems_of(pairs=[("2", "7")])["pairs"]
    assert "pairs a class with itself" in problems_of(pairs=[("2", "2")])["pairs"]
    assert problems_of(pairs=[("2", "10")]) == {}


def test_what_is_wrong_with_a_fix_list_is_told_at_its_field(filled: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "fixes.csv"
    assert "cannot be read (No such file" in problems_of(fixes=str(path))["fixes"]
    path.write_text("path,given,suggested,action\nval/2/1.png,2,10,drop\n", encoding="utf-8")
    assert "line 2: val/2/1.png is a validation image" in problems_of(fixes=str(path))["fixes"]
    path.write_text("path,given,suggested,action\ntrain/2/1.png,2,10,drop\n", encoding="utf-8")
    assert problems_of(fixes=str(path)) == {}


# Command line


def parse(words: list[str]) -> TrainConfig:
    """Return the config that the command line makes of the words of a command."""
    python, option, module, *arguments = words
    assert (python, option, module) == ("python", "-m", "weakspot")
    options = vars(PARSER.parse_args(arguments))
    given = {name: options[name] for name in FIELDS if name != "preset" and options[name] is not None}
    return from_preset(options["preset"], **given)


@pytest.mark.parametrize(
    "config",
    [
        TrainConfig(data="/data"),
        from_preset("demo", data="/data"),
        from_preset("demo", data='/data/my pictures/it\'s "these" & $HOME', name="first.run_2-b"),
        TrainConfig(data="~/pictures", weights="~/my models/best one.pt"),
        TrainConfig(data="/data", weights="run:an-earlier-run"),
        TrainConfig(
            data="/data", weights="none", arch="wide_resnet50_2", precision="bf16", bad_images="skip"
        ),
        TrainConfig(data="/data", lr=0.00012345678, weight_decay=1e-8, momentum=0.9123456789),
        TrainConfig(data="/data", lr=10.0, rotation=0.0, jitter=0.1 + 0.2, seed=2**31 - 1, workers=0),
        from_preset("demo", data="/data", epochs=10_000, batch_size=4096, resize_size=1200, image_size=1024),
        TrainConfig(data="größe/花"),
        TrainConfig(data="/data", head_only=True),
        TrainConfig(data="/data", head_only=True, feature_views=3, hflip=0.1),
        TrainConfig(data="/data", head_only=True, hflip=0.1),  # which has no effect
        TrainConfig(data="/data", optimizer="adamw", momentum=0.5),  # nor has this
        TrainConfig(data="/data", pairs=(("10", "52"), ("29", "86")), pair_weight=2.0),
        TrainConfig(data="/data", fixes="-my list.csv", weights="--best.pt"),
        TrainConfig(data="-data", focus=("--help",), pairs=(("-1", "a:b"), ('"', "cat, domestic"))),
        from_preset("strong", data="/data", head_only=True),
        from_preset("strong", data="/data", schedule="step", step_epochs=3, warmup_epochs=0, mixup=0.0),
        from_preset("fast", data="/data", schedule="constant", progressive_from=0, save_minutes=0.5),
    ],
)
def test_the_command_line_starts_the_same_run(config: TrainConfig) -> None:
    assert parse(shlex.split(settings.command_line(config))) == config


def make_nasty(chance: random.Random) -> TrainConfig:
    """Return a config of classes and files that a shell or a parser could stumble over."""

    def name() -> str:
        return "".join(chance.choices(",:\"' \t\n\\$`!*?~#;&|<>()[]{}-=%aé花e\u0301", k=chance.randint(1, 6)))

    names = tuple(name() for _ in range(chance.randrange(4)))
    pairs = tuple((one, other + "x") for one, other in itertools.pairwise(names))
    return TrainConfig(data=name(), fixes=name().strip(), weights=name() + "w", focus=names, pairs=pairs)


def test_in_a_shell_the_command_line_starts_the_same_run_whatever_classes_are_called() -> None:
    chance = random.Random(0)
    configs = [make_nasty(chance) for _ in range(100)]
    commands = [settings.command_line(config) for config in configs]
    # What a shell makes of each command, word by word, with an empty word after it.
    script = "\n".join(f"printf '%s\\0' {command} ''" for command in commands)
    done = subprocess.run(["sh", "-c", script], capture_output=True, check=True)
    lines = done.stdout.decode().split("\0\0")
    assert len(lines) == len(configs) + 1
    for config, line in zip(configs, lines, strict=False):
        assert parse(line.split("\0")) == config


def test_the_command_line_names_only_what_differs_from_the_preset() -> None:
    config = from_preset("demo", data="/data", lr=0.01)
    assert settings.command_line(config) == "python -m weakspot train --data /data --preset demo --lr 0.01"
    head = from_preset("strong", data="/data", head_only=True)
    assert settings.command_line(head) == "python -m weakspot train --data /data --preset strong --head-only"


def test_classes_may_be_given_in_one_option_or_in_several() -> None:
    command = ["python", "-m", "weakspot", "train", "--data", "x"]
    both = parse(
        [*command, "--focus", "10,29", "--focus", '"cat, domestic"', "--pairs", '"a:b":c', "--pairs", "1:2"]
    )
    assert both.focus == ("10", "29", "cat, domestic")
    assert both.pairs == (("a:b", "c"), ("1", "2"))


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["--pairs", "10"], "'10' is not a pair; write two folder names with a colon"),
        (["--focus", '"10'], "double quote"),
    ],
)
def test_classes_that_cannot_be_read_are_told_in_one_line(
    words: list[str], what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        parse(["python", "-m", "weakspot", "train", "--data", "x", *words])
    error = capsys.readouterr().err
    assert error.startswith(f"error: argument {words[0]}: ")
    assert what in error
    assert error.count("\n") == 1


# Problems


def test_a_right_form_gives_its_config_and_no_problem(filled: dict[str, Any], tiny_data: Path) -> None:
    assert forms.read_form() == (from_preset("demo", data=str(tiny_data)), {})


def test_an_untouched_form_asks_for_data(session: dict[str, Any]) -> None:
    assert set(problems_of()) == {"data"}


@pytest.mark.parametrize(
    ("values", "field", "words"),
    [
        ({"data": " "}, "data", "is empty"),
        ({"data": "/no/such/folder"}, "data", "there is no such folder"),
        ({"name": "two words"}, "name", "may contain letters"),
        ({"name": "latest"}, "name", "choose another name"),
        ({"weights_kind": "file"}, "weights", "is empty"),
        ({"weights_kind": "run"}, "weights", "No run has a model yet"),
        ({"lr": None}, "lr", "give a number"),
        ({"epochs": 0}, "epochs", "must be from 1 to 10,000"),
        ({"resize_size": 32, "image_size": 64}, "resize_size", "must be at least image_size"),
    ],
)
def test_a_wrong_value_is_told_at_its_field(
    filled: dict[str, Any], values: dict[str, Any], field: str, words: str
) -> None:
    problems = problems_of(**values)
    assert set(problems) == {field}
    assert words in problems[field]


@pytest.mark.parametrize("path", ["/no/such/file.pt", "~nobody-of-this-name/best.pt", "x" * 300, "/"])
def test_a_weights_file_that_is_not_there_is_told(filled: dict[str, Any], path: str) -> None:
    filled["form-weights-file"] = path
    assert problems_of(weights_kind="file") == {"weights": f"There is no file {path}."}


def test_a_weights_file_in_the_home_folder_is_found(
    filled: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "best.pt").touch()
    filled["form-weights-file"] = "~/best.pt"
    assert problems_of(weights_kind="file") == {}


def test_the_name_of_a_run_that_exists_is_refused(
    filled: dict[str, Any], runs_root: Path, tiny_data: Path
) -> None:
    create_run(TrainConfig(data=str(tiny_data), name="first"), runs_root)
    assert problems_of(name="first") == {"name": "A run named first already exists. Choose another name."}
    assert problems_of(name="second") == {}


def test_an_earlier_runs_model_is_taken_when_it_has_one(
    filled: dict[str, Any], runs_root: Path, tiny_data: Path
) -> None:
    run = create_run(TrainConfig(data=str(tiny_data), name="first"), runs_root)
    filled["form-weights-run"] = "first"
    assert set(problems_of(weights_kind="run")) == {"weights"}
    run.best_path.touch()
    assert problems_of(weights_kind="run") == {}


def test_several_problems_are_told_at_once(filled: dict[str, Any], runs_root: Path) -> None:
    (runs_root / "first").mkdir()
    filled["form-weights-file"] = "gone.pt"
    assert set(problems_of(data="/gone", name="first", weights_kind="file")) == {"data", "name", "weights"}


# Filling


@pytest.mark.parametrize("weights", ["imagenet", "none", "a file.pt"])
def test_reading_gives_back_what_was_filled_in(
    session: dict[str, Any], tiny_data: Path, weights: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tiny_data)
    Path("a file.pt").touch()
    config = TrainConfig(
        data=str(tiny_data), name="mine", preset="demo", arch="resnet34", weights=weights, image_size=96, rotation=3.5,
        optimizer="adamw", lr=0.00012345, schedule="onecycle", workers=0, seed=7, bad_images="skip", device="cpu",
    )  # fmt: skip
    forms.fill_form(config)
    assert forms.read_form() == (config, {})


def test_reading_gives_back_the_run_whose_model_was_filled_in(
    session: dict[str, Any], runs_root: Path, tiny_data: Path
) -> None:
    create_run(TrainConfig(data=str(tiny_data), name="first"), runs_root).best_path.touch()
    config = TrainConfig(data=str(tiny_data), weights="run:first")
    forms.fill_form(config)
    assert forms.read_form() == (config, {})


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_fills_every_setting_but_data_and_name(
    session: dict[str, Any], tiny_data: Path, preset: str
) -> None:
    forms.fill_form(TrainConfig(data=str(tiny_data), name="mine", lr=0.5, arch="resnet18"))
    forms.fill_preset(preset)
    assert forms.read_form()[0] == from_preset(preset, data=str(tiny_data), name="mine")


def test_a_preset_can_be_filled_in_before_data_is_chosen(session: dict[str, Any]) -> None:
    forms.fill_preset("demo")
    assert session["form-data"] == ""
    assert session["form-lr"] == PRESETS["demo"]["lr"]


@pytest.mark.parametrize("head_only", [True, False])
@pytest.mark.parametrize("preset", PRESETS)
def test_a_run_of_any_recipe_can_be_specialised(
    session: dict[str, Any], runs_root: Path, tiny_data: Path, preset: str, head_only: bool
) -> None:
    run = create_run(from_preset(preset, data=str(tiny_data), name="parent"), runs_root)
    run.best_path.touch()
    forms.fill_specialise(run, ["2"], [("2", "10")], head_only=head_only)
    config, problems = forms.read_form()
    assert problems == {}
    assert config is not None
    assert (config.focus, config.head_only, config.weights) == (("2",), head_only, "run:parent")
    assert config.preset != "quick" or head_only


@pytest.mark.parametrize("head_only", [True, False])
@pytest.mark.parametrize(
    "settings",
    [
        {"trivial_augment": True},
        {"devices": 2, "sync_batch_norm": True},
        {"keep_statistics": True, "layer_decay": 0.7, "optimizer": "sgd", "momentum": 0.5},
        {
            "schedule": "step",
            "step_epochs": 2,
            "warmup_epochs": 3,
            "progressive_from": 64,
            "freeze_epochs": 2,
        },
        {"head_only": True, "feature_views": 3, "trivial_augment": True},
        {"head_only": True, "head_first": True, "epochs": 1},
        {"cutmix": 1.0, "mixup": 0.2, "ema": 0.99, "class_balance": True},
        {"focus": ("2",), "pairs": (("2", "10"),), "focal": 2.0},
    ],
    ids=lambda settings: "-".join(settings) if isinstance(settings, dict) else None,
)
def test_a_run_of_any_settings_can_be_specialised(
    session: dict[str, Any],
    runs_root: Path,
    tiny_data: Path,
    monkeypatch: pytest.MonkeyPatch,
    settings: dict[str, Any],
    head_only: bool,
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")  # a machine of two GPUs
    config = TrainConfig.from_dict({"data": str(tiny_data), "name": "parent", **settings})
    run = create_run(config, runs_root)
    run.best_path.touch()
    forms.fill_specialise(run, ["2"], [("2", "10")], head_only=head_only)
    filled, problems = forms.read_form()
    assert problems == {}
    assert filled is not None
    assert (filled.head_only, filled.weights) == (head_only, "run:parent")


def test_a_run_of_a_head_alone_is_specialised_by_the_recipe_that_the_form_names(
    session: dict[str, Any], runs_root: Path, tiny_data: Path
) -> None:
    run = create_run(from_preset("quick", data=str(tiny_data), name="parent", hold_back=1), runs_root)
    run.best_path.touch()
    forms.fill_specialise(run, ["2"], [], head_only=False)
    config = forms.read_form()[0]
    assert config is not None
    fast = from_preset("fast", data=str(tiny_data))
    alike = [field for field in PRESETS["fast"] if getattr(config, field) == getattr(fast, field)]
    assert set(PRESETS["fast"]) - set(alike) == {"epochs", "schedule", "lr"}
    assert config.lr == pytest.approx(fast.lr / 10)
    assert (config.hold_back, config.preset, config.name) == (1, "fast", "parent-specialised")


def test_specialising_again_does_not_lower_the_rate_further(
    session: dict[str, Any], runs_root: Path, tiny_data: Path
) -> None:
    parent, rates = from_preset("fast", data=str(tiny_data), name="parent"), []
    for number in range(3):
        run = create_run(dataclasses.replace(parent, name=f"run-{number}"), runs_root)
        run.best_path.touch()
        forms.fill_specialise(run, ["2"], [], head_only=False)
        found = forms.read_form()[0]
        assert found is not None
        rates.append(found.lr)
        parent = found
    assert rates == pytest.approx([5e-5] * 3)


@pytest.mark.parametrize("again", ["specialised", "fixed"])
def test_what_is_made_from_a_run_of_a_bake_off_belongs_to_none(
    session: dict[str, Any], runs_root: Path, tiny_data: Path, again: str
) -> None:
    run = make_member(runs_root, tiny_data)
    run.best_path.touch()
    if again == "fixed":
        fixes = tiny_data / "fixes.csv"
        fixes.write_text("path,given,suggested,action\ntrain/2/1.png,2,10,drop\n")
        forms.fill_fixed(run, fixes)
    else:
        forms.fill_specialise(run, ["2"], [], head_only=False)
    config, problems = forms.read_form()
    assert problems == {}
    assert config is not None
    assert config.group == ""
    assert config.name == (f"{run.id}-specialised" if again == "specialised" else "")


# Widgets


def draw_form() -> None:
    import streamlit as st

    from core.recipe import settings
    from dashboard.panels import forms

    if "given" in st.session_state:
        forms.fill_form(st.session_state.pop("given"))
    config, problems = forms.read_form()
    for title in settings.GROUPS:
        forms.draw_fields(settings.GROUPS[title], problems)
    st.session_state["read"] = config


@pytest.fixture
def form(runs_root: Path, tiny_data: Path, quick_apps: None) -> AppTest:
    """Return a page that holds the whole form and nothing else, filled in."""
    app = AppTest.from_function(draw_form, default_timeout=60)
    app.session_state["given"] = from_preset("demo", data=str(tiny_data), lr=0.00012345, jitter=0.1)
    return app


def test_drawing_the_widgets_changes_no_value(form: AppTest, tiny_data: Path) -> None:
    form.run().run()
    assert not form.exception
    assert form.session_state["read"] == from_preset("demo", data=str(tiny_data), lr=0.00012345, jitter=0.1)


def test_every_widget_has_a_label_and_help(form: AppTest) -> None:
    form.run()
    choices = [*form.selectbox, *form.multiselect]
    widgets = [*form.text_input, *form.number_input, *form.toggle, *choices]
    shown = [name for name in FIELDS if applies(name, dataclasses.asdict(from_preset("demo", data="x")))]
    assert len(widgets) == len(shown) - 2 + 1  # all but the preset and the bake-off; pairs have two
    assert all(widget.label and widget.help for widget in widgets)


def test_what_is_typed_is_read_in_the_same_run_and_a_problem_stands_under_its_field(form: AppTest) -> None:
    form.run()
    form.number_input(key="form-epochs").set_value(7)
    form.text_input(key="form-data").set_value("/no/such_folder")
    form.run()
    assert form.session_state["read"] is None
    (problem,) = form.markdown
    assert "there is no such folder" in problem.value
    assert r"such\_folder" in problem.value


def test_each_field_of_a_number_that_is_emptied_is_told_and_holds_the_start_back(form: AppTest) -> None:
    form.run()
    fields = [field.key for field in form.number_input]
    for key in fields:
        form.number_input(key=key).set_value(None)
    form.run()
    assert not form.exception
    assert form.session_state["read"] is None
    left = [
        field for field in form.number_input if field.value is None
    ]  # one that needs another is hidden now
    assert {"form-epochs", "form-workers", "form-save_minutes"} & set(fields)
    assert len([problem for problem in form.markdown if "is empty; give a number" in problem.value]) == len(
        left
    )


def test_choosing_an_earlier_runs_model_takes_the_newest_that_has_one(
    form: AppTest, runs_root: Path, tiny_data: Path
) -> None:
    for name, has_model in (("old", True), ("new", True), ("none", False)):
        run = create_run(TrainConfig(data=str(tiny_data), name=name), runs_root)
        if has_model:
            run.best_path.touch()
    form.run()
    form.selectbox(key="form-weights-kind").set_value("run").run()
    assert not form.markdown  # no problem
    assert form.session_state["read"].weights == "run:new"
    form.selectbox(key="form-weights-run").set_value("old").run()
    assert form.session_state["read"].weights == "run:old"


@pytest.mark.parametrize("preset", ["fast", "strong"])
def test_the_head_alone_is_chosen_with_one_switch_and_given_up_with_it(
    form: AppTest, tiny_data: Path, preset: str
) -> None:
    """Fitting the head is one pass: epochs, an average and smoothed labels have no say and stand nowhere."""
    recipe = from_preset(preset, data=str(tiny_data), name="")
    form.session_state["given"] = recipe
    form.run()
    form.toggle(key="form-head_only").set_value(True).run()
    assert form.session_state["read"].head_only
    assert form.session_state["read"].epochs == 1
    assert "Epochs" not in [field.label for field in form.number_input]
    form.toggle(key="form-head_only").set_value(False).run()
    assert form.session_state["read"] == recipe


def test_classes_to_specialise_on_are_chosen_from_those_of_the_data(form: AppTest) -> None:
    form.run()
    assert form.multiselect(key="form-focus").options == ["2 · rose", "10 · tulip", "35 · iris"]
    form.multiselect(key="form-focus").set_value(["10"]).run()
    assert form.session_state["read"].focus == ("10",)
    form.multiselect(key="form-focus").set_value(["10", "35"]).run()
    assert form.session_state["read"].focus == ("10", "35")
    assert not form.exception


def test_two_classes_chosen_are_a_pair_that_can_be_taken_out_again(form: AppTest) -> None:
    form.run()
    for pair in (["2", "35"], ["10", "2"], ["35", "2"]):  # the last is there already
        form.multiselect(key="form-pairs-new").set_value(pair[:1]).run()
        form.multiselect(key="form-pairs-new").set_value(pair).run()
        assert form.multiselect(key="form-pairs-new").value == []
    assert form.session_state["read"].pairs == (("2", "35"), ("10", "2"))
    assert form.multiselect(key="form-pairs").options == ["2 · rose / 35 · iris", "10 · tulip / 2 · rose"]
    form.multiselect(key="form-pairs").set_value([("10", "2")]).run()
    assert form.session_state["read"].pairs == (("10", "2"),)
    assert not form.exception


@pytest.mark.parametrize("name", ["cat, domestic", "a:b", '"x"', " y"])
def test_a_class_of_any_name_can_be_specialised_on(form: AppTest, tiny_data: Path, name: str) -> None:
    for split in ("train", "val"):
        (tiny_data / split / "10").rename(tiny_data / split / name)
    form.run()
    form.multiselect(key="form-focus").set_value([name]).run()
    form.multiselect(key="form-pairs-new").set_value([name, "2"]).run()
    read = form.session_state["read"]
    assert (read.focus, read.pairs) == ((name,), ((name, "2"),))
    assert parse(shlex.split(settings.command_line(read))) == read
    assert TrainConfig.from_json(read.to_json()) == read


def test_a_chosen_class_that_the_data_lacks_stays_until_it_is_taken_out(
    form: AppTest, tiny_data: Path
) -> None:
    form.session_state["given"] = TrainConfig(data=str(tiny_data), weights="none", focus=("7", "2"))
    form.run()
    assert form.session_state["read"] is None
    assert "'7' is not a class of this data" in form.markdown[0].value
    assert form.multiselect(key="form-focus").value == ["7", "2"]
    form.multiselect(key="form-focus").set_value(["2"]).run()
    assert form.session_state["read"].focus == ("2",)


def test_a_chosen_class_is_the_datas_whichever_way_its_accents_are_written(
    form: AppTest, tiny_data: Path
) -> None:
    for split in ("train", "val"):
        (tiny_data / split / "10").rename(tiny_data / split / "café")
    form.session_state["given"] = TrainConfig(data=str(tiny_data), weights="none", focus=("cafe\u0301",))
    form.run()
    assert form.multiselect(key="form-focus").value == ["café"]
    assert len(form.multiselect(key="form-focus").options) == 3


def test_classes_can_be_chosen_while_another_field_is_wrong(form: AppTest) -> None:
    form.run()
    form.text_input(key="form-name").set_value("two words")
    form.multiselect(key="form-focus").set_value(["10"]).run()
    assert form.session_state["read"] is None
    assert form.multiselect(key="form-focus").value == ["10"]
    assert len(form.multiselect(key="form-focus").options) == 3


# Several devices


def test_devices_share_the_batch_and_no_more_are_offered_than_there_are(
    filled: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    assert not problems_of(device="auto", devices=2)
    assert problems_of(devices=3) == {"devices": "3 were asked for, but this machine has 2 GPUs"}
    assert list(problems_of(devices=2, device="cpu", sync_batch_norm=True)) == ["sync_batch_norm"]
    assert list(problems_of(sync_batch_norm=False, batch_size=3)) == ["devices"]


def test_the_form_draws_several_devices_with_what_each_gets(
    runs_root: Path, tiny_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2,3")

    def page(data: str) -> None:
        from core.recipe.presets import from_preset
        from dashboard.panels import forms

        forms.fill_form(from_preset("demo", data=data, devices=2, batch_size=32))
        forms.draw_fields(("devices", "sync_batch_norm"), {})

    app = AppTest.from_function(page, args=(str(tiny_data),)).run()
    assert not app.exception
    assert app.number_input[0].value == 2
    assert app.caption[0].value.startswith("Each gets 16 of the 32 images of a step")


def test_a_wrong_number_of_devices_is_told_without_what_each_would_get(
    runs_root: Path, tiny_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2,3")

    def page(data: str) -> None:
        from core.recipe.presets import from_preset
        from dashboard.panels import forms

        forms.fill_form(from_preset("demo", data=data, devices=3, batch_size=32))
        forms.draw_fields(("devices",), {"devices": "3 were asked for"})

    app = AppTest.from_function(page, args=(str(tiny_data),)).run()
    assert "3 were asked for" in app.markdown[0].value
    assert not any("Each gets" in one.value for one in app.caption)
