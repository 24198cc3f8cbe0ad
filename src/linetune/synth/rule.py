"""The target's texts, drawn from the regular expression they follow.

Only what describes a finite set of printable texts is admitted, so that every text drawn matches
the whole rule: characters, classes, groups, alternatives and bounded repeats.
"""

from __future__ import annotations

import importlib
import random
import re
import string
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

from rstr import Rstr

from linetune.charset import SPACE, show
from linetune.errors import LinetuneError

# The module moved in 3.11; its old name warns.
_parser = importlib.import_module("re._parser" if sys.version_info >= (3, 11) else "sre_parse")

LONGEST = 100
"""Longest text of a rule, in characters; rstr repeats nothing more often."""

_CATEGORIES = {
    "CATEGORY_DIGIT": string.digits,
    "CATEGORY_WORD": string.ascii_letters + string.digits + "_",
}
_FIRST = {"AT_BEGINNING", "AT_BEGINNING_STRING"}
_LAST = {"AT_END", "AT_END_STRING"}


@dataclass(frozen=True)
class Rule:
    """A regular expression whose texts can be drawn.

    Raises:
        LinetuneError: no regular expression, or one with texts that are empty, endless,
            unprintable, or that begin or end with a space.
    """

    pattern: str
    alphabet: tuple[str, ...] = field(init=False, repr=False, compare=False)
    """Every character that its texts can hold, in code-point order."""

    def __post_init__(self) -> None:
        try:
            shape = _shape(_without_anchors(list(_parser.parse(self.pattern))))
        except re.error as error:
            place = "" if error.pos is None else f" at position {error.pos}"
            raise LinetuneError(f"{error.msg}{place}", self._where) from None
        except (OverflowError, RecursionError) as error:
            raise LinetuneError(str(error), self._where) from None
        except LinetuneError as refused:
            raise LinetuneError(refused.what, self._where, refused.hint) from None
        if shape.shortest == 0:
            raise LinetuneError("can give an empty text", self._where, "write {1,8} for {0,8}")
        if shape.longest > LONGEST:
            what = f"gives texts of up to {shape.longest} characters"
            raise LinetuneError(what, self._where, f"at most {LONGEST}")
        alphabet = sorted(shape.characters)
        if unprintable := [c for c in alphabet if not c.isprintable()]:
            what = f"gives unprintable characters, such as {show(*unprintable[:3])}"
            raise LinetuneError(what, self._where)
        if SPACE in shape.first | shape.last:
            what = "can give a text that begins or ends with a space"
            raise LinetuneError(what, self._where, "no crop shows it")
        object.__setattr__(self, "alphabet", tuple(alphabet))

    @property
    def _where(self) -> str:
        return f"rule {self.pattern}"

    def matches(self, text: str) -> bool:
        """Whether the whole text is one that the rule describes."""
        return re.fullmatch(self.pattern, text) is not None

    def sample(self, rng: random.Random) -> str:
        """One text; it matches the whole pattern."""
        return str(Rstr(rng).xeger(self.pattern))


@dataclass(frozen=True, slots=True)
class _Shape:
    """What the texts of a part of the pattern have in common."""

    shortest: int = 0
    longest: int = 0
    characters: frozenset[str] = frozenset()
    first: frozenset[str] = frozenset()
    last: frozenset[str] = frozenset()

    @classmethod
    def of(cls, characters: Iterable[str]) -> _Shape:
        """One character of several."""
        several = frozenset(characters)
        return cls(1, 1, several, several, several)

    def then(self, after: _Shape) -> _Shape:
        return _Shape(
            self.shortest + after.shortest,
            self.longest + after.longest,
            self.characters | after.characters,
            self.first if self.shortest else self.first | after.first,
            after.last if after.shortest else self.last | after.last,
        )

    def either(self, other: _Shape) -> _Shape:
        return _Shape(
            min(self.shortest, other.shortest),
            max(self.longest, other.longest),
            self.characters | other.characters,
            self.first | other.first,
            self.last | other.last,
        )

    def times(self, least: int, most: int) -> _Shape:
        if most == 0:
            return _Shape()
        return _Shape(self.shortest * least, self.longest * most, self.characters, self.first, self.last)


def _without_anchors(parts: list[Any]) -> list[Any]:
    """A text always follows the whole rule, so that ``^`` in front and ``$`` behind say nothing."""
    if parts and str(parts[0][1]) in _FIRST:
        parts = parts[1:]
    if parts and str(parts[-1][1]) in _LAST:
        parts = parts[:-1]
    return parts


def _shape(parts: Iterable[Any]) -> _Shape:
    return reduce(_Shape.then, (_part(str(kind), value) for kind, value in parts), _Shape())


def _part(kind: str, value: Any) -> _Shape:
    if kind == "LITERAL":
        return _Shape.of(chr(value))
    if kind == "IN":
        return _Shape.of(_members(value))
    if kind == "BRANCH":
        return reduce(_Shape.either, map(_shape, value[1]))
    if kind == "SUBPATTERN":
        return _shape(value[-1])
    if kind in {"MAX_REPEAT", "MIN_REPEAT"}:
        least, most, inside = value
        if most == _parser.MAXREPEAT:
            raise LinetuneError("repeats without an end", hint="write bounds such as {1,8} for *, + and {1,}")
        return _shape(inside).times(least, most)
    if kind in {"ANY", "NOT_LITERAL"}:
        raise LinetuneError("holds . or a negated class", hint="name the characters, such as [A-Z0-9]")
    if kind == "AT":
        raise LinetuneError(
            "holds ^, $ or \\b inside", hint="leave it out, since a text always follows the whole rule"
        )
    name = kind.lower().replace("_", " ")
    raise LinetuneError(
        f"uses what cannot be drawn from ({name})", "write characters, classes, groups, | and {1,8}"
    )


def _members(members: Iterable[Any]) -> Iterable[str]:
    for kind, value in members:
        if str(kind) == "LITERAL":
            yield chr(value)
        elif str(kind) == "RANGE":
            yield from map(chr, range(value[0], value[1] + 1))
        elif str(value) in _CATEGORIES:
            yield from _CATEGORIES[str(value)]
        elif str(kind) == "NEGATE":
            raise LinetuneError("holds . or a negated class", hint="name the characters, such as [A-Z0-9]")
        else:
            raise LinetuneError(
                "holds \\s, \\S, \\D or \\W", hint="name the characters; write a space as it is"
            )
