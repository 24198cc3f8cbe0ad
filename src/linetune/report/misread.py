"""A page of all misread crops."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from linetune.core.charset import show
from linetune.core.image import Crop
from linetune.evaluation.result import Evaluation
from linetune.report.page import LEGEND, Cell, Part, marked_difference, write_page

CONFUSIONS = 20
"""Confusions that are listed at most."""


def write_misread(path: Path, model: str, evaluation: Evaluation, crops: Sequence[Crop]) -> None:
    """Write a page of the crops that a model misreads. Replaces an existing file.

    Args:
        path: the HTML file.
        model: the name of the model, for the title.
        evaluation: the labels and readings of the crops.
        crops: the pictures, in the order of the readings.

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
    confusions = evaluation.confusions
    more = f"The {CONFUSIONS} most frequent of {len(confusions)}. " if len(confusions) > CONFUSIONS else ""
    parts = [
        Part(
            "Confusions",
            f"{more}Labels and readings are aligned with the fewest edits." if confusions else "None.",
            ("label", "read", "times"),
            ([_name(text), _name(read), str(times)] for (text, read), times in confusions[:CONFUSIONS]),
        ),
        Part(
            "Misread crops",
            "The highest confidence comes first. If the model is sure of its reading, the label may be "
            f"wrong. {LEGEND}"
            if misread
            else "None.",
            ("crop", "label", "read", "confidence", "where"),
            rows,
        ),
        Part(
            "Reliability",
            f"{evaluation.reliability.as_text()}. If a confidence means what it says, its readings are right "
            "as often.",
            ("readings", "mean confidence", "exact match"),
            (
                [str(each.lines), f"{each.confidence:.1%}", f"{each.exact_match:.1%}"]
                for each in evaluation.reliability.bins
            ),
        ),
    ]
    score = evaluation.score
    intro = (
        f"Exact match {score.as_text()}, 95% interval in brackets; CER {score.cer:.1%}; "
        f"{len(misread)} of {score.lines} crops misread."
    )
    write_page(path, f"Misread by {model}", intro, parts)


def _name(character: str) -> str:
    return show(character) if character else "nothing"
