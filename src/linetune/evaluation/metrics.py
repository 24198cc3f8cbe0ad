"""Exact match and character error rate. Spaces and case count; nothing is normalised.

Right-to-left texts that have the same glyphs in the same places count as equal: no crop tells them apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rapidfuzz.distance import Levenshtein

from linetune.core.reading_order import is_same
from linetune.evaluation.intervals import as_text, wilson


@dataclass(frozen=True, slots=True, order=True)
class Score:
    """The score of a model on a set of crops; a better one compares greater."""

    exact_match: float
    """Share of crops whose whole text is right, 0 to 1."""
    negative_cer: float
    lines: int
    right: tuple[bool, ...] = field(default=(), compare=False, repr=False)
    """Of each crop, whether its whole text is right; what a paired comparison needs."""

    @property
    def cer(self) -> float:
        """Character error rate: edit distance over reference length, both summed over all crops."""
        return abs(self.negative_cer)  # not -x, which would be -0.0 for a perfect model

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the exact match, 0 to 1: what these crops tell of all crops of their kind."""
        return wilson(self.exact_match * self.lines, self.lines)

    def as_dict(self) -> dict[str, Any]:
        """Plain figures, for JSON."""
        return {
            "exact_match": self.exact_match,
            "interval": list(self.interval),
            "cer": self.cer,
            "lines": self.lines,
        }

    def as_text(self) -> str:
        """Exact match and its interval for people: ``88.0% (85–91)``."""
        return as_text(self.exact_match, self.interval)


def score(predicted: Sequence[str], reference: Sequence[str]) -> Score:
    """Score predictions against references of the same order and number."""
    if not reference:
        raise ValueError("no lines to score")
    pairs = list(zip(predicted, reference, strict=True))
    right = tuple(is_same(p, r) for p, r in pairs)
    distance = sum(Levenshtein.distance(p, r) for (p, r), same in zip(pairs, right, strict=True) if not same)
    characters = sum(len(r) for r in reference)
    return Score(sum(right) / len(pairs), -distance / max(1, characters), len(pairs), right)
