"""Whether one model reads better than another, or was lucky with these crops."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from linetune.evaluation.intervals import CONFIDENCE, paired_difference
from linetune.evaluation.metrics import Score


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two models, A and B, on the same crops."""

    only_a: int
    """Crops that only A reads right."""
    only_b: int
    lines: int
    """All crops."""

    @property
    def difference(self) -> float:
        """Exact match of B minus that of A."""
        return (self.only_b - self.only_a) / self.lines

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the difference."""
        return paired_difference(self.only_a, self.only_b, self.lines)

    @property
    def p_value(self) -> float:
        """How often two equally good models differ at least as much by chance, 0 to 1."""
        return mcnemar(self.only_a, self.only_b)

    @property
    def told(self) -> bool:
        """Whether the difference is beyond chance."""
        return self.p_value < 1 - CONFIDENCE

    def sentence(self, a: str = "A", b: str = "B") -> str:
        """What the comparison comes to."""
        if not self.only_a and not self.only_b:
            return f"no difference can be told on {self.lines} crops: both read the same ones"
        crops = "crop" if self.only_b == 1 else "crops"
        counts = f"{self.only_b} {crops} only {b} reads, {self.only_a} only {a}"
        share = "under 0.1%" if self.p_value < 0.001 else f"{self.p_value:.1%}"
        chance = f"chance alone gives this in {share} of cases"
        if self.told:
            return f"{b if self.difference > 0 else a} is better: {counts}; {chance}"
        return f"no difference can be told on {self.lines} crops: {counts}; {chance}"

    def as_dict(self) -> dict[str, Any]:
        """Plain figures, for JSON."""
        return {
            "lines": self.lines,
            "only_a": self.only_a,
            "only_b": self.only_b,
            "difference": self.difference,
            "interval": list(self.interval),
            "p_value": self.p_value,
            "beyond_chance": self.told,
        }


def compare(a: Score, b: Score) -> Comparison:
    """Compare two models by their scores on the same crops, in the same order."""
    pairs = list(zip(a.right, b.right, strict=True))
    return Comparison(pairs.count((True, False)), pairs.count((False, True)), len(pairs))


def mcnemar(one: int, other: int) -> float:
    """McNemar's test of paired shares (1947, Psychometrika 12:153) with the exact binomial distribution.

    Among the crops that only one of two equally good models reads right, each is as likely either's.

    Args:
        one: crops that only one model reads right.
        other: crops that only the other reads right.

    Returns:
        the two-sided p-value, 0 to 1.
    """
    both = one + other
    ways = term = 1
    for k in range(min(one, other)):
        term = term * (both - k) // (k + 1)
        ways += term
    return min(1.0, 2 * ways / (1 << both))
