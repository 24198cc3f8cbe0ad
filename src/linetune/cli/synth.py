"""``linetune synth``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from linetune.cli.options import OVERRIDES, refuse_existing
from linetune.errors import LinetuneError


def synth(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="The run's file, for its synth section.")],
    overrides: Annotated[
        list[str] | None, typer.Argument(metavar="KEY=VALUE", help=f"Such as synth.count=20000; {OVERRIDES}")
    ] = None,
    preview: Annotated[
        Path | None, typer.Option(help="Write a contact sheet to this image file instead of the crops.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the preview's file.")] = False,
) -> None:
    """Render labelled crops from a sequence rule, fonts and backgrounds."""
    from linetune import image
    from linetune.config.load import load
    from linetune.report.terminal import terminal
    from linetune.synth import generate, is_current
    from linetune.synth import preview as contact_sheet
    from linetune.training.reporter import count

    settings = load(config, overrides or ()).synth
    if settings is None:
        raise LinetuneError("there is no synth section", config, "linetune init DIR writes an example")
    if preview is not None:
        refuse_existing(preview, overwrite)
        image.write(preview, contact_sheet(settings, 12, 6))
        print(f"wrote {preview}")
        return
    if is_current(settings):
        print(f"{settings.count} crops in {settings.output} are up to date")
        return
    with terminal() as reporter:
        labels = generate(settings, count(reporter, "rendering", settings.count))
    print(f"wrote {labels} with {settings.count} crops")
