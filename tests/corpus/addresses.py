"""Addresses of pages as people mistype, cut and forge them: for each parameter of the URL what it never holds."""

from __future__ import annotations

# What may stand in the place of any value.
ODD = (
    "", "gone", "-1", "1e999", "nan", "9" * 400, "../../../etc/passwd", "/etc/passwd", "<script>window.hit=1</script>", "**b** $x$",
    "a\0b", "%00%ff", "\N{RIGHT-TO-LEFT OVERRIDE}rösé 🌹", "=1+1", ",,,", "x" * 20_000, "____", "run:first", "first,first", "0,0,0,0",
)  # fmt: skip
# By page, the parameters that it reads.
PARAMS = {
    "start": ("run",),
    "runs": ("run", "page"),
    "train": ("run",),
    "live": ("run",),
    "confusion": ("run", "true", "pred", "block", "only", "image", "page", "sort", "epoch", "against", "on", "order", "colour", "least", "zoom", "find", "wide", "part", "method", "for"),
    "weak": ("run", "class", "only", "kind", "kinds", "image", "from", "page", "on", "method", "for", "classes"),
    "map": ("run", "side", "like", "area", "image", "page", "class", "by", "split", "only", "sort", "method", "for"),
    "confidence": ("run", "wanted", "on"),
    "data": ("folder", "finding", "page", "marked", "labels", "run"),
    "predict": ("run",),
    "compare": ("run", "runs", "on"),
    "bake-off": ("group",),
}  # fmt: skip
