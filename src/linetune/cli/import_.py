"""``linetune import``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from linetune.cli.options import JsonOption, print_json
from linetune.core import files
from linetune.data.importers import FORMATS

SHOWN = 20


def import_(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="SOURCE",
            help=f"A label file, a store, or a folder of one. Of a folder's images all count, {files.RULE}.",
        ),
    ],
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="Folder for labels.txt and images/.")],
    form: Annotated[
        str | None,
        typer.Option("--format", metavar="NAME", help=f"Recognised by itself; {', '.join(FORMATS)}."),
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where image paths start; at the label file by default."),
    ] = None,
    pattern: Annotated[
        str | None,
        typer.Option(metavar="REGEX", help="What of a file's name is its label: a group (?P<text>…)."),
    ] = None,
    upright: Annotated[
        bool,
        typer.Option("--upright", help="Boxes start at their own top left, whatever their first corner is."),
    ] = False,
    encoding: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Of label files, such as cp949; UTF-8, UTF-16 and GBK by itself."),
    ] = None,
    text_column: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Column or key of the text, or its number from 1."),
    ] = None,
    image_column: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Column or key of the image path, or its number from 1."),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace what an earlier import wrote in DIR.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Bring in labelled crops of other tools' formats; says what was left out and why."""
    from linetune.data.importers.run import import_crops
    from linetune.data.importers.source import Options
    from linetune.report.terminal import terminal

    options = Options(
        form=form,
        images=images,
        pattern=pattern,
        upright=upright,
        encoding=encoding,
        text_column=text_column,
        image_column=image_column,
    )
    with terminal() as reporter:
        result = import_crops(
            source,
            to,
            options,
            overwrite,
            lambda done, total: reporter.progress("importing", done, total),
        )
    if as_json:
        print_json(result.as_dict())
        return
    crops = "1 crop" if result.count == 1 else f"{result.count} crops"
    print(f"wrote {result.labels} with {crops} ({result.format}: {FORMATS[result.format]})")
    for note in result.notes:
        print(note)
    if result.refused:
        more = (
            f", the first {SHOWN} here and all in {to / 'import.json'}" if len(result.refused) > SHOWN else ""
        )
        print(f"{len(result.refused)} left out{more}:")
    for error in result.refused[:SHOWN]:
        print(f"  {error}")
