"""A copy of a data set without what is wrong with it."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from linetune.core import atomic, image, labelfile
from linetune.core.errors import LinetuneError, os_errors
from linetune.core.labelfile import Line
from linetune.data.check.duplicates import Entry
from linetune.data.check.findings import Finding, Severity
from linetune.data.check.whole import Checked, room
from linetune.data.naming import Names

CROPS = "crops"
CHANGES = "changes.tsv"
_REPEATED = {"leak", "conflict", "duplicate"}
_JUDGED_AGAIN = {"charset", "frames"}
"""Errors of the text that may be gone once it is repaired."""


@dataclass(frozen=True, slots=True)
class Change:
    """What became of one line."""

    source: str
    what: str


@dataclass(frozen=True)
class Cleaned:
    """What a cleaned copy holds and what it does not."""

    folder: Path
    kept: dict[str, int]
    """Lines of each split."""
    left_out: list[Change]
    changed: list[Change]

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "folder": str(self.folder),
            "kept": self.kept,
            "left_out": [asdict(change) for change in self.left_out],
            "changed": [asdict(change) for change in self.changed],
        }


def write_clean(checked: Checked, folder: Path) -> Cleaned:
    """Copy labels and crops to a new folder, one label file a split; the original stays as it is.

    Left out are the lines with errors, of images that stand twice all but one (a held-out one rather than
    one to train on), and every copy of an image with different labels. Spaces at the ends, invisible
    characters, look-alikes and letters with their accents apart are mended, and crops turned by EXIF are
    stored upright. What else is found in a label stays: nobody knows what it should be.

    Raises:
        LinetuneError: the folder is there already or cannot be written, or nothing is left.
    """
    if folder.exists():
        raise LinetuneError("there is something already", folder, "name a new folder")
    left_out = _left_out(checked)
    kept: dict[str, list[tuple[str, str]]] = {}
    changed: list[Change] = []
    names = Names()
    with os_errors("cannot write", folder), atomic.folder_written(folder) as partial:
        (partial / CROPS).mkdir()
        for entry in checked.entries:
            if entry.line.source in left_out:
                continue
            text = checked.labels.suspects.repaired(entry.line.text)
            if reasons := list(_still_wrong(checked, entry, text)):
                left_out[entry.line.source] = reasons[0].message
                continue
            if text != entry.line.text:
                changed.append(Change(entry.line.source, f"{entry.line.text!a} became {text!a}"))
            name = _copy(entry, partial / CROPS, names, changed)
            kept.setdefault(entry.split.name, []).append((f"{CROPS}/{name}", text))
        if not kept:
            raise LinetuneError("nothing would be left", folder, "linetune check without --fix tells why")
        for split, pairs in kept.items():
            labelfile.write_labels(partial / f"{split}.txt", pairs)
        gone = [Change(source, why) for source, why in left_out.items()]
        atomic.write_text(partial / CHANGES, _told("left out", gone) + _told("changed", changed))
    return Cleaned(folder, {split: len(pairs) for split, pairs in kept.items()}, gone, changed)


def _left_out(checked: Checked) -> dict[str, str]:
    """By ``file:line``, why a line cannot stay."""
    reasons: dict[str, str] = {}
    for finding in checked.findings:
        unusable = finding.severity is Severity.error and finding.kind not in _JUDGED_AGAIN
        if unusable or finding.kind in _REPEATED:
            reasons.setdefault(finding.source, finding.message)
        if finding.kind == "conflict" and finding.other:
            # Nobody knows which label is right.
            reasons.setdefault(finding.other, f"other labels on the same image, as in {finding.source}")
    return reasons


def _still_wrong(checked: Checked, entry: Entry, text: str) -> Iterable[Finding]:
    line = Line(entry.line.image, text, entry.line.source)
    for finding in (
        *checked.labels.findings(line, entry.split.held_out),
        *room(entry, text, checked.labels),
    ):
        if finding.severity is Severity.error:
            yield finding


def _copy(entry: Entry, folder: Path, names: Names, changed: list[Change]) -> str:
    path = entry.line.image
    turned = entry.look is not None and entry.look.orientation != 1
    name = names.take(path.stem, ".png" if turned else path.suffix)
    if turned:
        image.write(folder / name, image.read(path))
        changed.append(Change(entry.line.source, "turned upright"))
    else:
        shutil.copyfile(path, folder / name)
    return name


def _told(what: str, changes: Iterable[Change]) -> str:
    return "".join(f"{what}\t{change.source}\t{change.what}\n" for change in changes)
