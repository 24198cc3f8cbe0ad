"""``linetune import``"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linetune.cli import options
from linetune.core import files
from linetune.data.importers import FORMATS

if TYPE_CHECKING:
    from linetune.data.importers.run import Imported

SHOWN = 20
"""Lines that were left out and are printed."""
FORMAT_LIST = "\n".join(["Formats:", *(f"{name:<13} {text}" for name, text in FORMATS.items())])
"""The end of the help."""

SourceArgument = Annotated[
    Path,
    typer.Argument(
        metavar="SOURCE",
        help=f"A label file, a database, or a folder that holds one. All images of a folder count, "
        f"{files.RULE}.",
    ),
]
ToOption = Annotated[Path, typer.Option("--to", metavar="DIR", help="Folder for labels.txt and images/.")]
FormatOption = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="NAME",
        help="Format of the source, one of those below. The default is to recognise it.",
    ),
]
ImagesOption = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR", help="Folder that image paths are relative to. The default is that of the label file."
    ),
]
PatternOption = Annotated[
    str | None,
    typer.Option(
        metavar="REGEX", help="For --format names: a regular expression whose group (?P<text>…) is the label."
    ),
]
UprightOption = Annotated[
    bool,
    typer.Option(
        "--upright",
        help="Take all texts in the photos as upright, even if the corners or the baseline of a box say "
        "otherwise.",
    ),
]
EncodingOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Encoding of the label files, such as cp949. UTF-8, UTF-16 and GBK are recognised.",
    ),
]
TextColumnOption = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Column or key of the label: its name, or its number from 1."),
]
ImageColumnOption = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Column or key of the image path: its name, or its number from 1."),
]
OverwriteOption = Annotated[
    bool, typer.Option("--overwrite", help="Replace what an earlier import wrote, and nothing else.")
]


def import_(
    source: SourceArgument,
    to: ToOption,
    form: FormatOption = None,
    images: ImagesOption = None,
    pattern: PatternOption = None,
    upright: UprightOption = False,
    encoding: EncodingOption = None,
    text_column: TextColumnOption = None,
    image_column: ImageColumnOption = None,
    overwrite: OverwriteOption = False,
    as_json: options.JsonOption = False,
    quiet: options.QuietOption = False,
) -> None:
    """Import labelled crops from the formats of other tools.

    Writes labels.txt and images/ to DIR, cuts boxes out of their photos, and prints what it leaves out and
    why. SOURCE is not changed.

    Example: linetune import Label.txt --to mine/crops
    """
    from linetune.data.importers.run import import_crops
    from linetune.data.importers.source import Options
    from linetune.report.terminal import terminal

    asked = Options(
        form=form,
        images=images,
        pattern=pattern,
        upright=upright,
        encoding=encoding,
        text_column=text_column,
        image_column=image_column,
    )
    with terminal(quiet) as reporter:
        result = import_crops(source, to, asked, overwrite, partial(reporter.progress, "importing"))
    if as_json:
        options.print_json(result.as_dict())
    else:
        _print(result, to)


def _print(result: Imported, to: Path) -> None:
    crops = "1 crop" if result.count == 1 else f"{result.count} crops"
    print(f"wrote {result.labels} with {crops} ({result.format}: {FORMATS[result.format]})")
    for note in result.notes:
        print(note)
    refused = result.refused
    if refused:
        more = f", the first {SHOWN} here and all in {to / 'import.json'}" if len(refused) > SHOWN else ""
        print(f"{len(refused)} left out{more}:")
    for error in refused[:SHOWN]:
        print(f"  {error}")
