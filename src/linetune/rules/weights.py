"""Set how often a rule draws lengths, alternatives and characters: evenly, or as often as labels have
them."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter

from linetune.rules.texts import Compound, OneCharacter, OnePart, Part, Texts, Way

_MOST_TILT = 2.0
"""Largest factor by which balancing changes the weight of a character. Within a class, one character is then
at most 4 times as frequent as another."""
_ROUNDS = 30
"""Iterations of balancing. After so many, no frequency changes by more than 0.1 %."""
_IMPOSSIBLE = (-math.inf, Way((), 0, 0))


def weigh_evenly(texts: Texts) -> None:
    """Make all lengths equally likely, and for each length all alternatives, repeats and characters."""
    for part in texts.parts:
        if isinstance(part, (OneCharacter, OnePart)):
            part.weights = _normalised([1] * len(part.weights))
    texts.update(dict.fromkeys(texts.root.mass, 1))


def weigh_balanced(texts: Texts) -> None:
    """Make lengths and alternatives equally likely, and characters as evenly frequent as classes allow.

    A character that few classes have is drawn more often from those. But no character of a class is drawn
    more than four times as often as another. Therefore each one is still seen in every place.
    """
    weigh_evenly(texts)
    uses: defaultdict[tuple[str, ...], float] = defaultdict(float)
    for one_character, used in _expected_uses(texts).items():
        if used:
            uses[one_character.options] += used
    tilt = dict.fromkeys(sorted({character for characters in uses for character in characters}), 1.0)
    for _ in range(_ROUNDS if len(uses) > 1 else 0):
        expected = dict.fromkeys(tilt, 0.0)
        for characters, used in uses.items():
            shares = _normalised([tilt[character] for character in characters])
            for character, share in zip(characters, shares, strict=True):
                expected[character] += used * share
        mean = sum(expected.values()) / len(expected)
        for character, frequency in expected.items():
            wanted = tilt[character] * math.sqrt(mean / frequency)
            tilt[character] = min(max(wanted, 1 / _MOST_TILT), _MOST_TILT)
    for part in texts.parts:
        if isinstance(part, OneCharacter) and part.options in uses:
            part.weights = _normalised([tilt[character] for character in part.options])
    texts.update(texts.lengths)


def weigh_like(texts: Texts, labels: Iterable[str]) -> None:
    """Make lengths, alternatives and characters as frequent as in ``labels``, which must follow the rule.

    If a label can be made in several ways, only the most probable way counts (with even weights, this is the
    tightest alternative). One more label is spread evenly over everything that the rule allows (Perks'
    prior). Every text of the rule therefore stays possible.
    """
    weigh_evenly(texts)
    seen: dict[Part, Counter[str | Part]] = defaultdict(Counter)
    lengths: Counter[int] = Counter()
    for label, times in Counter(labels).items():
        for part, choice in Derivation(texts, label).choices():
            seen[part][choice] += times
        lengths[len(label)] += times
    for part in texts.parts:
        if isinstance(part, (OneCharacter, OnePart)):
            one_more = 1 / len(part.options)
            part.weights = _normalised([seen[part][option] + one_more for option in part.options])
    possible = texts.root.mass
    texts.update({length: lengths[length] + 1 / len(possible) for length in possible})


class Derivation:
    """The most probable way in which a rule makes a text, found by dynamic programming over its substrings.

    Args:
        texts: the texts of the rule, with their current weights.
        text: the text.
    """

    def __init__(self, texts: Texts, text: str) -> None:
        self.text = text
        self.root = texts.root
        self._best: dict[tuple[Compound, int, int], tuple[float, Way]] = {}

    @property
    def log_probability(self) -> float:
        """Natural logarithm of the weight of this way. Minus infinity if the rule cannot make the text."""
        return self._log_probability(self.root, 0, len(self.text))

    def choices(self) -> list[tuple[Part, str | Part]]:
        """Return each choice that was made: a part, and the character or the option that it became."""
        made: list[tuple[Part, str | Part]] = []
        open_parts = [(self.root, 0, len(self.text))]
        while open_parts:
            part, start, end = open_parts.pop()
            if isinstance(part, Compound):
                way = self._find(part, start, end)[1]
                if isinstance(part, OnePart):
                    made.append((part, way.inside[0][0]))
                for inside, length in way.inside:
                    open_parts.append((inside, start, start + length))
                    start += length
            else:
                made.append((part, self.text[start:end]))
        return made

    def _log_probability(self, part: Part, start: int, end: int) -> float:
        """Return the log-probability of the best way to make a substring."""
        if isinstance(part, Compound):
            return self._find(part, start, end)[0]
        assert isinstance(part, OneCharacter)
        character = self.text[start:end]
        if character not in part.options:
            return -math.inf
        return math.log(part.weights[part.options.index(character)])

    def _find(self, part: Compound, start: int, end: int) -> tuple[float, Way]:
        """Return the log-probability of the best way to make a substring, and this way."""
        key = (part, start, end)
        if key not in self._best:
            self._best[key] = max(self._ways(part, start, end), key=itemgetter(0), default=_IMPOSSIBLE)
        return self._best[key]

    def _ways(self, part: Compound, start: int, end: int) -> Iterator[tuple[float, Way]]:
        """Yield the log-probability of each way to make a substring from a part, and this way."""
        for way in part.ways.get(end - start, ()):
            total, at = math.log(way.weight), start
            for inside, length in way.inside:
                if total > -math.inf:
                    total += self._log_probability(inside, at, at + length)
                at += length
            yield total, way


def _expected_uses(texts: Texts) -> dict[OneCharacter, float]:
    """Return how often each class is drawn from in a text, on average (the outside pass)."""
    arriving: dict[Part, defaultdict[int, float]] = {part: defaultdict(float) for part in texts.parts}
    lengths = zip(texts.lengths, _normalised(list(texts.lengths.values())), strict=True)
    arriving[texts.root] |= dict(lengths)
    for part in reversed(texts.parts):
        if isinstance(part, Compound):
            for length, frequency in arriving[part].items():
                for way in part.ways[length]:
                    for inside, own in way.inside:
                        arriving[inside][own] += frequency * way.mass / part.mass[length]
    return {part: arriving[part][1] for part in texts.parts if isinstance(part, OneCharacter)}


def _normalised(weights: Sequence[float]) -> list[float]:
    """Return weights divided by their sum."""
    total = sum(weights)
    return [weight / total for weight in weights]
