"""Whether crops without labels look like labelled ones, such as those that a promise was made on.

Only the confidences are compared. Crops that are wrong more often at the same confidence do not show.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linetune.core.errors import LinetuneError
from linetune.decode.calibrated import accepts
from linetune.evaluation.intervals import CONFIDENCE, as_text, wilson

QUANTILES = 101
"""Quantiles of the confidences that a promise remembers."""


@dataclass(frozen=True, slots=True)
class Drift:
    """The confidences of crops beside those of the labels of a promise."""

    distance: float
    """Largest difference of the two distribution functions (Kolmogorov and Smirnov), 0 to 1."""
    limit: float
    """The largest distance that chance explains in 95 % of cases."""
    readings: int
    accepted: int
    """Number of accepted readings."""
    coverage: float
    """Share of accepted readings when the promise was made, 0 to 1."""

    @property
    def drifted(self) -> bool:
        """Whether the confidences differ more than chance explains."""
        return self.distance > self.limit

    def as_text(self) -> str:
        """Return the result in words."""
        verdict = (
            "these crops differ from those of the promise; label some of them and make the promise again"
            if self.drifted
            else "no difference from the crops of the promise beyond chance"
        )
        now = as_text(self.accepted / self.readings, wilson(self.accepted, self.readings))
        return (
            f"{verdict}: confidences differ by {self.distance:.3f} (chance explains {self.limit:.3f}); "
            f"accepted {now}, {self.coverage:.1%} when the promise was made"
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the figures for JSON."""
        return {
            "drifted": self.drifted,
            "distance": self.distance,
            "limit": self.limit,
            "readings": self.readings,
            "accepted": self.accepted,
            "coverage": self.coverage,
        }


def drift(record: Mapping[str, Any], confidences: Sequence[float]) -> Drift:
    """Compare the confidences of crops with those of the labels of a promise.

    Args:
        record: the promise in a model file.
        confidences: the confidence of each reading, 0 to 1. At least one.

    Raises:
        LinetuneError: the record is damaged.
    """
    try:
        before = np.sort(np.asarray(record["quantiles"], float))
        threshold, coverage = float(record["threshold"]), float(record["coverage"])
        total = int(record["readings"])
    except (LookupError, TypeError, ValueError, OverflowError):
        total, before, threshold, coverage = 0, np.zeros(0), 0.0, 0.0
    if total < 1 or before.ndim != 1 or len(before) < 2 or not np.isfinite(before).all():
        raise LinetuneError("the promise in the model file is damaged", hint="make it again")
    distance, limit = distance_and_limit(before, total, confidences)
    accepted = int(accepts(threshold, np.asarray(confidences, float)).sum())
    return Drift(distance, limit, len(confidences), accepted, coverage)


def quantiles(confidences: Sequence[float]) -> NDArray[np.float64]:
    """Return the :data:`QUANTILES` of at least one confidence, in ascending order."""
    return np.asarray(np.quantile(np.asarray(confidences, float), np.linspace(0, 1, QUANTILES)))


def distance_and_limit(
    before: NDArray[np.float64], readings: int, confidences: Sequence[float]
) -> tuple[float, float]:
    """Return how far apart confidences are, and the largest distance that chance explains in 95 % of cases.

    The distance is the largest difference of the two distribution functions. The limit is that of the
    two-sample test of Kolmogorov and Smirnov for large samples (Smirnov 1948, Ann. Math. Stat. 19:279). It is
    one quantile step higher, because only quantiles are known.

    Args:
        before: the quantiles of the one confidences, in ascending order.
        readings: how many these are.
        confidences: the other ones, 0 to 1. At least one.
    """
    now = np.sort(np.asarray(confidences, float))
    # The distance is looked for at the quantiles. Equal ones are a step of the distribution function.
    places, first, equal = np.unique(before, return_index=True, return_counts=True)
    step = 1 / (len(before) - 1)
    below, reached = (np.searchsorted(now, places, side) / len(now) for side in ("left", "right"))
    differences = [below - first * step, reached - (first + equal - 1) * step]
    distance = float(np.abs(differences).max())
    sizes = (readings + len(now)) / (readings * len(now))
    return distance, math.sqrt(-math.log((1 - CONFIDENCE) / 2) / 2 * sizes) + step
