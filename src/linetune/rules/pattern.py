"""Parse a regular expression to a tree that texts can be drawn from.

The expression must describe a finite set of printable texts. It may contain characters, classes, groups,
alternatives and bounded repeats. Every text that is drawn then matches the whole expression.
"""

from __future__ import annotations

import importlib
import re
import string
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any

from linetune.core.charset import SPACE, show
from linetune.core.errors import LinetuneError, did_you_mean
from linetune.core.scripts import JOINERS

# The module moved in 3.11; its old name warns.
_parser = importlib.import_module("re._parser" if sys.version_info >= (3, 11) else "sre_parse")

LONGEST = 100
"""Characters of the longest text that a rule may give."""

_CATEGORIES = {
    "CATEGORY_DIGIT": string.digits,
    "CATEGORY_WORD": string.ascii_letters + string.digits + "_",
}
_START_ANCHORS = {"AT_BEGINNING", "AT_BEGINNING_STRING"}
_END_ANCHORS = {"AT_END", "AT_END_STRING"}
_PART_OR_LITERAL = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\{(?P<name>[A-Za-z_]\w*)\}", re.DOTALL)
"""An escape or a class, which ``expand`` does not change, or the name of a part in braces."""


@dataclass(frozen=True, slots=True)
class Characters:
    """One of several characters, in code-point order."""

    characters: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Concatenation:
    """Parts one after the other. No parts give the empty text."""

    parts: tuple[Tree, ...] = ()


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several alternatives."""

    options: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """A part that is repeated ``least`` to ``most`` times."""

    inner: Tree
    least: int
    most: int


Tree = Characters | Concatenation | Choice | Repeat


def parse(pattern: str) -> Tree:
    """Return the tree of a regular expression.

    Raises:
        LinetuneError: the pattern is not a regular expression, or it allows a text that is empty, endless,
            longer than ``LONGEST``, unprintable, or that begins or ends with a space.
    """
    where = f"rule {pattern}"
    try:
        tree = _concatenation(_without_anchors(list(_parser.parse(pattern))))
        bounds = _bounds(tree)
    except re.error as error:
        place = "" if error.pos is None else f" at position {error.pos}"
        raise LinetuneError(f"{error.msg}{place}", where) from None
    except (OverflowError, RecursionError) as error:
        raise LinetuneError(str(error), where) from None
    except LinetuneError as error:
        raise error.at(where) from None
    if bounds.shortest == 0:
        raise LinetuneError("allows an empty text", where, "write {1,8} instead of {0,8}")
    if bounds.longest > LONGEST:
        what = f"allows texts of up to {bounds.longest} characters"
        raise LinetuneError(what, where, f"allow at most {LONGEST}")
    if unprintable := sorted(c for c in bounds.characters if not (c.isprintable() or c in JOINERS)):
        raise LinetuneError(
            f"allows unprintable characters, such as {show(*unprintable[:3])}", where, "leave them out"
        )
    if SPACE in bounds.first | bounds.last:
        hint = "leave out the space, since no crop shows it"
        raise LinetuneError("allows a text that begins or ends with a space", where, hint)
    return tree


def expand(pattern: str, parts: Mapping[str, str]) -> str:
    """Replace each ``{name}`` in a pattern by the part with this name.

    Args:
        pattern: the pattern.
        parts: the regular expression of each part. A part may use the parts before it.

    Raises:
        LinetuneError: there is no part with this name, or a part is not a regular expression.
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
            hint = "a part may use only the parts above it"
            raise LinetuneError(f"uses {name!r} before it is defined", where, hint)
        hint = did_you_mean(name, known) if known else "define it in synth.parts"
        raise LinetuneError(f"no part named {name!r}", where, f"{hint}; for a literal brace, write \\{{")

    for name, part in parts.items():
        where = f"synth.parts.{name}"
        known[name] = _PART_OR_LITERAL.sub(replace, part)
        try:
            _parser.parse(known[name])
        except re.error as error:
            raise LinetuneError(f"not a regular expression ({error.msg})", where) from None
    where = f"rule {pattern}"
    return _PART_OR_LITERAL.sub(replace, pattern)


