"""The one palette of the project: curves, good and bad, runs, and heat over images."""

from __future__ import annotations

# Every colour has a contrast of at least 3:1 on the white and on the dark background.
TRAIN = "#2F7FD1"
VAL = "#D97706"
GOOD = "#0B8A78"
BAD = "#D6453A"
MUTED = "#7B8794"
# Words in the first colour, read at 4.5:1 on the white and on the dark background.
TRAIN_WORDS = {"light": "#1F66B0", "dark": "#6FB1F2"}
# Chosen to stay apart for red-green blindness too; the markers tell runs apart where colours come round again.
RUNS = ("#2F7FD1", "#D97706", "#138663", "#7638FA", "#EF0668", "#6F682A", "#9F8AA8")
# Of them those that nobody takes for grey, where "all others" are grey.
CLASSES = RUNS[:5]
# Heat maps over grey images, RGB from no evidence to the most: blue, violet, orange, yellow.
HEAT_SCALE = ((24, 40, 120), (120, 40, 150), (225, 80, 70), (250, 165, 40), (255, 240, 110))
