"""The most probable texts of a crop: what a person may choose from."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from linetune.core.charset import BLANK, Charset
from linetune.decode.reading import Decoder, added_up

_BEAM = 16
"""Beginnings of a text that are kept after each frame."""
_CLASSES, _LEAST = 8, 1e-3
"""Most classes of a frame that continue a beginning, and their least probability."""

_WORTH = 1e-3
"""Least probability of a text, relative to the most probable one. Below it, nobody would choose it."""

Masses = Mapping[tuple[int, ...], tuple[float, float]]
"""Beginnings of a text, with the probabilities of all alignments that end with a blank and with their last
character."""


def next_best(
    probabilities: NDArray[np.float32], charset: Charset, decoder: Decoder, texts: int = 4
) -> list[list[str]]:
    """Return the most probable texts of each crop, best first.

    By a rule, the texts that it admits come first, and texts without the rule follow.

    Args:
        probabilities: of the classes, shape (batch, frames, classes). Class 0 is the blank.
        charset: the characters of the classes.
        decoder: what reads the crops.
        texts: most texts of a crop. Clear crops have fewer.
    """
    free = [_most_probable(crop, charset, texts) for crop in added_up(probabilities, charset)]
    # Decoders for calibration and promise are around the one that reads.
    while (inner := getattr(decoder, "decoder", None)) is not None:
        decoder = inner
    if (find := getattr(decoder, "find", None)) is None:
        return free
    admitted = [
        [text for text, _ in found.texts] if found.follows >= decoder.least else []  # type: ignore[attr-defined]
        for found in find(probabilities, texts)
    ]
    return [list(dict.fromkeys(own + other))[:texts] for own, other in zip(admitted, free, strict=True)]


def _most_probable(probabilities: NDArray[np.float32], charset: Charset, texts: int) -> list[str]:
    """Return texts by a prefix beam search (Graves 2012, "Supervised Sequence Labelling", section 7.5.3)."""
    beginnings: Masses = {(): (1.0, 0.0)}
    for frame in probabilities:
        classes = (
            np.argpartition(frame, -_CLASSES)[-_CLASSES:] if len(frame) > _CLASSES else range(len(frame))
        )
        likely = {int(c): float(frame[c]) for c in classes if c != BLANK and frame[c] > _LEAST}
        beginnings = _extended(beginnings, float(frame[BLANK]), likely, frame)
    masses = {classes: sum(both) for classes, both in beginnings.items()}
    least = _WORTH * max(masses.values())
    best = sorted((each for each in masses if masses[each] >= least), key=lambda each: -masses[each])
    return list(dict.fromkeys(filter(None, map(charset.decode, best))))[:texts]


def _extended(
    before: Masses, blank: float, likely: Mapping[int, float], frame: NDArray[np.float32]
) -> Masses:
    """Return the most probable beginnings after one more frame. Their masses add up to 1."""
    after = defaultdict[tuple[int, ...], list[float]](lambda: [0.0, 0.0])
    for classes, (ends_blank, ends_kept) in before.items():
        both, last = ends_blank + ends_kept, classes[-1] if classes else BLANK
        after[classes][0] += both * blank
        if classes:
            after[classes][1] += ends_kept * float(frame[last])
        for number, probability in likely.items():
            # The same character once more needs a blank before it.
            after[(*classes, number)][1] += (ends_blank if number == last else both) * probability
    kept = heapq.nlargest(_BEAM, after.items(), key=lambda item: sum(item[1]))
    total = sum(sum(masses) for _, masses in kept) or 1.0
    return {classes: (masses[0] / total, masses[1] / total) for classes, masses in kept}
