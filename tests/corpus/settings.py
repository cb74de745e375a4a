"""Settings as people write and share them: files that are no settings, and odd values for every field."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.errors import ConfigError
from core.recipe.config import SETTINGS, TrainConfig
from core.recipe.settings import command_line
from dashboard.launch.settings_file import read_settings
from tests.corpus.case import Case, write

# What may stand in the place of any value: none of a right kind for more than some fields.
ODD: tuple[Any, ...] = (
    None, True, -1, 0, 2**31, 10**18, -0.5, 1e308, float("nan"), float("inf"), "", " ", "nan", "1e5", "x" * 100_000, "a\0b", "a\nb", "\ud83d",
    "<script>window.hit=1</script>", "../../etc/passwd", "=1+1", "rösé 🌹", "\N{RIGHT-TO-LEFT OVERRIDE}", [], [None], [[]], ["a", "a"],
    [["a", "b", "c"]], {}, {"a": 1}, [1] * 1000, ["a\0b"], [["a", "\ud800"]],
)  # fmt: skip


def read(path: Path) -> str:
    """Read a file of settings as the Train page does that one is dropped on, or give the field it names each odd value."""
    if path.suffix == ".field":
        return _try_values(path.read_text(encoding="utf-8"))
    config = read_settings(path.name, path.read_bytes(), "flowers")
    return f"{config.epochs} epochs at {config.lr:g}"


def _try_values(field: str) -> str:
    """Give a field each odd value; say how many were taken. One that is refused names the field, and what is taken can be kept."""
    taken, refused = 0, list[ConfigError]()
    for value in ODD:
        try:
            config = TrainConfig.from_dict({"data": "flowers", field: value})
        except ConfigError as error:
            refused.append(error)
            continue
        assert TrainConfig.from_json(config.to_json()) == config
        assert command_line(config)
        taken += 1
    assert all(error.problems.get(field, "").strip() for error in refused), refused
    return f"{taken} of {len(ODD)} taken"


def _file(name: str, text: str | bytes) -> Callable[[Path], Path]:
    return write(name, text if isinstance(text, bytes) else text.encode())


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{two}: &{two} [{','.join([f'*{one}'] * 9)}]\n" for one, two in zip("abcdefgh", "bcdefghi", strict=True)
)

CASES: dict[str, Case] = {
    **{f"odd values of {field}": Case(_file(f"{field}.field", field), (f"of {len(ODD)} taken",)) for field in SETTINGS},
    "JSON": Case(_file("a.json", '{"data": "d", "epochs": 3, "lr": 0.5}'), ("3 epochs at 0.5",)),
    "JSON with a BOM": Case(_file("a.json", '\ufeff{"data": "d", "epochs": 3}'), ("3 epochs",)),
    "YAML whose number YAML takes for a text": Case(_file("a.yaml", "data: d\nlr: 1e-3\nepochs: 4\n"), ("4 epochs at 0.001",)),
    "empty": Case(_file("a.json", ""), ("config: a.json cannot be read as JSON",)),
    "empty YAML": Case(_file("a.yaml", ""), ("config: a.yaml must give settings by name, such as epochs: 10",)),
    "cut off": Case(_file("a.json", '{"data": "d", "epo'), ("config: a.json cannot be read as JSON",)),
    "a list": Case(_file("a.json", "[1, 2]"), ("config: a.json must give settings by name",)),
    "names that are numbers": Case(_file("a.yaml", "1: 2\n"), ("config: a.yaml must give settings by name",)),
    "brackets": Case(_file("a.json", "[" * 100_000), ("config: a.json cannot be read as JSON",)),
    "brackets in YAML": Case(_file("a.yaml", "[" * 20_000), ("config: a.yaml cannot be read as YAML (its brackets are nested too deeply)",)),
    "a file of 2 MB": Case(_file("a.yaml", "# " + "x" * 2_000_000), ("config: a.yaml has 2,000,002 characters; the limit is 1,000,000",)),
    "aliases that unfold to a billion": Case(_file("a.yaml", BOMB), ("config: a.yaml cannot be read as YAML (it uses aliases)",)),
    "YAML that would run code": Case(_file("a.yaml", "data: !!python/object/apply:os.system ['touch /tmp/hit']\n"), ("config: a.yaml cannot be read as YAML",)),
    "several documents": Case(_file("a.yaml", "data: d\n---\ndata: e\n"), ("config: a.yaml cannot be read as YAML",)),
    "a tab in YAML": Case(_file("a.yaml", "data: d\n\tepochs: 3\n"), ("config: a.yaml cannot be read as YAML",)),
    "a number of 5,000 digits": Case(_file("a.json", '{"data": "d", "epochs": ' + "7" * 5000 + "}"), ("config: a.json cannot be read as JSON",)),
    "no number": Case(_file("a.json", '{"data": "d", "lr": NaN}'), ("lr: must be",)),
    "an unknown field": Case(_file("a.json", '{"data": "d", "epoch": 3}'), ("epoch: unknown field; did you mean epochs?",)),
    "bytes": Case(_file("a.json", bytes(range(256))), ("config: a.json is not text",)),
    "Latin-1": Case(_file("a.yaml", "data: rösé\n".encode("latin-1")), ("config: a.yaml is not text",)),
    "settings of a program from elsewhere": Case(_file("a.json", json.dumps({"data": "d", "model": "resnet", "train": {"lr": 1}})), ("unknown field",)),
}  # fmt: skip
