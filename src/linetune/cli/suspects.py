"""``linetune suspects``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from linetune.cli.options import OVERRIDES, JsonOption, SkipBadOption, print_json, refuse_existing

SHOWN = 20


def suspects(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="The run's file.")],
    overrides: Annotated[
        list[str] | None,
        typer.Argument(metavar="KEY=VALUE", help=f"Such as data.train=more.txt; {OVERRIDES}"),
    ] = None,
    output: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder for suspects.html and suspects.txt.")
    ] = Path("suspects"),
    top: Annotated[int, typer.Option(min=1, help="List at most so many.")] = 200,
    folds: Annotated[int, typer.Option(min=2, help="Parts that the crops are divided into.")] = 3,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="Base model, instead of the run's own; one trained on these labels may know them by heart.",
        ),
    ] = None,
    group_by: Annotated[
        str | None,
        typer.Option(
            metavar="PATTERN",
            help="Regular expression; what its first group finds in a file's name names the photo, whose "
            "crops stay in one part.",
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an earlier list in the same folder.")
    ] = False,
    skip_bad: SkipBadOption = False,
    as_json: JsonOption = False,
) -> None:
    """List train labels that a model disputes which was trained on the others; changes none."""
    from linetune.analysis.suspects import find_suspects
    from linetune.config.load import load
    from linetune.report.suspects import LIST, PAGE, summary, suspects_table, write_suspects
    from linetune.report.terminal import console, terminal

    settings = load(config, overrides or ())
    for name in (PAGE, LIST):
        refuse_existing(output / name, overwrite)
    with terminal() as reporter:
        found = find_suspects(settings, folds, model, group_by, skip_bad, reporter)
    page, listed = write_suspects(output, found, top)
    if as_json:
        figures = {"page": str(page), "list": str(listed), "lines": found.lines, "agreed": found.agreed}
        figures |= {"unjudged": found.unjudged, "cannot_tell": found.doubt}
        disputed = [
            {
                "source": each.line.source,
                "image": str(each.line.image),
                "text": each.line.text,
                "read": each.read,
                "score": each.score,
            }
            for each in found.disputed
        ]
        print_json({**figures, "skipped": found.skipped, "disputed": disputed})
        return
    out = console()
    if found.disputed:
        out.print(suspects_table(found, SHOWN))
    out.print(summary(found, min(SHOWN, top)))
    out.print(f"pictures  {page}")
    out.print(f"list      {listed}")
