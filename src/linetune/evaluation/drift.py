"""Whether crops without labels still look like those that a promise was made on.

Only the confidences are compared. Crops that are wrong more often at the same confidence do not show.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from linetune.core.errors import LinetuneError
from linetune.decode.calibrated import accepts
from linetune.evaluation.intervals import CONFIDENCE, as_text, wilson


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

    The limit is that of the two-sample test of Kolmogorov and Smirnov for large samples (Smirnov 1948, Ann.
    Math. Stat. 19:279). It is one quantile step higher, because the promise remembers only quantiles.

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
    now = np.sort(np.asarray(confidences, float))
    # The distance is looked for at the quantiles. Equal ones are a step of the distribution function.
    places, first, equal = np.unique(before, return_index=True, return_counts=True)
    step = 1 / (len(before) - 1)
    below, reached = (np.searchsorted(now, places, side) / len(now) for side in ("left", "right"))
    differences = [below - first * step, reached - (first + equal - 1) * step]
    distance = float(np.abs(differences).max())
    chance = math.sqrt(-math.log((1 - CONFIDENCE) / 2) / 2 * (total + len(now)) / (total * len(now)))
    accepted = int(accepts(threshold, now).sum())
    return Drift(distance, chance + step, len(now), accepted, coverage)
