"""What stands in one place of many texts, as the regular expression that describes it most briefly.

Brevity is counted in bits, those of the expression and those that then pick each value (minimum
description length: Rissanen, Modeling by shortest data description, 1978). A class is only narrower
than its kind where every character was seen again and again, since real texts are not evenly
distributed and what is not drawn is never learned.
"""

from __future__ import annotations

import math
import re
import string
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

SYMBOL = "symbol"
_WHOLE = {"digit": string.digits, "upper": string.ascii_uppercase, "lower": string.ascii_lowercase}
_SEEN = 5
"""Times that even the rarest must come; one as common is missed with a chance of exp(-5) (Poisson)."""
_WORDS = 12
"""Most values of a place that are listed one by one."""
_PLACE = 6.0
"""Bits that a class with its number of times costs, whatever it holds."""
_RARE = 14.0
"""Bits that name a character of no class: one of some 16,000."""


@lru_cache(maxsize=4096)
def kind(character: str) -> str:
    """The alphabet a letter or digit belongs to; ``SYMBOL`` for everything else."""
    for name, members in _WHOLE.items():
        if character in members:
            return name
    category = unicodedata.category(character)
    if category[0] not in "LMN":
        return SYMBOL
    script = unicodedata.name(character, "unnamed").split()[0]
    return f"{script} {category}" if category in ("Lu", "Ll") else script


def runs(text: str) -> list[tuple[str, str]]:
    """Kind and characters of each stretch of one kind; every symbol is its own."""
    found: list[tuple[str, str]] = []
    for character in text:
        this = kind(character)
        if found and this == found[-1][0] != SYMBOL:
            found[-1] = (this, found[-1][1] + character)
        else:
            found.append((this, character))
    return found


@dataclass(frozen=True, slots=True)
class Piece:
    """One of several characters ``least`` to ``most`` times, or one of several words."""

    choices: tuple[str, ...]
    least: int = 1
    most: int = 1

    @property
    def regex(self) -> str:
        """The piece as it is written in a rule."""
        if any(len(choice) > 1 for choice in self.choices):
            words = "|".join(map(escape, self.choices))
            return f"({words})" if len(self.choices) > 1 else words
        one = escape(*self.choices) if len(self.choices) == 1 else f"[{''.join(_spans(self.choices))}]"
        if self.least == self.most:
            return one * self.most if len(one) * self.most <= len(one) + 3 else f"{one}{{{self.most}}}"
        return f"{one}?" if (self.least, self.most) == (0, 1) else f"{one}{{{self.least},{self.most}}}"


@dataclass(frozen=True, slots=True)
class Description:
    """Pieces one after the other, and the bits that they and the values they describe take."""

    bits: float
    pieces: tuple[Piece, ...]


def describe(values: Mapping[str, int]) -> Description:
    """The briefest description of values, none of them empty, each seen so many times."""
    total = sum(values.values())
    shortest, longest = min(map(len, values)), max(map(len, values))
    plain = _row([(_count(values), shortest, longest)], total)
    if longest == 1 or total < _SEEN:
        return plain
    found = [plain]
    if shortest < longest:
        first, rest = _count(values, slice(1)), _count(values, slice(1, None))
        found.append(_row([(first, 1, 1), (rest, shortest - 1, longest - 1)], total))
    else:
        found.append(_row([(_count(values, slice(i, i + 1)), 1, 1) for i in range(longest)], total))
    # Digits are read more easily as ranges.
    if len(values) <= _WORDS and _are_all(values) and (len(values) == 1 or _lettered(values)):
        bits = _PLACE + sum(map(_spelling, values)) + total * math.log2(len(values))
        found.append(Description(bits, (Piece(tuple(sorted(values))),)))
    return min(found, key=lambda description: description.bits)


def join(pieces: Iterable[Piece]) -> tuple[Piece, ...]:
    """Pieces in a row, neighbours of one class as one."""
    row: list[Piece] = []
    for piece in pieces:
        if row and row[-1].choices == piece.choices and len(piece.choices[0]) == 1:
            last = row.pop()
            piece = Piece(piece.choices, last.least + piece.least, last.most + piece.most)
        row.append(piece)
    return tuple(row)


