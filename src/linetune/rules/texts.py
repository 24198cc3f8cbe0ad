"""Texts drawn from a rule: first the length, then the way to make a text of it.

A rule's tree becomes a graph of four kinds of parts, a repeat being a choice between its numbers of
times. Every part knows by length the mass of its texts, the sum of their weights, as in the inside
pass of a probabilistic grammar; from that a text of a given length is drawn without a wrong turn.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect
from collections.abc import Iterable, Sequence
from functools import reduce
from itertools import accumulate
from typing import Protocol

from linetune.rules.pattern import Characters, Choice, Series, Tree


class Source(Protocol):
    """Where random numbers come from: a ``random.Random`` or a NumPy ``Generator``."""

    def random(self) -> float:
        """A number from 0 up to but not 1."""


class Part(ABC):
    """A part of a rule.

    ``mass[n]`` is the weight of all its texts of ``n`` characters together; a text that can be made
    in two ways counts twice. Integers stay exact however large.
    """

    mass: dict[int, float]

    @abstractmethod
    def settle(self) -> None:
        """Take the weights as they are now; the parts inside are settled already."""

    @abstractmethod
    def draw(self, length: int, source: Source) -> str:
        """A text of ``length`` characters."""


class Empty(Part):
    """The text of no characters."""

    def settle(self) -> None:
        self.mass = {0: 1}

    def draw(self, length: int, source: Source) -> str:
        return ""


class One(Part):
    """One character of several."""

    def __init__(self, characters: tuple[str, ...]) -> None:
        self.characters = characters
        self.weights: Sequence[float] = [1] * len(characters)

    def settle(self) -> None:
        self.mass = {1: sum(self.weights)}
        self._steps = steps(self.weights)

    def draw(self, length: int, source: Source) -> str:
        return self.characters[bisect(self._steps, source.random())] if self._steps else self.characters[0]


class Either(Part):
    """One of several parts."""

    def __init__(self, options: tuple[Part, ...]) -> None:
        self.options = options
        self.weights: Sequence[float] = [1] * len(options)

    def settle(self) -> None:
        self.mass = {}
        self._table = {}
        for length in sorted({n for option in self.options for n in option.mass}):
            able = self.of(length)
            self.mass[length] = sum(mass for _, mass in able)
            self._table[length] = ([option for option, _ in able], steps([mass for _, mass in able]))

    def of(self, length: int) -> list[tuple[Part, float]]:
        """The options that have texts of this length, and the mass of these texts."""
        pairs = zip(self.options, self.weights, strict=True)
        return [(option, weight * option.mass[length]) for option, weight in pairs if length in option.mass]

    def draw(self, length: int, source: Source) -> str:
        options, limits = self._table[length]
        option = options[bisect(limits, source.random())] if limits else options[0]
        return option.draw(length, source)


class Both(Part):
    """Two parts, one after the other."""

    def __init__(self, left: Part, right: Part) -> None:
        self.left = left
        self.right = right

    def settle(self) -> None:
        self.mass = {}
        self._table = {}
        for length in sorted({a + b for a in self.left.mass for b in self.right.mass}):
            able = self.of(length)
            self.mass[length] = sum(mass for _, mass in able)
            self._table[length] = ([cut for cut, _ in able], steps([mass for _, mass in able]))

    def of(self, length: int) -> list[tuple[int, float]]:
        """The lengths that the left part can take of this one, and the mass of these texts."""
        left, right = self.left.mass, self.right.mass
        return [(cut, left[cut] * right[length - cut]) for cut in left if length - cut in right]

    def draw(self, length: int, source: Source) -> str:
        cuts, limits = self._table[length]
        cut = cuts[bisect(limits, source.random())] if limits else cuts[0]
        return self.left.draw(cut, source) + self.right.draw(length - cut, source)


class Texts:
    """The texts of a tree, every way to make one equally likely until parts or lengths are weighed."""

    def __init__(self, tree: Tree) -> None:
        self.parts: list[Part] = []
        """Each after those inside it."""
        self.whole = self._build(tree)
        """The part that all texts come from."""
        self.weigh(dict(self.whole.mass))

    def weigh(self, lengths: dict[int, float]) -> None:
        """Take the weights of the parts as they are now, and draw each length so often."""
        for part in self.parts:
            part.settle()
        self.lengths = lengths
        self._lengths, self._steps = list(lengths), steps(lengths.values())

    def draw(self, source: Source) -> str:
        """One text."""
        place = bisect(self._steps, source.random()) if self._steps else 0
        return self.whole.draw(self._lengths[place], source)

    def _build(self, tree: Tree) -> Part:
        if isinstance(tree, Characters):
            return self._add(One(tree.characters))
        if isinstance(tree, Choice):
            return self._add(Either(tuple(self._build(option) for option in tree.options)))
        if isinstance(tree, Series):
            return self._chain([self._build(part) for part in tree.parts])
        inner = self._build(tree.inner)
        if tree.most == 0 or not any(inner.mass):
            return self._add(Empty())
        times = [self._add(Empty()), inner]
        while len(times) <= tree.most:
            times.append(self._add(Both(inner, times[-1])))
        wanted = tuple(times[tree.least : tree.most + 1])
        return self._add(Either(wanted)) if len(wanted) > 1 else wanted[0]

    def _chain(self, parts: list[Part]) -> Part:
        if not parts:
            return self._add(Empty())
        return reduce(lambda after, part: self._add(Both(part, after)), reversed(parts))

    def _add(self, part: Part) -> Part:
        part.settle()
        self.parts.append(part)
        return part


def steps(weights: Iterable[float]) -> list[float]:
    """Upper limits in [0, 1] of the shares of ``weights``; none where there is no choice."""
    sums = list(accumulate(weights))
    if len(sums) < 2:
        return []
    # Weights too small for a float are all alike.
    return [part / sums[-1] for part in sums] if sums[-1] else steps([1] * len(sums))
