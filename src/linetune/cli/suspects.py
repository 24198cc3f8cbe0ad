"""``linetune suspects``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from linetune.cli import options
from linetune.core.outputs import refuse_existing

SHOWN = 20
"""Suspects that are printed."""


def suspects(
    config: options.ConfigArgument,
    overrides: options.OverridesArgument = None,
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
    group_by: options.GroupByOption = None,
    lang: options.LanguageOption = None,
    overwrite: options.OverwriteOption = False,
    skip_bad: options.SkipBadOption = False,
    as_json: options.JsonOption = False,
    quiet: options.QuietOption = False,
) -> None:
    """List training labels that a model trained on the other folds disagrees with.

    These labels may be wrong. Writes a page with their pictures, for a person to decide. Label files are not
    changed.

    Example: linetune suspects mine/linetune.yaml --output suspects
    """
    from linetune.analysis.suspects import find_suspects
    from linetune.config.load import load
    from linetune.report import suspects as report
    from linetune.report.terminal import console, terminal
    from linetune.report.words import Words, words

    run = load(config, overrides or ())
    for name in (report.PAGE, report.LIST):
        refuse_existing(output / name, overwrite)
    with terminal(quiet) as reporter:
        found = find_suspects(run, folds, model, group_by, skip_bad, reporter)
    page, listed = report.write_suspects(output, found, top, words(lang))
    if as_json:
        options.print_json({"page": str(page), "list": str(listed), **report.suspects_dict(found)})
        return
    out = console()
    if found.disputed:
        out.print(report.suspects_table(found, SHOWN))
    out.print(report.summary(found, min(SHOWN, top), Words()))
    out.print(f"pictures  {page}")
    out.print(f"list      {listed}")
