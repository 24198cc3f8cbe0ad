"""``linetune suspects``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from linetune.cli.options import (
    ConfigArgument,
    GroupByOption,
    JsonOption,
    OverridesArgument,
    OverwriteOption,
    SkipBadOption,
    print_json,
)
from linetune.core.outputs import refuse_existing

SHOWN = 20
"""Suspects that are printed."""


def suspects(
    config: ConfigArgument,
    overrides: OverridesArgument = None,
    output: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder for suspects.html and suspects.txt.")
    ] = Path("suspects"),
    top: Annotated[int, typer.Option(metavar="NUMBER", min=1, help="Suspects to list at most.")] = 200,
    folds: Annotated[
        int, typer.Option(metavar="NUMBER", min=2, help="Number of cross-validation folds.")
    ] = 3,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="The base model, instead of that of the run file. It should not have been trained on these "
            "labels: it could have learnt the wrong ones.",
        ),
    ] = None,
    group_by: GroupByOption = None,
    overwrite: OverwriteOption = False,
    skip_bad: SkipBadOption = False,
    as_json: JsonOption = False,
) -> None:
    """List training labels that a model trained on the other folds disagrees with.

    These labels may be wrong. Writes a page with their pictures, for a person to decide. Label files are not
    changed.

    Example: linetune suspects mine/linetune.yaml --output suspects
    """
    from linetune.analysis.suspects import find_suspects
    from linetune.config.load import load
    from linetune.report.suspects import (
        LIST,
        PAGE,
        summary,
        suspects_dict,
        suspects_table,
        write_suspects,
    )
    from linetune.report.terminal import console, terminal

    run = load(config, overrides or ())
    for name in (PAGE, LIST):
        refuse_existing(output / name, overwrite)
    with terminal() as reporter:
        found = find_suspects(run, folds, model, group_by, skip_bad, reporter)
    page, listed = write_suspects(output, found, top)
    if as_json:
        print_json({"page": str(page), "list": str(listed), **suspects_dict(found)})
        return
    out = console()
    if found.disputed:
        out.print(suspects_table(found, SHOWN))
    out.print(summary(found, min(SHOWN, top)))
    out.print(f"pictures  {page}")
    out.print(f"list      {listed}")
