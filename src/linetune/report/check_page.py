"""A page of what a check finds, with the pictures of the crops."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

from linetune.data.check.checker import CheckResult
from linetune.data.check.findings import KINDS, Finding, Severity
from linetune.report.page import Cell, Part, read_crop, write_page
from linetune.report.words import Words

SHOWN = 50
"""Findings of each kind that the page shows."""


def write_findings(path: Path, checked: CheckResult, say: Words) -> None:
    """Write a page of all kinds of findings, with their first places. Replaces an existing file.

    The page is in the language of ``say``, except for what a finding says of its line. That is as in the
    terminal.

    Raises:
        LinetuneError: the file cannot be written.
    """
    images = {line.line.source: line.line.image for line in checked.lines}
    texts = {line.line.source: line.line.text for line in checked.lines}
    parts = []
    # They are ordered by kind.
    for kind, group in groupby(checked.findings, key=lambda finding: finding.kind):
        findings = list(group)
        heading = say(KINDS[kind])
        number = {"findings": len(findings), "kind": kind}
        text = {
            Severity.error: say("error: {findings} ({kind})", **number),
            Severity.warning: say("warning: {findings} ({kind})", **number),
            Severity.note: say("note: {findings} ({kind})", **number),
        }[findings[0].severity]
        more = say(", the first {shown} shown", shown=SHOWN) if len(findings) > SHOWN else ""
        columns = say("crop"), say("label"), say("finding"), say("where")
        rows = _rows(findings[:SHOWN], images, texts)
        parts.append(Part(f"{heading[0].upper()}{heading[1:]}", f"{text}{more}", columns, rows))
    sizes = (
        say("{lines} {split}", lines=split["lines"], split=name) for name, split in checked.figures.items()
    )
    intro = say(
        "{findings} findings in {sizes} lines. linetune has changed no file.",
        findings=len(checked.findings),
        sizes=say(", ").join(sizes),
    )
    write_page(path, say("Labels and crops"), intro, parts, say)


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
