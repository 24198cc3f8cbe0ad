"""Exact match, character error rate and confused characters.

Spaces and case count, and nothing is normalised. Right-to-left texts with the same glyphs in the same places
are equal, because no crop shows a difference.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rapidfuzz.distance import Levenshtein

from linetune.core.reading_order import is_same
from linetune.evaluation.intervals import as_text, wilson

Confusion = tuple[str, str]
"""A character of the label and the one read for it. Either is empty if a character was missed or added."""


@dataclass(frozen=True, slots=True, order=True)
class Score:
    """The score of a model on a set of crops. A better score compares greater."""

    exact_match: float
    """Share of crops whose reading equals the label, 0 to 1."""
    negative_cer: float
    """The CER times -1. A lower CER therefore compares greater."""
    lines: int
    """Number of crops."""
    correct: tuple[bool, ...] = field(default=(), compare=False, repr=False)
    """Whether the reading equals the label, for each crop. A paired comparison needs this."""

    @classmethod
    def of(cls, figures: Mapping[str, Any]) -> Score:
        """Return the score that :meth:`as_dict` gave, without the single crops."""
        return cls(float(figures["exact_match"]), -float(figures["cer"]), int(figures["lines"]))

    @property
    def cer(self) -> float:
        """Character error rate: sum of edit distances divided by the number of characters in the labels."""
        return abs(self.negative_cer)  # not -x, which would be -0.0 for a perfect model

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the exact match, 0 to 1."""
        return wilson(self.exact_match * self.lines, self.lines)

    def as_dict(self) -> dict[str, Any]:
        """Return the figures for JSON."""
        return {
            "exact_match": self.exact_match,
            "interval": list(self.interval),
            "cer": self.cer,
            "lines": self.lines,
        }

    def as_text(self) -> str:
        """Return the exact match and its interval, such as ``88.0% (85–91)``."""
        return as_text(self.exact_match, self.interval)


def score(predicted: Sequence[str], reference: Sequence[str]) -> Score:
    """Score readings against labels in the same order.

    Raises:
        ValueError: there are no labels, or not as many readings as labels.
    """
    if not reference:
        raise ValueError("no lines to score")
    pairs = list(zip(predicted, reference, strict=True))
    correct = tuple(is_same(read, label) for read, label in pairs)
    distance = sum(Levenshtein.distance(*pair) for pair, same in zip(pairs, correct, strict=True) if not same)
    characters = sum(map(len, reference))
    return Score(sum(correct) / len(pairs), -distance / max(1, characters), len(pairs), correct)


def aligned(label: str, read: str) -> list[Confusion]:
    """Return the characters of a label and its reading in pairs, aligned by the fewest edits."""
    pairs: list[Confusion] = []
    for op in Levenshtein.opcodes(label, read):
        wanted, got = label[op.src_start : op.src_end], read[op.dest_start : op.dest_end]
        if len(wanted) == len(got):
            pairs += zip(wanted, got, strict=True)
        else:
            pairs += [(c, "") for c in wanted] + [("", c) for c in got]
    return pairs


def confusions(pairs: Iterable[tuple[str, str]]) -> list[tuple[Confusion, int]]:
    """Count the confusions in (label, reading) pairs. The most frequent ones are first."""
    counted = Counter(pair for label, read in pairs for pair in aligned(label, read) if pair[0] != pair[1])
    return sorted(counted.items(), key=lambda item: (-item[1], item[0]))
