"""Real crops and as many rendered ones, to compare them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from linetune.config import Synth
from linetune.core import image
from linetune.core.errors import LinetuneError
from linetune.core.image import Crop
from linetune.core.labelfile import read_labels, spread
from linetune.synth.render import Renderer

MOST = 500
"""Crops of each kind at most."""
FEWEST = 20
"""Crops of each kind at least. Fewer say nothing about a share."""


def real_and_rendered(
    settings: Synth, labels: Path, progress: Callable[[int, int], None] = lambda done, total: None
) -> tuple[list[Crop], list[Crop]]:
    """Read crops of a label file, spread evenly over it, and render as many.

    Args:
        settings: how to render.
        labels: the label file.
        progress: called with the crops done and all crops.

    Returns:
        real and rendered crops, BGR uint8 of any size.

    Raises:
        LinetuneError: the label file has fewer than :data:`FEWEST` lines, a crop cannot be read, or crops
            cannot be rendered.
    """
    lines = spread(read_labels(labels), MOST)
    if len(lines) < FEWEST:
        raise LinetuneError(
            f"{len(lines)} crops are too few to compare with", labels, f"name {FEWEST} or more"
        )
    renderer = Renderer.of(settings)
    real, rendered = [], []
    for number, line in enumerate(lines):
        try:
            real.append(image.read(line.image))
        except LinetuneError as error:
            raise LinetuneError(f"{error.what}: {line.image}", line.source, error.hint) from None
        rendered.append(renderer(number)[0])
        progress(number + 1, len(lines))
    return real, rendered
