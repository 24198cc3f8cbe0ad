"""``linetune from-paddle``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from linetune.cli.options import OverwriteOption, command, refuse_existing
from linetune.core.errors import LinetuneError, os_errors


def from_paddle(
    configs: Annotated[
        list[Path],
        typer.Argument(
            metavar="CONFIGS...", help="PaddleOCR recognition configurations, one a stage, in order."
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write.")] = Path(
        "linetune.yaml"
    ),
    root: Annotated[
        Path, typer.Option(help="Folder that PaddleOCR ran in, which its paths are relative to.")
    ] = Path(),
    repair: Annotated[
        bool, typer.Option("--repair", help="Take non-breaking and other odd spaces for plain ones.")
    ] = False,
    overwrite: OverwriteOption = False,
) -> None:
    """Turn PaddleOCR configurations into one linetune.yaml, and tell what changes meaning."""
    from linetune.core import atomic
    from linetune.paddle_config import convert

    refuse_existing(output, overwrite)
    if any(output.resolve() == path.resolve() for path in configs):
        raise LinetuneError("this is a file to read, it is not replaced", output, "choose another -o")
    conversion = convert(configs, output, root, repair)
    with os_errors("cannot write", output):
        output.parent.mkdir(parents=True, exist_ok=True)
        atomic.write_text(output, conversion.text)
    for note in conversion.notes:
        print(f"note: {note}")
    for path in conversion.missing:
        print(f"not there yet: {path}")
    print(f"wrote {output}, {len(configs)} {'stage' if len(configs) == 1 else 'stages'}")
    print(f"next: {command('train', output)}")
