"""The hyper-parameters of a run: one frozen dataclass, validated, to and from JSON."""

from __future__ import annotations

import dataclasses
import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.errors import ConfigError
from core.reading import parse_json
from core.recipe.class_names import Names, Pairs
from core.recipe.rules import find_problems
from core.recipe.setting import Need, Values, declare, read_settings

# The values of group_by that are no path of a table.
COPIES, NAME, NONE = "copies", "name", "none"
NO_TRACKER = "none"
TRACKERS = (NO_TRACKER, "tensorboard", "mlflow", "wandb", "trackio")  # see core/trackers/
# The groups of the form, in the order of their first fields.
_DATA, _NETWORK, _OPTIMISATION, _IMAGES, _WEAK, _MACHINE = (
    "Data", "Network", "Optimisation", "Images", "Weak classes", "Machine",
)  # fmt: skip


def is_augmented(values: Values) -> bool:
    """Tell whether training images are changed by chance: not where the head alone trains on one view of each."""
    return not values.get("head_only") or (values.get("feature_views") or 0) > 1


_SGD = Need(lambda values: values.get("optimizer") == "sgd", "the optimizer sgd")
_STEPWISE = Need(lambda values: values.get("schedule") == "step", "the schedule step")
_WARMING = Need(
    lambda values: values.get("schedule") in ("step", "cosine"),
    "the schedule step or cosine (onecycle warms up by itself)",
)
_HEAD = Need(lambda values: bool(values.get("head_only")), "head_only")
_WHOLE = Need(lambda values: not values.get("head_only"), "the whole network to train, not head_only")
_EPOCHS = Need(
    lambda values: not (values.get("head_only") and values.get("head_first")),
    "epochs to train, not a head that is fitted once",
)
_FOCUSED = Need(lambda values: bool(values.get("focus")), "classes to specialise on (focus)")
_PAIRED = Need(lambda values: bool(values.get("pairs")), "pairs to tell apart (pairs)")
_UNFOLDED = Need(lambda values: not values.get("fold"), "no fold")
_AUGMENTED = Need(is_augmented, "feature_views above 1")


