"""Decoders around another one: calibrated confidence, and whether a promise accepts a reading."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from linetune.core.charset import Charset
from linetune.core.errors import LinetuneError
from linetune.decode.evidence import NAMES, evidence
from linetune.decode.reading import Decoder, Reading

_MOST = 50.0
"""Largest log odds, so that the exponential stays finite."""
_LARGEST = 1e9
"""A number in a record is smaller."""


@dataclass(frozen=True)
class Calibration:
    """A logistic regression from the evidence of a reading to the probability that its text is right."""

    bias: float
    weights: Mapping[str, float]
    """The weight of each kind of evidence in :mod:`linetune.decode.evidence`, by its name."""

    @classmethod
    def from_record(cls, record: Mapping[str, Any], by_rule: bool = False) -> Calibration:
        """Return the calibration in the record of a model file.

        Args:
            record: the record.
            by_rule: whether the model reads by a rule.

        Raises:
            LinetuneError: the record is damaged, or a newer version of linetune has written it.
        """
        weights = record.get("weights")
        if not isinstance(weights, dict) or not all(map(_finite, [record.get("bias"), *weights.values()])):
            raise LinetuneError("the calibration in the model file is damaged", hint="calibrate it again")
        if unknown := weights.keys() - set(NAMES if by_rule else NAMES[:-1]):
            what = f"the calibration of the model needs {', '.join(map(repr, sorted(unknown)))}"
            raise LinetuneError(what, hint="update linetune, or calibrate the model again")
        return cls(record["bias"], weights)

    def probability(self, found: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64]:
        """Return the probability (batch,) that each text is right, from the evidence of each reading."""
        odds = self.bias + sum(weight * found[name] for name, weight in self.weights.items())
        return np.asarray(1 / (1 + np.exp(-np.clip(odds, -_MOST, _MOST))))


@dataclass(frozen=True)
class Calibrated:
    """Gives the readings of another decoder a calibrated confidence. Their texts stay.

    The confidence of an empty text is 0, because no label is empty. So is that of a text that the rule does
    not admit.
    """

    decoder: Decoder
    charset: Charset
    calibration: Calibration

    def __call__(self, probabilities: NDArray[np.float32]) -> list[Reading]:
        """Decode class probabilities of shape (batch, frames, classes)."""
        readings = self.decoder(probabilities)
        found = evidence(probabilities, readings, self.charset)
        confidences = self.calibration.probability(found).tolist()
        return [
            replace(reading, confidence=confidence if reading.may_be_right else 0.0)
            for reading, confidence in zip(readings, confidences, strict=True)
        ]


@dataclass(frozen=True)
class Judged:
    """Says of the readings of another decoder whether a threshold accepts their confidence."""

    decoder: Decoder
    threshold: float
    """0 to 1."""

    @classmethod
    def from_promise(cls, decoder: Decoder, promise: Mapping[str, Any]) -> Judged:
        """Return the decoder for the promise in a model file.

        Raises:
            LinetuneError: the promise is damaged.
        """
        threshold = promise.get("threshold")
        if not _finite(threshold):
            raise LinetuneError(
                "the promise in the model file is damaged", hint="linetune calibrate removes it"
            )
        return cls(decoder, float(threshold))  # type: ignore[arg-type]

    def __call__(self, probabilities: NDArray[np.float32]) -> list[Reading]:
        """Decode class probabilities of shape (batch, frames, classes)."""
        readings = self.decoder(probabilities)
        accepted = accepts(self.threshold, [reading.confidence for reading in readings]).tolist()
        return [replace(reading, accepted=each) for reading, each in zip(readings, accepted, strict=True)]


def is_calibrated(decoder: Decoder | None) -> bool:
    """Return whether the confidence of a decoder is the probability that a reading is right."""
    while decoder is not None and not isinstance(decoder, Calibrated):
        decoder = getattr(decoder, "decoder", None)
    return decoder is not None


def accepts(threshold: float, confidence: ArrayLike) -> NDArray[np.bool_]:
    """Return whether a threshold accepts each confidence, in the same shape.

    It never accepts 0, which an empty text has, and a text that the rule does not admit.
    """
    values = np.asarray(confidence, float)
    return np.asarray((values >= threshold) & (values > 0))


def _finite(value: object) -> bool:
    return isinstance(value, (int, float)) and abs(value) < _LARGEST  # false for NaN
