"""The same image twice: within a split, between splits, or with different labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from linetune.core.labelfile import Line
from linetune.data.check.characters import told_apart
from linetune.data.check.findings import Finding, Severity
from linetune.data.check.images import Look
from linetune.data.check.labels import Split
from linetune.data.check.near import Pair, near_pairs


@dataclass(frozen=True, slots=True)
class Entry:
    """A label, its split, and its image unless that is unusable."""

    split: Split
    line: Line
    look: Look | None


class Near(NamedTuple):
    """Two images that are nearly equal, the one to keep in front."""

    first: Entry
    second: Entry
    turned: bool
    """Whether one of them stands on its head."""


def same_content(entries: Sequence[Entry]) -> list[list[Entry]]:
    """Groups with the very same pixels, single images included.

    The one to keep comes first: a held-out split's before a training split's, then the first in its file.
    """
    groups: dict[bytes, list[Entry]] = {}
    for entry in sorted(entries, key=lambda entry: entry.split.rank):
        if entry.look:
            groups.setdefault(entry.look.digest, []).append(entry)
    return list(groups.values())


def nearly_same(entries: Sequence[Entry]) -> list[Near]:
    """Pairs of images that are nearly equal, the most alike first.

    Of images with the same pixels, one takes part; what shows nothing is like everything and takes none.
    """
    seen = [(group[0], group[0].look) for group in same_content(entries)]
    kept = [(entry, look) for entry, look in seen if look and not look.is_flat]
    if not kept:
        return []
    pairs: list[Pair] = near_pairs(
        np.array([look.bits for _, look in kept], np.uint64),
        np.array([look.turned_bits for _, look in kept], np.uint64),
        np.stack([look.thumbnail for _, look in kept]),
        np.array([look.width / look.height for _, look in kept]),
    )
    return [Near(kept[pair.first][0], kept[pair.second][0], pair.turned) for pair in pairs]


def findings(entries: Sequence[Entry], near: bool = True) -> Iterator[Finding]:
    """Yield a finding for every image that occurs a second time, and with ``near`` for every
    near-duplicate."""
    for first, *others in same_content(entries):
        for other in others:
            yield from _told(first, other)
    told: set[tuple[str, str]] = set()
    for first, other, turned in nearly_same(entries) if near else ():
        turn = " turned upside down" if turned else ""
        for finding in _told(first, other, "near-", turn):
            # Of a dozen alike, every one is told once, with its nearest.
            if (finding.kind, finding.source) not in told:
                told.add((finding.kind, finding.source))
                yield finding


def _told(first: Entry, second: Entry, near: str = "", turn: str = "") -> Iterator[Finding]:
    a, b = first.line, second.line
    like = f"{'nearly ' if near else ''}the image of {a.source}{turn}"
    across = first.split is not second.split
    found = []
    # Running numbers in one print differ in little more than a digit.
    if across and not (near and a.text != b.text):
        severity = Severity.warning if near else Severity.error
        found.append((f"{near}leak", severity, like, "leave one of them out"))
    if a.text != b.text:
        text, other = told_apart(b.text, a.text)
        message = f"{text} on {like}, which has {other}"
        hint = "one of the labels is wrong" + (
            ", unless the crops differ where the labels do" if near else ""
        )
        found.append((f"{near}conflict", Severity.warning, message, hint))
    elif not across:
        found.append((f"{near}duplicate", Severity.warning, like, ""))
    for kind, severity, message, hint in found:
        yield Finding(kind, severity, b.source, message, hint or None, a.source)
