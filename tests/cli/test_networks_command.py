"""The command that lists networks finds them by parts of their names."""

from __future__ import annotations

import pytest

from core.__main__ import main


def test_networks_are_found_by_words_with_what_they_weigh_and_take(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["networks", "Lite0", "tf"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["tf_efficientnet_lite0", "4.7", "M", "224", "px", "apache-2.0,", "installed"]


def test_a_word_that_no_name_holds_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["networks", "no-such-thing"]) == 0
    assert capsys.readouterr().out == "No network has a name like that.\n"


def test_without_a_word_all_are_listed_torchvisions_first(capsys: pytest.CaptureFixture[str]) -> None:
    main(["networks"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("resnet18 ")
    assert len(lines) > 1900
