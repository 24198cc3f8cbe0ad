"""The rule of a draft, proposed from the training labels."""

from __future__ import annotations

from collections.abc import Sequence

from linetune.config import Pattern
from linetune.core.charset import Charset
from linetune.core.errors import LinetuneError
from linetune.data.split import NAMES
from linetune.drafting.decisions import CHARSET, Draft
from linetune.rules.infer import propose
from linetune.rules.rule import Rule

FOLLOWED = 0.7
"""Least share of the training labels, and of the validation labels, that a useful rule covers.

The validation labels show whether it is a rule. On 400 lines of free text, a proposal covered 93 % of them,
but only 43 % of 100 others (docs/log.md).
"""


SHOWN = 100
"""Most characters of a rule in a reason. The run file has all of it."""


def set_rule(new: Draft) -> None:
    """Propose a rule. Without a useful one, no crops are rendered."""
    train, val = ([line.text for line in new.splits[name]] for name in NAMES[:2])
    consequence = "no crops are rendered, and their stages are left out"
    try:
        patterns = propose(train).patterns
    except LinetuneError as error:
        new.reasons.append(f"no rule ({error.what}): {consequence}")
        return
    follows = Rule(patterns).matches
    covered = [sum(map(follows, texts)) for texts in (train, val)]
    number = "one pattern covers" if len(patterns) == 1 else f"{len(patterns)} patterns cover"
    of_val = f"{covered[1]} of {len(val)} validation labels"
    coverage = f"{number} {covered[0]} of {len(train)} training labels and {of_val}"
    if covered[0] < FOLLOWED * len(train) or covered[1] < FOLLOWED * len(val):
        new.reasons.append(f"no rule ({coverage}): {consequence}")
        return
    new.patterns = patterns
    new.reasons.append(f"rule: {coverage}: {shown(patterns)}")


def shown(patterns: Sequence[Pattern]) -> str:
    """Return patterns for people, in one line of at most :data:`SHOWN` characters."""
    text = "  ".join(each.pattern for each in patterns)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def drop_rule(new: Draft, reason: str) -> None:
    """Render no crops. The characters of the rule stay in the charset."""
    characters = Charset.collect([*new.texts, *alphabet(new.patterns)])
    of_labels = Charset.collect(new.texts)
    if new.charset is None and any(character not in of_labels for character in characters.characters):
        new.set_charset(characters)
        new.reasons.append(f"charset: {CHARSET}, since it has characters that only the rule has")
    new.patterns = []
    new.reasons.append(f"no crops are rendered, and their stages are left out: {reason}")


def alphabet(patterns: Sequence[Pattern]) -> tuple[str, ...]:
    """Return the characters that a rule can produce."""
    return Rule(patterns).alphabet if patterns else ()
