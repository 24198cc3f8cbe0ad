"""``linetune doctor``"""

from __future__ import annotations

import re
import textwrap

import typer

from linetune.cli import options

INDENT, WIDEST = 18, 100
"""Columns of the names, and of a line. A form for faults does not wrap lines."""


def doctor(as_json: options.JsonOption = False) -> None:
    """Show what this machine and this installation have, and what works: for questions and bug reports.

    Versions, processor, memory, GPUs, packages and missing extras, the cache, official weights and fonts. It
    needs no torch and no network. The exit code is 1 if something is broken that the installation needs. A
    missing extra is not.
    """
    from linetune.doctor import examine
    from linetune.report.terminal import console

    findings = examine()
    if as_json:
        options.print_json([finding.as_dict() for finding in findings])
    else:
        out = console()
        for finding in findings:
            mark = "BROKEN " if finding.broken else ""
            out.print(_wrapped(finding.name, f"{mark}{finding.text}", min(out.width, WIDEST)))
    if any(finding.broken for finding in findings):
        raise typer.Exit(1)


def _wrapped(name: str, text: str, width: int) -> str:
    """Return a name and its text in lines of a width, in columns. They break only after punctuation.

    A command to copy, and a package with its version, therefore stay whole.
    """
    whole = re.sub("(?<![,;:.]) ", "\xa0", text)
    lines = textwrap.wrap(
        whole,
        width,
        initial_indent=f"{name:<{INDENT}}",
        subsequent_indent=" " * INDENT,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "\n".join(lines).replace("\xa0", " ")
