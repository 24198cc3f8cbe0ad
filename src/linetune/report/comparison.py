"""A page of models side by side: scores, paired tests, and the crops that only some of them read."""

from __future__ import annotations

import string
from collections.abc import Iterator, Sequence
from pathlib import Path

from linetune.core.image import Crop
from linetune.evaluation.comparison import compare
from linetune.evaluation.result import Evaluation
from linetune.report.page import Cell, Marked, Part, legend, marked_difference, write_page
from linetune.report.words import Words

SHOWN = 1000
"""Most crops that the page shows."""


def write_comparison(
    path: Path, models: Sequence[str], evaluations: Sequence[Evaluation], crops: Sequence[Crop], say: Words
) -> None:
    """Write a page that compares models on the same crops. Replaces an existing file.

    Args:
        path: the HTML file.
        models: the names of the models.
        evaluations: what each of them reads.
        crops: the pictures, in the order of the readings.
        say: the language of the page.

    Raises:
        LinetuneError: the file cannot be written.
    """
    letters = string.ascii_uppercase[: len(models)]
    lines = evaluations[0].lines
    test = [say("McNemar's test looks at the crops that only one of two models reads.")]
    if len(models) > 2:
        test.append(say("One test of twenty shows a difference where there is none."))
    parts = [
        Part(
            say("Models"),
            say("Exact match is the share of crops that are read without any error, with its 95% interval."),
            ("", say("model"), say("exact match"), say("CER")),
            (
                [letter, model, each.score.as_text(), f"{each.score.cer:.1%}"]
                for letter, model, each in zip(letters, models, evaluations, strict=True)
            ),
        ),
        Part(
            say("Paired tests"),
            say(" ").join(test),
            (say("models"), say("difference, points (95% interval)"), say("result")),
            _tests(letters, evaluations, say),
        ),
        _only_some_read(letters, evaluations, crops, say),
    ]
    intro = say("{models} models on {crops} crops.", models=len(models), crops=len(lines))
    write_page(path, say("Models side by side"), intro, parts, say)


def _only_some_read(
    letters: str, evaluations: Sequence[Evaluation], crops: Sequence[Crop], say: Words
) -> Part:
    lines, different = evaluations[0].lines, _different(evaluations)
    text = [say("None.")]
    if different:
        text = [say("{different} of {crops} crops.", different=len(different), crops=len(lines))]
        if len(different) > SHOWN:
            text.append(say("The first {shown} are shown.", shown=SHOWN))
        text += [say("Those that few models read come first."), legend(say)]
    reads = (say("{model} reads", model=letter) for letter in letters)
    return Part(
        say("Crops that only some models read"),
        say(" ").join(text),
        (say("crop"), say("label"), *reads, say("where")),
        (
            [crops[number], lines[number].text, *_reads(number, evaluations), lines[number].source]
            for number in different[:SHOWN]
        ),
    )


def _different(evaluations: Sequence[Evaluation]) -> list[int]:
    """Return the crops that some models read right and others do not: first those that few read."""
    right = [sum(each) for each in zip(*(each.score.correct for each in evaluations), strict=True)]
    some = [number for number, count in enumerate(right) if 0 < count < len(evaluations)]
    return sorted(some, key=lambda number: right[number])


def _tests(letters: str, evaluations: Sequence[Evaluation], say: Words) -> Iterator[list[Cell]]:
    for first in range(len(letters)):
        for second in range(first + 1, len(letters)):
            a, b = letters[first], letters[second]
            found = compare(evaluations[first].score, evaluations[second].score)
            low, high = (f"{end * 100:+.1f}" for end in found.interval)
            points = f"{found.difference * 100:+.1f}"
            interval = say("{points} ({low} to {high})", points=points, low=low, high=high)
            yield [f"{b} - {a}", interval, found.sentence(a, b, say)]


def _reads(number: int, evaluations: Sequence[Evaluation]) -> Iterator[Cell]:
    """Yield what each model reads. The differences to the label are marked."""
    for each in evaluations:
        label, text = each.lines[number].text, each.readings[number].text
        yield Marked(((text, ""),)) if each.score.correct[number] else marked_difference(label, text)[1]
