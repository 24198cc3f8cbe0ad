"""Compare two models on the same crops: is the difference larger than chance explains?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from linetune.evaluation.intervals import CONFIDENCE, paired_difference
from linetune.evaluation.metrics import Score


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two models, A and B, on the same crops."""

    only_a: int
    """Number of crops that only A reads exactly."""
    only_b: int
    """Number of crops that only B reads exactly."""
    lines: int
    """Number of all crops."""

    @property
    def difference(self) -> float:
        """Exact match of B minus exact match of A, -1 to 1."""
        return (self.only_b - self.only_a) / self.lines

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the difference, -1 to 1."""
        return paired_difference(self.only_a, self.only_b, self.lines)

    @property
    def p_value(self) -> float:
        """Probability that two equally good models differ at least as much by chance, 0 to 1."""
        return mcnemar(self.only_a, self.only_b)

    @property
    def beyond_chance(self) -> bool:
        """Whether the difference is significant at 5 %."""
        return self.p_value < 1 - CONFIDENCE

    def sentence(self, a: str = "A", b: str = "B", say: Callable[..., str] = str.format) -> str:
        """Return the result in words.

        Args:
            a: the name of the first model.
            b: the name of the second model.
            say: puts values into a sentence. It may translate the sentence.
        """
        none = say("no difference beyond chance on {lines} crops", lines=self.lines)
        if not self.only_a and not self.only_b:
            return say("{verdict}: both read the same crops", verdict=none)
        counts = {"a": a, "b": b, "only_a": self.only_a, "only_b": self.only_b}
        return say(
            "{verdict}: {counts}; chance alone gives this in {share} of cases",
            verdict=say("{model} is better", model=b if self.difference > 0 else a)
            if self.beyond_chance
            else none,
            counts=say("only {b} reads {only_b} crop, only {a} reads {only_a}", **counts)
            if self.only_b == 1
            else say("only {b} reads {only_b} crops, only {a} reads {only_a}", **counts),
            share=say("under 0.1%") if self.p_value < 0.001 else f"{self.p_value:.1%}",
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the figures for JSON."""
        return {
            "lines": self.lines,
            "only_a": self.only_a,
            "only_b": self.only_b,
            "difference": self.difference,
            "interval": list(self.interval),
            "p_value": self.p_value,
            "beyond_chance": self.beyond_chance,
        }


def compare(a: Score, b: Score) -> Comparison:
    """Compare the scores of two models on the same crops, in the same order.

    Raises:
        ValueError: the numbers of crops differ.
    """
    pairs = list(zip(a.correct, b.correct, strict=True))
    return Comparison(pairs.count((True, False)), pairs.count((False, True)), len(pairs))


def mcnemar(only_a: int, only_b: int) -> float:
    """Return the p-value of McNemar's exact test (1947, Psychometrika 12:153).

    The test looks at crops that only one model reads exactly. If the models are equally good, either model is
    as likely to be that one: the counts have a binomial distribution with probability 1/2.

    Args:
        only_a: number of crops that only the first model reads exactly.
        only_b: number of crops that only the second model reads exactly.

    Returns:
        the two-sided p-value, 0 to 1.
    """
    total = only_a + only_b
    ways = term = 1
    for k in range(min(only_a, only_b)):
        term = term * (total - k) // (k + 1)
        ways += term
    return min(1.0, 2 * ways / (1 << total))
