"""The findings of a check, and their kinds."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import Enum

from linetune.core.errors import LinetuneError


class Severity(str, Enum):
    """How serious a finding is.

    An error makes a line unusable or a score wrong. A warning may be intended. A note only informs.
    """

    error = "error"
    warning = "warning"
    note = "note"


KINDS = {
    "encoding": "lines that are not UTF-8",
    "no-tab": "lines without a tab between path and text",
    "no-path": "lines without an image path",
    "empty-label": "labels without visible text",
    "third-column": "lines with more columns than path and text",
    "carriage-return": "lines with a carriage return inside",
    "missing-image": "images that do not exist",
    "empty-image": "empty image files",
    "truncated": "incomplete image files",
    "unreadable-image": "images that cannot be decoded",
    "too-long": "crops too long to be read",
    "charset": "labels with characters outside the charset",
    "alias": "labels with characters that read_as reads as others",
    "frames": "labels that need more frames than their crop has",
    "leak": "images that are in two splits",
    "conflict": "equal images with different labels",
    "duplicate": "images that are in one split twice",
    "near-leak": "near-duplicates in different splits",
    "near-conflict": "near-duplicates with different labels",
    "near-duplicate": "near-duplicates in one split",
    "edge-space": "labels with a space at an end",
    "double-space": "labels with two spaces in a row",
    "invisible": "labels with invisible characters",
    "lookalike": "labels with characters that look like others",
    "mixed": "characters that look the same but are different in different labels",
    "decomposed": "labels with accents as separate characters",
    "garbled": "labels with broken characters",
    "json": "labels that look like JSON",
    "missing-value": "labels that mean 'no value'",
    "exponent": "numbers that a spreadsheet has shortened",
    "decimals": "labels that all end in .0",
    "confidence": "labels that all begin or end with a number from 0 to 1",
    "illegible": "labels that mark a crop as illegible",
    "escaped": "labels with escaped characters",
    "quoted": "labels that are all in double quotes",
    "order": "right-to-left labels in the wrong or an ambiguous order",
    "rule": "labels that break the sequence rule",
    "rotated": "images that their EXIF orientation rotates",
    "blank": "crops that show nothing",
    "tiny": "crops too small to be read well",
    "photo": "images that look like whole photos",
    "aspect": "crops with an unusual shape",
    "two-lines": "crops that seem to hold two lines of text",
    "crowded": "labels that are too long for the width of their crop",
    "unseen-character": "held-out characters that no training label has",
    "rare-character": "characters that hardly any training label has",
    "unseen-length": "held-out labels longer than every training label",
    "rare-length": "lengths that hardly any training label has",
    "frequent-label": "labels of many training lines",
    "constant-label": "training lines that all have the same label",
    "script": "labels written from right to left",
    "one-case": "labels with letters of one case only",
}
"""What the findings of each kind are, for the terminal. Findings are reported in this order."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem, its place, and how to fix it."""

    kind: str
    severity: Severity
    source: str
    """``file:line`` of the label."""
    message: str
    hint: str | None = None
    other: str | None = None
    """``file:line`` of the other line, for findings about two lines."""

    def as_dict(self) -> dict[str, str | None]:
        """Return plain values for JSON."""
        return asdict(self) | {"severity": self.severity.value}

    def as_error(self) -> LinetuneError:
        """Return the finding as an error to raise."""
        return LinetuneError(self.message, self.source, self.hint)


def error(kind: str, source: str, message: str, hint: str | None = None) -> Finding:
    """Return a finding that makes a line unusable."""
    return Finding(kind, Severity.error, source, message, hint)


def warning(kind: str, source: str, message: str, hint: str | None = None) -> Finding:
    """Return a finding that a person should look at."""
    return Finding(kind, Severity.warning, source, message, hint)
