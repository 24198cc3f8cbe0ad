"""Draw texts from the tree of a pattern: first the length, then a text of this length.

The tree becomes a graph of four kinds of parts. A repeat becomes a choice between its numbers of times. For
each length, a part knows the mass of its texts: the sum of their weights, as in the inside pass of a
probabilistic grammar. With these masses we draw a text of a given length without backtracking.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect
from collections.abc import Iterable, Sequence
from functools import reduce
from itertools import accumulate
from typing import Protocol

from linetune.rules.pattern import Characters, Choice, Concatenation, Tree


class RandomSource(Protocol):
    """A source of random numbers: a ``random.Random`` or a NumPy ``Generator``."""

    def random(self) -> float:
        """Return a number from 0 to 1, without 1."""


class Part(ABC):
    """A part of a pattern.

    ``mass[n]`` is the total weight of its texts of ``n`` characters. A text that can be made in two ways
    counts twice. Integer weights stay exact, however large they are.
    """

    mass: dict[int, float]

    @abstractmethod
    def update(self) -> None:
        """Compute the mass from the current weights. The parts inside must be up to date."""

    @abstractmethod
    def draw(self, length: int, source: RandomSource) -> str:
        """Return a text of ``length`` characters."""


class Empty(Part):
    """The empty text."""

    def update(self) -> None:
        self.mass = {0: 1}

    def draw(self, length: int, source: RandomSource) -> str:
        return ""


class OneCharacter(Part):
    """One of several characters."""

    def __init__(self, characters: tuple[str, ...]) -> None:
        self.characters = characters
        self.weights: Sequence[float] = [1] * len(characters)

    def update(self) -> None:
        self.mass = {1: sum(self.weights)}
        self._limits = cumulative_shares(self.weights)

    def draw(self, length: int, source: RandomSource) -> str:
        return self.characters[bisect(self._limits, source.random()) if self._limits else 0]


class OnePart(Part):
    """One of several parts."""

    def __init__(self, options: tuple[Part, ...]) -> None:
        self.options = options
        self.weights: Sequence[float] = [1] * len(options)

    def update(self) -> None:
        self.mass = {}
        self._table = {}
        for length in sorted({n for option in self.options for n in option.mass}):
            choices = self.choices(length)
            self.mass[length] = sum(mass for _, mass in choices)
            limits = cumulative_shares(mass for _, mass in choices)
            self._table[length] = ([option for option, _ in choices], limits)

    def choices(self, length: int) -> list[tuple[Part, float]]:
        """Return the options that have texts of a length, and the mass of these texts."""
        pairs = zip(self.options, self.weights, strict=True)
        return [(option, weight * option.mass[length]) for option, weight in pairs if length in option.mass]

    def draw(self, length: int, source: RandomSource) -> str:
        options, limits = self._table[length]
        return options[bisect(limits, source.random()) if limits else 0].draw(length, source)


class Pair(Part):
    """Two parts, one after the other."""

    def __init__(self, left: Part, right: Part) -> None:
        self.left = left
        self.right = right

    def update(self) -> None:
        self.mass = {}
        self._table = {}
        for length in sorted({a + b for a in self.left.mass for b in self.right.mass}):
            choices = self.choices(length)
            self.mass[length] = sum(mass for _, mass in choices)
            limits = cumulative_shares(mass for _, mass in choices)
            self._table[length] = ([cut for cut, _ in choices], limits)

    def choices(self, length: int) -> list[tuple[int, float]]:
        """Return the possible lengths of the left part in texts of a length, and the mass of these texts."""
        left, right = self.left.mass, self.right.mass
        return [(cut, left[cut] * right[length - cut]) for cut in left if length - cut in right]

    def draw(self, length: int, source: RandomSource) -> str:
        cuts, limits = self._table[length]
        cut = cuts[bisect(limits, source.random()) if limits else 0]
        return self.left.draw(cut, source) + self.right.draw(length - cut, source)


class Texts:
    """The texts of a tree. All ways to make a text are equally likely until the weights are changed."""

    def __init__(self, tree: Tree) -> None:
        self.parts: list[Part] = []
        """All parts. Each one comes after the parts inside it."""
        self.root = self._build(tree)
        """The part that gives all texts."""
        self.update(dict(self.root.mass))

    def update(self, lengths: dict[int, float]) -> None:
        """Take the current weights of the parts, and ``lengths`` as the weights of the lengths."""
        for part in self.parts:
            part.update()
        self.lengths = lengths
        self._lengths, self._limits = list(lengths), cumulative_shares(lengths.values())

    def draw(self, source: RandomSource) -> str:
        """Return one text."""
        index = bisect(self._limits, source.random()) if self._limits else 0
        return self.root.draw(self._lengths[index], source)

    def _build(self, tree: Tree) -> Part:
        """Return the part of a tree, and add it and all parts inside to the list."""
        if isinstance(tree, Characters):
            return self._add(OneCharacter(tree.characters))
        if isinstance(tree, Choice):
            return self._add(OnePart(tuple(self._build(option) for option in tree.options)))
        if isinstance(tree, Concatenation):
            return self._chain([self._build(part) for part in tree.parts])
        inner = self._build(tree.inner)
        if tree.most == 0 or not any(inner.mass):
            return self._add(Empty())
        repeats = [self._add(Empty()), inner]
        while len(repeats) <= tree.most:
            repeats.append(self._add(Pair(inner, repeats[-1])))
        allowed = tuple(repeats[tree.least : tree.most + 1])
        return self._add(OnePart(allowed)) if len(allowed) > 1 else allowed[0]

    def _chain(self, parts: list[Part]) -> Part:
        """Return parts one after the other as nested pairs."""
        if not parts:
            return self._add(Empty())
        return reduce(lambda after, part: self._add(Pair(part, after)), reversed(parts))

    def _add(self, part: Part) -> Part:
        part.update()
        self.parts.append(part)
        return part


def cumulative_shares(weights: Iterable[float]) -> list[float]:
    """Return the running sums of weights, scaled so that the last is 1. Return [] if there is no choice."""
    sums = list(accumulate(weights))
    if len(sums) < 2:
        return []
    # If all weights are too small for a float, the choices are equally likely.
    return [part / sums[-1] for part in sums] if sums[-1] else cumulative_shares([1] * len(sums))
