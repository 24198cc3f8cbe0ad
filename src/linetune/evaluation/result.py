"""The readings of labelled crops, with their score and what was misread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from linetune.core.labelfile import Line
from linetune.decode import Reading
from linetune.evaluation.acceptance import Accepted, accepted
from linetune.evaluation.metrics import Confusion, Score, confusions, score
from linetune.evaluation.reliability import Reliability, reliability


@dataclass(frozen=True)
class Evaluation:
    """A model's readings of labelled crops. All sequences have the same order."""

    lines: Sequence[Line]
    readings: Sequence[Reading]
    skipped: int = 0
    """Lines that were left out because they could not be used."""
    seconds: float = 0
    """Time that reading took."""

    @cached_property
    def score(self) -> Score:
        """Exact match and CER."""
        return score([reading.text for reading in self.readings], [line.text for line in self.lines])

    @property
    def unruly(self) -> int | None:
        """Crops that follow no rule, and are read without it. None if all are read without a rule."""
        admitted = [reading.admitted for reading in self.readings]
        return None if None in admitted else admitted.count(False)

    @cached_property
    def misread(self) -> list[int]:
        """Numbers of the crops whose reading differs from the label, from 0."""
        return [number for number, right in enumerate(self.score.correct) if not right]

    @cached_property
    def confusions(self) -> list[tuple[Confusion, int]]:
        """Characters that were read as others, with how often, the most frequent first."""
        return confusions((self.lines[i].text, self.readings[i].text) for i in self.misread)

    @cached_property
    def reliability(self) -> Reliability:
        """How far the confidences can be believed."""
        return reliability([reading.confidence for reading in self.readings], self.score.correct)

    def accepted(self, threshold: float | None = None) -> list[Accepted]:
        """Return coverage and accuracy at one confidence from 0 to 1, or at several if it is None."""
        thresholds = () if threshold is None else (threshold,)
        return accepted([reading.confidence for reading in self.readings], self.score.correct, thresholds)

    def as_dict(self, threshold: float | None = None) -> dict[str, Any]:
        """Return plain values for JSON, with what :meth:`accepted` says."""
        return self.score.as_dict() | {
            "seconds": self.seconds,
            "skipped": self.skipped,
            **({} if self.unruly is None else {"follow_no_rule": self.unruly}),
            "reliability": self.reliability.as_dict(),
            "accepted": [step.as_dict() for step in self.accepted(threshold)],
            "misread": [
                {
                    "image": str(self.lines[i].image),
                    "text": self.lines[i].text,
                    "read": self.readings[i].text,
                    "confidence": self.readings[i].confidence,
                }
                for i in self.misread
            ],
            "confusions": [
                {"text": text, "read": read, "times": times} for (text, read), times in self.confusions
            ],
        }


@dataclass(frozen=True, slots=True)
class OnlyOneReads:
    """A crop that one of two models, A and B, reads right and the other does not."""

    right: str
    """``A`` or ``B``: the model that reads it right."""
    line: Line
    text_a: str
    """What A reads."""
    text_b: str

    def as_dict(self) -> dict[str, str]:
        """Return plain values for JSON."""
        return {
            "source": self.line.source,
            "image": str(self.line.image),
            "text": self.line.text,
            "right": self.right,
            "a": self.text_a,
            "b": self.text_b,
        }


def only_one_reads(a: Evaluation, b: Evaluation) -> list[OnlyOneReads]:
    """Return the crops that only one model reads right: those of A first, because B would lose them."""
    different = [
        OnlyOneReads("A" if right_a else "B", line, read_a.text, read_b.text)
        for line, right_a, right_b, read_a, read_b in zip(
            a.lines, a.score.correct, b.score.correct, a.readings, b.readings, strict=True
        )
        if right_a != right_b
    ]
    return sorted(different, key=lambda crop: crop.right)
