"""Texts cut into the same columns, and the briefest way to make one set of two."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby, pairwise

from linetune.core.charset import SPACE
from linetune.rules.columns import SYMBOL, Piece, describe, join, kind, runs
from linetune.rules.pattern import LONGEST

Span = tuple[int, int]
"""Columns, from and up to but without."""
_GROUP = 14.0
"""Bits that something optional costs, about as many as a pattern, so that few have several."""
Match = list[tuple[Span, Span]]
"""For each column of a merged layout, the columns of the one and of the other that become it."""


@dataclass(frozen=True, eq=False)
class Layout:
    """Texts cut into the same columns, each a stretch of letters and digits or one symbol."""

    rows: list[tuple[str, ...]]
    optional: tuple[Span, ...] = ()
    """Columns that are all empty in some rows and filled in the others, in order."""

    @cached_property
    def bits(self) -> float:
        """Bits that the expression and, by it, the texts take."""
        columns = sum(describe(self.values(i, i + 1)).bits for i in range(len(self.kinds)))
        return columns + sum(_perhaps(len(self.rows), self.values(*span).total()) for span in self.optional)

    @cached_property
    def pattern(self) -> str:
        """The regular expression that all rows follow."""
        pieces = [describe(self.values(i, i + 1)).pieces for i in range(len(self.kinds))]
        written, at = "", 0
        for start, end in [*self.optional, (len(pieces), len(pieces))]:
            needed = join(piece for column in pieces[at:start] for piece in column)
            perhaps = join(piece for column in pieces[start:end] for piece in column)
            written += "".join(piece.regex for piece in needed)
            if len(perhaps) == 1 and perhaps[0].least == 1:
                written += Piece(perhaps[0].choices, 0, perhaps[0].most).regex
            elif perhaps:
                written += f"({''.join(piece.regex for piece in perhaps)})?"
            at = end
        return written

    @cached_property
    def kinds(self) -> list[frozenset[str]]:
        """Of each column, the kinds of its characters; that of a space is ``SPACE``."""
        columns = (self.values(i, i + 1) for i in range(len(self.rows[0])))
        return [
            frozenset(SPACE if c == SPACE else kind(c) for value in values for c in value)
            for values in columns
        ]

    def values(self, start: int, end: int) -> Counter[str]:
        """What stands in some columns together, where anything does."""
        if (start, end) not in self._values:
            self._values[start, end] = Counter(filter(None, ("".join(row[start:end]) for row in self.rows)))
        return self._values[start, end]

    @property
    def can_be_drawn(self) -> bool:
        """Whether no text of the pattern begins or ends with a space, or is too long."""
        longest = sum(max(map(len, self.values(i, i + 1))) for i in range(len(self.kinds)))
        firsts, lasts = {0}, {len(self.kinds) - 1}
        for start, end in self.optional:
            firsts |= {end} if start in firsts else set()
        for start, end in reversed(self.optional):
            lasts |= {start - 1} if end - 1 in lasts else set()
        return longest <= LONGEST and not any(SPACE in self.kinds[column] for column in firsts | lasts)

    def is_symbol(self, column: int) -> bool:
        """Whether a column holds a symbol or a space."""
        return not self.kinds[column].isdisjoint((SYMBOL, SPACE))

    @cached_property
    def _values(self) -> dict[Span, Counter[str]]:
        return {}


def layouts(texts: Iterable[str], most: int) -> list[Layout]:
    """Texts by their kinds of characters and how many of each stand in a row.

    Of these groups only the ``most`` largest stay; in the others, letters and digits are put together.
    """
    alike = _alike((tuple((name, len(value)) for name, value in runs(text)), text) for text in texts)
    alike.sort(key=len, reverse=True)
    fine = [Layout([tuple(value for _, value in runs(text)) for text in group]) for group in alike[:most]]
    cut = {text: _cut(text) for group in alike[most:] for text in group}
    coarse = _alike((tuple(map(_outline, row)), text) for text, row in cut.items())
    return fine + [Layout([cut[text] for text in group]) for group in coarse]


def merge(one: Layout, other: Layout) -> Layout | None:
    """The briefest merge of two layouts; None where they have too little in common.

    Where their symbols are alike, the stretches between these are matched one by one, each by the
    columns it begins and ends with; what lies between becomes one column, or an optional one.
    Otherwise one layout must be the other with some columns left out.
    """
    rows = len(one.rows) + len(other.rows)
    known: dict[tuple[Span, Span], float] = {}

    def bits(match: Match) -> float:
        for ours, theirs in match:
            if (ours, theirs) not in known:
                known[ours, theirs] = describe(one.values(*ours) + other.values(*theirs)).bits
        lacking = any(start == end for pair in match for start, end in pair)
        return sum(known[pair] for pair in match) + (_perhaps(rows, len(one.rows)) if lacking else 0)

    match: Match = []
    for ours, theirs in _stretches(one, other):
        best = min(_matches(one, other, ours, theirs), key=bits, default=None)
        if best is None:
            return None
        match += best
    optional = _optional(one, other, match)
    if optional is None or sum(end - start for start, end in optional) == len(match):
        return None
    spans = zip(*match, strict=True)
    merged = [
        tuple("".join(row[start:end]) for start, end in side)
        for layout, side in zip((one, other), spans, strict=True)
        for row in layout.rows
    ]
    both = Layout(merged, optional)
    return both if both.can_be_drawn else None


def _alike(shapes: Iterable[tuple[object, str]]) -> list[list[str]]:
    groups: dict[object, list[str]] = {}
    for shape, text in shapes:
        groups.setdefault(shape, []).append(text)
    return list(groups.values())


def _outline(column: str) -> tuple[str, int]:
    name = SPACE if column == SPACE else SYMBOL if kind(column[0]) == SYMBOL else ""
    return name, len(column)


def _cut(text: str) -> tuple[str, ...]:
    """Stretches of letters and digits, and each symbol."""
    row: list[str] = []
    for name, value in runs(text):
        if row and name != SYMBOL and kind(row[-1][0]) != SYMBOL:
            row[-1] += value
        else:
            row.append(value)
    return tuple(row)


def _stretches(one: Layout, other: Layout) -> list[tuple[Span, Span]]:
    """What is matched with what: between alike symbols stretch by stretch, else the whole."""
    ours, theirs = ([i for i in range(len(side.kinds)) if side.is_symbol(i)] for side in (one, other))
    if [one.kinds[i] for i in ours] != [other.kinds[i] for i in theirs]:
        return [((0, len(one.kinds)), (0, len(other.kinds)))]
    stretches, start, begin = list[tuple[Span, Span]](), 0, 0
    for place, point in zip(ours, theirs, strict=True):
        stretches += [((start, place), (begin, point)), ((place, place + 1), (point, point + 1))]
        start, begin = place + 1, point + 1
    return [*stretches, ((start, len(one.kinds)), (begin, len(other.kinds)))]


def _matches(one: Layout, other: Layout, ours: Span, theirs: Span) -> Iterator[Match]:
    """Ways to match some columns of each: so many from the start, so many up to the end, and the rest."""
    (start, end), (begin, stop) = ours, theirs
    short = min(end - start, stop - begin)
    for head in range(short + 1):
        if head and one.kinds[start + head - 1].isdisjoint(other.kinds[begin + head - 1]):
            return
        for tail in range(short - head + 1):
            if tail and one.kinds[end - tail].isdisjoint(other.kinds[stop - tail]):
                break
            middle = _middle(one, other, (start + head, end - tail), (begin + head, stop - tail))
            if middle is not None:
                yield [
                    *(((start + i, start + i + 1), (begin + i, begin + i + 1)) for i in range(head)),
                    *middle,
                    *(((end - i, end - i + 1), (stop - i, stop - i + 1)) for i in range(tail, 0, -1)),
                ]


def _middle(one: Layout, other: Layout, ours: Span, theirs: Span) -> Match | None:
    """What lies between: optional where only one has it, else one column, which holds no symbol."""
    (start, end), (begin, stop) = ours, theirs
    if start < end and begin < stop:
        apart = any(map(one.is_symbol, range(start, end))) or any(map(other.is_symbol, range(begin, stop)))
        return None if apart else [(ours, theirs)]
    there, span = (one, ours) if start < end else (other, theirs)
    if span[1] - span[0] > 1 and not (there.is_symbol(span[0]) or there.is_symbol(span[1] - 1)):
        # Several columns are only left out together with a symbol that sets them off.
        return None
    columns = [(i, i + 1) for i in range(*span)]
    return [(column, theirs) if there is one else (ours, column) for column in columns]


def _optional(one: Layout, other: Layout, match: Match) -> tuple[Span, ...] | None:
    """The optional columns of a merged layout; None where those of the two cross."""
    found: set[Span] = set()
    for side, layout in enumerate((one, other)):
        taken = [pair[side] for pair in match]
        place = 0
        for lacks, group in groupby(start == end for start, end in taken):
            length = len(list(group))
            if lacks:
                found.add((place, place + length))
            place += length
        for start, end in layout.optional:
            touched = [i for i, (a, b) in enumerate(taken) if a < b and a < end and b > start]
            outer = taken[touched[0]][0], taken[touched[-1]][1]
            if start <= outer[0] and outer[1] <= end:
                found.add((touched[0], touched[-1] + 1))
            elif len(touched) > 1:
                return None
            # Otherwise the one column holds more than these, and is never empty.
    spans = sorted(found)
    crossing = any(after[0] < before[1] for before, after in pairwise(spans))
    return None if crossing else tuple(spans)


def _perhaps(rows: int, present: int) -> float:
    """Bits that make columns optional and say of each row whether they are there."""
    share = present / rows
    if share in (0, 1):
        return _GROUP
    return _GROUP - rows * (share * math.log2(share) + (1 - share) * math.log2(1 - share))
