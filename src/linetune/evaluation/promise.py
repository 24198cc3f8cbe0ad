"""A threshold with a promise: the error of accepted readings is at most so much, with 95 % confidence.

The promise holds for crops that are drawn like those of the labels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from linetune.core.errors import LinetuneError
from linetune.decode.calibrated import accepts
from linetune.evaluation.acceptance import DIGITS
from linetune.evaluation.calibration import hash_of_labels
from linetune.evaluation.drift import quantiles
from linetune.evaluation.intervals import CONFIDENCE

_ODDS = [step / 4 for step in range(36, -21, -1)]
THRESHOLDS = (*dict.fromkeys(round(1 / (1 + math.exp(-odds)), DIGITS) for odds in _ODDS), 0.0)
"""The thresholds that are tested, the strictest first: even steps of the log odds from 9 to -5, then 0. They
do not depend on data, as the proof requires."""
SMALLEST, LARGEST = 1e-5, 0.5
"""The smallest and the largest error that can be promised. The smallest takes 300,000 right readings."""


@dataclass(frozen=True, slots=True)
class Promise:
    """A threshold, and what the labels prove of the readings that it accepts."""

    max_error: float
    """The promised largest share of wrong readings among the accepted ones, 0 to 1."""
    threshold: float
    """0 to 1. A reading with at least this confidence is accepted, unless its confidence is 0."""
    readings: int
    """Number of labelled readings."""
    accepted: int
    wrong: int
    """Number of accepted readings that differ from their label."""

    @property
    def coverage(self) -> float:
        """Share of the readings that are accepted, 0 to 1."""
        return self.accepted / self.readings

    @property
    def bound(self) -> float:
        """Upper 95 % bound of the error of accepted readings, 0 to 1."""
        return upper_bound(self.wrong, self.accepted)

    def as_text(self) -> str:
        """Return the promise in words."""
        most = f"at most {percent(self.max_error)} of the accepted readings are wrong"
        sure = f"with {CONFIDENCE:.0%} confidence"
        limit = f"of {self.threshold:.{DIGITS}f} or more" if self.threshold else "above 0"
        return f"accept a confidence {limit}: {most}, {sure}"

    def as_dict(self) -> dict[str, Any]:
        """Return the figures for JSON."""
        return {
            "max_error": self.max_error,
            "confidence": CONFIDENCE,
            "threshold": self.threshold,
            "readings": self.readings,
            "accepted": self.accepted,
            "wrong": self.wrong,
            "coverage": self.coverage,
            "bound": self.bound,
        }


def promise(confidences: Sequence[float], correct: Sequence[bool], max_error: float) -> Promise:
    """Return the threshold that accepts most, of those with a proven error of at most ``max_error``.

    Of several that accept as many, it is the strictest. It accepts fewer of other crops, such as those of
    another printer, about which the labels say nothing.

    Accepting and referring with a guarantee is from Geifman and El-Yaniv (2017, NeurIPS, "Selective
    classification for deep neural networks"). The thresholds are tested in a fixed order, the strictest
    first, each at 5 %. The first failure ends the tests. Then the probability that any of the passed ones is
    wrong is at most 5 % (fixed-sequence testing; Angelopoulos et al. 2021, "Learn then test"). So each of
    them may be chosen.
    Thresholds that accept too few readings to prove anything are left out. This is exact if the error falls
    as the threshold rises. Each test is the exact binomial one.

    Args:
        confidences: the confidence of each reading, 0 to 1. The readings must not be those that the
            confidence was learned from.
        correct: whether each reading equals its label, in the same order.
        max_error: :data:`SMALLEST` to :data:`LARGEST`.

    Raises:
        LinetuneError: the labels prove no threshold. The hint says how many more right readings can.
    """
    found, failed = search(confidences, correct, max_error)
    if found is None:
        raise _unproven(failed, confidences, correct, max_error)
    return found


def search(
    confidences: Sequence[float], correct: Sequence[bool], max_error: float
) -> tuple[Promise | None, Promise | None]:
    """Return the promise of :func:`promise` or None, and the first threshold that labels do not prove.

    The latter is None if there are too few readings for any proof, or if all thresholds are proved.
    """
    values, right = np.asarray(confidences, float), np.asarray(correct, bool)
    fewest, found, failed = needed(0, max_error), None, None
    for threshold in THRESHOLDS:
        kept = accepts(threshold, values)
        count, wrong = int(kept.sum()), int((kept & ~right).sum())
        if count < fewest:
            continue
        tested = Promise(max_error, threshold, len(values), count, wrong)
        if tail(wrong, count, max_error) > 1 - CONFIDENCE:
            failed = tested
            break
        if found is None or count > found.accepted:
            found = tested
    return found, failed


def as_record(found: Promise, confidences: Sequence[float], labels: Sequence[str]) -> dict[str, Any]:
    """Return the record of a promise for a model file.

    Args:
        found: the promise.
        confidences: the confidence of each reading that it was made on.
        labels: their labels.
    """
    kept = quantiles(confidences).tolist()
    return {**found.as_dict(), "labels": hash_of_labels(labels), "quantiles": kept}


def tail(wrong: int, total: int, error: float) -> float:
    """Return the probability of at most ``wrong`` wrong readings of ``total``, each with this ``error``."""
    counts = np.arange(min(wrong, total) + 1)
    ways = [math.lgamma(total + 1) - math.lgamma(k + 1) - math.lgamma(total - k + 1) for k in counts.tolist()]
    logs = np.array(ways) + counts * math.log(error) + (total - counts) * math.log1p(-error)
    return float(min(1.0, np.exp(logs).sum()))


def upper_bound(wrong: int, total: int) -> float:
    """Return the one-sided upper 95 % bound of an error (Clopper and Pearson 1934, Biometrika 26:404).

    Args:
        wrong: number of wrong readings.
        total: number of all readings.
    """
    if wrong >= total:
        return 1.0
    low, high = wrong / total, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if tail(wrong, total, middle) > 1 - CONFIDENCE else (low, middle)
    return high


def needed(wrong: int, max_error: float) -> int:
    """Return the fewest readings that prove an error of at most ``max_error`` if ``wrong`` are wrong."""
    low, high = wrong, wrong + 1
    while tail(wrong, high, max_error) > 1 - CONFIDENCE:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if tail(wrong, middle, max_error) > 1 - CONFIDENCE else (low, middle)
    return high


def further(confidences: Sequence[float], correct: Sequence[bool], max_error: float) -> int:
    """Return the fewest further right readings with which labels that prove no threshold prove one.

    The further readings reach the threshold that failed, and no stricter one. If none has failed, they reach
    the threshold at which they are fewest. Surer ones may complete a stricter threshold with wrong readings,
    which then fails. The figure is therefore a lower bound.

    Args:
        confidences: the confidence of each reading, 0 to 1.
        correct: whether each reading equals its label, in the same order.
        max_error: the error to promise, 0 to 1.
    """
    _, failed = search(confidences, correct, max_error)
    if failed is not None:
        return needed(failed.wrong, max_error) - failed.accepted
    values, right = np.asarray(confidences, float), np.asarray(correct, bool)
    kept = [accepts(threshold, values) for threshold in THRESHOLDS]
    return min(needed(int((each & ~right).sum()), max_error) - int(each.sum()) for each in kept)


def percent(share: float) -> str:
    """Return a share such as ``1%`` or ``0.25%``."""
    return f"{share * 100:.4g}%"


def _unproven(
    failed: Promise | None, confidences: Sequence[float], correct: Sequence[bool], max_error: float
) -> LinetuneError:
    """Return the error for labels that prove no threshold.

    Args:
        failed: the strictest threshold that could prove something. None if there are too few readings.
        confidences: the confidence of each reading.
        correct: whether each reading equals its label.
        max_error: the error that was to be promised.
    """
    what = f"these labels cannot prove an error of at most {percent(max_error)}"
    more = further(confidences, correct, max_error)
    if failed is None:
        usable = int(accepts(0.0, confidences).sum())
        fewest = needed(0, max_error)
        why = f"there are {usable} readings, and {fewest} are needed even if all are right"
        if usable < len(confidences):
            why = f"{len(confidences) - usable} readings have a confidence of 0. Without them, {why}"
        hint = f"label at least {more} more crops" if more > 1 else "label at least one more crop"
    else:
        why = f"{failed.wrong} of the {failed.accepted} surest readings are wrong"
        further_ones = f"{more} more such readings that are right" if more > 1 else "one more right reading"
        hint = f"at least {further_ones} would prove it"
    return LinetuneError(f"{what}: {why}", hint=f"{hint}, or allow more errors")
