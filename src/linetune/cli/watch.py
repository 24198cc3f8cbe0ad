"""``linetune watch``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from linetune.cli import options


def watch(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The run folder (output in the run file).")],
    quiet: options.QuietOption = False,
) -> None:
    """Show how far a run is that another process trains.

    Follows the journal in the run folder, and prints the results when the run ends. Ctrl-C ends the command,
    and not the run. If the run has stopped, the command says since when, and exits with code 1.

    Example: linetune watch mine/runs/first
    """
    from linetune.report.run import run_table
    from linetune.report.terminal import console, terminal
    from linetune.training.folder import resume_command
    from linetune.training.follow import follow, result_of, when, written

    try:
        with terminal(quiet) as reporter:
            state = follow(run, reporter)
    except KeyboardInterrupt:
        raise typer.Exit from None
    out, since = console(), when(written(run))
    if state == "stopped":
        out.print(f"the run has stopped: nothing was written since {since}, and no process trains it")
        out.print(f"continue with: {resume_command(run)}")
        raise typer.Exit(1)
    result = result_of(run)
    out.print(run_table(result))
    out.print(f"the run is complete since {since}")
    out.print(f"model  {result.model}")
