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
    for op in Levenshtein.opcodes(text, read):
        wanted, got = text[op.src_start : op.src_end], read[op.dest_start : op.dest_end]
        if len(wanted) == len(got):
            pairs += zip(wanted, got, strict=True)
        else:
            pairs += [(c, "") for c in wanted] + [("", c) for c in got]
    return pairs


def confusions(pairs: Iterable[tuple[str, str]]) -> list[tuple[Confusion, int]]:
    """Every confusion in (label, reading) pairs with its number, the most frequent first."""
    counted = Counter(pair for text, read in pairs for pair in aligned(text, read) if pair[0] != pair[1])
    return sorted(counted.items(), key=lambda item: (-item[1], item[0]))
