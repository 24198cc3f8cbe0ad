"""Find images that occur twice: in one split, in two splits, or with different labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from linetune.core.labelfile import Line
from linetune.data.check.characters import quote_both
from linetune.data.check.findings import Finding, Severity
from linetune.data.check.images import CropSummary
from linetune.data.check.labels import Split
from linetune.data.check.near import Pair, near_pairs


@dataclass(frozen=True, slots=True)
class CheckedLine:
    """A line, its split, and the summary of its crop. The summary is None for an unusable image."""

    split: Split
    line: Line
    crop: CropSummary | None


class Near(NamedTuple):
    """Two near-duplicates. The first is the one to keep."""

    first: CheckedLine
    second: CheckedLine
    turned: bool
    """Whether one of them is upside down."""


def same_content(lines: Sequence[CheckedLine]) -> list[list[CheckedLine]]:
    """Group the lines whose images have the same pixels. A group may have one line.

    The line to keep comes first: test before validation before training, then the order in the files.
    """
    groups: dict[bytes, list[CheckedLine]] = {}
    for line in sorted(lines, key=lambda line: line.split.rank):
        if line.crop:
            groups.setdefault(line.crop.digest, []).append(line)
    return list(groups.values())


def nearly_same(lines: Sequence[CheckedLine]) -> list[Near]:
    """Return the pairs of near-duplicates, the most similar first.

    Of equal images only one takes part. Blank images take no part, because they resemble everything.
    """
    unique = [(group[0], group[0].crop) for group in same_content(lines)]
    kept = [(line, crop) for line, crop in unique if crop and not crop.is_flat]
    if not kept:
        return []
    pairs: list[Pair] = near_pairs(
        np.array([crop.bits for _, crop in kept], np.uint64),
        np.array([crop.turned_bits for _, crop in kept], np.uint64),
        np.stack([crop.thumbnail for _, crop in kept]),
        np.array([crop.width / crop.height for _, crop in kept]),
    )
    return [Near(kept[pair.first][0], kept[pair.second][0], pair.turned) for pair in pairs]


def findings(lines: Sequence[CheckedLine], near: bool = True) -> Iterator[Finding]:
    """Yield the findings for each image that occurs a second time.

    Args:
        lines: the lines of all splits.
        near: compare the images for near-duplicates as well.
    """
    for first, *others in same_content(lines):
        for other in others:
            yield from _compare(first, other, f"the same image as {first.line.source}")
    reported: set[tuple[str, str]] = set()
    for first, other, turned in nearly_same(lines) if near else ():
        alike = f"nearly the same image as {first.line.source}{' upside down' if turned else ''}"
        for finding in _compare(first, other, alike, "near-"):
            # Of many near-duplicates, each is reported once, with its nearest.
            if (finding.kind, finding.source) not in reported:
                reported.add((finding.kind, finding.source))
                yield finding


def _compare(first: CheckedLine, second: CheckedLine, alike: str, near: str = "") -> Iterator[Finding]:
    """Yield the findings for one pair.

    Args:
        first: the line to keep.
        second: the other line, to which the findings belong.
        alike: how the second image resembles the first, for the messages.
        near: the beginning of the kinds, "near-" for near-duplicates.
    """
    a, b = first.line, second.line
    across = first.split is not second.split

    def finding(kind: str, severity: Severity, message: str, hint: str | None = None) -> Finding:
        return Finding(f"{near}{kind}", severity, b.source, message, hint, a.source)

    # Serial numbers in the same print differ in little more than a digit, and are no leak.
    if across and not (near and a.text != b.text):
        yield finding("leak", Severity.warning if near else Severity.error, alike, "remove one of the lines")
    if a.text != b.text:
        text, other = quote_both(b.text, a.text)
        exception = ", unless the crops differ where the labels differ" if near else ""
        hint = f"one of the labels is wrong{exception}"
        yield finding("conflict", Severity.warning, f"{alike}, but labelled {text} instead of {other}", hint)
    elif not across:
        yield finding("duplicate", Severity.warning, alike)
