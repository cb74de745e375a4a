"""What is known of one hyper-parameter: all of it is declared with its field, and forms, options and reports are made of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, get_type_hints

from core.recipe.class_names import Names, Pairs
from core.words import format_number, shorten

Values = Mapping[str, Any]  # a config's fields by name, perhaps not all and not all right yet
_KINDS = {
    Names: "a list of class names",
    Pairs: "a list of pairs of class names",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "a text",
}


@dataclass(frozen=True)
class Need:
    """Where a field has a say: `holds` tells it of a config's values, `words` are what must be chosen for it."""

    holds: Callable[[Values], bool]
    words: str


@dataclass(frozen=True)
class Setting:
    """One hyper-parameter as it is declared; `name`, `kind` and `default` are its field's and are filled in by `read_settings`.

    `group` is the part of the form it stands in, none for what no form asks for. `span` holds the lowest and the highest
    number allowed, `usual` are values to offer where others can be typed, `step` is how far a form's buttons go. With `off` it does nothing. `augments` names the transform by
    which it changes how training images look. `path` says that it may hold a file's or folder's, `is_name` that it says
    what a run is called and not what it does, `basic` that a form asks it of everyone.
    """

    label: str
    group: str
    help: str
    unit: str = ""
    span: tuple[float, float] | None = None
    choices: tuple[str, ...] = ()
    usual: tuple[str, ...] = ()
    step: float | None = None
    needs: Need | None = None
    off: Any = None
    augments: str = ""
    path: bool = False
    is_name: bool = False
    basic: bool = False
    name: str = ""
    kind: Any = None
    default: Any = None

    @property
    def title(self) -> str:
        """Return the label with the unit."""
        return f"{self.label} ({self.unit})" if self.unit else self.label

    def applies(self, values: Values) -> bool:
        """Tell whether the field has any effect with the other values; a form may hide it where not."""
        return self.needs is None or self.needs.holds(values)

    def is_off(self, value: object) -> bool:
        """Tell whether a value of the field makes it do nothing."""
        return self.off is not None and value == self.off

    def take_plain(self, value: Any) -> Any:
        """Return a value as JSON has it as one of the field's kind, where it can be: a whole number as a float, a list as a tuple."""
        # One that is too large for a float is left for the range check to refuse.
        if self.kind is float and type(value) is int and abs(value) < 2**53:
            return float(value)
        if self.kind in (Names, Pairs) and isinstance(value, list | tuple):
            return tuple(tuple(one) if isinstance(one, list) else one for one in value)
        return value

    def find_wrong_type(self, value: object) -> str:
        """Say what is wrong with the type of a value; empty where nothing is."""
        if self.kind == Names:
            right = _is_names(value)
        elif self.kind == Pairs:
            right = isinstance(value, tuple) and all(_is_names(one) and len(one) == 2 for one in value)
        else:
            right = type(value) is self.kind or (self.kind is float and type(value) is int)
        return "" if right else f"must be {_KINDS[self.kind]}, got {shorten(repr(value))}"

    def find_problem(self, value: Any) -> str:
        """Say what is wrong with a value of the right type, taken by itself; empty where nothing is."""
        if self.choices and value not in self.choices:
            return f"must be one of {', '.join(self.choices)}, got {shorten(repr(value))}"
        if self.span and not self.span[0] <= value <= self.span[1]:  # so written, it refuses NaN too
            low, high, found = map(format_number, (*self.span, value))
            return f"must be from {low} to {high}, got {found}"
        return ""


def declare(default: Any, label: str, group: str = "", **known: Any) -> Any:
    """Return a dataclass field with all that is known of it; `known` are fields of `Setting`."""
    return dataclasses.field(default=default, metadata={"setting": Setting(label, group, **known)})


def read_settings(config: type) -> dict[str, Setting]:
    """Return the settings that a dataclass declares, by field, in their order."""
    hints = get_type_hints(config)
    return {
        field.name: replace(
            field.metadata["setting"], name=field.name, kind=hints[field.name], default=field.default
        )
        for field in dataclasses.fields(config)
    }


def _is_names(value: object) -> bool:
    return isinstance(value, tuple) and all(type(name) is str and name for name in value)
