"""Class names as text: whatever they are, what is written is read as the same, and what is not a list of names is refused."""

from __future__ import annotations

import random

import pytest

from core.recipe.class_names import Pairs, find_class, parse_names, parse_pairs, write_names, write_pairs

NASTY = (
    "cat, domestic",
    "a:b",
    '"quoted"',
    '5"',
    " ",
    " blank ",
    "--help",
    "-1",
    "it's",
    "$HOME",
    "`id`",
    "a\nb",
    "\\",
)


def test_names_are_separated_by_commas_and_blanks_around_them_do_not_count() -> None:
    assert parse_names("10,29") == ("10", "29")
    assert parse_names(" 10 , wild cat,,a:b ,") == ("10", "wild cat", "a:b")
    assert parse_names(" ") == ()


def test_a_name_in_double_quotes_is_taken_as_it_is() -> None:
    assert parse_names('"cat, domestic", dog ," x ","""5""",6"') == (
        "cat, domestic",
        "dog",
        " x ",
        '"5"',
        '6"',
    )


def test_a_pair_has_a_colon_between_its_names() -> None:
    assert parse_pairs(" 10:52, 29 : 86,") == (("10", "52"), ("29", "86"))
    assert parse_pairs('"a:b":c, d:"e,f"') == (("a:b", "c"), ("d", "e,f"))
    assert parse_pairs("") == ()


@pytest.mark.parametrize(
    ("text", "part"),
    [("10", "10"), ("10:52:3", "10:52:3"), ("1:2, 10:", "10:"), (":3,1:2", ":3"), (":", ":")],
)
def test_what_is_no_pair_is_refused_and_named(text: str, part: str) -> None:
    with pytest.raises(ValueError, match=r"with a colon between, such as 10:52") as caught:
        parse_pairs(text)
    assert str(caught.value).startswith(f"{part!r} is not a pair")


@pytest.mark.parametrize("text", ['"10', '10,"20"30', '"a""'])
def test_a_double_quote_out_of_place_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="begins with a double quote that does not end before a comma"):
        parse_names(text)


def test_names_that_need_no_quotes_get_none() -> None:
    assert write_names(["10", "wild cat", "a:b"]) == "10,wild cat,a:b"
    assert write_pairs([("10", "52"), ("a:b", "c,d")]) == '10:52,"a:b":"c,d"'


def test_whatever_names_are_written_the_same_are_read() -> None:
    chance = random.Random(0)
    for _ in range(500):
        names = tuple(make_name(chance) for _ in range(chance.randrange(4)))
        assert parse_names(write_names(names)) == names
        pairs: Pairs = tuple((name, make_name(chance)) for name in names)
        assert parse_pairs(write_pairs(pairs)) == pairs


def make_name(chance: random.Random) -> str:
    """Return a name that a folder may have and a text may stumble over."""
    letters = "".join(chance.choices(",:\" \t\n\\'$-ae\u0301é花", k=chance.randint(1, 6)))
    return chance.choice((letters, *NASTY))


def test_an_accent_may_be_a_part_of_its_letter_or_stand_by_itself() -> None:
    assert find_class("cafe\u0301", ["tea", "café"]) == 1
    assert find_class("café", ["tea", "cafe\u0301"]) == 1
    assert find_class("cafe", ["tea", "café"]) is None


def test_of_two_classes_that_are_written_alike_the_one_of_the_same_letters_is_meant() -> None:
    assert find_class("cafe\u0301", ["café", "cafe\u0301"]) == 1
