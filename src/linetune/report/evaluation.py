"""Evaluations and comparisons of models in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from linetune.core.errors import place
from linetune.data.check.characters import quote_both
from linetune.evaluation.comparison import Comparison
from linetune.evaluation.result import Evaluation, OnlyOneReads

SHOWN = 10
"""Crops that are shown of a list."""


def print_evaluation(out: Console, evaluation: Evaluation, threshold: float | None = None) -> None:
    """Print the score, what a confidence threshold accepts, and the first misread crops."""
    score = evaluation.score
    out.print(
        f"exact match {score.as_text()}   CER {score.cer:.1%}   {score.lines} lines"
        f"{_skipped(evaluation)}   {evaluation.seconds:.1f} s   (in brackets) 95% interval"
    )
    if evaluation.unruly is not None:
        follow = f"{evaluation.unruly} crops follow no rule" if evaluation.unruly else "all crops follow it"
        out.print(f"read by the rule; {follow}")
    out.print(evaluation.reliability.as_text())
    out.print("accepting only readings with a confidence of")
    for step in evaluation.accepted(threshold):
        out.print(f"  {step.as_text()}")
    if misread := evaluation.misread:
        out.print(f"{len(misread)} misread{_more(misread)}:")
    for number in misread[:SHOWN]:
        line, reading = evaluation.lines[number], evaluation.readings[number]
        text, read = quote_both(line.text, reading.text)
        out.print(f"  {place(line.image)}  {text} read as {read} ({reading.confidence:.2f})")


def print_comparison(
    out: Console,
    first: tuple[str, str, Evaluation],
    second: tuple[str, str, Evaluation],
    comparison: Comparison,
    different: Sequence[OnlyOneReads],
) -> None:
    """Print the scores of two models, their difference, and the crops that only one of them reads.

    Args:
        out: where to print.
        first: the letter, the name and the readings of model A of the comparison.
        second: those of model B.
        comparison: of the two.
        different: the crops that only one of them reads.
    """
    for name, model, evaluation in (first, second):
        score = evaluation.score
        out.print(f"{name}  exact match {score.as_text()}   CER {score.cer:.1%}   {model}")
    (a, *_), (b, *_) = first, second
    low, high = comparison.interval
    out.print(
        f"{b} - {a}  {comparison.difference * 100:+.1f} points ({low * 100:+.1f} to {high * 100:+.1f})   "
        f"{comparison.lines} lines{_skipped(first[2])}; (in brackets) 95% intervals"
    )
    out.print(comparison.sentence(a, b))
    for name, right in ((a, "A"), (b, "B")):
        crops = [crop for crop in different if crop.right == right]
        if crops:
            out.print(f"only {name} reads {len(crops)}{_more(crops, ' (--json lists all)')}:")
        for crop in crops[:SHOWN]:
            out.print(
                f"  {place(crop.line.source)}  {crop.line.text!r}  {a} {crop.text_a!r}  {b} {crop.text_b!r}"
            )


def _skipped(evaluation: Evaluation) -> str:
    return f", {evaluation.skipped} skipped" if evaluation.skipped else ""


def _more(items: Sequence[object], hint: str = "") -> str:
    return f", the first {SHOWN}{hint}" if len(items) > SHOWN else ""
