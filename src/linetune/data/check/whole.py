"""A data set checked as a whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from linetune.core.charset import Charset
from linetune.core.errors import LinetuneError, many_errors
from linetune.data.check import duplicates, images, origins, statistics
from linetune.data.check.characters import Suspects
from linetune.data.check.duplicates import Entry
from linetune.data.check.findings import KINDS, Finding, Severity, error, warning
from linetune.data.check.images import Look
from linetune.data.check.labels import LabelChecks, Split, read_splits


@dataclass(frozen=True)
class Checked:
    """What a check found."""

    entries: list[Entry]
    """Every line that is a label, with its split and its image."""
    findings: list[Finding]
    """By kind, then as they stand in the files."""
    figures: dict[str, dict[str, Any]]
    """Of every split: lines, labels, lengths, characters, sizes."""
    labels: LabelChecks

    def of(self, severity: Severity) -> list[Finding]:
        """The errors, the warnings or the notes."""
        return [finding for finding in self.findings if finding.severity is severity]

    @property
    def outside(self) -> dict[str, int]:
        """Characters outside the charset and the labels that hold them, the most frequent first."""
        charset = self.labels.charset
        if charset is None:
            return {}
        counts = Counter(c for entry in self.entries for c in charset.missing(entry.line.text))
        return dict(counts.most_common())

    @property
    def refusal(self) -> LinetuneError | None:
        """What to raise before training on it: the first errors and their number; ``None`` without any."""
        errors = [finding.as_error() for finding in self.of(Severity.error)]
        what = f"error{'s' if len(errors) > 1 else ''} in the data"
        return many_errors(errors, what, hint="linetune check tells all") if errors else None

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "lines": sum(split["lines"] for split in self.figures.values()),
            "errors": len(self.of(Severity.error)),
            "warnings": len(self.of(Severity.warning)),
            "notes": len(self.of(Severity.note)),
            "kinds": dict(Counter(finding.kind for finding in self.findings)),
            "findings": [finding.as_dict() for finding in self.findings],
            "outside_charset": self.outside,
            "splits": self.figures,
        }


@dataclass(frozen=True)
class Expected:
    """What the labels of a data set have to be like."""

    charset: Charset | None = None
    """The characters that a model can output. None: those of the labels."""
    objection: Callable[[str], str | None] | None = None
    """Says how a text breaks the rule, a clause. It returns None for a text that follows the rule."""
    taught: Collection[str] = ()
    """Characters that rendered crops teach."""


def check(
    files: Mapping[str, Sequence[Path]],
    charset: Charset | None = None,
    objection: Callable[[str], str | None] | None = None,
    taught: Collection[str] = (),
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Checked:
    """Check every label and every image of a data set.

    Args:
        files: the label files of each split. A split whose name contains val or test is only scored.
        charset: the characters that a model can output. None: those of the labels.
        objection: says how a text breaks the rule, a clause. It returns None for a text that follows the
            rule.
        taught: characters that rendered crops teach.
        progress: called with the number of images checked so far, and of all.

    Raises:
        LinetuneError: a label file is missing, UTF-16 or empty, or two splits name it.
    """
    splits, unreadable = read_splits(files)
    paths = [line.image for split in splits for line in split.lines]
    looks = images.look_at_all(paths, lambda done: progress(done, len(paths)))
    return inspect(splits, unreadable, looks, Expected(charset, objection, taught))


def inspect(
    splits: Sequence[Split],
    unreadable: Iterable[Finding],
    looks: Iterable[Look | LinetuneError],
    expected: Expected | None = None,
    near: bool = True,
) -> Checked:
    """Check labels and images that were read before.

    Args:
        splits: the lines of each split.
        unreadable: a finding for each line that is no label.
        looks: what is kept of the crop of each line, in order, or why it cannot be decoded.
        expected: what the labels have to be like.
        near: compare all crops for near-duplicates.
    """
    expected = expected or Expected()
    found, charset = list(unreadable), expected.charset
    lines = [(split, line) for split in splits for line in split.lines]
    suspects = Suspects.among((line.text for _, line in lines), charset.characters if charset else ())
    labels = LabelChecks(suspects, charset, expected.objection)
    entries = []
    for (split, line), crop in zip(lines, looks, strict=True):
        found += labels.findings(line, split.held_out)
        if isinstance(crop, Look):
            entry = Entry(split, line, crop)
            found += images.findings(crop, line)
            found += room(entry, line.text, labels)
        else:
            entry = Entry(split, line, None)
            found.append(images.unusable(line, crop))
        entries.append(entry)
    found += duplicates.findings(entries, near)
    found += statistics.findings(splits, expected.taught)
    found += origins.findings_of_all([line for _, line in lines], labels.is_wanted)
    order = {kind: place for place, kind in enumerate(KINDS)}
    found.sort(key=lambda finding: order[finding.kind])
    return Checked(entries, found, statistics.figures(splits, entries), labels)


def room(entry: Entry, text: str, labels: LabelChecks) -> Iterator[Finding]:
    """Whether the crop has the frames that the text needs."""
    if entry.look is None:
        return
    need, source = labels.frames_needed(text), entry.line.source
    if need > entry.look.frames:
        message = f"{text!r} needs {need} frames, the crop has {entry.look.frames}"
        # Held-out lines are only read, for which frames always suffice.
        yield (warning if entry.split.held_out else error)("frames", source, message)
    elif need > entry.look.own_frames:
        message = f"{text!r} on {entry.look.width} x {entry.look.height} px: {entry.line.image}"
        yield warning("crowded", source, message)
