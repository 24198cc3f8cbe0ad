"""What accepting only sure readings gives: how many crops, and how many of them right."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from linetune.evaluation.intervals import as_text, wilson

SHARES = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""Of all crops, the surest first, for which it is told."""
DIGITS = 4
"""Of a threshold: what runtimes agree on, so that it means the same in each (see ``export.parity``)."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The readings that are at least so sure."""

    confidence: float
    """The threshold, 0 to 1."""
    lines: int
    of: int
    """All readings, sure or not."""
    right: int

    @property
    def share(self) -> float:
        """Of all crops, 0 to 1 (coverage)."""
        return self.lines / self.of

    @property
    def exact_match(self) -> float | None:
        """Share of them whose whole text is right, 0 to 1; None where no reading is so sure."""
        return self.right / self.lines if self.lines else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 % interval of the exact match, 0 to 1."""
        return wilson(self.right, self.lines) if self.lines else None

    def as_text(self) -> str:
        """For people: ``0.9921 or more: 80% of the crops, 346 of 352 right, 98.3% (96–99)``."""
        which = "all readings" if self.lines == self.of else f"{self.confidence:.{DIGITS}f} or more"
        if self.exact_match is None or self.interval is None:
            return f"{which}: none of the crops"
        right = f"{self.right} of {self.lines} right, {as_text(self.exact_match, self.interval)}"
        return f"{which}: {self.share:.0%} of the crops, {right}"

    def as_dict(self) -> dict[str, Any]:
        """Plain figures, for JSON."""
        return {
            "confidence": self.confidence,
            "share": self.share,
            "lines": self.lines,
            "exact_match": self.exact_match,
            "interval": list(self.interval) if self.interval else None,
        }


def accepted(
    confidences: Sequence[float], right: Sequence[bool], thresholds: Sequence[float] = ()
) -> list[Accepted]:
    """What thresholds on the confidence accept of some crops, and how much of it is right.

    Coverage and selective accuracy, as of a classifier that may abstain (El-Yaniv and Wiener 2010, J. Mach.
    Learn. Res. 11:1605). Whatever reaches a threshold is accepted, so that a step may take more than its
    share, and no threshold is told twice.

    Args:
        confidences: of every reading, 0 to 1; one at least.
        right: whether its whole text is right, in the same order.
        thresholds: by default those that accept about :data:`SHARES`, the strictest first.
    """
    if not thresholds:
        ranked = sorted(confidences, reverse=True)
        last = (ranked[math.ceil(share * len(ranked)) - 1] for share in SHARES)
        thresholds = list(dict.fromkeys(map(rounded, last)))
    found = []
    for threshold in thresholds:
        kept = [r for c, r in zip(confidences, right, strict=True) if c >= threshold]
        found.append(Accepted(threshold, len(kept), len(confidences), sum(kept)))
    return found


def rounded(confidence: float) -> float:
    """Rounded down to :data:`DIGITS`, so that what is shown reaches no threshold that it does not."""
    return float(math.floor(confidence * 10**DIGITS) / 10**DIGITS)
