"""A page of models side by side: scores, paired tests, and the crops that only some of them read."""

from __future__ import annotations

import string
from collections.abc import Iterator, Sequence
from pathlib import Path

from linetune.core.image import Crop
from linetune.evaluation.comparison import compare
from linetune.evaluation.result import Evaluation
from linetune.report.page import LEGEND, Cell, Marked, Part, marked_difference, write_page

SHOWN = 1000
"""Most crops that the page shows."""


def write_comparison(
    path: Path, models: Sequence[str], evaluations: Sequence[Evaluation], crops: Sequence[Crop]
) -> None:
    """Write a page that compares models on the same crops. Replaces an existing file.

    Args:
        path: the HTML file.
        models: the names of the models.
        evaluations: what each of them reads.
        crops: the pictures, in the order of the readings.

    Raises:
        LinetuneError: the file cannot be written.
    """
    letters = string.ascii_uppercase[: len(models)]
    lines = evaluations[0].lines
    different = _different(evaluations)
    chance = " One test of twenty shows a difference where there is none." if len(models) > 2 else ""
    more = f" The first {SHOWN} are shown." if len(different) > SHOWN else ""
    parts = [
        Part(
            "Models",
            "Exact match is the share of crops that are read without any error, with its 95% interval.",
            ("", "model", "exact match", "CER"),
            (
                [letter, model, each.score.as_text(), f"{each.score.cer:.1%}"]
                for letter, model, each in zip(letters, models, evaluations, strict=True)
            ),
        ),
        Part(
            "Paired tests",
            f"McNemar's test looks at the crops that only one of two models reads.{chance}",
            ("models", "difference, points (95% interval)", "result"),
            _tests(letters, evaluations),
        ),
        Part(
            "Crops that only some models read",
            f"{len(different)} of {len(lines)} crops.{more} Those that few models read come first. {LEGEND}"
            if different
            else "None.",
            ("crop", "label", *(f"{letter} reads" for letter in letters), "where"),
            (
                [crops[number], lines[number].text, *_reads(number, evaluations), lines[number].source]
                for number in different[:SHOWN]
            ),
        ),
    ]
    write_page(path, "Models side by side", f"{len(models)} models on {len(lines)} crops.", parts)


def _different(evaluations: Sequence[Evaluation]) -> list[int]:
    """Return the crops that some models read right and others do not: first those that few read."""
    right = [sum(each) for each in zip(*(each.score.correct for each in evaluations), strict=True)]
    some = [number for number, count in enumerate(right) if 0 < count < len(evaluations)]
    return sorted(some, key=lambda number: right[number])


def _tests(letters: str, evaluations: Sequence[Evaluation]) -> Iterator[list[Cell]]:
    for first in range(len(letters)):
        for second in range(first + 1, len(letters)):
            a, b = letters[first], letters[second]
            found = compare(evaluations[first].score, evaluations[second].score)
            low, high = (f"{end * 100:+.1f}" for end in found.interval)
            points = f"{found.difference * 100:+.1f} ({low} to {high})"
            yield [f"{b} - {a}", points, found.sentence(a, b)]


def _reads(number: int, evaluations: Sequence[Evaluation]) -> Iterator[Cell]:
    """Yield what each model reads. The differences to the label are marked."""
    for each in evaluations:
        label, text = each.lines[number].text, each.readings[number].text
        yield Marked(((text, ""),)) if each.score.correct[number] else marked_difference(label, text)[1]
