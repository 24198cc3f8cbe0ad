"""The findings of a check in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from linetune.core.charset import show
from linetune.core.errors import place
from linetune.data.check.checker import CheckResult
from linetune.data.check.clean import CHANGES, Cleaned
from linetune.data.check.findings import KINDS, Finding, Severity

SHOWN = 5
"""Findings of each kind that are shown."""


def print_findings(out: Console, checked: CheckResult) -> None:
    """Print each kind with its number and first findings: errors, warnings, notes, and then the totals."""
    for severity in Severity:
        by_kind: dict[str, list[Finding]] = {}
        for finding in checked.of(severity):
            by_kind.setdefault(finding.kind, []).append(finding)
        for kind, findings in by_kind.items():
            out.print(f"{severity.value}: {KINDS[kind]}: {len(findings)} ({kind})")
            if kind == "charset":
                counts = (f"{show(character)} in {count}" for character, count in checked.outside.items())
                out.print(f"  {', '.join(counts)}")
            _print_first(out, [str(finding.as_error()) for finding in findings])
    errors, warnings = (len(checked.of(severity)) for severity in (Severity.error, Severity.warning))
    sizes = ", ".join(f"{split['lines']} {name}" for name, split in checked.figures.items())
    out.print(f"{_number(errors, 'error')}, {_number(warnings, 'warning')} in {sizes} lines")


def print_cleaned(out: Console, cleaned: Cleaned) -> None:
    """Print what a cleaned copy leaves out and changes."""
    for what, changes in (("left out", cleaned.left_out), ("changed", cleaned.changed)):
        if changes:
            out.print(f"{what} {len(changes)}:")
            _print_first(out, [f"{place(change.source)}: {change.what}" for change in changes])
    sizes = ", ".join(f"{lines} {name}" for name, lines in cleaned.kept.items())
    out.print(f"wrote {cleaned.folder} with {sizes} lines; {CHANGES} lists every change")


def _print_first(out: Console, items: Sequence[str]) -> None:
    for item in items[:SHOWN]:
        out.print(f"  {item}")
    if len(items) > SHOWN:
        out.print(f"  and {len(items) - SHOWN} more")


def _number(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
