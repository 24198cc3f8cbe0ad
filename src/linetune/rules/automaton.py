"""A rule as a deterministic automaton: which characters may follow, and where a text may end.

The texts of a rule are finite. The automaton therefore has no cycles. It has no dead ends, and no two of its
states are followed by the same texts. A check digit is part of its states: they remember the remainder.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias, TypeVar

from linetune.core.errors import LinetuneError
from linetune.rules.checks import CHECKS, Check
from linetune.rules.pattern import Characters, Choice, Concatenation, Tree, parse

K = TypeVar("K", bound=Hashable)
_Counted: TypeAlias = "tuple[int, int, frozenset[tuple[int, int]]]"
"""A state, the number of counted characters so far, and the remainder for each number of them in the text."""
STATES = 50_000
"""Most states of the automaton of a pattern, before equal ones are joined."""
BEGINNINGS = 2 * 10**6
"""Most different beginnings of the texts of a list. 100,000 texts of ten characters have 500,000."""


@dataclass(frozen=True)
class Automaton:
    """States with their transitions. Each transition leads to a state with a lower number."""

    transitions: tuple[Mapping[str, int], ...]
    """For each state, the next state by character."""
    accepting: tuple[bool, ...]
    """For each state, whether a text may end there."""

    @property
    def start(self) -> int:
        """The state before the first character."""
        return len(self.transitions) - 1

    def admits(self, text: str) -> bool:
        """Return whether the rule admits the whole text."""
        state = self.start
        for character in text:
            if character not in self.transitions[state]:
                return False
            state = self.transitions[state][character]
        return self.accepting[state]


def compiled(rule: Mapping[str, Any]) -> Automaton:
    """Return the automaton of a rule as a model file has it.

    Args:
        rule: ``{"patterns": [{"pattern": "[A-Z]{2}[0-9]{4}", "check": null}, ...]}``, or ``{"texts": [...]}``
            for a list of known texts.

    Raises:
        LinetuneError: the rule is damaged, a pattern is not one (see ``rules.pattern``), no text follows the
            rule, or the automaton would be too large.
    """
    texts, patterns = rule.get("texts"), rule.get("patterns")
    if isinstance(texts, list) and all(isinstance(text, str) for text in texts):
        return of_texts(texts)
    if isinstance(patterns, list) and patterns and all(map(_is_pattern, patterns)):
        return union([of_pattern(each["pattern"], each.get("check")) for each in patterns])
    raise LinetuneError("the rule in the model file is damaged", hint="read without it (--rule none)")


def _is_pattern(each: object) -> bool:
    if not isinstance(each, dict) or not isinstance(each.get("pattern"), str):
        return False
    return each.get("check") in (None, *CHECKS)


def of_pattern(pattern: str, check: str | None = None) -> Automaton:
    """Return the automaton of a pattern whose parts are already expanded, and of its check."""
    network = _Network()
    end = network.add(parse(pattern), network.state())

    def follow(states: frozenset[int]) -> tuple[bool, Mapping[str, frozenset[int]]]:
        targets: dict[str, set[int]] = defaultdict(set)
        for state in states:
            for character, after in network.moves[state]:
                targets[character].add(after)
        return end in states, {c: network.closure(after) for c, after in targets.items()}

    where = f"rule {pattern}"
    plain = _built(network.closure({0}), follow, where)
    return _with_check(plain, CHECKS[check], where) if check else plain  # type: ignore[index]


def of_texts(texts: Iterable[str]) -> Automaton:
    """Return the automaton of a list of texts."""
    ordered = sorted(set(texts))

    def follow(part: tuple[int, int, int]) -> tuple[bool, Mapping[str, tuple[int, int, int]]]:
        low, high, length = part
        ends = len(ordered[low]) == length
        low += ends
        targets, begin = {}, low
        for place in range(low + 1, high + 1):
            if place == high or ordered[place][length] != ordered[begin][length]:
                targets[ordered[begin][length]] = (begin, place, length + 1)
                begin = place
        return ends, targets if low < high else {}

    if not ordered:
        raise LinetuneError("the list of texts is empty", hint="name a file with one text a line")
    return _built((0, len(ordered), 0), follow, "the list of texts", BEGINNINGS)


def union(automata: Sequence[Automaton]) -> Automaton:
    """Return the automaton of all texts that one of the automata admits."""
    if len(automata) == 1:
        return automata[0]

    def follow(states: tuple[tuple[int, int], ...]) -> tuple[bool, Mapping[str, tuple[tuple[int, int], ...]]]:
        targets: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for number, state in states:
            for character, after in automata[number].transitions[state].items():
                targets[character].append((number, after))
        ends = any(automata[number].accepting[state] for number, state in states)
        return ends, {c: tuple(after) for c, after in targets.items()}

    return _built(tuple((n, each.start) for n, each in enumerate(automata)), follow, "the rule")


class _Network:
    """An automaton in which one character may lead to several states, and some moves need none."""

    def __init__(self) -> None:
        self.moves: list[list[tuple[str, int]]] = []
        self._free: list[list[int]] = []

    def state(self) -> int:
        """Add a state. Return its number."""
        self.moves.append([])
        self._free.append([])
        return len(self.moves) - 1

    def add(self, tree: Tree, start: int) -> int:
        """Add the states of a tree after a state. Return the state after all of its texts."""
        if isinstance(tree, Characters):
            end = self.state()
            self.moves[start] += [(character, end) for character in tree.characters]
            return end
        if isinstance(tree, Concatenation):
            for part in tree.parts:
                start = self.add(part, start)
            return start
        end = self.state()
        if isinstance(tree, Choice):
            for option in tree.options:
                begin = self.state()
                self._free[start].append(begin)
                self._free[self.add(option, begin)].append(end)
            return end
        for times in range(tree.most):
            if times >= tree.least:
                self._free[start].append(end)
            start = self.add(tree.inner, start)
        self._free[start].append(end)
        return end

    def closure(self, states: Iterable[int]) -> frozenset[int]:
        """Return the states, and those that no character is needed for."""
        found, left = set[int](), list(states)
        while left:
            if (state := left.pop()) not in found:
                found.add(state)
                left += self._free[state]
        return frozenset(found)


def _with_check(plain: Automaton, check: Check, where: str) -> Automaton:
    """Return the automaton of the texts that have the correct check character.

    How a character counts may depend on the number of counted characters of the text, which is not known at
    its beginning. A state therefore has a remainder for each possible number.
    """

    @lru_cache(None)
    def counts(state: int) -> frozenset[int]:
        """Return how many counted characters may follow."""
        found = {0} if plain.accepting[state] else set[int]()
        for character, after in plain.transitions[state].items():
            found |= {(character in check.counted) + count for count in counts(after)}
        return frozenset(found)

    def follow(key: _Counted) -> tuple[bool, Mapping[str, _Counted]]:
        state, counted, remainders = key
        targets = {}
        for character, after in plain.transitions[state].items():
            now = counted + (character in check.counted)
            stepped = remainders
            if now > counted:
                results = ((n, check.step(r, counted, n, character)) for n, r in remainders if n > counted)
                stepped = frozenset((n, r) for n, r in results if r is not None)
            possible = frozenset((n, r) for n, r in stepped if n - now in counts(after))
            if possible:
                targets[character] = (after, now, possible)
        return plain.accepting[state] and (counted, 0) in remainders, targets

    start = frozenset((n, 0) for n in check.lengths if n in counts(plain.start))
    return _built((plain.start, 0, start), follow, where)


def _built(
    start: K, follow: Callable[[K], tuple[bool, Mapping[str, K]]], where: str, most: int = STATES
) -> Automaton:
    """Return the smallest automaton whose states ``follow`` gives.

    Args:
        start: the first state.
        follow: returns whether a text may end in a state, and the next states.
        where: the rule, for messages.
        most: the limit for the number of states.
    """
    numbers: dict[K, int | None] = {}
    states: dict[tuple[bool, tuple[tuple[str, int], ...]], int] = {}

    def visit(key: K) -> int | None:
        """Return the number of a state. None if no text ends after it."""
        if key in numbers:
            return numbers[key]
        if len(numbers) > most:
            what = f"reading by this rule needs more than {most:,} states"
            raise LinetuneError(what, where, "divide it into simpler patterns, or read without it")
        ends, targets = follow(key)
        reached = ((character, visit(after)) for character, after in sorted(targets.items()))
        alive = tuple((character, number) for character, number in reached if number is not None)
        numbers[key] = states.setdefault((ends, alive), len(states)) if ends or alive else None
        return numbers[key]

    if visit(start) is None:
        raise LinetuneError("no text follows the rule", where, "linetune rule LABELS proposes one")
    return Automaton(tuple(dict(alive) for _, alive in states), tuple(ends for ends, _ in states))
