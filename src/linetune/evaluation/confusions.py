"""Which characters are read as which."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from rapidfuzz.distance import Levenshtein

Confusion = tuple[str, str]
"""A character of the label and what was read for it; empty where it was missed, or read out of nothing."""


def aligned(text: str, read: str) -> list[Confusion]:
    """A label and its reading side by side, character for character, by the fewest edits."""
    pairs: list[Confusion] = []
    for tag, start, end, from_, to in Levenshtein.opcodes(text, read):
        if tag in ("equal", "replace"):
            pairs += zip(text[start:end], read[from_:to], strict=True)
        else:
            pairs += [(c, "") for c in text[start:end]] + [("", c) for c in read[from_:to]]
    return pairs


def confusions(pairs: Iterable[tuple[str, str]]) -> list[tuple[Confusion, int]]:
    """Every confusion in (label, reading) pairs with its number, the most frequent first."""
    counted = Counter(pair for text, read in pairs for pair in aligned(text, read) if pair[0] != pair[1])
    return sorted(counted.items(), key=lambda item: (-item[1], item[0]))
