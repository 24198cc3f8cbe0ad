"""The errors of the kept model, as the gallery of a report shows them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from linetune.core.image import Crop
from linetune.core.reading_order import is_right_to_left
from linetune.evaluation.result import Evaluation
from linetune.report.page import Marked, marked_difference, read_crop, visible
from linetune.report.words import Words

ERRORS = 1000
"""Most errors that a page shows."""
UNSURE, UNSURE_SHOWN = 0.9, 3
"""A character below this confidence is unsure. This many are named."""


@dataclass(frozen=True)
class Misread:
    """One error in the gallery."""

    crop: Crop | None
    """None if the picture cannot be read."""
    label: str
    marked_label: Marked
    marked_read: Marked
    difference: str
    """The characters that differ, such as ``8 → B, ␣ → ∅``."""
    confidence: float
    characters: list[tuple[str, float]]
    """The characters of the reading with their confidences. Empty if they are not known."""
    unsure: list[tuple[str, float]]
    """The least sure characters, the least sure first."""
    source: str
    lost: bool
    """Whether the base model reads the crop right."""


def misread(kept: Evaluation, base: Evaluation | None, say: Words) -> Iterator[Misread]:
    """Yield the errors of the kept model, the surest first."""
    known = base is not None and [line.source for line in base.lines] == [line.source for line in kept.lines]
    before: Sequence[bool] = base.score.correct if base is not None and known else ()
    for number in sorted(kept.misread, key=lambda i: -kept.readings[i].confidence)[:ERRORS]:
        line, reading = kept.lines[number], kept.readings[number]
        marked_label, marked_read = marked_difference(line.text, reading.text)
        # Confidences are from left to right, texts in logical order.
        matching = len(reading.characters) == len(reading.text) and not is_right_to_left(reading.text)
        characters = list(zip(reading.text, reading.characters, strict=True)) if matching else []
        unsure = sorted((each for each in characters if each[1] < UNSURE), key=lambda each: each[1])
        yield Misread(
            read_crop(line.image),
            line.text,
            marked_label,
            marked_read,
            _difference(marked_label, marked_read, say),
            reading.confidence,
            characters,
            unsure[:UNSURE_SHOWN],
            line.source,
            bool(before) and before[number],
        )


def _difference(label: Marked, read: Marked, say: Words) -> str:
    """Return the differences of a label and its reading in words that need no colour."""
    pairs = zip(label.pieces, read.pieces, strict=True)
    return say(", ").join(f"{visible(*wanted)} → {visible(*got)}" for wanted, got in pairs if wanted[1])