@dataclass(frozen=True)
class TrainConfig:
    """Describe one training run completely.

    Each field is declared once, with all that is known of it (see `Setting`); the form, the options of the command line,
    the checks and the report follow from that. Their order here is that of the form. The defaults are the preset `seed`.

    Raises:
        ConfigError: naming each field that is wrong and the value it was given.
    """

    # fmt: off
    data: str = declare(
        "", "Folder of images", _DATA, basic=True, path=True,
        help="Folder with train/<class>/*, optionally val/<class>/* and test/*.",
    )
    val_fraction: float = declare(
        0.15, "Validation share", _DATA, span=(0.01, 0.5), needs=_UNFOLDED,
        help="Where the data has no val/ folder: share of each class held back for it.",
    )
    fold: str = declare(
        "", "Fold", _DATA, off="",
        help="Which of several equal parts of the training images validates this run, such as 2/5 for the second of five; the "
        "others train. The parts are the same for every run, so five runs judge each training image once. The val/ folder, if "
        "there is one, is held back and judges the finished model. Empty: no folds.",
    )
    hold_back: int = declare(
        0, "Hold back", _DATA, basic=True, unit="images a class", span=(0, 10_000), off=0,
        help="Training images of each class that take no part in training or in choosing the best model, to prove "
        "it on; 0: none.",
    )
    group_by: str = declare(
        COPIES, "Keep together", _DATA, path=True, usual=(COPIES, NAME, NONE), off=NONE,
        help="What stays on one side where images are split off for validation, held back or judged out of fold: 'copies' "
        "(images that look the same), 'name' (also those whose file names begin alike, up to the last _ or -), the path of a "
        "CSV with the columns image and group (films.csv; films.csv#patient for another column), or 'none'.",
    )
    bad_images: str = declare(
        "refuse", "Unreadable files", _DATA, choices=("refuse", "skip"),
        help="Files that are not readable images: 'refuse' to start, or 'skip' them.",
    )
    fixes: str = declare(
        "", "Fix list of labels (CSV)", _DATA, path=True, off="",
        help="Fix list of training images (CSV: path, given, suggested, action): those to drop are left out, "
        "those to relabel get the class suggested. Validation and held-back images never change.",
    )
    name: str = declare(
        "", "Name of the run", _DATA, basic=True, is_name=True,
        help="Name of the run; empty: made from data, network and time.",
    )
    arch: str = declare(
        "resnext50_32x4d", "Network", _NETWORK, basic=True,
        help="Network: a ResNet, ResNeXt or Wide-ResNet of torchvision, or any classification network of timm by its "
        "name there, with or without the tag that says which weights (convnext_tiny.in12k_ft_in1k). `weakspot "
        "networks WORD` lists them.",
    )
    weights: str = declare(
        "imagenet", "Initial weights", _NETWORK, path=True,
        help="Initial weights: 'imagenet' (those the network was published with, downloaded once), 'none' (from "
        "scratch), 'run:<id>' (an earlier run's best model) or the path of a file (.pt, .pth or .safetensors).",
    )
    head_only: bool = declare(
        False, "Train the head only", _NETWORK, off=False,
        help="Train the head alone: what the rest makes of each image is computed once and kept, so that an epoch "
        "takes about a second.",
    )
    feature_views: int = declare(
        1, "Views of an image", _NETWORK, span=(1, 64), needs=_HEAD, off=1,
        help="Head only: variants of each training image to compute; each epoch takes one of them at random. 1 is "
        "the image as in validation, more are augmented ones (each costs as much time and disk again).",
    )
    freeze_epochs: int = declare(
        0, "Frozen epochs", _NETWORK, span=(0, 10_000), needs=_WHOLE, off=0,
        help="For this many epochs only the head learns and the rest, with its statistics, stays as loaded; 0: none.",
    )
    head_first: bool = declare(
        False, "Fit the head first", _NETWORK, off=False,
        help="Fit the head to convergence before the first epoch, on what the network as loaded makes of the training "
        "images, its strength chosen by cross-validation among them. With head_only that is the whole training.",
    )
    keep_statistics: bool = declare(
        False, "Keep batch statistics", _NETWORK, needs=_WHOLE, off=False,
        help="Batch normalisation keeps the means and deviations the network came with, in place of those of each batch. A "
        "head that was fitted first knows no others, and few images give poor ones.",
    )
    epochs: int = declare(25, "Epochs", _OPTIMISATION, basic=True, span=(1, 10_000), help="Passes over the training images.")
    batch_size: int = declare(
        32, "Batch size", _OPTIMISATION, unit="images", span=(1, 4096),
        help="Images per training step.",
    )
    accumulate: int = declare(
        1, "Batches a step", _OPTIMISATION, span=(1, 256), off=1,
        help="The weights move once for this many batches, whose gradients add up: large steps with the memory of "
        "small batches. Normalisation still sees one batch at a time.",
    )
    optimizer: str = declare(
        "sgd", "Optimizer", _OPTIMISATION, choices=("sgd", "adamw", "ranger"),
        help="Optimizer: sgd (with momentum), adamw, or ranger (RAdam whose weights are pulled to slow ones by "
        "Lookahead).",
    )
    lr: float = declare(
        0.001, "Learning rate", _OPTIMISATION, span=(1e-8, 10.0), step=0.0005,
        help="Learning rate; with a schedule, its peak.",
    )
    head_lr_factor: float = declare(
        1.0, "Head rate", _OPTIMISATION, unit="factor", span=(0.01, 1000.0), step=1.0,
        help="The head (the last layer, which is new) learns at this many times the learning rate.",
    )
    layer_decay: float = declare(
        1.0, "Rate of earlier layers", _OPTIMISATION, unit="factor", span=(0.1, 1.0), step=0.05, needs=_WHOLE, off=1.0,
        help="Each stage of the network learns at this many times the rate of the next one: earlier ones, which see edges "
        "and colours, change less (0.7 is usual); 1: all at the same rate.",
    )
    momentum: float = declare(
        0.9, "Momentum", _OPTIMISATION, span=(0.0, 0.999), needs=_SGD, off=0.0,
        help="Momentum of SGD.",
    )
    weight_decay: float = declare(
        0.0, "Weight decay", _OPTIMISATION, span=(0.0, 1.0), step=0.0001, off=0.0,
        help="How strongly weights are pulled to 0 (L2 with sgd, decoupled otherwise); never norms and biases.",
    )
    clip_norm: float = declare(
        0.0, "Clip gradients at", _OPTIMISATION, span=(0.0, 1000.0), step=1.0, off=0.0,
        help="Gradients longer than this are shortened to it before each step; 0 leaves them as they are.",
    )
    schedule: str = declare(
        "constant", "Schedule", _OPTIMISATION, choices=("constant", "step", "cosine", "onecycle"),
        help="How the learning rate moves: constant, step (cut every few epochs), cosine (smoothly down to 0) or "
        "onecycle (up, then down to 0).",
    )
    warmup_epochs: int = declare(
        0, "Warm-up", _OPTIMISATION, unit="epochs", span=(0, 1000), needs=_WARMING, off=0,
        help="Schedules step and cosine: epochs in which the learning rate first rises from 0; 0 starts at full rate.",
    )
    step_epochs: int = declare(
        10, "Cut every", _OPTIMISATION, unit="epochs", span=(1, 10_000), needs=_STEPWISE,
        help="Schedule step: epochs between two cuts.",
    )
    step_factor: float = declare(
        0.1, "Cut to", _OPTIMISATION, unit="factor", span=(0.001, 1.0), needs=_STEPWISE,
        help="Schedule step: the learning rate is multiplied by this at each cut.",
    )
    max_minutes: float = declare(
        0.0, "Time limit", _OPTIMISATION, basic=True, unit="minutes", span=(0.0, 100_000.0), step=5.0, needs=_EPOCHS, off=0.0,
        help="The run ends before the epoch that would exceed this many minutes of work, but never before its first; 0: no limit. "
        "With a learning-rate schedule, fewer epochs are better than a limit: the schedule then reaches its end.",
    )
    patience: int = declare(
        0, "Patience", _OPTIMISATION, unit="epochs", span=(0, 10_000), off=0,
        help="End the run when no epoch was better on validation for this many (ties of accuracy go to the lower loss); "
        "0: never.",
    )
    ema: float = declare(
        0.0, "Weight average", _OPTIMISATION, unit="decay", span=(0.0, 0.99999), step=0.001, off=0.0,
        help="Validate and keep a running average of the weights with this decay per step (0.999 is usual); 0: off.",
    )
    image_size: int = declare(
        224, "Image size", _IMAGES, unit="px", span=(32, 1024), step=32,
        help="Side of the square the network sees, in pixels.",
    )
    resize_size: int = declare(
        256, "Validation resize", _IMAGES, unit="px", span=(32, 1200), step=32,
        help="Validation: the shorter side is resized to this before the centre crop, in pixels.",
    )
    progressive_from: int = declare(
        0, "Grow images from", _IMAGES, unit="px", span=(0, 1024), step=32, needs=_WHOLE, off=0,
        help="Training images start this small (pixels) and grow to the full size: faster early epochs; 0: off.",
    )
    crop_scale_min: float = declare(
        0.08, "Smallest crop", _IMAGES, unit="of area", span=(0.01, 1.0), needs=_AUGMENTED, augments="RandomResizedCrop",
        help="Training: smallest share of the image's area a random crop may keep.",
    )
    hflip: float = declare(
        0.5, "Flip probability", _IMAGES, span=(0.0, 1.0), needs=_AUGMENTED, off=0.0, augments="RandomHorizontalFlip",
        help="Training: probability of a horizontal flip. 0 for characters and digits.",
    )
    trivial_augment: bool = declare(
        False, "TrivialAugment", _IMAGES, needs=_AUGMENTED, off=False, augments="TrivialAugmentWide",
        help="Training: change each image in one randomly chosen way (turn, shear, colours, contrast, sharpness…), with "
        "random strength.",
    )
    rotation: float = declare(
        15.0, "Rotation", _IMAGES, unit="degrees", span=(0.0, 180.0), step=1.0, needs=_AUGMENTED, off=0.0,
        augments="RandomRotation",
        help="Training: random rotation up to this many degrees either way.",
    )
    translate: float = declare(
        0.1, "Shift", _IMAGES, unit="share of side", span=(0.0, 0.9), needs=_AUGMENTED, off=0.0, augments="RandomAffine",
        help="Training: random shift up to this share of the side.",
    )
    jitter: float = declare(
        0.3, "Colour jitter", _IMAGES, span=(0.0, 1.0), needs=_AUGMENTED, off=0.0, augments="ColorJitter",
        help="Training: strength of random brightness, contrast and saturation.",
    )
    erasing: float = declare(
        0.5, "Erasing probability", _IMAGES, span=(0.0, 1.0), needs=_AUGMENTED, off=0.0, augments="RandomErasing",
        help="Training: probability that a random rectangle is erased.",
    )
    label_smoothing: float = declare(
        0.0, "Label smoothing", _IMAGES, span=(0.0, 0.9), off=0.0,
        help="Share of the wanted answer that is spread over all classes, against overconfidence; 0: off.",
    )
    mixup: float = declare(
        0.0, "Mixup", _IMAGES, unit="alpha", span=(0.0, 10.0), needs=_WHOLE, off=0.0,
        help="Blend pairs of training images and their labels; higher blends more evenly (0.2 is usual); 0: off.",
    )
    cutmix: float = declare(
        0.0, "Cutmix", _IMAGES, unit="alpha", span=(0.0, 10.0), needs=_WHOLE, off=0.0,
        help="Paste a rectangle of another training image and share the label (1.0 is usual); 0: off. With mixup, "
        "each step takes one of the two.",
    )
    focus: tuple[str, ...] = declare(
        (), "Classes to specialise on", _WEAK, off=(),
        help="Classes to specialise on, by their folder names. Their training images are shown more often, and the "
        "best model is the one that is best at them.",
    )
    focus_factor: float = declare(
        3.0, "Shown more often", _WEAK, unit="times", span=(1.0, 100.0), needs=_FOCUSED,
        help="Specialising: how many times as often images of these classes are shown.",
    )
    guard: float = declare(
        2.0, "Others may lose", _WEAK, unit="points", span=(0.0, 100.0), needs=_FOCUSED,
        help="Specialising: percentage points of mean recall that the other classes may lose against the initial "
        "model; a model that costs them more is never the best.",
    )
    pairs: tuple[tuple[str, str], ...] = declare(
        (), "Look-alikes to tell apart", _WEAK, off=(),
        help="Look-alikes to tell apart, as pairs of classes. Their images count a second time, by how well the "
        "class is told apart from its partners alone. They are not shown more often: that is what the classes to "
        "specialise on are for.",
    )
    pair_weight: float = declare(
        1.0, "Weight of look-alikes", _WEAK, span=(0.0, 100.0), needs=_PAIRED, off=0.0,
        help="Pairs: how much telling the partners apart counts beside telling all classes apart.",
    )
    class_balance: bool = declare(
        False, "Balance the classes", _WEAK, off=False,
        help="Show every class equally often, however many training images it has.",
    )
    focal: float = declare(
        0.0, "Focal loss", _WEAK, unit="gamma", span=(0.0, 5.0), off=0.0,
        help="Focal loss: the higher, the less an image counts that is already recognised well (2 is usual); 0: off.",
    )
    device: str = declare(
        "auto", "Device", _MACHINE, choices=("auto", "cpu", "cuda", "mps"),
        help="auto takes CUDA, else Apple's GPU, else the CPU.",
    )
    devices: int = declare(
        1, "Devices at once", _MACHINE, span=(1, 64), needs=_WHOLE, off=1,
        help="Train on this many GPUs at once, or, without a GPU, in this many processes. They share each batch, so the batch "
        "size and the learning rate stay the same.",
    )
    sync_batch_norm: bool = declare(
        False, "Share batch statistics", _MACHINE, needs=_WHOLE, off=False,
        help="On several GPUs batch normalisation takes its statistics from the whole batch and not from each GPU's share "
        "of it: better for small batches, and slower. It changes nothing on one.",
    )
    precision: str = declare(
        "auto", "Precision", _MACHINE, choices=("auto", "fp32", "bf16"),
        help="auto takes bf16 where the hardware computes in it, else fp16 on a GPU that is fast at it, else fp32.",
    )
    workers: int = declare(
        -1, "Loading processes", _MACHINE, span=(-1, 64),
        help="Processes that load images; -1 chooses by the number of cores.",
    )
    save_minutes: float = declare(
        5.0, "Save every", _MACHINE, unit="minutes", span=(0.0, 1440.0), step=1.0,
        help="Minutes between saves within an epoch (each epoch's end is saved anyway): what a crash can cost.",
    )
    tracker: str = declare(
        NO_TRACKER, "Tracker", _MACHINE, choices=TRACKERS,
        help="Another program that gets each epoch's figures too. It has to be installed; nothing leaves this machine unless "
        "its own settings say so.",
    )
    seed: int = declare(0, "Seed", _MACHINE, span=(0, 2**31 - 1), help="Seed of everything random.")
    group: str = declare(
        "", "group", is_name=True,
        help="Bake-off the run belongs to; it has no effect on the training.",
    )
    preset: str = declare("seed", "preset", help="The preset these settings started from.")
    # fmt: on

    def __post_init__(self) -> None:
        problems = find_problems(SETTINGS, vars(self))
        if problems:
            raise ConfigError(problems)

    def to_json(self) -> str:
        """Return the config as indented JSON, fields in order."""
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TrainConfig:
        """Build a config from plain values; whole numbers are taken for floats, and lists for tuples.

        Raises:
            ConfigError: for unknown fields (with the nearest known name), wrong types and bad values.
        """
        unknown = {field: _describe_unknown(field) for field in values if field not in SETTINGS}
        if unknown:
            raise ConfigError(unknown)
        return cls(**{field: SETTINGS[field].take_plain(value) for field, value in values.items()})

    @classmethod
    def from_json(cls, text: str) -> TrainConfig:
        """Read what `to_json` wrote, also before classes were listed; raises ConfigError as `from_dict` does."""
        try:
            values = parse_json(text)
        except ValueError as error:
            raise ConfigError({"config": f"is not JSON ({error})"}) from None
        if not isinstance(values, dict):
            raise ConfigError({"config": "must be a JSON object"})
        values = {"group_by": NONE, **values}  # runs that do not name it split their images one by one
        return cls.from_dict({field: _take_old(field, value) for field, value in values.items()})


SETTINGS = read_settings(TrainConfig)


def applies(field: str, values: Values) -> bool:
    """Tell whether a field has any effect with the other values; a form may hide it where not."""
    return SETTINGS[field].applies(values)


def _take_old(field: str, value: Any) -> Any:
    """Return a value of the JSON of older runs, in which classes stood in one text (`10,29`, pairs as `10:52,29:86`), as it is now."""
    kind = SETTINGS[field].kind if field in SETTINGS else None
    if kind not in (Names, Pairs) or not isinstance(value, str):
        return value
    names = [part.strip() for part in value.split(",") if part.strip()]
    return names if kind == Names else [[one.strip() for one in name.split(":")] for name in names]


def _describe_unknown(field: str) -> str:
    near = difflib.get_close_matches(field, sorted(SETTINGS), n=1)
    return (
        f"unknown field; did you mean {near[0]}?"
        if near
        else f"unknown field; the fields are {', '.join(sorted(SETTINGS))}"
    )
