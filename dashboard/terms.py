"""The one table of technical terms: what each means, and the hover text of a place that uses some of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Term:
    """A term: its name, what finds it in a text (a regular expression), and what it means in a sentence or two."""

    name: str
    pattern: str
    meaning: str


TERMS = (
    Term(
        "macro average", r"macro|Macro", "The mean over classes, so a rare class counts as much as a common one."
    ),
    Term(
        "95 % interval", r"Wilson|95 % interval|95 % are|are 95 %",
        "Where the true figure plausibly lies: the fewer images, the wider. For shares of images it is Wilson's interval, "
        "which also holds for few images and near 0 or 100 %.",
    ),
    Term(
        "Clopper and Pearson's interval", r"Clopper", "An interval of a share that is never too narrow, however few the images."
    ),
    Term(
        "McNemar's test", r"McNemar",
        "Compares two models on the same images by those that only one of them gets right. If both were equally good, these would split evenly.",
    ),
    Term(
        "p", r"\bp (?:=|<|is)|p-value",
        "How often chance alone would make a difference this large if there were none. Below 0.05 the difference is taken as real.",
    ),
    Term("bootstrap", r"[Bb]ootstrap", "An interval found by drawing the same number of images again and again, with replacement."),
    Term(
        "permutation test", r"[Pp]ermutation",
        "Swaps the labels of the two sides in every way and counts how often chance makes as large a difference.",
    ),
    Term(
        "Holm's correction", r"Holm", "Makes each of several tests stricter, so that chance rarely passes any of them."
    ),
    Term(
        "loss", r"(?<!by )(?<!Focal )\b[Ll]oss\b(?! by)",
        "Cross-entropy: the negative logarithm of the probability given to the true class. 0 is sure and right; "
        "guessing among 100 classes costs 4.6.",
    ),
    Term(
        "calibration error (ECE)", r"[Cc]alibration error|\bECE\b",
        "The gap between how sure the model says it is and how often it is right, averaged over groups of like confidence. "
        "0 % means that of the answers given with 80 %, 80 % are right.",
    ),
    Term(
        "temperature", r"[Tt]emperature",
        "One number that the network's outputs are divided by before they become probabilities. Above 1 the model claims "
        "less. It changes how sure it is, never which class is first.",
    ),
    Term("Brier score", r"Brier", "The squared error of all probabilities: 0 is perfect, 2 is sure and wrong."),
    Term(
        "AURC", r"AURC",
        "Area under the risk-coverage curve: the mean share of errors over all thresholds. Low where wrong answers have low "
        "confidence.",
    ),
    Term("coverage", r"[Cc]overage", "The share of images that are answered. The others are left to a person."),
    Term(
        "AUROC", r"AUROC", "The chance that a stranger looks stranger than an ordinary image. 0.5 is guessing, 1 is perfect."
    ),
    Term("cosine similarity", r"[Cc]osine similarity", "How alike the network finds two images: 1 is the same, 0 is nothing in common."),
    Term(
        "Grad-CAM", r"Grad-CAM", "A heat map of where in the image the network found evidence for a class, by the gradients of its last layers."
    ),
    Term(
        "t-SNE", r"t-SNE", "Places images on a plane so that those the network finds alike are near. Distances between far groups say little."
    ),
    Term(
        "fold", r"\d folds|[Ff]old \d",
        "One of several equal parts of the training images. Each validates one training and trains the others, so that each "
        "image is judged once by a network that never saw it.",
    ),
    Term(
        "confident learning", r"[Cc]onfident learning",
        "Doubts a label where the model is surer of another class than it usually is of that class.",
    ),
)  # fmt: skip


def find_terms(text: str) -> Iterator[Term]:
    """Yield the terms that a text uses."""
    return (term for term in TERMS if re.search(term.pattern, text))


def explain(*texts: str) -> str | None:
    """Return the hover text that explains the terms of some texts, as Markdown; None where they have none."""
    lines = [f"**{term.name}**: {term.meaning}" for term in find_terms("\n".join(texts))]
    return "\n\n".join(lines) or None
