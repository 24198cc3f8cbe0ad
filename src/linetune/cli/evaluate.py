"""``linetune evaluate``"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from linetune.cli.options import JsonOption, ModelArgument, SkipBadOption, load_recogniser, print_json

SHOWN = 10


def evaluate(
    model: ModelArgument,
    labels: Annotated[list[Path], typer.Argument(metavar="LABELS...", help="Label files: path<TAB>text.")],
    charset: Annotated[
        str | None,
        typer.Option(help="Limit the model to a file's characters, or to those of the labels: auto."),
    ] = None,
    skip_bad: SkipBadOption = False,
    as_json: JsonOption = False,
) -> None:
    """Score a model on labelled crops, with the preprocessing of deployment."""
    from linetune.data.dataset import load_dataset
    from linetune.evaluation.metrics import score
    from linetune.records import read_labels
    from linetune.report.terminal import console, terminal
    from linetune.training.reporter import count

    lines = [line for path in labels for line in read_labels(path)]
    with terminal() as reporter:
        recogniser = load_recogniser(model, charset, reporter, [line.text for line in lines])
        data = load_dataset(lines, None, skip_bad, count(reporter, "decoding", len(lines)))
        started = time.perf_counter()
        readings = recogniser.read(data.crops, progress=count(reporter, "reading", len(data)))
        seconds = time.perf_counter() - started
    result = score([reading.text for reading in readings], data.texts)
    wrong = [
        (line, reading)
        for line, reading in zip(data.lines, readings, strict=True)
        if line.text != reading.text
    ]
    if as_json:
        misread = [
            {
                "image": str(line.image),
                "text": line.text,
                "read": reading.text,
                "confidence": reading.confidence,
            }
            for line, reading in wrong
        ]
        print_json({**result.as_dict(), "seconds": seconds, "skipped": data.skipped, "misread": misread})
        return
    out = console()
    skipped = f", {data.skipped} skipped" if data.skipped else ""
    out.print(
        f"exact match {result.as_text()}   CER {result.cer:.1%}   "
        f"{result.lines} lines{skipped}   {seconds:.1f} s"
    )
    if wrong:
        more = f", the first {SHOWN}" if len(wrong) > SHOWN else ""
        out.print(f"{len(wrong)} misread{more}:")
    for line, reading in wrong[:SHOWN]:
        out.print(f"  {line.image}  {line.text!r} read as {reading.text!r} ({reading.confidence:.2f})")
