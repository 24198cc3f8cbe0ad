"""A page of all misread crops."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from linetune.core.charset import show
from linetune.core.image import Crop
from linetune.evaluation.result import Evaluation
from linetune.report.page import Cell, Part, legend, marked_difference, write_page
from linetune.report.words import Words

CONFUSIONS = 20
"""Confusions that are listed at most."""


def write_misread(path: Path, model: str, evaluation: Evaluation, crops: Sequence[Crop], say: Words) -> None:
    """Write a page of the crops that a model misreads. Replaces an existing file.

    Args:
        path: the HTML file.
        model: the name of the model, for the title.
        evaluation: the labels and readings of the crops.
        crops: the pictures, in the order of the readings.
        say: the language of the page.

    Raises:
        LinetuneError: the file cannot be written.
    """
    lines, readings, misread = evaluation.lines, evaluation.readings, evaluation.misread
    rows: Iterator[list[Cell]] = (
        [
            crops[i],
            *marked_difference(lines[i].text, readings[i].text),
            f"{readings[i].confidence:.2f}",
            lines[i].source,
        ]
        for i in sorted(misread, key=lambda i: -readings[i].confidence)
    )
    score = evaluation.score
    intro = say(
        "Exact match {exact}, 95% interval in brackets; CER {cer}; {errors} of {crops} crops misread.",
        exact=score.as_text(),
        cer=f"{score.cer:.1%}",
        errors=len(misread),
        crops=score.lines,
    )
    sure = say(
        "The highest confidence comes first. If the model is sure of its reading, the label may be wrong."
    )
    columns = say("crop"), say("label"), say("read"), say("confidence"), say("where")
    parts = [
        _confusions(evaluation, say),
        Part(
            say("Misread crops"),
            say(" ").join((sure, legend(say))) if misread else say("None."),
            columns,
            rows,
        ),
        _reliability(evaluation, say),
    ]
    write_page(path, say("Misread by {model}", model=model), intro, parts, say)


def _confusions(evaluation: Evaluation, say: Words) -> Part:
    found = evaluation.confusions
    columns = say("label"), say("read"), say("times")
    rows = ([_name(text, say), _name(read, say), str(times)] for (text, read), times in found[:CONFUSIONS])
    how = say("Labels and readings are aligned with the fewest edits.") if found else say("None.")
    if len(found) > CONFUSIONS:
        more = say("The {shown} most frequent of {all}.", shown=CONFUSIONS, all=len(found))
        how = say(" ").join((more, how))
    return Part(say("Confusions"), how, columns, rows)


def _reliability(evaluation: Evaluation, say: Words) -> Part:
    found = evaluation.reliability
    text = say(
        "Calibration error {error}, area under the risk-coverage curve {area}. If a confidence means what it "
        "says, its readings are right as often.",
        error=f"{found.error:.1%}",
        area=f"{found.area:.4f}",
    )
    columns = say("readings"), say("mean confidence"), say("exact match")
    rows = ([str(each.lines), f"{each.confidence:.1%}", f"{each.exact_match:.1%}"] for each in found.bins)
    return Part(say("Reliability"), text, columns, rows)


def _name(character: str, say: Words) -> str:
    if character == " ":
        return say("space")
    return show(character) if character else say("nothing")
