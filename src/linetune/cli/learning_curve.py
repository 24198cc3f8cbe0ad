"""``linetune learning-curve``"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linetune.cli import options
from linetune.core.errors import LinetuneError

if TYPE_CHECKING:
    from linetune.analysis.learning_curve import Curve

SIZES = (
    "Numbers of training crops, such as 50,200,1000. All crops are added. The default is an eighth, a "
    "quarter and half of them."
)
FOLDER = "Folder for the results. The default is the run folder plus -curve."


def learning_curve(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="The run file, or a finished run.")],
    overrides: Annotated[
        list[str] | None,
        typer.Argument(metavar="KEY=VALUE", help="Settings that replace those of the file; or more runs."),
    ] = None,
    sizes: Annotated[str | None, typer.Option(metavar="NUMBERS", help=SIZES)] = None,
    output: Annotated[Path | None, typer.Option(metavar="DIR", help=FOLDER)] = None,
    group_by: options.GroupByOption = None,
    lang: options.LanguageOption = None,
    overwrite: options.OverwriteOption = False,
    skip_bad: options.SkipBadOption = False,
    as_json: options.JsonOption = False,
    quiet: options.QuietOption = False,
) -> None:
    """Estimate how much more labelled crops would help.

    Trains the run on few of its training crops, on more, and on all, and prints and draws the exact match of
    each. If you interrupt it, the same command continues.

    With the folders of finished runs, it trains nothing. It compares these runs, and says what 100 more
    labels would give. The runs need the same validation and test crops. A forecast takes three runs.

    Example: linetune learning-curve mine/linetune.yaml --sizes 50,200

    Example: linetune learning-curve mine/runs/first mine/runs/second mine/runs/third
    """
    runs = [config, *map(Path, overrides or ())]
    if any(each.is_dir() for each in runs):
        from linetune.analysis.rounds import rounds

        _print(rounds(runs), as_json)
        return
    from linetune.analysis.learning_curve import learning_curve as train_curve
    from linetune.config.load import load
    from linetune.report.curve import write_curve_page, write_picture
    from linetune.report.terminal import terminal
    from linetune.report.words import words

    run = load(config, overrides or ())
    folder = output or run.output.with_name(f"{run.output.name}-curve")
    run = run.model_copy(update={"output": folder})
    again = "what is finished is kept; the same command does the rest"
    with options.stoppable(again), terminal(quiet) as reporter:
        curve = train_curve(run, _numbers(sizes), group_by, overwrite, skip_bad, reporter)
    say = words(lang)
    _print(curve, as_json, picture=write_picture(curve, say), page=write_curve_page(curve, say))


def _print(curve: Curve, as_json: bool, **files: Path) -> None:
    """Print a curve, and the files that show it."""
    from linetune.report.curve import curve_table
    from linetune.report.terminal import console

    if as_json:
        options.print_json({**curve.as_dict(), **{name: str(path) for name, path in files.items()}})
        return
    out = console()
    out.print(curve_table(curve))
    if sentence := curve.sentence():
        out.print(sentence)
    for name, path in files.items():
        out.print(f"{name:<8} {path}")


def _numbers(sizes: str | None) -> list[int]:
    try:
        return [int(size) for size in sizes.split(",")] if sizes else []
    except ValueError:
        raise LinetuneError(
            f"{sizes!r} is not a list of numbers", "--sizes", "write numbers such as 50,200,1000"
        ) from None
