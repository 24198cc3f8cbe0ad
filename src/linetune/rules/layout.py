"""Layouts: texts cut into the same columns, and the shortest way to merge two layouts."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby, pairwise

from linetune.core.charset import SPACE
from linetune.rules.columns import SYMBOL, Piece, describe, grouped, join, kind, runs
from linetune.rules.pattern import LONGEST

Span = tuple[int, int]
"""A range of columns: the first one, and the one after the last."""
_GROUP_BITS = 14.0
"""Bits of an optional group. They are about as many as for a pattern, so few patterns have several groups."""
Match = list[tuple[Span, Span]]
"""For each column of a merged layout, the columns of the first and of the second layout that become it."""


@dataclass(frozen=True, eq=False)
class Layout:
    """Texts cut into the same columns. A column has letters and digits, or one symbol."""

    rows: list[tuple[str, ...]]
    """The columns of each text."""
    optional: tuple[Span, ...] = ()
    """Groups of columns, in order. In each row, the columns of a group are all empty or all filled."""
    _values: dict[Span, Counter[str]] = field(default_factory=dict, init=False)

    @cached_property
    def bits(self) -> float:
        """Bits of the expression, and of the texts given the expression."""
        columns = sum(describe(self.values(i, i + 1)).bits for i in range(len(self.kinds)))
        filled = (self.values(*span).total() for span in self.optional)
        return columns + sum(_optional_bits(len(self.rows), number) for number in filled)

    @cached_property
    def pattern(self) -> str:
        """The regular expression that all rows follow."""
        pieces = [describe(self.values(i, i + 1)).pieces for i in range(len(self.kinds))]
        regex, done = "", 0
        for start, end in [*self.optional, (len(pieces), len(pieces))]:
            required = join(piece for column in pieces[done:start] for piece in column)
            optional = join(piece for column in pieces[start:end] for piece in column)
            regex += "".join(piece.regex for piece in required)
            if len(optional) == 1 and optional[0].least == 1:
                regex += Piece(optional[0].choices, 0, optional[0].most).regex
            elif optional:
                regex += f"({''.join(piece.regex for piece in optional)})?"
            done = end
        return regex

    @cached_property
    def kinds(self) -> list[frozenset[str]]:
        """Kinds of the characters in each column. The kind of a space is ``SPACE``."""
        columns = (self.values(i, i + 1) for i in range(len(self.rows[0])))
        return [
            frozenset(SPACE if c == SPACE else kind(c) for value in values for c in value)
            for values in columns
        ]

    def values(self, start: int, end: int) -> Counter[str]:
        """Count the values of some columns, joined. Empty values do not count."""
        if (start, end) not in self._values:
            self._values[start, end] = Counter(filter(None, ("".join(row[start:end]) for row in self.rows)))
        return self._values[start, end]

    @property
    def can_be_drawn(self) -> bool:
        """Whether a rule can have the pattern: no text begins or ends with a space, or is too long."""
        longest = sum(max(map(len, self.values(i, i + 1))) for i in range(len(self.kinds)))
        firsts, lasts = {0}, {len(self.kinds) - 1}
        for start, end in self.optional:
            firsts |= {end} if start in firsts else set()
        for start, end in reversed(self.optional):
            lasts |= {start - 1} if end - 1 in lasts else set()
        return longest <= LONGEST and not any(SPACE in self.kinds[column] for column in firsts | lasts)

    def is_symbol(self, column: int) -> bool:
        """Return whether a column has symbols or spaces."""
        return not self.kinds[column].isdisjoint((SYMBOL, SPACE))


def layouts(texts: Iterable[str], most: int) -> list[Layout]:
    """Group texts by their runs: the kinds of characters, and the length of each run.

    Only the ``most`` largest groups stay. The other texts are grouped again, with letters and digits as one
    kind.
    """
    by_runs = grouped(texts, lambda text: tuple((name, len(value)) for name, value in runs(text)))
    groups = sorted(by_runs.values(), key=len, reverse=True)
    fine = [Layout([tuple(value for _, value in runs(text)) for text in group]) for group in groups[:most]]
    rows = {text: _cut(text) for group in groups[most:] for text in group}
    coarse = grouped(rows, lambda text: tuple(map(_outline, rows[text])))
    return fine + [Layout([rows[text] for text in group]) for group in coarse.values()]


def merge(one: Layout, other: Layout) -> Layout | None:
    """Return the shortest merge of two layouts, or None if they have too little in common.

    If both have the same symbols, the segments between the symbols are matched one by one. The first and the
    last columns of a segment are matched with those of the other. The columns between become one column, or
    optional. If the symbols differ, one layout must be the other with some columns left out.
    """
    rows = len(one.rows) + len(other.rows)
    known: dict[tuple[Span, Span], float] = {}

    def bits(match: Match) -> float:
        for ours, theirs in match:
            if (ours, theirs) not in known:
                known[ours, theirs] = describe(one.values(*ours) + other.values(*theirs)).bits
        lacking = any(start == end for pair in match for start, end in pair)
        return sum(known[pair] for pair in match) + (_optional_bits(rows, len(one.rows)) if lacking else 0)

    match: Match = []
    for ours, theirs in _segments(one, other):
        best = min(_matches(one, other, ours, theirs), key=bits, default=None)
        if best is None:
            return None
        match += best
    optional = _merge_optional(one, other, match)
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


def _outline(column: str) -> tuple[str, int]:
    """Return whether a column is a space, a symbol or others, and its length."""
    name = SPACE if column == SPACE else SYMBOL if kind(column[0]) == SYMBOL else ""
    return name, len(column)


def _cut(text: str) -> tuple[str, ...]:
    """Split a text into runs of letters and digits, and single symbols."""
    row: list[str] = []
    for name, value in runs(text):
        if row and name != SYMBOL and kind(row[-1][0]) != SYMBOL:
            row[-1] += value
        else:
            row.append(value)
    return tuple(row)


def _segments(one: Layout, other: Layout) -> list[tuple[Span, Span]]:
    """Return the columns of two layouts to match: segment by segment if the symbols are equal, else all."""
    ours, theirs = ([i for i in range(len(side.kinds)) if side.is_symbol(i)] for side in (one, other))
    if [one.kinds[i] for i in ours] != [other.kinds[i] for i in theirs]:
        return [((0, len(one.kinds)), (0, len(other.kinds)))]
    segments, start, begin = list[tuple[Span, Span]](), 0, 0
    for column, match in zip(ours, theirs, strict=True):
        segments += [((start, column), (begin, match)), ((column, column + 1), (match, match + 1))]
        start, begin = column + 1, match + 1
    return [*segments, ((start, len(one.kinds)), (begin, len(other.kinds)))]


def _matches(one: Layout, other: Layout, ours: Span, theirs: Span) -> Iterator[Match]:
    """Return ways to match columns: some first ones, some last ones, and the rest between them."""
    (start, end), (begin, stop) = ours, theirs
    short = min(end - start, stop - begin)
    for head in range(short + 1):
        if head and one.kinds[start + head - 1].isdisjoint(other.kinds[begin + head - 1]):
            return
        for tail in range(short - head + 1):
            if tail and one.kinds[end - tail].isdisjoint(other.kinds[stop - tail]):
                break
            middle = _match_middle(one, other, (start + head, end - tail), (begin + head, stop - tail))
            if middle is not None:
                yield [
                    *(((start + i, start + i + 1), (begin + i, begin + i + 1)) for i in range(head)),
                    *middle,
                    *(((end - i, end - i + 1), (stop - i, stop - i + 1)) for i in range(tail, 0, -1)),
                ]


def _match_middle(one: Layout, other: Layout, ours: Span, theirs: Span) -> Match | None:
    """Match the columns between. They become one column, or optional ones if only one layout has them.

    Return None if both layouts have such columns and one of these is a symbol, or if several columns would be
    optional without a symbol at their start or end.
    """
    (start, end), (begin, stop) = ours, theirs
    if start < end and begin < stop:
        symbols = any(map(one.is_symbol, range(start, end))) or any(map(other.is_symbol, range(begin, stop)))
        return None if symbols else [(ours, theirs)]
    longer, span = (one, ours) if start < end else (other, theirs)
    if span[1] - span[0] > 1 and not (longer.is_symbol(span[0]) or longer.is_symbol(span[1] - 1)):
        return None
    columns = [(i, i + 1) for i in range(*span)]
    return [(column, theirs) if longer is one else (ours, column) for column in columns]


def _merge_optional(one: Layout, other: Layout, match: Match) -> tuple[Span, ...] | None:
    """Return the optional groups of a merged layout, or None if groups of the two layouts overlap."""
    found: set[Span] = set()
    for side, layout in enumerate((one, other)):
        taken = [pair[side] for pair in match]
        column = 0
        for lacks, group in groupby(start == end for start, end in taken):
            length = len(list(group))
            if lacks:
                found.add((column, column + length))
            column += length
        for start, end in layout.optional:
            touched = [i for i, (a, b) in enumerate(taken) if a < b and a < end and b > start]
            outer = taken[touched[0]][0], taken[touched[-1]][1]
            if start <= outer[0] and outer[1] <= end:
                found.add((touched[0], touched[-1] + 1))
            elif len(touched) > 1:
                return None
            # Otherwise one merged column has more than this group, and is never empty.
    spans = sorted(found)
    overlap = any(after[0] < before[1] for before, after in pairwise(spans))
    return None if overlap else tuple(spans)


def _optional_bits(rows: int, present: int) -> float:
    """Return the bits of an optional group: those of the group, and those that say which rows have it."""
    share = present / rows
    if share in (0, 1):
        return _GROUP_BITS
    return _GROUP_BITS - rows * (share * math.log2(share) + (1 - share) * math.log2(1 - share))
