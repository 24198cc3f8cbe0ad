"""Whether a confidence is the share of right readings, and how well it ranks them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

BINS = 15
"""Bins of a reliability table. Guo et al. (2017) use 15."""


@dataclass(frozen=True, slots=True)
class Bin:
    """Readings with similar confidence."""

    lines: int
    confidence: float
    """Mean confidence, 0 to 1."""
    exact_match: float
    """Share of the readings that equal their label, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Reliability:
    """How far a confidence can be believed."""

    bins: tuple[Bin, ...]
    """The reliability table, the lowest confidence first."""
    area: float
    """Area under the risk-coverage curve, 0 to 1: the mean error of the surest 1, 2, ... readings. It depends
    only on the order of the confidences. Lower is better."""

    @property
    def error(self) -> float:
        """Expected calibration error, 0 to 1: the mean distance of confidence and exact match."""
        total = sum(each.lines for each in self.bins)
        return sum(each.lines * abs(each.confidence - each.exact_match) for each in self.bins) / total

    def as_text(self) -> str:
        """Return a line such as ``calibration error 2.1%   area under the risk-coverage curve 0.0123``."""
        return f"calibration error {self.error:.1%}   area under the risk-coverage curve {self.area:.4f}"

    def as_dict(self) -> dict[str, Any]:
        """Return the figures for JSON."""
        return {
            "calibration_error": self.error,
            "risk_coverage_area": self.area,
            "bins": [
                {"lines": each.lines, "confidence": each.confidence, "exact_match": each.exact_match}
                for each in self.bins
            ],
        }


def reliability(confidences: Sequence[float], correct: Sequence[bool]) -> Reliability:
    """Return how far the confidences of readings can be believed.

    The bins have equal numbers of readings (Nguyen and O'Connor 2015, EMNLP), because most confidences are
    near 1. The area is that of Geifman, Uziel and El-Yaniv (2019, ICLR). Readings with equal confidence
    count with their mean, so that their order does not matter.

    Args:
        confidences: the confidence of each reading, 0 to 1. At least one.
        correct: whether each reading equals its label, in the same order.
    """
    values, right = np.asarray(confidences, float), np.asarray(correct, float)
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    right = (np.bincount(places, right) / counts)[places]
    order = np.argsort(values, kind="stable")
    bins = [
        Bin(len(members), float(values[members].mean()), float(right[members].mean()))
        for members in np.array_split(order, min(BINS, len(order)))
    ]
    return Reliability(tuple(bins), _area(1 - right[order[::-1]]))


def _area(wrong: NDArray[np.float64]) -> float:
    """Return the mean error of the first 1, 2, ... readings. ``wrong`` has the surest reading first."""
    return float((np.cumsum(wrong) / np.arange(1, len(wrong) + 1)).mean())
