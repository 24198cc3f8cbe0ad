"""Write a cleaned copy of a data set."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from linetune.core import atomic, image, labelfile
from linetune.core.errors import LinetuneError, os_errors
from linetune.core.labelfile import Line
from linetune.data.check.checker import CheckResult, frame_findings
from linetune.data.check.duplicates import CheckedLine
from linetune.data.check.findings import Finding, Severity
from linetune.data.naming import Names

CROPS = "crops"
CHANGES = "changes.tsv"
_REPEATED = {"leak", "conflict", "duplicate"}
_JUDGED_AGAIN = {"charset", "frames"}
"""Kinds of errors that a repair of the text may remove."""


@dataclass(frozen=True, slots=True)
class Change:
    """One line that the copy leaves out or changes."""

    source: str
    what: str


@dataclass(frozen=True)
class Cleaned:
    """What a cleaned copy contains, leaves out and changes."""

    folder: Path
    kept: dict[str, int]
    """Number of lines in each split."""
    left_out: list[Change]
    changed: list[Change]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self) | {"folder": str(self.folder)}


def write_clean(result: CheckResult, folder: Path) -> Cleaned:
    """Copy labels and crops to a new folder, with one label file for each split.

    The original does not change. The copy leaves out lines with errors. Of equal images it keeps one, in a
    held-out split if possible, and none if their labels differ. It repairs spaces at the ends of labels,
    invisible characters, look-alikes and accents as separate characters. It stores images upright if their
    EXIF orientation rotates them. Other findings stay, because nobody knows the correct label.

    Raises:
        LinetuneError: the folder exists already or cannot be written, or no line is left.
    """
    if folder.exists():
        raise LinetuneError("already exists", folder, "choose a new folder")
    left_out = _left_out(result)
    kept: dict[str, list[tuple[str, str]]] = {}
    changed: list[Change] = []
    names = Names()
    with os_errors("cannot write", folder), atomic.folder_written(folder) as partial:
        (partial / CROPS).mkdir()
        for checked in result.lines:
            line = checked.line
            if line.source in left_out:
                continue
            text = result.labels.characters.repaired(line.text)
            if error := next(_remaining_errors(result, checked, text), None):
                left_out[line.source] = error.message
                continue
            if text != line.text:
                changed.append(Change(line.source, f"{line.text!a} became {text!a}"))
            name = _copy(checked, partial / CROPS, names, changed)
            kept.setdefault(checked.split.name, []).append((f"{CROPS}/{name}", text))
        if not kept:
            raise LinetuneError(
                "the copy would have no lines", folder, "linetune check without --fix says why"
            )
        for split, pairs in kept.items():
            labelfile.write_labels(partial / f"{split}.txt", pairs)
        gone = [Change(source, why) for source, why in left_out.items()]
        atomic.write_text(partial / CHANGES, _rows("left out", gone) + _rows("changed", changed))
    return Cleaned(folder, {split: len(pairs) for split, pairs in kept.items()}, gone, changed)


def _left_out(result: CheckResult) -> dict[str, str]:
    """Return by ``file:line`` why the copy leaves a line out."""
    reasons: dict[str, str] = {}
    for finding in result.findings:
        unusable = finding.severity is Severity.error and finding.kind not in _JUDGED_AGAIN
        if unusable or finding.kind in _REPEATED:
            reasons.setdefault(finding.source, finding.message)
        if finding.kind == "conflict" and finding.other:
            # Nobody knows which label is right.
            reasons.setdefault(finding.other, f"the same image has another label in {finding.source}")
    return reasons


def _remaining_errors(result: CheckResult, checked: CheckedLine, text: str) -> Iterator[Finding]:
    """Yield the errors that a line still has with its repaired text."""
    line = Line(checked.line.image, text, checked.line.source)
    for finding in (
        *result.labels.findings(line, checked.split.held_out),
        *frame_findings(checked, text, result.labels),
    ):
        if finding.severity is Severity.error:
            yield finding


def _copy(checked: CheckedLine, folder: Path, names: Names, changed: list[Change]) -> str:
    """Copy a crop, upright, and return its new name."""
    path = checked.line.image
    turned = checked.crop is not None and checked.crop.orientation != 1
    name = names.take(path.stem, ".png" if turned else path.suffix)
    if turned:
        image.write(folder / name, image.read(path))
        changed.append(Change(checked.line.source, "rotated upright"))
    else:
        shutil.copyfile(path, folder / name)
    return name


def _rows(what: str, changes: Iterable[Change]) -> str:
    return "".join(f"{what}\t{change.source}\t{change.what}\n" for change in changes)
