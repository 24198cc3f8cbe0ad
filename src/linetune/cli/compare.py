"""``linetune compare``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from linetune.cli.options import JsonOption, SkipBadOption, load_recogniser, print_json

SHOWN = 10
_MODEL = "A run's folder, a model file, or an official name."


def compare(
    model_a: Annotated[str, typer.Argument(metavar="MODEL_A", help=_MODEL)],
    model_b: Annotated[str, typer.Argument(metavar="MODEL_B", help=_MODEL)],
    labels: Annotated[list[Path], typer.Argument(metavar="LABELS...", help="Label files: path<TAB>text.")],
    charset: Annotated[
        str | None,
        typer.Option(help="Limit both models to a file's characters, or to those of the labels: auto."),
    ] = None,
    skip_bad: SkipBadOption = False,
    as_json: JsonOption = False,
) -> None:
    """Say whether one model reads better than another on the same crops, or chance explains it."""
    from linetune.core.labelfile import read_labels
    from linetune.core.progress import count
    from linetune.data.dataset import load_dataset
    from linetune.evaluation.comparison import compare as compare_scores
    from linetune.evaluation.metrics import score
    from linetune.report.terminal import console, terminal

    lines = read_labels(*labels)
    texts = []
    with terminal() as reporter:
        models = {
            name: load_recogniser(model, charset, reporter, [line.text for line in lines])
            for name, model in (("A", model_a), ("B", model_b))
        }
        data = load_dataset(lines, None, skip_bad, count(reporter, "decoding", len(lines)))
        for name, recogniser in models.items():
            progress = count(reporter, f"reading with {name}", len(data))
            texts.append([reading.text for reading in recogniser.read(data.crops, progress=progress)])
    a, b = (score(read, data.texts) for read in texts)
    compared = compare_scores(a, b)
    # What only one of them reads: A's crops are what a change from A to B would lose.
    only_one = sorted(
        (
            ("A" if in_a else "B", line, *read)
            for line, in_a, in_b, read in zip(
                data.lines, a.correct, b.correct, zip(*texts, strict=True), strict=True
            )
            if in_a != in_b
        ),
        key=lambda crop: crop[0],
    )
    if as_json:
        print_json(
            {
                "a": {"model": model_a, **a.as_dict()},
                "b": {"model": model_b, **b.as_dict()},
                **compared.as_dict(),
                "sentence": compared.sentence(),
                "skipped": data.skipped,
                "only_one_reads": [
                    {
                        "source": line.source,
                        "image": str(line.image),
                        "text": line.text,
                        "right": right,
                        "a": in_a,
                        "b": in_b,
                    }
                    for right, line, in_a, in_b in only_one
                ],
            }
        )
        return
    out = console()
    for name, model, result in (("A", model_a, a), ("B", model_b, b)):
        out.print(f"{name}  exact match {result.as_text()}   CER {result.cer:.1%}   {model}")
    low, high = compared.interval
    skipped = f", {data.skipped} skipped" if data.skipped else ""
    out.print(
        f"B - A  {compared.difference * 100:+.1f} points ({low * 100:+.1f} to {high * 100:+.1f})   "
        f"{compared.lines} lines{skipped}; (in brackets) 95% intervals"
    )
    out.print(compared.sentence())
    for name in models:
        own = [crop for crop in only_one if crop[0] == name]
        if own:
            more = f", the first {SHOWN} (--json lists all)" if len(own) > SHOWN else ""
            out.print(f"only {name} reads {len(own)}{more}:")
        for _, line, in_a, in_b in own[:SHOWN]:
            out.print(f"  {line.source}  {line.text!r}  A {in_a!r}  B {in_b!r}")
