"""Draw texts from the tree of a pattern: first the length, then a text of this length.

The tree becomes a graph of three kinds of parts. A repeat becomes a choice between its numbers of times. For
each length, a part knows the mass of its texts: the sum of their weights, as in the inside pass of a
probabilistic grammar. With these masses we draw a text of one length without backtracking.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from bisect import bisect
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import reduce
from itertools import accumulate, chain, product
from typing import Generic, NamedTuple, Protocol, TypeAlias, TypeVar

from linetune.rules.pattern import Characters, Choice, Concatenation, Tree

T = TypeVar("T")
Inside: TypeAlias = "tuple[tuple[Part, int], ...]"
"""The parts of which a text consists, in their order, each with the length of its text."""


class RandomSource(Protocol):
    """A source of random numbers: a ``random.Random`` or a NumPy ``Generator``."""

    def random(self) -> float:
        """Return a number from 0 to 1, without 1."""


class Chances(Generic[T]):
    """Options that are drawn as often as their weights say."""

    def __init__(self, options: Iterable[T], weights: Iterable[float]) -> None:
        self._options = tuple(options)
        sums = list(accumulate(weights))
        if not sums[-1]:  # All weights are too small for a float. The options are then equally likely.
            sums = list(range(1, len(sums) + 1))
        self._limits = [part / sums[-1] for part in sums]

    def draw(self, source: RandomSource) -> T:
        """Return one option. If there is only one, this uses no random number."""
        return self._options[bisect(self._limits, source.random()) if len(self._options) > 1 else 0]


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


class OneCharacter(Part):
    """One of several characters. The empty text is the only option of an empty part."""

    def __init__(self, options: tuple[str, ...]) -> None:
        self.options = options
        self.weights: Sequence[float] = [1] * len(options)

    def update(self) -> None:
        self.mass = {len(self.options[0]): sum(self.weights)}
        self._chances = Chances(self.options, self.weights)

    def draw(self, length: int, source: RandomSource) -> str:
        return self._chances.draw(source)


class Way(NamedTuple):
    """One way to make texts of one length from other parts."""

    inside: Inside
    weight: float
    mass: float
    """Total weight of the texts that are made in this way."""


class Compound(Part):
    """A part that consists of other parts."""

    ways: dict[int, list[Way]]
    """All ways to make a text, by its length."""

    @abstractmethod
    def _weighted(self) -> Iterator[tuple[Inside, float]]:
        """Yield the parts inside and the weight of each way."""

    def update(self) -> None:
        ways = defaultdict(list)
        for inside, weight in self._weighted():
            mass = math.prod((part.mass[length] for part, length in inside), start=weight)
            ways[sum(length for _, length in inside)].append(Way(inside, weight, mass))
        self.ways = {length: ways[length] for length in sorted(ways)}
        self.mass = {length: sum(way.mass for way in some) for length, some in self.ways.items()}
        self._chances = {n: Chances(some, (way.mass for way in some)) for n, some in self.ways.items()}

    def draw(self, length: int, source: RandomSource) -> str:
        way = self._chances[length].draw(source)
        return "".join(part.draw(own, source) for part, own in way.inside)


class OnePart(Compound):
    """One of several parts."""

    def __init__(self, options: tuple[Part, ...]) -> None:
        self.options = options
        self.weights: Sequence[float] = [1] * len(options)

    def _weighted(self) -> Iterator[tuple[Inside, float]]:
        for option, weight in zip(self.options, self.weights, strict=True):
            yield from ((((option, length),), weight) for length in option.mass)


class Pair(Compound):
    """Two parts, one after the other."""

    def __init__(self, left: Part, right: Part) -> None:
        self.left = left
        self.right = right

    def _weighted(self) -> Iterator[tuple[Inside, float]]:
        for lengths in product(self.left.mass, self.right.mass):
            yield tuple(zip((self.left, self.right), lengths, strict=True)), 1


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
        self._chances = Chances(lengths, lengths.values())

    def draw(self, source: RandomSource) -> str:
        """Return one text."""
        return self.root.draw(self._chances.draw(source), source)

    @property
    def alphabet(self) -> set[str]:
        """All characters that the texts can contain."""
        return set("".join(c for part in self.parts if isinstance(part, OneCharacter) for c in part.options))

    def counted_lengths(self, counted: frozenset[str]) -> set[int]:
        """Return all possible numbers of ``counted`` characters in a text."""
        numbers: dict[Part, set[int]] = {}
        for part in self.parts:
            if isinstance(part, Compound):
                ways = [[numbers[inside] for inside, _ in way.inside] for way in chain(*part.ways.values())]
                numbers[part] = {sum(together) for way in ways for together in product(*way)}
            elif isinstance(part, OneCharacter):
                numbers[part] = {int(character in counted) for character in part.options}
        return numbers[self.root]

    def _build(self, tree: Tree) -> Part:
        """Return the part of a tree, and add it and all parts inside to the list."""
        if isinstance(tree, Characters):
            return self._add(OneCharacter(tree.characters))
        if isinstance(tree, Choice):
            return self._add(OnePart(tuple(self._build(option) for option in tree.options)))
        if isinstance(tree, Concatenation):
            return self._chain([self._build(part) for part in tree.parts])
        inner = self._build(tree.inner if tree.most else Concatenation())
        if not any(inner.mass):
            return inner
        repeats = [self._chain([]), inner]
        while len(repeats) <= tree.most:
            repeats.append(self._add(Pair(inner, repeats[-1])))
        allowed = tuple(repeats[tree.least : tree.most + 1])
        return self._add(OnePart(allowed)) if len(allowed) > 1 else allowed[0]

    def _chain(self, parts: list[Part]) -> Part:
        """Return parts one after the other as nested pairs."""
        if not parts:
            return self._add(OneCharacter(("",)))
        return reduce(lambda after, part: self._add(Pair(part, after)), reversed(parts))

    def _add(self, part: Part) -> Part:
        part.update()
        self.parts.append(part)
        return part
