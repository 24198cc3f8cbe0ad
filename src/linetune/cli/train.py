"""``linetune train``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from linetune.cli.options import OVERRIDES, JsonOption, SkipBadOption, print_json, seconds_of


def train(
    config: Annotated[
        Path, typer.Argument(metavar="CONFIG", help="The run's file; linetune init writes one.")
    ],
    overrides: Annotated[
        list[str] | None,
        typer.Argument(metavar="KEY=VALUE", help=f"Such as seed=1 or stages.real.epochs=5; {OVERRIDES}"),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an earlier run in the same folder.")
    ] = False,
    skip_bad: SkipBadOption = False,
    within: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Time in which to end, such as 20min or 1h30min: where it is short, fewer crops are "
            "rendered and training ends sooner.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Run the stages, test every one, keep the best, and export it."""
    from linetune.config.load import load
    from linetune.core.labelfile import read_labels
    from linetune.data.dataset import load_dataset
    from linetune.formats.onnx_file import export as export_onnx
    from linetune.formats.store import load_model
    from linetune.report.terminal import console, run_lines, run_table, terminal
    from linetune.training.run import train as run

    seconds = None if within is None else seconds_of(within, "--within")
    settings = load(config, overrides or ())
    with terminal() as reporter:
        result = run(settings, overwrite=overwrite, skip_bad=skip_bad, within=seconds, reporter=reporter)
        compare_on = load_dataset(read_labels(settings.data.val[0])[:64], None, skip_bad)
        exported = export_onnx(load_model(result.model), result.folder / "model.onnx", compare_on.crops)
    if as_json:
        print_json({**result.as_dict(), "model": str(result.model), "onnx": str(exported.path)})
        return
    out = console()
    out.print(run_table(result))
    for line in run_lines(result):
        out.print(line)
    if not result.helped:
        out.print("Training did not help: the base model, limited to the charset, is kept.")
    out.print(f"model  {result.model}")
    out.print(f"onnx   {exported.path} (same texts on {exported.crops} crops)")
