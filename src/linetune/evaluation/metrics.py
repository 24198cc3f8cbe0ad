"""Exact match and character error rate. Spaces and case count; nothing is normalised."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rapidfuzz.distance import Levenshtein


@dataclass(frozen=True, slots=True, order=True)
class Score:
    """The score of a model on a set of crops; a better one compares greater."""

    exact_match: float
    """Share of crops whose whole text is right, 0 to 1."""
    negative_cer: float
    lines: int

    @property
    def cer(self) -> float:
        """Character error rate: edit distance over reference length, both summed over all crops."""
        return abs(self.negative_cer)  # not -x, which would be -0.0 for a perfect model

    def as_dict(self) -> dict[str, float]:
        """Plain figures, for JSON."""
        return {"exact_match": self.exact_match, "cer": self.cer, "lines": self.lines}


def score(predicted: Sequence[str], reference: Sequence[str]) -> Score:
    """Score predictions against references of the same order and number."""
    if not reference:
        raise ValueError("no lines to score")
    pairs = list(zip(predicted, reference, strict=True))
    exact = sum(p == r for p, r in pairs)
    distance = sum(Levenshtein.distance(p, r) for p, r in pairs)
    characters = sum(len(r) for r in reference)
    return Score(exact / len(pairs), -distance / max(1, characters), len(pairs))
