"""A regular expression as a tree that texts can be drawn from.

Only what describes a finite set of printable texts is admitted, so that every text drawn matches
the whole expression: characters, classes, groups, alternatives and bounded repeats.
"""

from __future__ import annotations

import importlib
import re
import string
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any

from linetune.core.charset import SPACE, show
from linetune.core.errors import LinetuneError, did_you_mean
from linetune.core.scripts import JOINERS

# The module moved in 3.11; its old name warns.
_parser = importlib.import_module("re._parser" if sys.version_info >= (3, 11) else "sre_parse")

LONGEST = 100
"""Longest text of a rule, in characters."""

_CATEGORIES = {
    "CATEGORY_DIGIT": string.digits,
    "CATEGORY_WORD": string.ascii_letters + string.digits + "_",
}
_FIRST = {"AT_BEGINNING", "AT_BEGINNING_STRING"}
_LAST = {"AT_END", "AT_END_STRING"}
_NAMED = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\{(?P<name>[A-Za-z_]\w*)\}", re.DOTALL)
"""What stands for itself, an escape or a class, or else a part's name in braces."""


@dataclass(frozen=True, slots=True)
class Characters:
    """One character of several, in code-point order."""

    characters: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Series:
    """Parts one after the other; none for the empty text."""

    parts: tuple[Tree, ...] = ()


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several alternatives."""

    options: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """A part ``least`` to ``most`` times."""

    inner: Tree
    least: int
    most: int


Tree = Characters | Series | Choice | Repeat


def parse(pattern: str) -> Tree:
    """The tree of a regular expression.

    Raises:
        LinetuneError: no regular expression, or one with texts that are empty, endless, longer
            than ``LONGEST``, unprintable, or that begin or end with a space.
    """
    where = f"rule {pattern}"
    try:
        tree = _series(_without_anchors(list(_parser.parse(pattern))))
        shape = _shape(tree)
    except re.error as error:
        place = "" if error.pos is None else f" at position {error.pos}"
        raise LinetuneError(f"{error.msg}{place}", where) from None
    except (OverflowError, RecursionError) as error:
        raise LinetuneError(str(error), where) from None
    except LinetuneError as refused:
        raise LinetuneError(refused.what, where, refused.hint) from None
    if shape.shortest == 0:
        raise LinetuneError("can give an empty text", where, "write {1,8} for {0,8}")
    if shape.longest > LONGEST:
        raise LinetuneError(f"gives texts of up to {shape.longest} characters", where, f"at most {LONGEST}")
    if unprintable := sorted(c for c in shape.characters if not (c.isprintable() or c in JOINERS)):
        raise LinetuneError(f"gives unprintable characters, such as {show(*unprintable[:3])}", where)
    if SPACE in shape.first | shape.last:
        raise LinetuneError("can give a text that begins or ends with a space", where, "no crop shows it")
    return tree


def expand(pattern: str, parts: Mapping[str, str]) -> str:
    """A pattern with every ``{name}`` replaced by the part of that name; a part may use those before it.

    Raises:
        LinetuneError: no part of that name, or a part that is no regular expression.
    """
    known: dict[str, str] = {}
    where = f"rule {pattern}"

    def replace(found: re.Match[str]) -> str:
        name = found["name"]
        if name is None:
            return found[0]
        if name in known:
            return f"(?:{known[name]})"
        if name in parts:
            raise LinetuneError(f"uses {name!r} before it is defined", where, "a part may use those above it")
        way_out = did_you_mean(name, known) if known else "define it in synth.parts"
        raise LinetuneError(f"no part named {name!r}", where, f"{way_out}; a brace itself is written \\{{")

    for name, part in parts.items():
        where = f"synth.parts.{name}"
        known[name] = _NAMED.sub(replace, part)
        try:
            _parser.parse(known[name])
        except re.error as error:
            raise LinetuneError(f"no regular expression ({error.msg})", where) from None
    where = f"rule {pattern}"
    return _NAMED.sub(replace, pattern)


def alphabet(tree: Tree) -> tuple[str, ...]:
    """Every character that the texts can hold, in code-point order."""
    return tuple(sorted(_shape(tree).characters))


def lengths(tree: Tree, counts: Callable[[str], bool]) -> frozenset[int]:
    """How many characters that count the texts can have."""
    if isinstance(tree, Characters):
        return frozenset(int(counts(character)) for character in tree.characters)
    if isinstance(tree, Choice):
        return frozenset().union(*(lengths(option, counts) for option in tree.options))
    if isinstance(tree, Series):
        return reduce(_sums, (lengths(part, counts) for part in tree.parts), frozenset({0}))
    inner = lengths(tree.inner, counts)
    if inner == {0}:
        return inner
    some = reduce(_sums, [inner] * tree.least, frozenset({0}))
    return reduce(_sums, [inner | {0}] * (tree.most - tree.least), some)


def _sums(some: frozenset[int], others: frozenset[int]) -> frozenset[int]:
    return frozenset(a + b for a in some for b in others)


def _without_anchors(items: list[Any]) -> list[Any]:
    """A text always follows the whole rule, so that ``^`` in front and ``$`` behind say nothing."""
    if items and str(items[0][1]) in _FIRST:
        items = items[1:]
    if items and str(items[-1][1]) in _LAST:
        items = items[:-1]
    return items


def _series(items: Iterable[Any]) -> Tree:
    parts = tuple(_part(str(kind), value) for kind, value in items)
    return parts[0] if len(parts) == 1 else Series(parts)


def _part(kind: str, value: Any) -> Tree:
    if kind == "LITERAL":
        return Characters((chr(value),))
    if kind == "IN":
        return Characters(tuple(sorted(set(_members(value)))))
    if kind == "BRANCH":
        return Choice(tuple(map(_series, value[1])))
    if kind == "SUBPATTERN":
        return _series(value[-1])
    if kind in {"MAX_REPEAT", "MIN_REPEAT"}:
        least, most, inside = value
        if most == _parser.MAXREPEAT:
            raise LinetuneError("repeats without an end", hint="write bounds such as {1,8} for *, + and {1,}")
        return Repeat(_series(inside), least, most)
    if kind in {"ANY", "NOT_LITERAL"}:
        raise LinetuneError("holds . or a negated class", hint="name the characters, such as [A-Z0-9]")
    if kind == "AT":
        raise LinetuneError(
            "holds ^, $ or \\b inside", hint="leave it out, since a text always follows the whole rule"
        )
    name = kind.lower().replace("_", " ")
    raise LinetuneError(
        f"uses what cannot be drawn from ({name})", hint="write characters, classes, groups, | and {1,8}"
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


@dataclass(frozen=True, slots=True)
class _Shape:
    """What the texts of a part have in common."""

    shortest: int = 0
    longest: int = 0
    characters: frozenset[str] = frozenset()
    first: frozenset[str] = frozenset()
    last: frozenset[str] = frozenset()

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


def _shape(tree: Tree) -> _Shape:
    if isinstance(tree, Characters):
        several = frozenset(tree.characters)
        return _Shape(1, 1, several, several, several)
    if isinstance(tree, Series):
        return reduce(_Shape.then, map(_shape, tree.parts), _Shape())
    if isinstance(tree, Choice):
        return reduce(_Shape.either, map(_shape, tree.options))
    if tree.most == 0:
        return _Shape()
    inner = _shape(tree.inner)
    shortest, longest = inner.shortest * tree.least, inner.longest * tree.most
    return _Shape(shortest, longest, inner.characters, inner.first, inner.last)
