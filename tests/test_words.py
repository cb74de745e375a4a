"""Numbers in words: of one thing a sentence speaks as of one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from core.recipe.config import TrainConfig
from core.report.phrases import describe_recipe
from core.words import format_count, format_number, shorten_ids, shorten_names, tell_names_apart

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize(
    ("number", "noun", "verb", "words"),
    [
        (1, "epoch", "", "1 epoch"),
        (0, "image", "is", "0 images are"),
        (1, "stronger class", "is", "1 stronger class is"),
        (2, "class", "has", "2 classes have"),
        (1200, "loading process", "", "1,200 loading processes"),
    ],
)
def test_one_is_counted_as_one(number: int, noun: str, verb: str, words: str) -> None:
    assert format_count(number, noun, verb) == words


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (10_000, "10,000"), (10.0, "10"), (0.0, "0"), (0.5, "0.5"), (1e-08, "0.00000001"), (-0.1, "-0.1"),
        (1e300, "1e+300"), (float("nan"), "nan"), (float("inf"), "inf"),
    ],
)  # fmt: skip
def test_a_number_is_written_in_full(number: float, words: str) -> None:
    assert format_number(number) == words


def test_a_training_of_one_epoch_is_told_so() -> None:
    assert "for up to 1 epoch in batches" in describe_recipe(TrainConfig(data="pictures", epochs=1))


def test_names_that_differ_still_differ_when_they_are_cut() -> None:
    names = [
        "rose",
        "God Morgon Apple Juice",
        "God Morgon Orange Juice",
        "God Morgon Orange Red Grapefruit Juice",
    ]
    cut = shorten_names(names, 16)
    assert cut[0] == "rose"
    assert len(set(cut)) == 4
    assert all(len(name) <= 16 and "…" in name for name in cut[1:])
    assert shorten_names(["a very long name of a class"], 23) == ["a very long name of a…"]
    assert shorten_names(["the same long name"] * 2, 9) == ["…ong name"] * 2


def test_no_sentence_counts_epochs_runs_steps_or_threads_by_a_plural_of_its_own() -> None:
    built = re.compile(r"""\{[^{}"']+\} (?:\w+ )?(?:epochs|runs|steps|threads)\b""")
    files = [*(ROOT / "core").rglob("*.py"), *(ROOT / "dashboard").rglob("*.py")]
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in files
        for match in built.finditer(path.read_text(encoding="utf-8"))
    ]
    assert [line for line in found if not line.endswith("{runs} runs")] == []  # those are never one


def test_ids_of_runs_lose_what_all_begin_with() -> None:
    ids = ["photos-resnet18-adamw-0-1of5", "photos-resnet18-sgd-0-1of5"]
    assert shorten_ids(ids, 24) == ["…adamw-0-1of5", "…sgd-0-1of5"]
    assert shorten_ids(["short-a", "short-b"], 24) == ["short-a", "short-b"]
    assert shorten_ids(["photos-041922", "photos-041922-specialised"], 24) == [
        "…041922",
        "…041922-specialised",
    ]


def test_only_names_that_look_alike_where_they_are_cut_lose_letters() -> None:
    names = [
        "photos-of-groceries-strong",
        "photos-of-groceries-strong-specialised",
        "a-name-of-its-own-as-long-as-this",
    ]
    told = tell_names_apart(names, 20)
    assert told[2] == names[2]
    assert len({name[:20] for name in told}) == 3
    assert told[1].endswith("alised")