def escape(text: str) -> str:
    """A text as it is written in a rule; only what would mean something else is escaped."""
    return re.sub(r"[][\\.^$*+?{}|()]", r"\\\g<0>", text)


def _row(places: list[tuple[Counter[str], int, int]], total: int) -> Description:
    """Classes one after the other: the characters that each is for, and how often it stands."""
    pieces = [Piece(_class(characters), least, most) for characters, least, most in places]
    bits = sum(
        characters.total() * math.log2(len(piece.choices)) + total * math.log2(piece.most - piece.least + 1)
        for (characters, _, _), piece in zip(places, pieces, strict=True)
    )
    row = join(pieces)
    return Description(bits + sum(_PLACE + _naming(piece.choices) for piece in row), row)


def _class(seen: Counter[str]) -> tuple[str, ...]:
    """The class of some characters that takes the fewest bits to name and to pick them from."""
    classes = _classes(frozenset(seen))[: None if _are_all(seen) else 1]
    return min(classes, key=lambda choices: _naming(choices) + seen.total() * math.log2(len(choices)))


@lru_cache(maxsize=4096)
def _classes(seen: frozenset[str]) -> list[tuple[str, ...]]:
    """Classes that hold some characters: their whole kinds, of each kind a range, or just these."""
    own = _by_kind(sorted(seen))
    odd = [c for name, some in own.items() if name not in _WHOLE for c in some]
    plain = {name: some for name, some in own.items() if name in _WHOLE}
    whole = [c for name in plain for c in _WHOLE[name]]
    ranges = [c for name, some in plain.items() for c in _between(_WHOLE[name], some)]
    exact = [c for some in plain.values() for c in some]
    return [tuple(sorted(odd + some)) for some in (whole, ranges, exact)]


@lru_cache(maxsize=4096)
def _naming(choices: tuple[str, ...]) -> float:
    """Bits that name a class: which kinds, and of a kind all, a range or some."""
    bits = 0.0
    for name, members in _by_kind(choices).items():
        whole = _WHOLE.get(name)
        if whole is None:
            bits += len(members) * _RARE
        elif len(members) == len(whole):
            bits += 2
        elif members == list(_between(whole, members)):
            bits += 2 + 2 * math.log2(len(whole))
        else:
            bits += 2 + math.log2(len(whole)) + math.log2(math.comb(len(whole), len(members)))
    return bits


def _spelling(word: str) -> float:
    """Bits that name a word character by character."""
    return _PLACE + sum(math.log2(len(_WHOLE[kind(c)])) if kind(c) in _WHOLE else _RARE for c in word)


def _lettered(values: Iterable[str]) -> bool:
    return not any(character.isdigit() for value in values for character in value)


def _by_kind(characters: Iterable[str]) -> dict[str, list[str]]:
    own: dict[str, list[str]] = {}
    for character in characters:
        own.setdefault(kind(character), []).append(character)
    return own


def _between(whole: str, some: list[str]) -> str:
    return whole[whole.index(some[0]) : whole.index(some[-1]) + 1]


def _count(values: Mapping[str, int], part: slice = slice(None)) -> Counter[str]:
    return Counter("".join(value[part] * times for value, times in values.items()))


def _are_all(seen: Mapping[str, int]) -> bool:
    """Whether another as common as the rarest would hardly have been missed."""
    return min(seen.values()) >= _SEEN


def _spans(choices: tuple[str, ...]) -> Iterator[str]:
    """A class's characters as they stand between brackets, three neighbours or more as a range."""
    # A hyphen says itself only at the end.
    ordered = sorted(choices, key=lambda c: (c == "-", c))
    start = 0
    for end in range(1, len(ordered) + 1):
        if end < len(ordered) and ord(ordered[end]) == ord(ordered[end - 1]) + 1:
            continue
        stretch = [re.sub(r"[][\\^]", r"\\\g<0>", c) for c in ordered[start:end]]
        yield f"{stretch[0]}-{stretch[-1]}" if len(stretch) > 2 else "".join(stretch)
        start = end
