"""What an audit can find in a data set, and what it says of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Severity = Literal["serious", "warning", "note"]


@dataclass(frozen=True)
class Kind:
    """A kind of finding: how grave it is, its title for one and for many (with `{}` for the number), and advice."""

    severity: Severity
    one: str
    many: str
    advice: str


# In the order they are shown: the gravest first.
KINDS = {
    "gone": Kind(
        "serious",
        "1 of this run's images is no longer there",
        "{} of this run's images are no longer there",
        "They were moved, renamed or deleted after the run began. Its figures stay, but these images can be neither shown nor "
        "judged again, and the run cannot go on. Put them back as they were, or train anew.",
    ),
    "leak": Kind(
        "serious",
        "1 image is in more than one split",
        "{} images are in more than one split",
        "Each group is one image, pixel by pixel. An image that was trained on proves nothing in another split: "
        "the accuracy shown there is too high. Keep it in one split.",
    ),
    "conflict": Kind(
        "serious",
        "1 image has two labels",
        "{} images have two labels",
        "Each group is one image, pixel by pixel, in the folders of different classes. At most one label is right: "
        "remove the others.",
    ),
    "unknown": Kind(
        "serious",
        "1 class of validation is not in training",
        "{} classes of validation are not in training",
        "Training refuses such a folder. Rename, move or remove it.",
    ),
    "empty": Kind(
        "serious",
        "1 class folder of training is empty",
        "{} class folders of training are empty",
        "Training refuses such a folder. Add images, or remove it.",
    ),
    "closed": Kind(
        "serious",
        "1 folder cannot be looked into",
        "{} folders cannot be looked into",
        "Training refuses such a folder: its images would be missed. Give the user that this runs as the right to read it, or remove it.",
    ),
    "unreadable": Kind(
        "serious",
        "1 file is not a readable image",
        "{} files are not readable images",
        "Training skips such files or refuses to start, as its setting says. Save them again, or remove them.",
    ),
    "misnamed": Kind(
        "serious",
        "1 file has a name that is not UTF-8 and must be renamed",
        "{} files have names that are not UTF-8 and must be renamed",
        "No list of images can name such a file, so nothing takes it. The bytes at fault are shown as \\xe9.",
    ),
    "stray": Kind(
        "warning",
        "1 image or folder is outside the classes and splits",
        "{} images or folders are outside the classes and splits",
        "An image outside the class folders is not used, nor is a folder that is not named like a split. Move them, or "
        "take them out of the data folder.",
    ),
    "leak-near": Kind(
        "warning",
        "1 image looks like one in another split",
        "{} images look like one in another split",
        "The images of a group look the same: saved again, resized, brightened, or frames of one film. "
        "A split that contains images like those in training measures memory, not skill. Keep a group in one split.",
    ),
    "leak-group": Kind(
        "warning",
        "1 image belongs to a group that is in more than one split",
        "{} images belong to groups that are in more than one split",
        "The images of a group belong together, as their names or the table of groups say. A model that has seen one of them knows "
        "more about the others than about a new image, so the accuracy is too high. Keep a group in one split.",
    ),
    "conflict-near": Kind(
        "warning",
        "1 image looks like one in another class",
        "{} images look like one in another class",
        "The images of a group look the same but have different labels: one may be wrong, or the classes cannot be "
        "told apart by eye.",
    ),
    "unvalidated": Kind(
        "warning",
        "1 class has no validation image",
        "{} classes have no validation images",
        "Nobody can tell how well such a class is recognised. Move some of its images to val/.",
    ),
    "blank": Kind(
        "warning",
        "1 image is blank",
        "{} images are blank",
        "All their pixels are nearly the same grey: there is nothing to learn from them.",
    ),
    "imbalance": Kind(
        "warning",
        "1 class has less than a fifth of the images of the largest",
        "{} classes have less than a fifth of the images of the largest",
        "A network that is unsure answers with the frequent classes. Add images of the rare ones.",
    ),
    "duplicate": Kind(
        "note",
        "1 image is in its class more than once",
        "{} images are in their class more than once",
        "Each group is one image, pixel by pixel. It counts that many times, in training and in the figures.",
    ),
    "duplicate-near": Kind(
        "note",
        "1 image looks like another in its class",
        "{} images look like another in their class",
        "The images of a group look the same. They add little, and a validation set of near copies proves less than "
        "it seems to.",
    ),
    "tiny": Kind(
        "note",
        "1 image is under 32 pixels high or wide",
        "{} images are under 32 pixels high or wide",
        "Enlarged to the training size they are blurred.",
    ),
    "elongated": Kind(
        "note",
        "1 image is more than three times as long as wide",
        "{} images are more than three times as long as wide",
        "Validation and prediction look at the middle square only, a third of such an image or less.",
    ),
}


@dataclass(frozen=True)
class Finding:
    """One thing found: its kind (a key of KINDS), paths in groups that belong together, and the classes it is about."""

    kind: str
    groups: tuple[tuple[str, ...], ...]
    classes: tuple[str, ...] = ()

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Finding:
        """Return the finding that `dataclasses.asdict` made a dict of; raises KeyError for an unknown kind."""
        KINDS[values["kind"]]
        groups = tuple(tuple(group) for group in values["groups"])
        return cls(values["kind"], groups, tuple(values["classes"]))

    @property
    def rank(self) -> int:
        """Return its place among the kinds, the gravest first."""
        return list(KINDS).index(self.kind)

    @property
    def severity(self) -> Severity:
        """Return how grave it is."""
        return KINDS[self.kind].severity

    @property
    def count(self) -> int:
        """Return the number its title counts: classes where it is about classes, else images.

        A group of equal images is one image; those of a group that only look alike are as many as they are.
        """
        if self.kind.endswith(("-near", "-group")):
            return sum(map(len, self.groups))
        return len(self.classes or self.groups)

    @property
    def title(self) -> str:
        """Return what was found, in a sentence with its number."""
        kind = KINDS[self.kind]
        return kind.one if self.count == 1 else kind.many.format(f"{self.count:,}")

    @property
    def advice(self) -> str:
        """Return what it means and what can be done."""
        return KINDS[self.kind].advice
