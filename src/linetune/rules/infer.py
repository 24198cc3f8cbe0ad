"""A rule proposed from labels: the tightest that is still brief.

Labels are grouped by their kinds of characters, and groups merged as long as the patterns and, by
them, the labels take fewer bits (minimum description length, see ``rules.columns``). What would
need a pattern of its own for very few labels is left out.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from linetune.config import Pattern
from linetune.core.charset import SPACE
from linetune.core.errors import LinetuneError
from linetune.core.scripts import JOINERS
from linetune.rules.checks import CHECKS
from linetune.rules.columns import escape
from linetune.rules.layout import Layout, layouts, merge
from linetune.rules.pattern import LONGEST, parse
from linetune.rules.rule import Rule
from linetune.rules.texts import Texts

_RARE = 200
"""A pattern of fewer than one label in so many is left out, unless told otherwise."""
_FEW = 20
"""Labels among which a single one may have a pattern of its own."""
_STUDIED = 1500
"""Different texts that patterns are made from; all labels are counted."""
_SHAPES = 80
"""Groups that are kept apart at first; each pair of them is looked at."""
_PATTERN = 16.0
"""Bits that one more pattern costs."""
_WORDS = 12
"""Most words without a digit that are listed one by one."""
_REPEATED = 5
"""Times that each of them must come, so that no other is to be expected."""
_PROVEN = 8
"""Different codes that pass a check which one in ten would pass by chance, so that it must be meant."""


@dataclass(frozen=True)
class Proposal:
    """A rule for labels."""

    patterns: list[Pattern]
    """Each with its number of labels as its weight, the commonest first."""
    missed: list[int]
    """Places of the labels that follow none."""


def propose(labels: Sequence[str], least: int | None = None) -> Proposal:
    """The tightest simple rule for labels.

    Args:
        labels: texts, as often as they come.
        least: fewest labels that a pattern is made for; one in 200 when None, and 2 of 20 or more.

    Raises:
        LinetuneError: no label is a text that a rule can give, or no pattern has ``least`` labels.
    """
    times = Counter(labels)
    least = least or (max(2, len(labels) // _RARE) if len(labels) >= _FEW else 1)
    usable = sorted(filter(_can_be_drawn, times))
    if not usable:
        what = f"no label is a text of at most {LONGEST} printable characters without outer spaces"
        raise LinetuneError(what, hint="linetune check tells what is wrong with them")
    studied = usable[:: math.ceil(len(usable) / _STUDIED)]
    found = _patterns(studied, times)
    own = _divide(usable, found)
    kept = [pattern for pattern in found if sum(times[text] for text in own[pattern]) >= least]
    if not kept:
        raise LinetuneError(f"no pattern has {least} labels", hint="lower --least")
    own = _divide(usable, kept)
    patterns = []
    for pattern in kept:
        checked = _with_check(pattern, own[pattern])
        follows = Rule([checked]).matches
        weight = sum(times[text] for text in own[pattern] if follows(text))
        patterns.append(checked.model_copy(update={"weight": float(weight)}))
    patterns.sort(key=lambda pattern: -(pattern.weight or 0))
    covered = set(filter(Rule(patterns).matches, times))
    return Proposal(patterns, [place for place, label in enumerate(labels) if label not in covered])


def _can_be_drawn(text: str) -> bool:
    printable = all(c.isprintable() or c in JOINERS for c in text)
    return 0 < len(text) <= LONGEST and printable and text == text.strip(SPACE)


def _patterns(texts: Sequence[str], times: Mapping[str, int]) -> list[str]:
    """Patterns that texts follow: a list of words where these come again and again, else layouts."""
    words = [text for text in texts if not any(map(str.isdigit, text))]
    if len(words) > _WORDS or any(times[word] < _REPEATED for word in words):
        words = []
    listed = ["|".join(map(escape, words))] if words else []
    rest = [text for text in texts if text not in words]
    return list(dict.fromkeys(listed + [layout.pattern for layout in _merged(layouts(rest, _SHAPES))]))


def _merged(found: list[Layout]) -> list[Layout]:
    """Layouts merged, always the two that saves the most bits, as long as any are saved."""
    total = sum(len(layout.rows) for layout in found)

    def cost(layout: Layout) -> float:
        rows = len(layout.rows)
        return layout.bits + _PATTERN + rows * math.log2(total / rows)

    def saving(one: Layout, other: Layout) -> tuple[float, Layout | None]:
        both = merge(one, other)
        return (cost(one) + cost(other) - cost(both), both) if both else (0, None)

    savings = {pair: saving(*pair) for pair in combinations(found, 2)}
    while savings:
        (one, other), (saved, both) = max(savings.items(), key=lambda item: item[1][0])
        if saved <= 0 or both is None:
            break
        found = [layout for layout in found if layout not in (one, other)]
        savings = {pair: value for pair, value in savings.items() if one not in pair and other not in pair}
        savings |= {(layout, both): saving(layout, both) for layout in found}
        found.append(both)
    return found


def _divide(texts: Sequence[str], patterns: Sequence[str]) -> dict[str, list[str]]:
    """The texts of each pattern; one of several patterns is that of the tightest."""
    sizes = {pattern: sum(Texts(parse(pattern)).lengths.values()) for pattern in patterns}
    rules = {pattern: Rule(pattern) for pattern in sorted(patterns, key=lambda pattern: sizes[pattern])}
    own: dict[str, list[str]] = defaultdict(list)
    for text in texts:
        able = next((pattern for pattern, rule in rules.items() if rule.matches(text)), None)
        if able is not None:
            own[able].append(text)
    return own


def _with_check(pattern: str, texts: Sequence[str]) -> Pattern:
    """A pattern with the check that nine in ten of its texts pass, where there is one."""
    for name, check in CHECKS.items():
        passing = sum(check.right(text) == text for text in texts)
        if passing < max(_PROVEN, 0.9 * len(texts)):
            continue
        # So few letters are left out of vehicles' numbers that hundreds would be needed to notice.
        narrower = pattern.replace("A-Z", "A-HJ-NPR-Z") if name == "vin" else pattern
        checked = Pattern(pattern=narrower, check=name)
        try:
            Rule([checked])
        except LinetuneError:  # not all its texts are such codes
            continue
        return checked
    return Pattern(pattern=pattern)
