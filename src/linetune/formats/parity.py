"""Parity: an exported file must read the same texts as the trained model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from linetune.core import image
from linetune.core.charset import Charset
from linetune.core.errors import LinetuneError
from linetune.core.image import Crop
from linetune.decode import default_decoder
from linetune.decode.read import Run, read_crops

TYPICAL = 1e-4
"""Largest difference of a class probability in the median call."""
TOLERANCE = 1e-3
"""Largest difference of a class probability in any call.

float32 alone differs that much on hard crops. On 456 and 440 real crops, torch and onnxruntime both differ
from the same network in float64 by 2e-7 in the median, and by at most 2.4e-4 and 1.7e-4. For a model that
reads the crops badly, it is at most 1.3e-4 and 2.8e-4, and without onnxruntime's optimiser 5.2e-4
(benchmarks/parity.py). Which of the two is nearer on a crop is chance, by a factor of up to 6. A smaller
bound for every crop, or one relative to torch's own error, would refuse good files. A fault in a file shows
on most crops. In the median, :data:`TYPICAL` is 200 times the rounding.
"""


@dataclass(frozen=True, slots=True)
class Exported:
    """An exported file and its comparison."""

    path: Path
    crops: int
    """Number of compared crops."""
    difference: float
    """Largest difference of a class probability from that of the trained model."""
    notes: tuple[str, ...] = ()
    """Sentences for the user of the file."""


def sample_crops(charset: Charset, count: int = 12) -> list[Crop]:
    """Draw lines of many widths, for a comparison without real crops."""
    rng = np.random.default_rng(0)
    crops = []
    for number in range(count):
        width = int(40 * 1.35**number)
        crop = np.full((image.HEIGHT, width, 3), 235, np.uint8)
        letters = [c for c in charset.characters if c.isascii()] or ["?"]
        text = "".join(rng.choice(letters, max(1, width // 24)))
        cv2.putText(crop, text, (4, 36), cv2.FONT_HERSHEY_SIMPLEX, 1.0, (30, 30, 30), 2)
        noise = rng.integers(-12, 13, crop.shape)
        crops.append(np.clip(crop + noise, 0, 255).astype(np.uint8))
    return crops


def check_parity(
    trained: Run,
    exported: Run,
    charset: Charset,
    decoded_by: Charset,
    crops: Sequence[Crop],
    where: Path,
) -> float:
    """Compare two runtimes of one model, on single crops and on batches.

    Args:
        trained: the model that was trained.
        exported: the exported file in its own runtime.
        charset: the trained model's characters.
        decoded_by: the characters found in the exported file.
        crops: images to read.
        where: the exported file, for messages.

    Returns:
        The largest difference of a class probability.

    Raises:
        LinetuneError: a text differs, a probability differs by more than :data:`TOLERANCE`, or the median
            difference is larger than :data:`TYPICAL`.
    """
    differences = list[float]()

    def watched(batch: NDArray[np.float32]) -> NDArray[np.float32]:
        mine, theirs = trained(batch), exported(batch)
        if mine.shape != theirs.shape:
            raise LinetuneError(
                f"its output has the shape {theirs.shape}, but the model's has {mine.shape}", where
            )
        differences.append(float(np.abs(mine - theirs).max()))
        return theirs

    expected = read_crops(trained, crops, default_decoder(charset))
    for batch_size in (1, 8):
        found = read_crops(watched, crops, default_decoder(decoded_by), batch_size)
        for one, other in zip(expected, found, strict=True):
            if one.text != other.text:
                raise LinetuneError(f"reads {other.text!r}, but the trained model reads {one.text!r}", where)
    typical, worst = (float(q) for q in np.quantile(differences, (0.5, 1)))  # keeps NaN
    if not (worst <= TOLERANCE and typical <= TYPICAL):
        raise LinetuneError(
            f"probabilities differ by up to {worst:.1e}, more than {TOLERANCE:.0e}, or in the median "
            f"by {typical:.1e}, more than {TYPICAL:.0e}",
            where,
        )
    return worst
