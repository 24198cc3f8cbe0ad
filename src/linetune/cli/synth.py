"""``linetune synth``"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linetune.cli import options
from linetune.core.errors import LinetuneError
from linetune.core.outputs import refuse_existing

if TYPE_CHECKING:
    from linetune.config import Synth


def synth(
    config: options.ConfigArgument,
    overrides: options.OverridesArgument = None,
    count: Annotated[
        int | None, typer.Option("--count", "-n", min=1, help="Number of crops, instead of synth.count.")
    ] = None,
    preview: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write only a picture or a page (.html) with some crops, to look at them."
        ),
    ] = None,
    lang: options.LanguageOption = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an existing file of --preview.")
    ] = False,
    measure: Annotated[
        Path | None,
        typer.Option(
            metavar="LABELS",
            help="Write nothing, but compare rendered crops with the real crops of this file.",
        ),
    ] = None,
    as_json: options.JsonOption = False,
    quiet: options.QuietOption = False,
) -> None:
    """Render labelled crops: texts of a rule, drawn with fonts on backgrounds.

    The synth section of the run file says how. Training renders the crops by itself. Use this command to look
    at them first.

    Example: linetune synth mine/linetune.yaml --preview sheet.png
    """
    from linetune.config.load import load
    from linetune.core.progress import count as counted
    from linetune.report.terminal import terminal
    from linetune.synth import generate, is_current

    run = load(config, overrides or ())
    settings = run.synth
    if settings is None:
        raise LinetuneError("no synth section", config, "linetune init DIR writes an example")
    if count is not None:
        settings = settings.model_copy(update={"count": count})
    if measure is not None and preview is not None:
        raise LinetuneError("--measure and --preview exclude each other", "linetune synth", "use one of them")
    if as_json and measure is None:
        raise LinetuneError("--json needs --measure", "linetune synth", "add --measure LABELS")
    if measure is not None:
        _measure(run.base_model, settings, measure, as_json, quiet)
    elif preview is not None:
        refuse_existing(preview, overwrite)
        _preview(preview, settings, lang)
        print(f"wrote {preview}")
    elif is_current(settings):
        print(f"the crops in {settings.output} are up to date")
    else:
        with terminal(quiet) as reporter:
            labels = generate(settings, counted(reporter, "rendering", settings.count))
        print(f"wrote {labels} with {settings.count} crops")


def _preview(path: Path, settings: Synth, lang: str | None) -> None:
    from linetune.core import image
    from linetune.report.preview import write_preview
    from linetune.report.words import words
    from linetune.synth import preview

    if path.suffix.lower() == ".html":
        write_preview(path, settings, words(lang))
    else:
        image.write(path, preview(settings, 16, 3))


def _measure(base_model: str, settings: Synth, labels: Path, as_json: bool, quiet: bool) -> None:
    from linetune.formats.official import load_base
    from linetune.report.tables import looks_table
    from linetune.report.terminal import console, terminal
    from linetune.synth.compare import compare, real_and_rendered

    with terminal(quiet) as reporter:
        real, rendered = real_and_rendered(settings, labels, partial(reporter.progress, "rendering"))
        base = load_base(base_model, partial(reporter.progress, "weights"))
        compared = compare(real, rendered, base.network)
    if as_json:
        options.print_json(compared.as_dict())
    else:
        console().print(looks_table(compared))
