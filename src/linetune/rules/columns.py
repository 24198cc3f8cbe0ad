"""Describe the values of one column of many texts by the shortest regular expression.

The length of a description is in bits: those of the expression, and those that select each value from it
(minimum description length: Rissanen, Modeling by shortest data description, 1978). A class is narrower than
its kind only if every character was seen several times. Real texts are not evenly distributed, and a network
never learns characters that are not drawn.
"""

from __future__ import annotations

import math
import re
import string
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TypeVar

K = TypeVar("K")
SYMBOL = "symbol"
_ALPHABETS = {"digit": string.digits, "upper": string.ascii_uppercase, "lower": string.ascii_lowercase}
_OFTEN = 5
"""Least occurrences of the rarest character. Another character that is as common is missing with a
probability of exp(-5) (Poisson)."""
_MOST_WORDS = 12
"""Most values of a column that are listed one by one."""
_PIECE_BITS = 6.0
"""Bits of a class and its repeats, without its characters."""
_OTHER_BITS = 14.0
"""Bits of a character without an alphabet: one of about 16,000."""


@lru_cache(maxsize=4096)
def kind(character: str) -> str:
    """Return the alphabet of a letter or digit, or ``SYMBOL`` for all other characters."""
    for name, members in _ALPHABETS.items():
        if character in members:
            return name
    category = unicodedata.category(character)
    if category[0] not in "LMN":
        return SYMBOL
    script = unicodedata.name(character, "unnamed").split()[0]
    return f"{script} {category}" if category in ("Lu", "Ll") else script


def runs(text: str) -> list[tuple[str, str]]:
    """Split a text into runs of one kind: (kind, characters). Each symbol is a run of its own."""
    split: list[tuple[str, str]] = []
    for character in text:
        name = kind(character)
        if split and name == split[-1][0] != SYMBOL:
            split[-1] = (name, split[-1][1] + character)
        else:
            split.append((name, character))
    return split


@dataclass(frozen=True, slots=True)
class Piece:
    """One of several characters, repeated ``least`` to ``most`` times, or one of several words."""

    choices: tuple[str, ...]
    least: int = 1
    most: int = 1

    @property
    def regex(self) -> str:
        """The piece as a regular expression."""
        if any(len(choice) > 1 for choice in self.choices):
            words = "|".join(map(escape, self.choices))
            return f"({words})" if len(self.choices) > 1 else words
        one = escape(*self.choices) if len(self.choices) == 1 else f"[{''.join(_ranges(self.choices))}]"
        if self.least == self.most:
            return one * self.most if len(one) * self.most <= len(one) + 3 else f"{one}{{{self.most}}}"
        return f"{one}?" if (self.least, self.most) == (0, 1) else f"{one}{{{self.least},{self.most}}}"


@dataclass(frozen=True, slots=True)
class Description:
    """Pieces one after the other that describe the values of a column."""

    bits: float
    """Bits of the pieces, and of the values given the pieces."""
    pieces: tuple[Piece, ...]


def describe(values: Mapping[str, int]) -> Description:
    """Return the shortest description of values.

    Args:
        values: the number of occurrences of each value. No value is empty.
    """
    total = sum(values.values())
    shortest, longest = min(map(len, values)), max(map(len, values))
    plain = _describe_parts(values, [0, longest])
    if longest == 1 or total < _OFTEN:
        return plain
    cuts = [0, 1, longest] if shortest < longest else list(range(longest + 1))
    candidates = [plain, _describe_parts(values, cuts)]
    # People read digits more easily as ranges than as a list of words.
    readable = len(values) == 1 or not any(map(str.isdigit, "".join(values)))
    if len(values) <= _MOST_WORDS and _is_complete(values) and readable:
        bits = _PIECE_BITS + sum(map(_word_bits, values)) + total * math.log2(len(values))
        candidates.append(Description(bits, (Piece(tuple(sorted(values))),)))
    return min(candidates, key=lambda description: description.bits)


def join(pieces: Iterable[Piece]) -> tuple[Piece, ...]:
    """Return pieces with neighbours of one class merged into one piece."""
    row: list[Piece] = []
    for piece in pieces:
        if row and row[-1].choices == piece.choices and len(piece.choices[0]) == 1:
            last = row.pop()
            piece = Piece(piece.choices, last.least + piece.least, last.most + piece.most)
        row.append(piece)
    return tuple(row)


