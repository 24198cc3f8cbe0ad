"""``linetune models``"""

from __future__ import annotations

from typing import Annotated

import typer

from linetune.cli import options


def models(
    speed: Annotated[
        bool,
        typer.Option(help="Measure on this machine how long each model takes for one crop."),
    ] = False,
    as_json: options.JsonOption = False,
) -> None:
    """List the official models with their sizes and where their weights are on this machine.

    Each name can be the base_model of a run file and the MODEL of a command.
    """
    from linetune.formats.catalogue import catalogue
    from linetune.report.tables import models_table
    from linetune.report.terminal import console

    entries = list(catalogue(speed))
    if as_json:
        options.print_json([entry.as_dict() for entry in entries])
    else:
        console().print(models_table(entries))
