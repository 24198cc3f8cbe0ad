"""``linetune doctor``"""

from __future__ import annotations

import typer

from linetune.cli import options


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
        for finding in findings:
            mark = "BROKEN " if finding.broken else ""
            console().print(f"{finding.name:<18}{mark}{finding.text}")
    if any(finding.broken for finding in findings):
        raise typer.Exit(1)
