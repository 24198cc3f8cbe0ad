"""``linetune from-paddle``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from linetune.cli import options
from linetune.core.errors import LinetuneError, os_errors
from linetune.core.outputs import refuse_existing


def from_paddle(
    configs: Annotated[
        list[Path],
        typer.Argument(
            metavar="CONFIGS...", help="PaddleOCR recognition configurations: one for each stage, in order."
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="The run file to write.")
    ] = Path("linetune.yaml"),
    root: Annotated[
        Path,
        typer.Option(metavar="DIR", help="The folder PaddleOCR ran in. Paths in CONFIGS are relative to it."),
    ] = Path(),
    repair: Annotated[
        bool,
        typer.Option(
            "--repair", help="Treat non-breaking and other unusual spaces in CONFIGS as plain ones."
        ),
    ] = False,
    overwrite: options.OverwriteOption = False,
) -> None:
    """Convert PaddleOCR configurations into one run file.

    Prints a note for every setting that means something else in linetune.

    Example: linetune from-paddle stage1.yml stage2.yml -o linetune.yaml
    """
    from linetune.core import atomic
    from linetune.paddle_config import convert

    refuse_existing(output, overwrite)
    if any(output.resolve() == path.resolve() for path in configs):
        raise LinetuneError("is also a file to read", output, "name another file with -o")
    conversion = convert(configs, output, root, repair)
    with os_errors("cannot write", output):
        output.parent.mkdir(parents=True, exist_ok=True)
        atomic.write_text(output, conversion.text)
    for note in conversion.notes:
        print(f"note: {note}")
    for path in conversion.missing:
        print(f"not found yet: {path}")
    print(f"wrote {output}, {len(configs)} {'stage' if len(configs) == 1 else 'stages'}")
    print(f"next: {options.shell_command('train', output)}")
