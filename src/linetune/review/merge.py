"""Journals of several people become one. Crops on which they disagree are left unsettled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from linetune.review.items import Item
from linetune.review.journal import Decision, Journal, Key, read_journal


@dataclass(frozen=True)
class Conflict:
    """A crop on which journals disagree."""

    key: Key
    decisions: Sequence[tuple[Path, Decision]]
    """What each journal says."""

    def __str__(self) -> str:
        said = "; ".join(f"{_shown(decision)} in {path}" for path, decision in self.decisions)
        return f"{self.key[0]}: {said}"


def merge(journal: Journal, others: Sequence[Path], items: Sequence[Item]) -> list[Conflict]:
    """Add the decisions of other journals to a journal. Return the crops on which they disagree.

    Such a crop is not settled afterwards. A person may settle it in the next review. This decision then
    counts, however often the same journals are merged.

    Args:
        journal: the journal of the review, which takes part.
        others: the other journals.
        items: the crops that decisions may be about.

    Raises:
        LinetuneError: a journal is damaged, or cannot be read or written.
    """
    read = [(path, read_journal(path).decisions) for path in others]
    conflicts: list[Conflict] = []
    for key in dict.fromkeys(item.key for item in items):
        own, reopened = journal.history.get(key), journal.history.was_reopened(key)
        if own and reopened:
            continue
        said = [(journal.path, own)] if own else []
        said += [(path, decisions[key]) for path, decisions in read if key in decisions]
        if len({decision for _, decision in said}) > 1:
            conflicts.append(Conflict(key, said))
            if not reopened:
                journal.reopen(key)
        elif said and own is None:
            journal.decide(key, said[0][1])
    return conflicts


def _shown(decision: Decision) -> str:
    text = "unusable" if decision.text is None else repr(decision.text)
    return f"{text} turned" if decision.turned else text
