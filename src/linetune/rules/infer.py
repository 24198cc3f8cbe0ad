"""Propose a rule from labels: the tightest one that is still short.

Labels are grouped by their kinds of characters. Groups are merged as long as this saves bits: those of the
patterns, and those of the labels given the patterns (minimum description length, see ``rules.columns``). A
pattern for very few labels is left out.
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

_LABELS_PER_PATTERN = 200
"""By default, a pattern with a smaller share of the labels than one in so many is left out."""
_FEW_LABELS = 20
"""Number of labels below which a single label may have its own pattern."""
_MOST_TEXTS = 1500
"""Most different texts that patterns are made from. All labels are counted."""
_MOST_LAYOUTS = 80
"""Most groups at the start. All pairs of them are compared."""
_PATTERN_BITS = 16.0
"""Bits of one more pattern."""
_MOST_WORDS = 12
"""Most words without a digit that are listed one by one."""
_WORD_TIMES = 5
"""Least occurrences of each listed word. With fewer, other words are likely missing from the labels."""
_LEAST_CODES = 8
"""Least different codes that must pass a check. One code in ten passes by chance."""


@dataclass(frozen=True)
class Proposal:
    """A rule that is proposed for labels."""

    patterns: list[Pattern]
    """The patterns, the most frequent first. The weight of each is its number of labels."""
    missed: list[int]
    """Indices of the labels that follow no pattern."""


def propose(labels: Sequence[str], least: int | None = None) -> Proposal:
    """Return the tightest short rule for labels.

    Args:
        labels: the texts, with repetitions.
        least: fewest labels of a pattern. None means one in 200, but at least 2 if there are 20 labels or
            more.

    Raises:
        LinetuneError: a rule can give none of the labels, or no pattern has ``least`` labels.
    """
    times = Counter(labels)
    least = least or (max(2, len(labels) // _LABELS_PER_PATTERN) if len(labels) >= _FEW_LABELS else 1)
    usable = sorted(filter(_can_be_drawn, times))
    if not usable:
        what = f"no label is a text of at most {LONGEST} printable characters without outer spaces"
        raise LinetuneError(what, hint="linetune check reports what is wrong with the labels")
    studied = usable[:: math.ceil(len(usable) / _MOST_TEXTS)]
    regexes = _patterns(studied, times)
    texts_of = _assign(usable, regexes)
    kept = [regex for regex in regexes if sum(times[text] for text in texts_of[regex]) >= least]
    if not kept:
        raise LinetuneError(f"no pattern has {least} labels", hint="lower --least")
    texts_of = _assign(usable, kept)
    patterns = []
    for regex in kept:
        pattern = _with_check(regex, texts_of[regex])
        matches = Rule([pattern]).matches
        weight = sum(times[text] for text in texts_of[regex] if matches(text))
        patterns.append(pattern.model_copy(update={"weight": float(weight)}))
    patterns.sort(key=lambda pattern: -(pattern.weight or 0))
    covered = set(filter(Rule(patterns).matches, times))
    return Proposal(patterns, [i for i, label in enumerate(labels) if label not in covered])


def _can_be_drawn(text: str) -> bool:
    """Return whether a rule can give a text."""
    printable = all(c.isprintable() or c in JOINERS for c in text)
    return 0 < len(text) <= LONGEST and printable and text == text.strip(SPACE)


def _patterns(texts: Sequence[str], times: Mapping[str, int]) -> list[str]:
    """Return regular expressions for texts: one that lists the words, if each is frequent, and layouts.

    Args:
        texts: different texts.
        times: number of occurrences of each text.
    """
    words = [text for text in texts if not any(map(str.isdigit, text))]
    if len(words) > _MOST_WORDS or any(times[word] < _WORD_TIMES for word in words):
        words = []
    listed = ["|".join(map(escape, words))] if words else []
    rest = [text for text in texts if text not in words]
    merged = _merge_all(layouts(rest, _MOST_LAYOUTS))
    return list(dict.fromkeys(listed + [layout.pattern for layout in merged]))


def _merge_all(found: list[Layout]) -> list[Layout]:
    """Merge layouts as long as this saves bits, always the two that save most."""
    total = sum(len(layout.rows) for layout in found)

    def cost(layout: Layout) -> float:
        rows = len(layout.rows)
        return layout.bits + _PATTERN_BITS + rows * math.log2(total / rows)

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


def _assign(texts: Sequence[str], regexes: Sequence[str]) -> dict[str, list[str]]:
    """Return the texts of each pattern. A text that follows several patterns belongs to the tightest."""
    ordered = sorted(regexes, key=lambda regex: sum(Texts(parse(regex)).lengths.values()))
    rules = {regex: Rule(regex) for regex in ordered}
    texts_of: dict[str, list[str]] = defaultdict(list)
    for text in texts:
        tightest = next((regex for regex, rule in rules.items() if rule.matches(text)), None)
        if tightest is not None:
            texts_of[tightest].append(text)
    return texts_of


def _with_check(regex: str, texts: Sequence[str]) -> Pattern:
    """Return a pattern, with a check if nine in ten of its texts pass it."""
    for name, check in CHECKS.items():
        passing = sum(check.corrected(text) == text for text in texts)
        if passing < max(_LEAST_CODES, 0.9 * len(texts)):
            continue
        # Vehicle identification numbers lack three letters. Only hundreds of labels would show this.
        narrower = regex.replace("A-Z", "A-HJ-NPR-Z") if name == "vin" else regex
        pattern = Pattern(pattern=narrower, check=name)
        try:
            Rule([pattern])
        except LinetuneError:  # some texts of the pattern are not such codes
            continue
        return pattern
    return Pattern(pattern=regex)
