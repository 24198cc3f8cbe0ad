"""A page of every crop that was read wrong."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from linetune.core.charset import show
from linetune.core.image import Crop
from linetune.core.labelfile import Line
from linetune.decode import Reading
from linetune.evaluation.metrics import Score, aligned, confusions
from linetune.report.page import Cell, Mark, Marked, Part, write_page

CONFUSIONS = 20
"""Most that are listed."""


def write_errors(
    path: Path,
    model: str,
    result: Score,
    lines: Sequence[Line],
    crops: Sequence[Crop],
    readings: Sequence[Reading],
) -> None:
    """Write the page of what a model misread.

    Args:
        path: the page, which a file of its name gives way to.
        model: its name, for the title.
        result: the score of these readings.
        lines: what was read, with labels.
        crops: the pictures, in the order of the lines.
        readings: what was read, in the same order.

    Raises:
        LinetuneError: it cannot be written.
    """
    wrong = [i for i, right in enumerate(result.correct) if not right]
    # A sure misreading tells more: of a label that is wrong, or of a confusion the model has learnt.
    wrong.sort(key=lambda i: -readings[i].confidence)
    rows = (
        [
            crops[i],
            *side_by_side(lines[i].text, readings[i].text),
            f"{readings[i].confidence:.2f}",
            lines[i].source,
        ]
        for i in wrong
    )
    counted = confusions((lines[i].text, readings[i].text) for i in wrong)
    intro = (
        f"Exact match {result.as_text()}, 95% interval in brackets; CER {result.cer:.1%}; "
        f"{len(wrong)} of {result.lines} crops misread."
    )
    more = f"The {CONFUSIONS} most frequent of {len(counted)}. " if len(counted) > CONFUSIONS else ""
    parts = [
        Part(
            "Confusions",
            f"{more}Labels and readings are aligned by the fewest edits." if counted else "None.",
            ("label", "read", "times"),
            ([_named(text), _named(read), str(times)] for (text, read), times in counted[:CONFUSIONS]),
        ),
        Part(
            "Misread crops",
            "The surest misreading first: there the label may be wrong." if wrong else "None.",
            ("crop", "label", "read", "confidence", "where"),
            rows,
        ),
    ]
    write_page(path, f"Misread by {model}", intro, parts)


def _named(character: str) -> str:
    return show(character) if character else "nothing"


def side_by_side(text: str, read: str) -> tuple[Cell, Cell]:
    """Label and reading with what differs marked, in frames of one length."""
    label: list[tuple[str, Mark]] = []
    reading: list[tuple[str, Mark]] = []
    for wanted, got in aligned(text, read):
        if wanted == got:
            label.append((wanted, ""))
            reading.append((got, ""))
        else:
            # A blank stands where the other has a character, so that the rest stays in line.
            label.append((wanted or " ", "wrong" if wanted else "missing"))
            reading.append((got or " ", "wrong" if got else "missing"))
    return Marked(tuple(label)), Marked(tuple(reading))
