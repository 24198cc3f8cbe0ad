"""Decoding: class probabilities become texts and confidences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from linetune.core.charset import Charset
from linetune.decode.calibrated import Calibrated, Calibration, Judged
from linetune.decode.reading import Decoder, Greedy, Reading

__all__ = ["Decoder", "Reading", "default_decoder"]


def default_decoder(
    charset: Charset, calibration: Mapping[str, Any] | None = None, promise: Mapping[str, Any] | None = None
) -> Decoder:
    """Return the decoder of a model.

    Args:
        charset: the characters of the model.
        calibration: the record of its calibration. Without one, the confidence is PaddleOCR's score.
        promise: the record of its promise. Without one, readings are neither accepted nor referred.

    Raises:
        LinetuneError: a record is damaged.
    """
    decoder: Decoder = Greedy(charset)
    if calibration:
        decoder = Calibrated(decoder, charset, Calibration.from_record(calibration))
    return Judged.from_promise(decoder, promise) if promise else decoder
