"""``linetune evaluate``"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from linetune.cli.options import (
    BothWaysOption,
    JsonOption,
    ModelArgument,
    OverwriteOption,
    SkipBadOption,
    load_recogniser,
    print_json,
    refuse_existing,
)

SHOWN = 10


def evaluate(
    model: ModelArgument,
    labels: Annotated[list[Path], typer.Argument(metavar="LABELS...", help="Label files: path<TAB>text.")],
    charset: Annotated[
        str | None,
        typer.Option(help="Limit the model to a file's characters, or to those of the labels: auto."),
    ] = None,
    errors: Annotated[
        Path | None,
        typer.Option(metavar="PAGE.html", help="Write a page of every misread crop, and what was confused."),
    ] = None,
    accept: Annotated[
        float | None,
        typer.Option(
            metavar="CONFIDENCE", min=0, max=1, help="Tell what accepting readings so sure, or more, gives."
        ),
    ] = None,
    overwrite: OverwriteOption = False,
    skip_bad: SkipBadOption = False,
    both_ways: BothWaysOption = False,
    as_json: JsonOption = False,
) -> None:
    """Score a model on labelled crops, with the preprocessing of deployment."""
    from linetune.core.labelfile import read_labels
    from linetune.core.progress import count
    from linetune.data.check.characters import quote_both
    from linetune.data.dataset import load_dataset
    from linetune.evaluation.acceptance import accepted
    from linetune.evaluation.confusions import confusions
    from linetune.evaluation.metrics import score
    from linetune.report.errors import write_errors
    from linetune.report.terminal import console, terminal

    if errors is not None:
        refuse_existing(errors, overwrite)
    lines = read_labels(*labels)
    with terminal() as reporter:
        recogniser = load_recogniser(
            model, charset, reporter, [line.text for line in lines], both_ways=both_ways
        )
        data = load_dataset(lines, None, skip_bad, count(reporter, "decoding", len(lines)))
        started = time.perf_counter()
        readings = recogniser.read(data.crops, progress=count(reporter, "reading", len(data)))
        seconds = time.perf_counter() - started
    result = score([reading.text for reading in readings], data.texts)
    thresholds = () if accept is None else (accept,)
    steps = accepted([reading.confidence for reading in readings], result.right, thresholds)
    if errors is not None:
        write_errors(errors, model, result, data.lines, data.crops, readings)
    wrong = [
        (line, reading)
        for line, reading, right in zip(data.lines, readings, result.right, strict=True)
        if not right
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
        confused = [
            {"text": text, "read": read, "times": times}
            for (text, read), times in confusions((line.text, reading.text) for line, reading in wrong)
        ]
        figures = {
            "seconds": seconds,
            "skipped": data.skipped,
            "accepted": [step.as_dict() for step in steps],
            "misread": misread,
            "confusions": confused,
        }
        print_json(result.as_dict() | figures)
        return
    out = console()
    skipped = f", {data.skipped} skipped" if data.skipped else ""
    out.print(
        f"exact match {result.as_text()}   CER {result.cer:.1%}   "
        f"{result.lines} lines{skipped}   {seconds:.1f} s   (in brackets) 95% interval"
    )
    out.print("accepting only readings with a confidence of")
    for step in steps:
        out.print(f"  {step.as_text()}")
    if wrong:
        more = f", the first {SHOWN}" if len(wrong) > SHOWN else ""
        out.print(f"{len(wrong)} misread{more}:")
    for line, reading in wrong[:SHOWN]:
        text, read = quote_both(line.text, reading.text)
        out.print(f"  {line.image}  {text} read as {read} ({reading.confidence:.2f})")
    if errors is not None:
        out.print(f"wrote {errors}")
