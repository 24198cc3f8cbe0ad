"""How often a rule's lengths, alternatives and characters are drawn: evenly, or as labels have them."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from operator import itemgetter

from linetune.rules.texts import Both, Either, Empty, One, Part, Texts

_TILT = 2.0
"""Most that evening out makes a character rarer or commoner; so none of a class is 4 times another."""
_ROUNDS = 30
"""After so many, no frequency changes by a thousandth any more."""
_NONE = (-math.inf, 0)


def level(texts: Texts) -> None:
    """Every length, and within it every alternative, number of times and character, equally likely."""
    for part in texts.parts:
        if isinstance(part, (One, Either)):
            part.weights = _shares([1] * len(part.weights))
    texts.weigh(dict.fromkeys(texts.whole.mass, 1))


def balance(texts: Texts) -> None:
    """Every length equally often, within it every alternative, and the characters as evenly as classes allow.

    A character that few classes have is drawn more often in those; but none of a class is drawn four
    times as often as another, so that each is still seen in every place.
    """
    level(texts)
    uses: defaultdict[tuple[str, ...], float] = defaultdict(float)
    for one, used in _uses(texts).items():
        if used:
            uses[one.characters] += used
    tilt = dict.fromkeys(sorted({character for characters in uses for character in characters}), 1.0)
    for _ in range(_ROUNDS if len(uses) > 1 else 0):
        expected = dict.fromkeys(tilt, 0.0)
        for characters, used in uses.items():
            shares = _shares([tilt[character] for character in characters])
            for character, share in zip(characters, shares, strict=True):
                expected[character] += used * share
        even = sum(expected.values()) / len(expected)
        for character, often in expected.items():
            wanted = tilt[character] * math.sqrt(even / often)
            tilt[character] = min(max(wanted, 1 / _TILT), _TILT)
    for part in texts.parts:
        if isinstance(part, One) and part.characters in uses:
            part.weights = _shares([tilt[character] for character in part.characters])
    texts.weigh(texts.lengths)


def liken(texts: Texts, labels: Iterable[str]) -> None:
    """Lengths, alternatives and characters as often as in ``labels``, all of which follow the rule.

    A label that can be made in several ways counts for the likeliest when everything is equally
    likely, so for the tightest alternative. One more label is spread evenly over all that the rule
    allows (Perks' prior), so that nothing it allows is impossible.
    """
    level(texts)
    seen: dict[Part, Counter[int]] = defaultdict(Counter)
    lengths: Counter[int] = Counter()
    for label, times in Counter(labels).items():
        for part, choice in Reading(texts, label).choices():
            seen[part][choice] += times
        lengths[len(label)] += times
    for part in texts.parts:
        if isinstance(part, (One, Either)):
            size = len(part.weights)
            part.weights = _shares([seen[part][i] + 1 / size for i in range(size)])
    possible = texts.whole.mass
    texts.weigh({length: lengths[length] + 1 / len(possible) for length in possible})


class Reading:
    """The likeliest way in which a text is made, found by dynamic programming over its pieces."""

    def __init__(self, texts: Texts, text: str) -> None:
        self.text = text
        self.whole = texts.whole
        self._best: dict[tuple[Part, int, int], tuple[float, int]] = {}

    @property
    def likelihood(self) -> float:
        """Its natural logarithm, with the weights as they are; minus infinity where there is no way."""
        return self._find(self.whole, 0, len(self.text))[0]

    def choices(self) -> list[tuple[Part, int]]:
        """Which character of a class and which of several parts was taken, each time one was."""
        made: list[tuple[Part, int]] = []
        todo = [(self.whole, 0, len(self.text))]
        while todo:
            part, start, end = todo.pop()
            choice = self._find(part, start, end)[1]
            if isinstance(part, Both):
                todo += [(part.left, start, start + choice), (part.right, start + choice, end)]
            elif not isinstance(part, Empty):
                made.append((part, choice))
            if isinstance(part, Either):
                todo.append((part.options[choice], start, end))
        return made

    def _find(self, part: Part, start: int, end: int) -> tuple[float, int]:
        """Log-likelihood of the likeliest way to make a piece from a part, and what is chosen first in it."""
        place = (part, start, end)
        if place not in self._best:
            self._best[place] = max(self._ways(part, start, end), key=itemgetter(0), default=_NONE)
        return self._best[place]

    def _ways(self, part: Part, start: int, end: int) -> Iterable[tuple[float, int]]:
        length = end - start
        if length not in part.mass:
            return
        if isinstance(part, One):
            if (character := self.text[start]) in part.characters:
                choice = part.characters.index(character)
                yield math.log(part.weights[choice]), choice
        elif isinstance(part, Either):
            for choice, option in enumerate(part.options):
                yield math.log(part.weights[choice]) + self._find(option, start, end)[0], choice
        elif isinstance(part, Both):
            for cut, _ in part.of(length):
                left = self._find(part.left, start, start + cut)[0]
                if left > -math.inf:
                    yield left + self._find(part.right, start + cut, end)[0], cut
        else:
            yield 0.0, 0


def _uses(texts: Texts) -> dict[One, float]:
    """How often each class is drawn from in a text, on average (the outside pass)."""
    arriving: dict[Part, defaultdict[int, float]] = {part: defaultdict(float) for part in texts.parts}
    arriving[texts.whole] |= dict(zip(texts.lengths, _shares(list(texts.lengths.values())), strict=True))
    for part in reversed(texts.parts):
        for length, often in arriving[part].items():
            if isinstance(part, Either):
                for option, mass in part.of(length):
                    arriving[option][length] += often * mass / part.mass[length]
            elif isinstance(part, Both):
                for cut, mass in part.of(length):
                    share = often * mass / part.mass[length]
                    arriving[part.left][cut] += share
                    arriving[part.right][length - cut] += share
    return {part: arriving[part][1] for part in texts.parts if isinstance(part, One)}


def _shares(weights: Sequence[float]) -> list[float]:
    total = sum(weights)
    return [weight / total for weight in weights]
