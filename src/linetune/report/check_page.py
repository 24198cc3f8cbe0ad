"""A page of what a check finds, with the pictures of the crops."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

from linetune.data.check.checker import CheckResult
from linetune.data.check.findings import KINDS, Finding
from linetune.report.page import Cell, Part, read_crop, write_page

SHOWN = 50
"""Findings of each kind that the page shows."""


def write_findings(path: Path, checked: CheckResult) -> None:
    """Write a page of all kinds of findings, with their first places. Replaces an existing file.

    Raises:
        LinetuneError: the file cannot be written.
    """
    images = {line.line.source: line.line.image for line in checked.lines}
    texts = {line.line.source: line.line.text for line in checked.lines}
    parts = []
    # They are ordered by kind.
    for kind, group in groupby(checked.findings, key=lambda finding: finding.kind):
        findings = list(group)
        severity = findings[0].severity.value
        more = f", the first {SHOWN} shown" if len(findings) > SHOWN else ""
        parts.append(
            Part(
                f"{KINDS[kind][0].upper()}{KINDS[kind][1:]}",
                f"{severity}: {len(findings)} ({kind}){more}",
                ("crop", "label", "finding", "where"),
                _rows(findings[:SHOWN], images, texts),
            )
        )
    sizes = ", ".join(f"{split['lines']} {name}" for name, split in checked.figures.items())
    intro = f"{len(checked.findings)} findings in {sizes} lines. linetune has changed no file."
    write_page(path, "Labels and crops", intro, parts)


def _rows(
    findings: Sequence[Finding], images: dict[str, Path], texts: dict[str, str]
) -> Iterator[list[Cell]]:
    for finding in findings:
        hint = f"; {finding.hint}" if finding.hint else ""
        places = [finding.source, *([finding.other] if finding.other else [])]
        for number, place in enumerate(places):
            crop = read_crop(images[place]) if place in images else None
            said = "" if number else f"{finding.message}{hint}"
            yield ["" if crop is None else crop, texts.get(place, ""), said, place]
