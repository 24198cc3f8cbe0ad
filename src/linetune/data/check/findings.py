"""What a check finds: one finding a place, of a kind that can be counted."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from linetune.core.errors import LinetuneError


class Severity(str, Enum):
    """An error makes a line unusable or a figure untrue; a warning may be meant; a note only tells."""

    error = "error"
    warning = "warning"
    note = "note"


KINDS = {
    "encoding": "lines that are not UTF-8",
    "no-tab": "lines without a tab between path and text",
    "no-path": "lines without an image path",
    "empty-label": "labels without a text",
    "third-column": "lines with more columns than path and text",
    "carriage-return": "lines with a carriage return inside",
    "missing-image": "images that are not there",
    "empty-image": "image files without content",
    "truncated": "image files that end too early",
    "unreadable-image": "images that cannot be decoded",
    "too-long": "crops too long to be read",
    "charset": "labels with characters outside the charset",
    "frames": "labels with more characters than the crop has frames",
    "leak": "images that stand in two splits",
    "conflict": "one image with different labels",
    "duplicate": "images that stand twice in a split",
    "near-leak": "images nearly equal to one in another split",
    "near-conflict": "images nearly equal, with different labels",
    "near-duplicate": "images nearly equal to another in their split",
    "edge-space": "labels with a space at an end",
    "double-space": "labels with two spaces in a row",
    "invisible": "labels with characters nobody can see",
    "lookalike": "labels with characters that look like others",
    "mixed": "characters that look the same and stand in the labels in both their forms",
    "decomposed": "labels with accents written apart from their letters",
    "garbled": "labels with characters that stand for none",
    "json": "labels that look like JSON",
    "missing-value": "labels that say that there is no value",
    "exponent": "labels that a spreadsheet has shortened",
    "decimals": "labels that all end in .0",
    "confidence": "labels that all begin or end with a number from 0 to 1",
    "illegible": "labels that say that nobody can read the crop",
    "escaped": "labels with escaped characters",
    "quoted": "labels that all stand in double quotes",
    "order": "labels that right-to-left readings cannot tell from another text",
    "rule": "labels that break the sequence rule",
    "rotated": "images turned by their EXIF orientation",
    "blank": "crops that show nothing",
    "tiny": "crops too small to be read well",
    "aspect": "crops of extreme shape",
    "two-lines": "crops that seem to hold two lines of text",
    "crowded": "labels too long for the width of their crop",
    "unseen-character": "held-out characters that no training label has",
    "rare-character": "characters in hardly any training label",
    "unseen-length": "held-out labels longer than every training label",
    "rare-length": "lengths of hardly any training label",
    "frequent-label": "labels that make up much of the training lines",
    "constant-label": "training lines that all have the same label",
    "script": "labels written from right to left",
}
"""Every kind and what it counts, in the order in which findings are told."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, where it stands, and the way out."""

    kind: str
    severity: Severity
    source: str
    """``file:line`` of the label."""
    message: str
    hint: str | None = None
    other: str | None = None
    """``file:line`` of the line that this one is like, for findings about two lines."""

    def as_dict(self) -> dict[str, str | None]:
        """Plain values, for JSON."""
        return {
            "kind": self.kind,
            "severity": self.severity.value,
            "source": self.source,
            "message": self.message,
            "hint": self.hint,
            "other": self.other,
        }

    def as_error(self) -> LinetuneError:
        """The finding as an error to raise."""
        return LinetuneError(self.message, self.source, self.hint)


def error(kind: str, source: str, message: str, hint: str | None = None) -> Finding:
    """What makes a line unusable."""
    return Finding(kind, Severity.error, source, message, hint)


def warning(kind: str, source: str, message: str, hint: str | None = None) -> Finding:
    """What a person should look at."""
    return Finding(kind, Severity.warning, source, message, hint)


def note(kind: str, source: str, message: str) -> Finding:
    """What is done about the data, and needs no change."""
    return Finding(kind, Severity.note, source, message)
