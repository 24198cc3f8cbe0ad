"""``linetune train``"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linetune.cli import options
from linetune.core import processes
from linetune.core.errors import LinetuneError

if TYPE_CHECKING:
    from linetune.core.progress import Reporter
    from linetune.report.words import Words
    from linetune.training.result import RunResult


def train(
    config: Annotated[
        Path | None, typer.Argument(metavar="CONFIG", help="The run file. linetune init writes one.")
    ] = None,
    overrides: options.OverridesArgument = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN",
            help="Continue the interrupted run in this folder, instead of CONFIG. KEY=VALUE may say where "
            "its data are now.",
        ),
    ] = None,
    overwrite: options.OverwriteOption = False,
    skip_bad: options.SkipBadOption = False,
    within: options.WithinOption = None,
    lang: options.LanguageOption = None,
    as_json: options.JsonOption = False,
    quiet: options.QuietOption = False,
) -> None:
    """Train all stages of a run file, keep the best model, and export it to ONNX.

    Prints every stage beside the untouched base model, with 95% intervals. The run folder (output in the run
    file) holds the model, the ONNX file, all figures, a report with pictures (report.html), and a model card
    (MODEL_CARD.md). After an interruption, --resume continues with the same result.

    Example: linetune train mine/linetune.yaml seed=1 --within 20min
    """
    from linetune.report.terminal import terminal
    from linetune.report.words import words

    say = words(lang)
    if resume is not None and (overwrite or skip_bad or within):
        raise LinetuneError("a run that continues keeps its options", "--resume", "leave the others out")
    seconds = None if within is None else options.seconds_of(within, "--within")
    with options.stoppable(), terminal(quiet) as reporter:
        result = (
            _train(config, overrides or (), overwrite, skip_bad, seconds, reporter)
            if resume is None
            else _resume(resume, [*([str(config)] if config else []), *(overrides or ())], reporter)
        )
    print_result(result, say, as_json)


def print_result(result: RunResult, say: Words, as_json: bool) -> None:
    """Write the report of a run, and print its table and what it means, or JSON."""
    if not processes.is_first():  # of those that torchrun started
        return
    _write_report(result, say)
    if as_json:
        files = {
            "model": result.model,
            "onnx": result.onnx,
            "report": result.report,
            "card": result.card,
        }
        options.print_json({**result.as_dict(), **{name: str(path) for name, path in files.items()}})
    else:
        _print(result)


def _write_report(result: RunResult, say: Words) -> None:
    """Write the report and the model card. A disk that is full now must not hide the result of hours."""
    from linetune.report.run_page import write_report

    try:
        write_report(result.folder, say, result.report)
    except LinetuneError as error:
        print(f"warning: no report or no model card: {error}", file=sys.stderr)


def _print(result: RunResult) -> None:
    from linetune.report.run import run_lines, run_table
    from linetune.report.terminal import console

    out = console()
    out.print(run_table(result))
    for line in run_lines(result):
        out.print(line)
    if not result.helped:
        out.print("Training did not help. The run keeps the base model, limited to the charset.")
    out.print(f"model  {result.model}")
    if result.compared:  # it is exported
        out.print(f"onnx   {result.onnx} (same texts on {result.compared} crops)")
    out.print(f"report {result.report}")
    out.print(f"card   {result.card}")


def _train(
    config: Path | None,
    overrides: Sequence[str],
    overwrite: bool,
    skip_bad: bool,
    within: float | None,
    reporter: Reporter,
) -> RunResult:
    from linetune.config.load import load
    from linetune.training.run import train

    if config is None:
        raise LinetuneError("missing argument 'CONFIG'", "linetune train", "see linetune train --help")
    run = load(config, overrides)
    return train(run, overwrite=overwrite, skip_bad=skip_bad, within=within, reporter=reporter)


def _resume(folder: Path, overrides: Sequence[str], reporter: Reporter) -> RunResult:
    from linetune.training.run import resume

    return resume(folder, overrides, reporter=reporter)
