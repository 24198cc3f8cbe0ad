"""Check a complete data set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from linetune.core.aliases import NONE, Aliases
from linetune.core.charset import Charset
from linetune.core.errors import LinetuneError, place
from linetune.data.check import duplicates, images, origins, statistics
from linetune.data.check.characters import CharacterChecks
from linetune.data.check.duplicates import CheckedLine
from linetune.data.check.findings import KINDS, Finding, Severity, error, warning
from linetune.data.check.images import CropSummary
from linetune.data.check.labels import LabelChecks, Split, read_splits


@dataclass(frozen=True)
class Expected:
    """What the labels of a data set should be like."""

    charset: Charset | None = None
    """The characters that a model can output, or None if they are collected from the labels."""
    objection: Callable[[str], str | None] | None = None
    """Returns how a text breaks the rule, as a clause, or None if the text follows the rule."""
    taught: Collection[str] = ()
    """Characters that rendered crops teach."""
    aliases: Aliases = NONE
    """The characters that the model reads as others."""


@dataclass(frozen=True)
class CheckResult:
    """The findings and figures of a data set."""

    lines: list[CheckedLine]
    """All lines with a label."""
    findings: list[Finding]
    """Ordered by kind, then by place."""
    figures: dict[str, dict[str, Any]]
    """For each split: lines, labels, lengths, characters, sizes."""
    labels: LabelChecks

    def of(self, severity: Severity) -> list[Finding]:
        """Return the findings of one severity."""
        return [finding for finding in self.findings if finding.severity is severity]

    @property
    def outside(self) -> dict[str, int]:
        """Number of labels with each character outside the charset, the most frequent first."""
        charset = self.labels.charset
        if charset is None:
            return {}
        counts = Counter(c for checked in self.lines for c in charset.missing(checked.line.text))
        return dict(counts.most_common())

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "lines": sum(split["lines"] for split in self.figures.values()),
            **{f"{severity.value}s": len(self.of(severity)) for severity in Severity},
            "kinds": dict(Counter(finding.kind for finding in self.findings)),
            "findings": [finding.as_dict() for finding in self.findings],
            "outside_charset": self.outside,
            "splits": self.figures,
        }


def check(
    files: Mapping[str, Sequence[Path]],
    expected: Expected = Expected(),
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> CheckResult:
    """Check every label and every image of a data set.

    Args:
        files: the label files of each split. Splits with a name of validation or test are only scored.
        expected: what the labels should be like.
        progress: called with the number of images checked so far, and of all images.

    Raises:
        LinetuneError: a label file is missing, UTF-16 or empty, or is in two splits.
    """
    splits, bad_lines = read_splits(files)
    paths = [line.image for split in splits for line in split.lines]
    crops = images.summarise_all(paths, lambda done: progress(done, len(paths)))
    return inspect(splits, bad_lines, crops, expected)


def inspect(
    splits: Sequence[Split],
    bad_lines: Iterable[Finding],
    crops: Iterable[CropSummary | LinetuneError],
    expected: Expected = Expected(),
) -> CheckResult:
    """Check labels and images that were read before.

    Args:
        splits: the lines of each split.
        bad_lines: a finding for each line that is not a label.
        crops: the summary of each line's crop, in order, or the error of an unusable one.
        expected: what the labels should be like.
    """
    findings, charset = list(bad_lines), expected.charset
    lines = [(split, line) for split in splits for line in split.lines]
    characters = CharacterChecks.of((line.text for _, line in lines), charset.characters if charset else ())
    labels = LabelChecks(characters, charset, expected.objection, expected.aliases)
    checked = []
    for (split, line), crop in zip(lines, crops, strict=True):
        findings += labels.findings(line, split.held_out)
        if isinstance(crop, CropSummary):
            checked.append(CheckedLine(split, line, crop))
            findings += images.findings(crop, line)
            findings += frame_findings(checked[-1], line.text, labels)
        else:
            checked.append(CheckedLine(split, line, None))
            findings.append(images.unusable(line, crop))
    findings += duplicates.findings(checked)
    findings += statistics.findings(splits, expected.taught)
    findings += origins.findings_of_all([line for _, line in lines], labels.follows_rule, expected.aliases)
    order = {kind: place for place, kind in enumerate(KINDS)}
    findings.sort(key=lambda finding: order[finding.kind])
    return CheckResult(checked, findings, statistics.figures(splits, checked), labels)


def frame_findings(checked: CheckedLine, text: str, labels: LabelChecks) -> Iterator[Finding]:
    """Yield a finding if the crop has fewer CTC frames than the text needs."""
    crop, source = checked.crop, checked.line.source
    if crop is None:
        return
    need = labels.frames_needed(text)
    if need > crop.frames:
        message = f"{text!r} needs {need} frames, but the crop has only {crop.frames}"
        # A held-out line is only read, which needs no frame for each character.
        yield (warning if checked.split.held_out else error)("frames", source, message)
    elif need > crop.own_frames:
        message = f"the crop of {crop.width} x {crop.height} px is too narrow for {text!r}"
        yield warning("crowded", source, f"{message}: {place(checked.line.image)}")