def _without_anchors(items: list[Any]) -> list[Any]:
    """Drop ``^`` at the start and ``$`` at the end, since a text always matches the whole pattern."""
    if items and str(items[0][1]) in _START_ANCHORS:
        items = items[1:]
    if items and str(items[-1][1]) in _END_ANCHORS:
        items = items[:-1]
    return items


def _concatenation(items: Iterable[Any]) -> Tree:
    """Return the tree of a sequence of items from Python's parser."""
    parts = tuple(_convert(str(kind), value) for kind, value in items)
    return parts[0] if len(parts) == 1 else Concatenation(parts)


def _convert(kind: str, value: Any) -> Tree:
    """Return the tree of one item from Python's parser.

    Raises:
        LinetuneError: texts cannot be drawn from this kind of item.
    """
    if kind in {"ANY", "NOT_LITERAL"} or (kind == "IN" and str(value[0][0]) == "NEGATE"):
        raise LinetuneError("has . or a negated class", hint="name the characters, such as [A-Z0-9]")
    if kind == "LITERAL":
        return Characters((chr(value),))
    if kind == "IN":
        return Characters(tuple(sorted(set(_class_members(value)))))
    if kind == "BRANCH":
        return Choice(tuple(map(_concatenation, value[1])))
    if kind == "SUBPATTERN":
        return _concatenation(value[-1])
    if kind in {"MAX_REPEAT", "MIN_REPEAT"}:
        least, most, inside = value
        if most == _parser.MAXREPEAT:
            hint = "write bounds such as {1,8} instead of *, + and {1,}"
            raise LinetuneError("has a repeat without an upper bound", hint=hint)
        return Repeat(_concatenation(inside), least, most)
    if kind == "AT":
        hint = "leave it out, since a text always matches the whole pattern"
        raise LinetuneError("has ^, $ or \\b inside", hint=hint)
    name = kind.lower().replace("_", " ")
    hint = "use only characters, classes, groups, | and {1,8}"
    raise LinetuneError(f"texts cannot be drawn from {name}", hint=hint)


def _class_members(members: Iterable[Any]) -> Iterable[str]:
    """Return the characters of a class.

    Raises:
        LinetuneError: the class has a category that is too large to draw from.
    """
    for kind, value in members:
        if str(kind) == "LITERAL":
            yield chr(value)
        elif str(kind) == "RANGE":
            yield from map(chr, range(value[0], value[1] + 1))
        elif str(value) in _CATEGORIES:
            yield from _CATEGORIES[str(value)]
        else:
            hint = "name the characters; a space is written as a space"
            raise LinetuneError("has \\s, \\S, \\D or \\W", hint=hint)


@dataclass(frozen=True, slots=True)
class _Bounds:
    """Limits of the texts of a part: their lengths, characters, and first and last characters."""

    shortest: int = 0
    longest: int = 0
    characters: frozenset[str] = frozenset()
    first: frozenset[str] = frozenset()
    last: frozenset[str] = frozenset()

    def followed_by(self, after: _Bounds) -> _Bounds:
        """Return the bounds of both parts, one after the other."""
        return _Bounds(
            self.shortest + after.shortest,
            self.longest + after.longest,
            self.characters | after.characters,
            self.first if self.shortest else self.first | after.first,
            after.last if after.shortest else self.last | after.last,
        )

    def union(self, other: _Bounds) -> _Bounds:
        """Return the bounds of one of two parts."""
        return _Bounds(
            min(self.shortest, other.shortest),
            max(self.longest, other.longest),
            self.characters | other.characters,
            self.first | other.first,
            self.last | other.last,
        )


def _bounds(tree: Tree) -> _Bounds:
    """Return the bounds of the texts of a tree."""
    if isinstance(tree, Characters):
        characters = frozenset(tree.characters)
        return _Bounds(1, 1, characters, characters, characters)
    if isinstance(tree, Concatenation):
        return reduce(_Bounds.followed_by, map(_bounds, tree.parts), _Bounds())
    if isinstance(tree, Choice):
        return reduce(_Bounds.union, map(_bounds, tree.options))
    if tree.most == 0:
        return _Bounds()
    inner = _bounds(tree.inner)
    shortest, longest = inner.shortest * tree.least, inner.longest * tree.most
    return _Bounds(shortest, longest, inner.characters, inner.first, inner.last)
