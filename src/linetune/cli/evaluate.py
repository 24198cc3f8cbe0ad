"""``linetune evaluate``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from linetune.cli import options
from linetune.core.outputs import refuse_existing


def evaluate(
    model: options.ModelArgument,
    labels: options.LabelsArgument,
    charset: options.LabelsCharsetOption = None,
    errors: Annotated[
        Path | None,
        typer.Option(metavar="PAGE.html", help="Write a page with every misread crop and all confusions."),
    ] = None,
    accept: Annotated[
        float | None,
        typer.Option(
            metavar="CONFIDENCE",
            min=0,
            max=1,
            help="Report coverage and accuracy for readings at or above this confidence.",
        ),
    ] = None,
    lang: options.LanguageOption = None,
    overwrite: options.OverwriteOption = False,
    skip_bad: options.SkipBadOption = False,
    both_ways: options.BothWaysOption = False,
    rule: options.RuleOption = None,
    as_json: options.JsonOption = False,
    quiet: options.QuietOption = False,
) -> None:
    """Score a model on labelled crops.

    Prints exact match and character error rate with 95% intervals, how far the confidence can be believed,
    coverage and accuracy at several confidences, and the misread crops. Crops are prepared as in deployment.

    Example: linetune evaluate mine/runs/first mine/crops/test.txt --errors wrong.html
    """
    from linetune.report.evaluation import print_evaluation
    from linetune.report.misread import write_misread
    from linetune.report.terminal import console
    from linetune.report.words import words

    if errors is not None:
        refuse_existing(errors, overwrite)
    data, (evaluation,) = options.evaluate_models(
        {"reading": model}, labels, charset, skip_bad, both_ways, rule, quiet
    )
    if errors is not None:
        write_misread(errors, model, evaluation, data.crops, words(lang))
    if as_json:
        options.print_json(evaluation.as_dict(accept))
        return
    out = console()
    print_evaluation(out, evaluation, accept)
    if errors is not None:
        out.print(f"wrote {errors}")
