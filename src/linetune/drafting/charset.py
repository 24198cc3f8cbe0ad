"""The charset of a draft: the characters of the labels and the rule, and others that can occur."""

from __future__ import annotations

from collections.abc import Callable

from linetune.core.charset import Charset
from linetune.data.split import TRAIN
from linetune.drafting.decisions import CHARSET, Draft
from linetune.drafting.rule import alphabet, shown
from linetune.rules.series import Gap, gaps, widened

Ask = Callable[[str, bool], bool]
"""Asks a yes-or-no question that has a default answer."""


def set_charset(new: Draft, also: str | None, ask: Ask | None) -> None:
    """Decide on the charset.

    Args:
        new: the draft. Its rule is extended by the characters that are added.
        also: characters that can occur, besides those of the labels and the rule. None means: find out.
        ask: asks whether characters can occur that the labels lack. None if nobody answers.
    """
    auto = Charset.collect([*(line.text for line in new.splits[TRAIN]), *alphabet(new.patterns)])
    known = Charset.collect([*auto.characters, *new.texts])
    charset = Charset.collect([*known.characters, *(_missing(new, known, ask) if also is None else also)])
    added = [character for character in charset.characters if character not in auto]
    if not added:
        new.reasons.append(f"charset: auto, the {len(auto)} characters of the labels and the rule")
        return
    new.set_charset(charset)
    new.reasons.append(
        f"charset: {CHARSET}, the {len(auto)} of the training labels and the rule, and {' '.join(added)}"
    )
    patterns = [p.model_copy(update={"pattern": widened(p.pattern, added)}) for p in new.patterns]
    if patterns != new.patterns:
        # A character that is never rendered is never learned.
        too = "the patterns get these characters too, and linetune renders them"
        new.reasons.append(f"rule: {too}: {shown(patterns)}")
        new.patterns = patterns


def _missing(new: Draft, known: Charset, ask: Ask | None) -> list[str]:
    """Return the characters of incomplete series that can occur, by answer or by default."""
    taken = list[str]()
    for gap in gaps(new.texts, known.characters):
        taken += _answered(gap, ask) if ask else gap.missing
        if left_out := [character for character in gap.missing + gap.avoided if character not in taken]:
            reason = "as you said" if ask else "since they look like digits and no label has them"
            names = " ".join(left_out)
            new.reasons.append(f"left out of the {gap.series}: {names}, {reason}; --also adds them")
    return taken


def _answered(gap: Gap, ask: Ask) -> str:
    taken = ""
    question = f"The labels have no {{}} of the {gap.series}. Can they occur?"
    for characters, likely in ((gap.missing, True), (gap.avoided, False)):
        if characters and ask(question.format(" ".join(characters)), likely):
            taken += characters
    return taken
