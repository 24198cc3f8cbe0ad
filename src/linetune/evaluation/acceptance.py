"""Coverage and accuracy of the readings that a confidence threshold accepts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from linetune.evaluation.intervals import as_text, wilson

COVERAGES = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""Shares of the readings, those with the highest confidence first, for which thresholds are proposed."""
DIGITS = 4
"""Decimal places of a threshold. All runtimes agree on four (``formats.parity``). A threshold therefore means
the same in each of them."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The readings with a confidence at or above a threshold."""

    confidence: float
    """The threshold, 0 to 1."""
    lines: int
    """Number of accepted readings."""
    total: int
    """Number of all readings."""
    correct: int
    """Number of accepted readings that equal their label."""

    @property
    def coverage(self) -> float:
        """Share of all readings that are accepted, 0 to 1."""
        return self.lines / self.total

    @property
    def exact_match(self) -> float | None:
        """Share of the accepted readings that equal their label, 0 to 1. None if no reading is accepted."""
        return self.correct / self.lines if self.lines else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 % interval of the exact match, 0 to 1. None if no reading is accepted."""
        return wilson(self.correct, self.lines) if self.lines else None

    def as_text(self) -> str:
        """Return a line such as ``0.9921 or more: 80% of the crops, 346 of 352 right, 98.3% (96–99)``."""
        which = "all readings" if self.lines == self.total else f"{self.confidence:.{DIGITS}f} or more"
        if self.exact_match is None or self.interval is None:
            return f"{which}: none of the crops"
        correct = f"{self.correct} of {self.lines} right, {as_text(self.exact_match, self.interval)}"
        return f"{which}: {self.coverage:.0%} of the crops, {correct}"

    def as_dict(self) -> dict[str, Any]:
        """Return the figures for JSON."""
        return {
            "confidence": self.confidence,
            "share": self.coverage,
            "lines": self.lines,
            "exact_match": self.exact_match,
            "interval": list(self.interval) if self.interval else None,
        }


def accepted(
    confidences: Sequence[float], correct: Sequence[bool], thresholds: Sequence[float] = ()
) -> list[Accepted]:
    """Return what each threshold accepts: coverage and selective accuracy.

    Both are defined as for a classifier that may abstain (El-Yaniv and Wiener 2010, J. Mach. Learn. Res.
    11:1605). Readings with equal confidence are accepted together. A proposed threshold may therefore accept
    more than its share. Equal thresholds are returned once.

    Args:
        confidences: the confidence of each reading, 0 to 1. At least one.
        correct: whether each reading equals its label, in the same order.
        thresholds: confidences, 0 to 1. By default, those that accept about :data:`COVERAGES`, the highest
            first.
    """
    if not thresholds:
        ranked = sorted(confidences, reverse=True)
        lowest = (ranked[math.ceil(coverage * len(ranked)) - 1] for coverage in COVERAGES)
        thresholds = list(dict.fromkeys(map(round_down, lowest)))
    steps = []
    for threshold in thresholds:
        kept = [right for c, right in zip(confidences, correct, strict=True) if c >= threshold]
        steps.append(Accepted(threshold, len(kept), len(confidences), sum(kept)))
    return steps


def round_down(confidence: float) -> float:
    """Return a confidence rounded down to :data:`DIGITS`. It then reaches no higher threshold."""
    return float(math.floor(confidence * 10**DIGITS) / 10**DIGITS)


def confidence_text(confidence: float) -> str:
    """Return a confidence as people read it, such as ``0.9981``. It is rounded down."""
    return f"{round_down(confidence):.{DIGITS}f}"
