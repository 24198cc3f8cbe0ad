"""``linetune report``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from linetune.cli import options


def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The page. The default is report.html in the run folder."),
    ] = None,
    lang: options.LanguageOption = None,
) -> None:
    """Write the report of a run: is the model better, may it be deployed, and what does it confuse?

    The report is one HTML file with all pictures. linetune train writes it at the end of a run. Use this
    command for another language, or after you have moved the run. Without --output, it also writes the model
    card (MODEL_CARD.md), with which linetune push publishes the model. A card that you have changed stays.

    Example: linetune report mine/runs/first --lang zh
    """
    from linetune.report.run_page import write_report
    from linetune.report.terminal import terminal
    from linetune.report.words import words

    say = words(lang)
    with terminal() as reporter:
        path = write_report(run, say, output, reporter)
    print(f"wrote {path}")
