"""``linetune distil``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from linetune.cli import options
from linetune.cli.train import print_result


def distil(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="The run folder of the finished model that teaches.")
    ],
    output: Annotated[Path, typer.Option(metavar="NEW", help="The run folder of the small model.")],
    overrides: options.OverridesArgument = None,
    base_model: Annotated[
        str, typer.Option(metavar="MODEL", help="The model that learns: an official name, or a model file.")
    ] = "PP-OCRv6_tiny_rec",
    unlabelled: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Crops without labels, with those in subfolders. The small model learns what the teacher "
            "reads on them. Crops that have a label, for training or for a test, are left out.",
        ),
    ] = None,
    within: options.WithinOption = None,
    overwrite: options.OverwriteOption = False,
    skip_bad: options.SkipBadOption = False,
    lang: options.LanguageOption = None,
    as_json: options.JsonOption = False,
    quiet: options.QuietOption = False,
) -> None:
    """Train a small, fast model that a finished model teaches.

    Trains the stages of RUN again, with its data, from a smaller base model. Where the backbone trains, the
    model also learns what the finished model makes of each crop. The table has a row for the teacher.
    linetune train --resume NEW continues an interrupted run.

    Example: linetune distil mine/runs/first --output mine/runs/small --unlabelled photos
    """
    from linetune.report.terminal import terminal
    from linetune.report.words import words
    from linetune.training.distil import distilled
    from linetune.training.run import train

    say = words(lang)
    seconds = None if within is None else options.seconds_of(within, "--within")
    config = distilled(run, output, base_model, unlabelled, overrides or ())
    with options.stoppable(), terminal(quiet) as reporter:
        result = train(config, overwrite=overwrite, skip_bad=skip_bad, within=seconds, reporter=reporter)
    print_result(result, say, as_json)