def escape(text: str) -> str:
    """Escape the special characters of a text for a regular expression."""
    return re.sub(r"[][\\.^$*+?{}|()]", r"\\\g<0>", text)


def _describe_parts(values: Mapping[str, int], cuts: Sequence[int]) -> Description:
    """Return the description of values by one class for each part.

    Args:
        values: the number of occurrences of each value.
        cuts: where the parts begin and end in each value. Only the last part may differ in length.
    """
    total, shortest = sum(values.values()), min(map(len, values))
    pieces, bits = [], 0.0
    for start, end in pairwise(cuts):
        seen = Counter("".join(value[start:end] * times for value, times in values.items()))
        piece = Piece(_best_class(seen), min(shortest, end) - start, end - start)
        choices, repeats = len(piece.choices), piece.most - piece.least + 1
        bits += seen.total() * math.log2(choices) + total * math.log2(repeats)
        pieces.append(piece)
    row = join(pieces)
    return Description(bits + sum(_PIECE_BITS + _class_bits(piece.choices) for piece in row), row)


def _best_class(seen: Counter[str]) -> tuple[str, ...]:
    """Return the class with the fewest bits, for the class itself and for selecting the characters."""
    classes = _candidate_classes(frozenset(seen))[: None if _is_complete(seen) else 1]
    return min(classes, key=lambda choices: _class_bits(choices) + seen.total() * math.log2(len(choices)))


@lru_cache(maxsize=4096)
def _candidate_classes(seen: frozenset[str]) -> list[tuple[str, ...]]:
    """Return three classes with some characters: their alphabets, ranges of these, the characters alone."""
    groups = grouped(sorted(seen), kind)
    others = [c for name, some in groups.items() if name not in _ALPHABETS for c in some]
    known = {name: some for name, some in groups.items() if name in _ALPHABETS}
    whole = [c for name in known for c in _ALPHABETS[name]]
    ranges = [c for name, some in known.items() for c in _range(_ALPHABETS[name], some)]
    exact = [c for some in known.values() for c in some]
    return [tuple(sorted(others + characters)) for characters in (whole, ranges, exact)]


@lru_cache(maxsize=4096)
def _class_bits(choices: tuple[str, ...]) -> float:
    """Return the bits of a class: its alphabets, and for each alphabet all, a range or some characters."""
    bits = 0.0
    for name, members in grouped(choices, kind).items():
        whole = _ALPHABETS.get(name)
        if whole is None:
            bits += len(members) * _OTHER_BITS
        elif len(members) == len(whole):
            bits += 2
        elif members == list(_range(whole, members)):
            bits += 2 + 2 * math.log2(len(whole))
        else:
            bits += 2 + math.log2(len(whole)) + math.log2(math.comb(len(whole), len(members)))
    return bits


def _word_bits(word: str) -> float:
    """Return the bits of a word that is written character by character."""
    alphabets = (_ALPHABETS.get(kind(character)) for character in word)
    return _PIECE_BITS + sum(math.log2(len(members)) if members else _OTHER_BITS for members in alphabets)


def grouped(items: Iterable[str], key: Callable[[str], K]) -> dict[K, list[str]]:
    """Return the items of each key, in their order."""
    groups: dict[K, list[str]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups


def _range(whole: str, some: list[str]) -> str:
    """Return the range of an alphabet from the first to the last of some ordered characters."""
    return whole[whole.index(some[0]) : whole.index(some[-1]) + 1]


def _is_complete(seen: Mapping[str, int]) -> bool:
    """Return whether likely no other member is missing: the rarest one was seen often enough."""
    return min(seen.values()) >= _OFTEN


def _ranges(choices: tuple[str, ...]) -> Iterator[str]:
    """Return the characters of a class as written in brackets. Three neighbours or more become a range."""
    # A hyphen is a literal only at the end.
    ordered = sorted(choices, key=lambda c: (c == "-", c))
    start = 0
    for end in range(1, len(ordered) + 1):
        if end < len(ordered) and ord(ordered[end]) == ord(ordered[end - 1]) + 1:
            continue
        stretch = [re.sub(r"[][\\^]", r"\\\g<0>", c) for c in ordered[start:end]]
        yield f"{stretch[0]}-{stretch[-1]}" if len(stretch) > 2 else "".join(stretch)
        start = end
