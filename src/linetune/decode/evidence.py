"""Evidence that the text of a reading is right, from the class probabilities. Each kind has a name."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from linetune.core.charset import BLANK, Charset
from linetune.decode.reading import Reading, added_up

NAMES = ("text", "mean_peak", "least_peak", "length", "follows")
"""What :func:`evidence` gives. The last one is there only for readings by a rule."""
OWN = "text"
"""The evidence that is itself a probability that the text is right, as log odds."""
_LEAST = 1e-30
"""Least probability of a class. A network can give exactly 0, and its logarithm would be infinite."""
_DOUBT = 1e-6
"""Least distance of a probability from 0 and from 1 in :func:`log_odds`. The rounding of a runtime is nearly
as large."""


def evidence(
    probabilities: NDArray[np.float32], readings: Sequence[Reading], charset: Charset
) -> Mapping[str, NDArray[np.float64]]:
    """Return the evidence of each reading by its name, each an array (batch,).

    - ``text``: the log odds of P(text), which CTC sums over all alignments. For a text that the rule admits:
      of P(text) divided by the probability that the crop follows the rule.
    - ``mean_peak``: the log odds of the geometric mean of the peaks of the kept frames.
    - ``least_peak``: the log odds of the smallest peak of all frames, blank or not.
    - ``length``: the number of characters.
    - ``follows``: the log odds of the probability that the crop follows the rule.

    Args:
        probabilities: class probabilities (batch, frames, classes). Class 0 is the blank.
        readings: what a decoder reads in them.
        charset: the characters of the classes.
    """
    texts = [charset.encode(reading.text) for reading in readings]
    probabilities = added_up(probabilities, charset)
    best = probabilities.argmax(2)
    peaks = np.take_along_axis(probabilities, best[:, :, None], 2)[:, :, 0]
    peaks = np.log(np.maximum(peaks, _LEAST), dtype=np.float64)
    kept = best != BLANK
    kept[:, 1:] &= best[:, 1:] != best[:, :-1]
    mean = (peaks * kept).sum(1) / np.maximum(kept.sum(1), 1)
    own = log_probability(probabilities, texts)
    by_rule = {}
    if any(reading.follows is not None for reading in readings):
        follows = np.log([max(reading.follows or 0.0, _LEAST) for reading in readings])
        own = np.where([bool(reading.admitted) for reading in readings], np.minimum(own - follows, 0), own)
        by_rule = {"follows": log_odds(follows)}
    return {
        OWN: log_odds(own),
        "mean_peak": log_odds(mean),
        "least_peak": log_odds(peaks.min(1)),
        "length": np.array([len(text) for text in texts], float),
        **by_rule,
    }


def disagreement(label: float, read: float) -> float:
    """Return how strongly a model disagrees with a label: p(read) (log p(read) - log p(label)).

    The difference alone would be highest for crops on which no reading is certain, such as an illegible one.

    Args:
        label: log P of the label (CTC).
        read: log P of the text that the model reads.
    """
    return math.exp(read) * (read - label)


def log_odds(log_probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the log odds of probabilities that are given as natural logarithms. They are finite."""
    probabilities = np.exp(log_probabilities).clip(_DOUBT, 1 - _DOUBT)
    return np.asarray(np.log(probabilities / (1 - probabilities)))


def log_probability(
    probabilities: NDArray[np.floating], texts: Sequence[Sequence[int]]
) -> NDArray[np.float64]:
    """Return log P(text) of each reading (batch,), the sum over all alignments of its text with the frames.

    This is the forward recursion of CTC (Graves et al. 2006, ICML, eq. 5 to 8), in logarithms. A text with
    more characters than frames has log P = -inf.

    Args:
        probabilities: class probabilities (batch, frames, classes). Class 0 is the blank.
        texts: the classes of the characters of each text, in the order of the frames.
    """
    count = len(texts)
    lengths = np.array([len(text) for text in texts], int)
    # States: a blank, and then each character with a blank behind it.
    states = np.full((count, 2 * int(lengths.max(initial=0)) + 1), BLANK)
    for row, text in zip(states, texts, strict=True):
        row[1 : 2 * len(text) : 2] = text
    # A path may leave out the blank between two different characters.
    skips = np.full(states.shape, -np.inf)
    skips[:, 3::2][states[:, 3::2] != states[:, 1:-2:2]] = 0
    rows = np.arange(count)[:, None]
    frames = np.log(np.maximum(probabilities[rows, :, states], _LEAST), dtype=np.float64)
    alpha = np.full(states.shape, -np.inf)
    alpha[:, :2] = frames[:, :2, 0]
    for frame in range(1, probabilities.shape[1]):
        reached = alpha.copy()
        reached[:, 1:] = np.logaddexp(reached[:, 1:], alpha[:, :-1])
        reached[:, 2:] = np.logaddexp(reached[:, 2:], alpha[:, :-2] + skips[:, 2:])
        alpha = reached + frames[:, :, frame]
    last = 2 * lengths
    rows = rows[:, 0]
    before = np.where(lengths > 0, alpha[rows, np.maximum(last - 1, 0)], -np.inf)
    return np.asarray(np.minimum(np.logaddexp(alpha[rows, last], before), 0.0))
