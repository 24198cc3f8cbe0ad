"""``linetune learning-curve``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from linetune.cli import options
from linetune.core.errors import LinetuneError


def learning_curve(
    config: options.ConfigArgument,
    overrides: options.OverridesArgument = None,
    sizes: Annotated[
        str | None,
        typer.Option(
            metavar="NUMBERS",
            help="Numbers of training crops, such as 50,200,1000. All crops are added. The default is an "
            "eighth, a quarter and half of them.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Folder for the results. The default is the run folder plus -curve."
        ),
    ] = None,
    group_by: options.GroupByOption = None,
    overwrite: options.OverwriteOption = False,
    skip_bad: options.SkipBadOption = False,
    as_json: options.JsonOption = False,
    quiet: options.QuietOption = False,
) -> None:
    """Estimate how much more labelled crops would help.

    Trains the run on few of its training crops, on more, and on all, and prints and draws the exact match of
    each. If you interrupt it, the same command continues.

    Example: linetune learning-curve mine/linetune.yaml --sizes 50,200
    """
    from linetune.analysis.learning_curve import learning_curve as train_curve
    from linetune.config.load import load
    from linetune.report.curve import curve_table, write_curve_page, write_picture
    from linetune.report.terminal import console, terminal

    run = load(config, overrides or ())
    folder = output or run.output.with_name(f"{run.output.name}-curve")
    run = run.model_copy(update={"output": folder})
    again = "what is finished is kept; the same command does the rest"
    with options.stoppable(again), terminal(quiet) as reporter:
        curve = train_curve(run, _numbers(sizes), group_by, overwrite, skip_bad, reporter)
    picture, page = write_picture(curve), write_curve_page(curve)
    if as_json:
        options.print_json({**curve.as_dict(), "picture": str(picture), "page": str(page)})
        return
    out = console()
    out.print(curve_table(curve))
    if sentence := curve.sentence():
        out.print(sentence)
    out.print(f"picture  {picture}")
    out.print(f"page     {page}")


def _numbers(sizes: str | None) -> list[int]:
    try:
        return [int(size) for size in sizes.split(",")] if sizes else []
    except ValueError:
        raise LinetuneError(
            f"{sizes!r} is not a list of numbers", "--sizes", "write numbers such as 50,200,1000"
        ) from None
