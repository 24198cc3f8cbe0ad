"""``linetune learning-curve``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from linetune.cli.options import OVERRIDES, JsonOption, SkipBadOption, print_json
from linetune.core.errors import LinetuneError


def learning_curve(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="The run's file.")],
    overrides: Annotated[
        list[str] | None,
        typer.Argument(metavar="KEY=VALUE", help=f"Such as stages.real.epochs=5; {OVERRIDES}"),
    ] = None,
    sizes: Annotated[
        str | None,
        typer.Option(help="Numbers of train crops, such as 50,200,1000; all of them come by themselves."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="The curve's folder; the run's with -curve after it by default."),
    ] = None,
    group_by: Annotated[
        str | None,
        typer.Option(
            metavar="PATTERN",
            help="Regular expression; what its first group finds in a file's name names the photo, and "
            "photos are drawn instead of crops.",
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace another curve in the same folder.")
    ] = False,
    skip_bad: SkipBadOption = False,
    as_json: JsonOption = False,
) -> None:
    """Say what more crops would give: the run on few of them, on more, on all; goes on if interrupted."""
    from linetune.analysis.learning_curve import learning_curve as run
    from linetune.config.load import load
    from linetune.report.curve import curve_table, write_picture
    from linetune.report.terminal import console, terminal

    settings = load(config, overrides or ())
    folder = output or settings.output.with_name(f"{settings.output.name}-curve")
    settings = settings.model_copy(update={"output": folder})
    with terminal() as reporter:
        curve = run(settings, _numbers(sizes), group_by, overwrite, skip_bad, reporter)
    picture = write_picture(curve)
    if as_json:
        print_json({**curve.as_dict(), "picture": str(picture)})
        return
    out = console()
    out.print(curve_table(curve))
    if sentence := curve.sentence():
        out.print(sentence)
    out.print(f"picture  {picture}")


def _numbers(sizes: str | None) -> list[int]:
    try:
        return [int(size) for size in sizes.split(",")] if sizes else []
    except ValueError:
        raise LinetuneError(f"{sizes!r} is no list of numbers", "--sizes", "write 50,200,1000") from None
