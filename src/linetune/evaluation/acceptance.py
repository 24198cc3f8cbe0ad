"""What accepting only sure readings gives: how many crops, and how many of them right."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from linetune.evaluation.intervals import wilson

SHARES = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""Of all crops, the surest first, for which it is told."""
DIGITS = 4
"""Of a threshold, so that what people copy accepts what they were told."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The readings that are at least so sure."""

    confidence: float
    """The threshold, 0 to 1: of the least sure of them, rounded down."""
    lines: int
    of: int
    """All readings, sure or not."""
    right: int

    @property
    def share(self) -> float:
        """Of all crops, 0 to 1 (coverage)."""
        return self.lines / self.of

    @property
    def exact_match(self) -> float:
        """Share of them whose whole text is right, 0 to 1."""
        return self.right / self.lines

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the exact match, 0 to 1."""
        return wilson(self.right, self.lines)

    def as_text(self) -> str:
        """For people: ``0.9921 or more: 80% of the crops, 98.1% (96–99) of them right``."""
        low, high = self.interval
        return (
            f"{self.confidence:.{DIGITS}f} or more: {self.share:.0%} of the crops, "
            f"{self.exact_match:.1%} ({low * 100:.0f}–{high * 100:.0f}) of them right"
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain figures, for JSON."""
        return {
            "confidence": self.confidence,
            "share": self.share,
            "lines": self.lines,
            "exact_match": self.exact_match,
            "interval": list(self.interval),
        }


def accepted(confidences: Sequence[float], right: Sequence[bool]) -> list[Accepted]:
    """Thresholds on the confidence that accept about :data:`SHARES` of some crops, the strictest first.

    Coverage and selective accuracy, as of a classifier that may abstain (El-Yaniv and Wiener 2010, J. Mach.
    Learn. Res. 11:1605). Whatever reaches a threshold is accepted, so that a step may take more than its
    share, and no threshold is told twice.

    Args:
        confidences: of every reading, 0 to 1.
        right: whether its whole text is right, in the same order.
    """
    ranked = sorted(confidences, reverse=True)
    last = (ranked[math.ceil(share * len(ranked)) - 1] for share in SHARES)
    thresholds = dict.fromkeys(math.floor(confidence * 10**DIGITS) / 10**DIGITS for confidence in last)
    found = []
    for threshold in thresholds:
        kept = [r for c, r in zip(confidences, right, strict=True) if c >= threshold]
        found.append(Accepted(threshold, len(kept), len(ranked), sum(kept)))
    return found
