"""``linetune synth``"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linetune.cli.options import OVERRIDES, JsonOption, print_json, refuse_existing
from linetune.core.errors import LinetuneError

if TYPE_CHECKING:
    from linetune.config import Synth

COMPARED = 500
"""Most crops of each kind that ``--measure`` looks at."""
FEWEST = 20
"""Fewest, since a share of less says nothing."""


def synth(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="The run's file, for its synth section.")],
    overrides: Annotated[
        list[str] | None,
        typer.Argument(metavar="KEY=VALUE", help=f"Such as synth.half_turn=0.1; {OVERRIDES}"),
    ] = None,
    count: Annotated[
        int | None, typer.Option("--count", "-n", min=1, help="Crops to render, instead of the file's.")
    ] = None,
    preview: Annotated[
        Path | None, typer.Option(help="Write a contact sheet to this image file instead of the crops.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the preview's file.")] = False,
    measure: Annotated[
        Path | None,
        typer.Option(metavar="LABELS", help="Say how far rendered crops are from these real ones instead."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Render labelled crops from a sequence rule, fonts and backgrounds."""
    from linetune.config.load import load
    from linetune.core import image
    from linetune.core.progress import count as counted
    from linetune.report.terminal import terminal
    from linetune.synth import generate, is_current
    from linetune.synth import preview as contact_sheet

    run = load(config, overrides or ())
    settings = run.synth
    if settings is None:
        raise LinetuneError("there is no synth section", config, "linetune init DIR writes an example")
    if count is not None:
        settings = settings.model_copy(update={"count": count})
    if measure is not None and preview is not None:
        raise LinetuneError("one of --measure and --preview at a time", "linetune synth")
    if as_json and measure is None:
        raise LinetuneError("--json goes with --measure alone", "linetune synth")
    if measure is not None:
        _measure(run.base_model, settings, measure, as_json)
        return
    if preview is not None:
        refuse_existing(preview, overwrite)
        image.write(preview, contact_sheet(settings, 16, 3))
        print(f"wrote {preview}")
        return
    if is_current(settings):
        print(f"the crops in {settings.output} are up to date")
        return
    with terminal() as reporter:
        labels = generate(settings, counted(reporter, "rendering", settings.count))
    print(f"wrote {labels} with {settings.count} crops")


def _measure(base_model: str, settings: Synth, labels: Path, as_json: bool) -> None:
    from linetune.core import image
    from linetune.core.labelfile import read_labels, spread
    from linetune.formats.official import load_base
    from linetune.report.synthesis import comparison_table
    from linetune.report.terminal import console, terminal
    from linetune.synth.compare import compare
    from linetune.synth.render import Renderer

    lines = spread(read_labels(labels), COMPARED)
    if len(lines) < FEWEST:
        raise LinetuneError(
            f"{len(lines)} crops are too few to compare with", labels, f"name {FEWEST} or more"
        )
    renderer = Renderer.of(settings)
    with terminal() as reporter:
        real, rendered = [], []
        for done, line in enumerate(lines, 1):
            try:
                real.append(image.read(line.image))
            except LinetuneError as error:
                raise LinetuneError(f"{error.what}: {line.image}", line.source, error.hint) from None
            rendered.append(renderer(done - 1)[0])
            reporter.progress("rendering", done, len(lines))
        base = load_base(base_model, lambda done, total: reporter.progress("weights", done, total))
        compared = compare(real, rendered, base.network)
    if as_json:
        print_json(compared.as_dict())
    else:
        console().print(comparison_table(compared))
