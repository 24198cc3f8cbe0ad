"""A check's findings in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from linetune.core.charset import show
from linetune.data.check.checker import CheckResult
from linetune.data.check.clean import CHANGES, Change, Cleaned
from linetune.data.check.findings import KINDS, Finding, Severity

SHOWN = 5
"""Places of each kind that are named."""


def print_findings(out: Console, checked: CheckResult, shown: int = SHOWN) -> None:
    """Every kind with its count and first few places, errors first, notes last, and a line that sums up."""
    for severity in Severity:
        by_kind: dict[str, list[Finding]] = {}
        for finding in checked.of(severity):
            by_kind.setdefault(finding.kind, []).append(finding)
        for kind, findings in by_kind.items():
            out.print(f"{severity.value}: {KINDS[kind]}: {len(findings)} ({kind})")
            if kind == "charset":
                counts = (f"{show(character)} in {count}" for character, count in checked.outside.items())
                out.print(f"  {', '.join(counts)}")
            for finding in findings[:shown]:
                out.print(f"  {finding.as_error()}")
            if len(findings) > shown:
                out.print(f"  and {len(findings) - shown} more")
    errors, warnings = (len(checked.of(severity)) for severity in (Severity.error, Severity.warning))
    sizes = ", ".join(f"{split['lines']} {name}" for name, split in checked.figures.items())
    out.print(f"{_count(errors, 'error')}, {_count(warnings, 'warning')} in {sizes} lines")


def print_cleaned(out: Console, cleaned: Cleaned, shown: int = SHOWN) -> None:
    """What a cleaned copy leaves out and changes."""
    for what, changes in (("left out", cleaned.left_out), ("changed", cleaned.changed)):
        if changes:
            out.print(f"{what} {len(changes)}:")
            _print_some(out, changes, shown)
    sizes = ", ".join(f"{lines} {name}" for name, lines in cleaned.kept.items())
    out.print(f"wrote {cleaned.folder} with {sizes} lines; {CHANGES} has every change")


def _print_some(out: Console, changes: Sequence[Change], shown: int) -> None:
    for change in changes[:shown]:
        out.print(f"  {change.source}: {change.what}")
    if len(changes) > shown:
        out.print(f"  and {len(changes) - shown} more")


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
