"""What the search for weak kinds of images has found, in words, and kept in the run's folder."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

from core.errors import RunError, describe_unreadable
from core.files import write_text
from core.places import name_place, own_command
from core.reading import read_object, take
from core.runs.run import FOLD
from core.slices.cut import CLASS_SHARE, LEAST, SHARES
from core.slices.stratified import SHUFFLES
from core.verdicts.paired import LEVEL, format_bounds, format_p
from core.verdicts.predictions import format_interval, wilson_interval
from core.words import format_count

_VERSION = 1
_MOST = 1_000_000_000  # bytes


@dataclass(frozen=True)
class TriedSlice:
    """A kind of images that was tried, with the figures of `stratified.SliceTest`; of a weak one the `paths` too.

    `shared` of its images belong to the clearer finding called `shared_with` as well, where that is most of them.
    """

    title: str
    within_class: bool
    images: int
    right: int
    difference: float
    low: float
    high: float
    p_value: float
    corrected: float
    paths: tuple[str, ...] = ()
    shared: int = 0
    shared_with: str = ""

    def describe(self) -> str:
        """Return in a sentence how much worse it is."""
        low, high = wilson_interval(self.right, self.images)
        others = "this class" if self.within_class else "the same classes"
        points = format_count(max(1, round(-100 * self.difference)), "point")
        text = (
            f"{self.title} are {points} worse than the other images of {others}: {self.right:,} of {self.images:,} right, "
            f"{format_interval(float(low), float(high))}."
        )
        if not self.shared_with:
            return text
        verb = "belongs" if self.shared == 1 else "belong"
        return f"{text} {self.shared:,} of them {verb} to another kind above: {self.shared_with}."

    def describe_test(self, tried: int) -> str:
        """Return the figures of its test in words."""
        return (
            f"{self.title}: the difference is {abs(100 * self.difference):.1f} points, 95 % interval "
            f"{format_bounds(-self.low, -self.high)}; p = {format_p(self.p_value)} alone, {format_p(self.corrected)} "
            f"corrected for {format_count(tried, 'kind')}."
        )


@dataclass(frozen=True)
class SliceReport:
    """What was found among the judged images of a split, the clearest first.

    `digest` is of the predictions table. `columns` are the user's, and `matched` images have a row there; `unread` files
    could not be measured; `same_scene` images were left aside, being of a scene with another, where the scenes are known. Of
    `unused` properties no slice is large enough. `tried` kinds in all were tested, of which `others` has those least like
    chance that are not `weak`. `unseen` is a difference (0..1) that would probably have been found in a kind of middling
    size; NaN where none would.
    """

    split: str
    digest: str
    images: int
    right: int
    tried: int
    unseen: float
    unread: int
    scenes_known: bool
    same_scene: int
    columns: tuple[str, ...]
    matched: int
    unused: tuple[str, ...]
    weak: tuple[TriedSlice, ...]
    others: tuple[TriedSlice, ...]

    def describe(self) -> str:
        """Return the verdict in words."""
        on = f"on {format_count(self.images, 'image')}"
        if not self.tried:
            return f"No kind of image could be tried {on}: each needs {LEAST} images, and {LEAST} others to compare with."
        tried = f"{format_count(self.tried, 'kind', 'was' if self.tried == 1 else 'were')} tried {on}."
        if self.weak:
            found = (
                "1 kind of image stands" if len(self.weak) == 1 else f"{len(self.weak)} kinds of images stand"
            )
            return f"{found} out as weak: {tried}"
        if self.right == self.images:
            return (
                f"No kind of image stands out: all {format_count(self.images, 'image')} are predicted right."
            )
        return f"No kind of image stands out: {tried} {self._describe_reach()}"

    def _describe_reach(self) -> str:
        if math.isnan(self.unseen):
            return "With so few images no difference could have shown."
        points = format_count(max(1, round(100 * self.unseen)), "point")
        return f"A difference of less than about {points} would probably have gone unseen."

    def list_notes(self) -> list[str]:
        """Return what else has to be known of the images that were looked at."""
        notes = []
        if self.same_scene:
            notes.append(
                f"{format_count(self.same_scene, 'image')} that {'shows' if self.same_scene == 1 else 'show'} the same scene as another of their class were left aside: photos of a burst are "
                "right or wrong together, so each scene counts once."
            )
        if self.split == FOLD and not self.scenes_known:
            notes.append(
                "These images were judged by an older version, which did not keep which photos show one scene. Photos of a burst "
                f"count separately here, so that a kind is named too easily. Judge them again with *Judge on all training images* or the command {own_command()} judge."
            )
        if self.columns:
            notes.append(
                f"{self.matched:,} of {format_count(self.images, 'image')} {'has' if self.matched == 1 else 'have'} a row in your own columns: {', '.join(self.columns)}."
            )
        if self.unused:
            notes.append(
                f"Not tried, since no value sets {LEAST} images apart from {LEAST} others: {', '.join(self.unused)}."
            )
        if self.unread:
            notes.append(
                f"{format_count(self.unread, 'file', 'is')} gone or cannot be read, so nothing was measured there."
            )
        return notes

    def describe_method(self) -> str:
        """Return how it was tested, for those who want to know."""
        ends = " and ".join(f"{share * 100:.0f} %" for share in SHARES)
        return (
            f"A kind is an end of a number (the lowest and the highest {ends} of the images, as near as equal values allow) or "
            f"a word, with at least {LEAST} images in it and {LEAST} outside. A class with {LEAST / CLASS_SHARE:.0f} images or more "
            f"is searched by itself too, at the ends of {CLASS_SHARE * 100:.0f} %.\n\n"
            "Each kind is compared with the other images of its own classes, so that it is not blamed for what its classes "
            "are weak in. If it were no worse, the wrong images of each class would fall on any image of the class alike; p is the chance of "
            "as many wrong ones in the kind or more, summed over the classes (the exact form of Mantel and Haenszel's test).\n\n"
            f"Who looks at {format_count(self.tried, 'kind')} finds some by luck. So the wrong images were shuffled within their classes {SHUFFLES:,} "
            f"times, and a kind is named only if fewer than {LEVEL * 100:.0f} % of the shuffles had any kind that looks as bad "
            "(Westfall and Young). Points are the difference to the other images of the same classes (Mantel and Haenszel), "
            "the interval after them is Wilson's for the images that are right.\n\n"
            + (
                "Of several photos of one scene only one counts."
                if self.scenes_known
                else "Photos of one scene count as separate ones here. A kind whose images come from few scenes is named too "
                "easily: look at its images."
            )
        )


def report_path(folder: Path, split: str) -> Path:
    """Return where a run keeps the report on the kinds of images of a split."""
    return folder / f"slices-{split}.json"


def write_report(path: Path, report: SliceReport) -> None:
    """Write a report atomically."""
    write_text(path, json.dumps({"version": _VERSION, **asdict(report)}))


def read_report(path: Path) -> SliceReport:
    """Read a report.

    Raises:
        RunError: when it is damaged or of another version.
    """
    try:
        values = read_object(path, most=_MOST)
        if values.pop("version", None) != _VERSION:
            raise ValueError("it was written by another version")
        return take(SliceReport, values)
    except (OSError, ValueError) as error:
        raise RunError(
            f"{name_place(path)} cannot be read: {describe_unreadable(error)}. Look for weak kinds again."
        ) from None
