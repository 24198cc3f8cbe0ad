"""``linetune inspect``"""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from linetune.cli import options
from linetune.core.errors import LinetuneError


def inspect_(
    model: options.ModelArgument,
    as_json: options.JsonOption = False,
    settings: Annotated[
        bool, typer.Option("--settings", help="Print the run file that repeats the run of the model.")
    ] = False,
    quiet: options.QuietOption = False,
) -> None:
    """Show what a model file says: its network, its charset, its scores, and its origin.

    The origin is in every file that linetune has trained or exported: hashes of weights and data, settings,
    software and machine. It names files, but no folders.

    Example: linetune inspect mine/runs/first
    """
    from linetune.formats.inspection import inspect
    from linetune.report.inspection import inspection_lines
    from linetune.report.terminal import console, terminal
    from linetune.training.repeat import run_file

    if as_json and settings:
        hint = "leave one out; the JSON contains the settings"
        raise LinetuneError("not together with --json", "--settings", hint)
    with terminal(quiet) as reporter:
        inspection = inspect(model, partial(reporter.progress, "downloading weights"))
    if as_json:
        options.print_json(inspection.as_dict())
    elif settings:
        print(run_file(inspection.model), end="")
    else:
        out = console()
        for line in inspection_lines(inspection):
            out.print(line)
