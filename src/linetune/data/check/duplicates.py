"""Find images that occur twice: in one split, in two splits, or with different labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from linetune.core.errors import LinetuneError, place
from linetune.core.labelfile import Line
from linetune.data.check.characters import quote_both
from linetune.data.check.findings import Finding, Severity
from linetune.data.check.images import CropSummary
from linetune.data.check.labels import Split
from linetune.data.check.near import near_pairs


@dataclass(frozen=True, slots=True)
class CheckedLine:
    """A line, its split, and the summary of its crop. The summary is None for an unusable image."""

    split: Split
    line: Line
    crop: CropSummary | None

    @classmethod
    def of(cls, split: Split, line: Line, found: CropSummary | LinetuneError) -> CheckedLine:
        """Return a line with what was found of its crop: its summary, or why it is unusable."""
        return cls(split, line, found if isinstance(found, CropSummary) else None)


def same_content(lines: Sequence[CheckedLine]) -> list[list[CheckedLine]]:
    """Group the lines whose images have the same pixels. A group may have one line.

    The line to keep comes first: test before validation before training, then the order in the files.
    """
    groups: dict[bytes, list[CheckedLine]] = {}
    for line in sorted(lines, key=lambda line: line.split.rank):
        if line.crop:
            groups.setdefault(line.crop.digest, []).append(line)
    return list(groups.values())


def nearly_same(lines: Sequence[CheckedLine]) -> list[tuple[CheckedLine, CheckedLine, bool]]:
    """Return the pairs of near-duplicates, the most similar first.

    Of equal images only one takes part. Blank images take no part, because they resemble everything.

    Returns:
        For each pair, the line to keep, the other line, and whether one of the two crops is upside down.
    """
    compared = [
        (group[0], crop.likeness, crop.width / crop.height)
        for group in same_content(lines)
        if (crop := group[0].crop) and crop.likeness and not crop.is_flat
    ]
    if not compared:
        return []
    kept, likenesses, shapes = zip(*compared, strict=True)
    pairs = near_pairs(likenesses, shapes)
    return [(kept[pair.first], kept[pair.second], pair.turned) for pair in pairs]


def doubles(lines: Sequence[CheckedLine]) -> Iterator[tuple[CheckedLine, CheckedLine, bool]]:
    """Yield the pairs of equal images, and then those of near-duplicates.

    Each pair has the line to keep, the other line, and whether the two images are only nearly the same.
    """
    for first, *others in same_content(lines):
        yield from ((first, other, False) for other in others)
    yield from ((first, other, True) for first, other, _ in nearly_same(lines))


def findings(lines: Sequence[CheckedLine]) -> Iterator[Finding]:
    """Yield the findings for each image that occurs a second time."""
    for first, *others in same_content(lines):
        for other in others:
            yield from _compare(first, other, f"the same image as {place(first.line.source)}")
    reported: set[tuple[str, str]] = set()
    for first, other, turned in nearly_same(lines):
        alike = f"nearly the same image as {place(first.line.source)}{' upside down' if turned else ''}"
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
