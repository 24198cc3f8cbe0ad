"""Read by a rule: the most probable text that the rule admits, and how probable the rule is.

A text has many alignments with the frames, and its probability is their sum. The best alignment is therefore
not always that of the best text. We search the texts themselves, by their beginnings. The mass of a beginning
is the probability of all admitted texts that begin so. The beginning with the largest mass is continued
first. A text that comes first in this order is more probable than all others, because every other text is
part of a mass that is smaller (A* search with an exact bound).

The masses come from one backward pass over frames and automaton: the recursion of Graves et al. (2006,
section 4.1), on the states of a rule in place of those of a label. Long lists of texts have too many states
for it. There the bound is the probability of all texts that begin so, whether admitted or not.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from linetune.core.charset import BLANK, Charset, show
from linetune.core.errors import LinetuneError
from linetune.decode.reading import Greedy, Reading, added_up
from linetune.rules.automaton import Automaton

EDGES = 20_000
"""Most transitions of an automaton for the backward pass."""
LEAST = 0.01
"""Probability below which a crop does not follow the rule. With rules that cover nine labels in ten, it reads
the most validation crops of cable markers and till receipts right (docs/log.md)."""
MOST = 2000
"""Most beginnings that are continued in one crop. Only crops on which nothing is clear need more."""
NEGLIGIBLE = 1e-12
"""A beginning with a smaller share of the mass of the rule is left out."""
_LISTED = 1e-3
"""Texts of a long list that are less probable than the best one by this factor do not count for the rule."""
_ELEMENTS = 2**22
"""Most values of a backward pass that are in memory together, 32 MB."""

Values = NDArray[np.float64]


class Found(NamedTuple):
    """What a rule makes of a crop."""

    texts: list[tuple[str, float]]
    """The most probable admitted texts with their probabilities by the network, best first."""
    follows: float
    """The probability that the text follows the rule. For a long list of texts: at least this."""
    certain: bool
    """Whether the first text is certainly the most probable one. False if the search became too long."""


@dataclass(frozen=True)
class ByRule:
    """Reads the most probable text that a rule admits.

    Args:
        charset: the characters of the network's classes.
        automaton: the rule.
        least: smallest probability that a crop follows the rule. Other crops are read without the rule, and
            the reading is marked.

    Raises:
        LinetuneError: the charset has right-to-left letters, or it cannot spell any text of the rule.
    """

    charset: Charset
    automaton: Automaton
    least: float = LEAST
    _graph: _Graph = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.charset.right_to_left:
            what = "a rule cannot read right-to-left text"
            raise LinetuneError(what, hint="read without the rule, and check the texts afterwards")
        graph = _Graph(self.charset, self.automaton)
        object.__setattr__(self, "_graph", graph)
        if not graph.spells:
            needed = {c for moves in self.automaton.transitions for c in moves}
            missing = show(*sorted(needed - {*self.charset.distinct})[:5])
            what = f"the model can read no text of the rule: it does not know {missing}"
            raise LinetuneError(what, hint="choose the rule of this model, or read without it (--rule none)")

    def __call__(self, probabilities: NDArray[np.float32]) -> list[Reading]:
        """Decode class probabilities of shape (batch, frames, classes)."""
        readings = Greedy(self.charset)(probabilities)
        for number, found in enumerate(self.find(probabilities)):
            admitted = bool(found.texts) and found.follows >= self.least
            free = readings[number]
            text, confidence = found.texts[0] if admitted else (free.text, 0.0)
            # The score and the confidence of single characters are those of the text without the rule.
            same = text == free.text
            score, characters = (free.score, free.characters) if same else (None, ())
            readings[number] = Reading(text, confidence, score, characters, None, found.follows, admitted)
        return readings

    def find(self, probabilities: NDArray[np.float32], texts: int = 1) -> Iterator[Found]:
        """Yield what the rule makes of each crop.

        Args:
            probabilities: of the classes, shape (batch, frames, classes).
            texts: how many texts to find, the most probable ones.
        """
        graph = self._graph
        batch, frames, classes = probabilities.shape
        size = max(1, _ELEMENTS // ((frames + 1) * (classes + len(graph.classes))))
        for start in range(0, batch, size):
            part = added_up(probabilities[start : start + size], self.charset).astype(np.float64)
            for crop in _backward(graph, part) if graph.small else map(_Crop, part):
                yield _found(graph, crop, texts, self.least)


class _Graph:
    """An automaton as arrays, in the classes of a charset.

    A *place* is a state together with the class that leads there: in the next frame, the same class is the
    same character once more, and no new one.
    """

    def __init__(self, charset: Charset, automaton: Automaton) -> None:
        classes = {c: charset.encode(c)[0] for c in charset.distinct}
        moves = [{classes[c]: s for c, s in each.items() if c in classes} for each in automaton.transitions]
        after = dict.fromkeys(move for each in moves for move in each.items())
        places = {(state, number): place for place, (number, state) in enumerate(after)}
        self.charset, self.start, self.accepting = charset, automaton.start, automaton.accepting
        self.states = np.array([state for state, _ in places], np.intp)
        """The state of each place."""
        self.classes = np.array([number for _, number in places], np.intp)
        """The class of each place."""
        self.moves = [np.array([places[s, c] for c, s in each.items()], np.intp) for each in moves]
        """For each state, the places that its transitions lead to."""
        # Transitions lead to states with lower numbers.
        ends: list[bool] = []
        for state, each in enumerate(moves):
            ends.append(automaton.accepting[state] or any(ends[after] for after in each.values()))
        self.spells = ends[self.start]
        """Whether the charset can spell a text of the rule."""
        sizes = np.array([len(each) for each in self.moves])
        self.small = bool(sizes.sum() <= EDGES)
        """Whether a backward pass is worth its time."""
        self.sources = np.flatnonzero(sizes)
        """The states with transitions."""
        self.first = np.cumsum([0, *sizes[self.sources]])[:-1]
        """The first of the transitions of each of these states."""
        self.edges = np.concatenate(self.moves)
        """The place that each transition leads to."""
        doubled = [(n, places[moves[s][c], c]) for (s, c), n in places.items() if c in moves[s]]
        self.once, self.twice = np.array(doubled, np.intp).reshape(-1, 2).T
        """The places whose character may come twice, and the places after the second one."""


class _Crop:
    """One crop: its probabilities, and the masses of what may follow.

    Args:
        probabilities: of the classes, shape (frames, classes). They may be scaled frame by frame. rest: the
            mass of all admitted continuations after each frame at each place, shape (frames, places). None
            if it is not known; no mass is larger than 1.
        mass: that of the rule, scaled.
        scale: the logarithm of the factor from scaled masses to probabilities.
    """

    def __init__(
        self, probabilities: Values, rest: Values | None = None, mass: float = 1.0, scale: float = 0.0
    ) -> None:
        self._probabilities, self._rest, self.mass, self._scale = probabilities, rest, mass, scale
        self._columns: dict[int, list[float]] = {}

    def probability(self, mass: float) -> float:
        """Return the probability of a scaled mass."""
        return math.exp(math.log(mass) + self._scale) if mass > 0 else 0.0

    def column(self, number: int) -> list[float]:
        """Return the probabilities of a class in all frames."""
        if number not in self._columns:
            self._columns[number] = self._probabilities[:, number].tolist()
        return self._columns[number]

    def masses(self, graph: _Graph, state: int, beginning: _Beginning) -> list[float]:
        """Return the mass of a beginning with each character that may follow, one for each move of the
        state."""
        places = graph.moves[state]
        classes = graph.classes[places]
        after = self._probabilities[:, classes]
        if self._rest is not None:
            after = after * self._rest[:, places]
        blank, kept = np.array(beginning.blank[:-1]), np.array(beginning.kept[:-1])
        masses = (blank + kept) @ after
        # The same character once more needs a blank before it.
        again = classes == beginning.last
        masses[again] = blank @ after[:, again]
        found: list[float] = masses.tolist()
        return found


class _Beginning(NamedTuple):
    """The masses of a beginning of a text after each number of frames, from none to all."""

    last: int
    """The class of its last character."""
    blank: list[float]
    """The mass of all alignments that end with a blank."""
    kept: list[float]
    """The mass of all alignments that end with the last character."""

    def extended(self, crop: _Crop, number: int) -> _Beginning:
        """Return the beginning with one character more."""
        blank, kept, blanks, keeps = 0.0, 0.0, [0.0], [0.0]
        before = self.blank
        if number != self.last:
            before = [b + k for b, k in zip(self.blank, self.kept, strict=True)]
        for enters, own, none in zip(before, crop.column(number), crop.column(BLANK), strict=False):
            blank, kept = none * (blank + kept), own * (kept + enters)
            blanks.append(blank)
            keeps.append(kept)
        return _Beginning(number, blanks, keeps)


def _empty(crop: _Crop) -> _Beginning:
    """Return the beginning without a character."""
    blanks = [1.0]
    for none in crop.column(BLANK):
        blanks.append(blanks[-1] * none)
    return _Beginning(BLANK, blanks, [0.0] * len(blanks))


def _backward(graph: _Graph, probabilities: Values) -> Iterator[_Crop]:
    """Yield the crops of a batch (batch, frames, classes) with the masses of all continuations.

    In each frame, all masses of a crop are divided by the largest one, and so are its probabilities. Masses
    of long lines would otherwise be too small for a float. A subtraction leaves an error of about 1e-16 of
    the largest mass. Texts that are less probable than that may be lost.
    """
    batch, frames, _ = probabilities.shape
    scaled = probabilities.transpose(1, 2, 0).copy()
    rest = np.empty((frames, len(graph.states), batch))
    scale = np.zeros(batch)
    # Of each state after a blank, and of each place, shapes (states, batch) and (places, batch).
    blank = np.repeat(np.array(graph.accepting, np.float64)[:, None], batch, 1)
    kept = blank[graph.states]
    for frame in range(frames - 1, -1, -1):
        rest[frame] = kept
        now = scaled[frame]
        entered = now[graph.classes] * kept
        blank *= now[BLANK]
        blank[graph.sources] += np.add.reduceat(entered[graph.edges], graph.first, axis=0)
        kept = blank[graph.states] + entered
        kept[graph.once] -= entered[graph.twice]
        largest = blank.max(0)
        largest[largest == 0] = 1
        blank /= largest
        kept = np.maximum(kept / largest, 0)  # rounding may leave less than nothing
        now /= largest
        scale += np.log(largest)
    for number in range(batch):
        yield _Crop(scaled[:, :, number], rest[:, :, number], blank[graph.start, number], scale[number])


def _found(graph: _Graph, crop: _Crop, wanted: int, unlikely: float) -> Found:
    """Search the most probable texts of a crop. Of a long list, only those that are not unlikely."""
    queue: list[tuple[float, int, tuple[int, ...], int | None, _Beginning | None]]
    numbers = count()
    queue = [(-crop.mass, next(numbers), (), graph.start, None)]
    least = NEGLIGIBLE * crop.mass if graph.small else unlikely
    texts: list[tuple[str, float]] = []
    listed, continued = 0.0, 0
    while queue and -queue[0][0] > least and (len(texts) < wanted or not graph.small):
        negative, _, classes, state, before = heapq.heappop(queue)
        if state is None:
            texts.append((graph.charset.decode(classes), crop.probability(-negative)))
            listed -= negative
            least = max(least, -negative * _LISTED) if not graph.small else least
            continue
        continued += 1
        if continued > MOST:
            queue.clear()  # only the best continuation from here on
        here = before.extended(crop, classes[-1]) if before else _empty(crop)
        if graph.accepting[state] and (mass := here.blank[-1] + here.kept[-1]) > 0:
            heapq.heappush(queue, (-mass, next(numbers), classes, None, None))
        for place, mass in zip(graph.moves[state].tolist(), crop.masses(graph, state, here), strict=True):
            if mass > least:
                after = (*classes, int(graph.classes[place]))
                heapq.heappush(queue, (-mass, next(numbers), after, int(graph.states[place]), here))
    follows = crop.probability(crop.mass if graph.small else listed)
    return Found(texts[:wanted], min(1.0, follows), continued <= MOST)
