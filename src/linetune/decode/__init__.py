"""Decoding: class probabilities become texts and confidences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from linetune.core.charset import Charset
from linetune.decode.calibrated import Calibrated, Calibration, Judged
from linetune.decode.reading import Decoder, Greedy, Reading

__all__ = ["Decoder", "Reading", "default_decoder"]


def default_decoder(
    charset: Charset,
    *,
    rule: Mapping[str, Any] | None = None,
    calibration: Mapping[str, Any] | None = None,
    promise: Mapping[str, Any] | None = None,
) -> Decoder:
    """Return the decoder of a model.

    Args:
        charset: the characters of the model.
        rule: the rule that it reads by, see :func:`linetune.rules.automaton.compiled`.
        calibration: the record of its calibration. Without one, the confidence is PaddleOCR's score, or by a
            rule the probability of the text.
        promise: the record of its promise. Without one, readings are neither accepted nor referred.

    Raises:
        LinetuneError: the rule cannot be used, or a record is damaged.
    """
    decoder: Decoder = _by_rule(charset, rule) if rule else Greedy(charset)
    if calibration:
        decoder = Calibrated(decoder, charset, Calibration.from_record(calibration, bool(rule)))
    return Judged.from_promise(decoder, promise) if promise else decoder


def _by_rule(charset: Charset, rule: Mapping[str, Any]) -> Decoder:
    # Only here: the rest of linetune reads without what rules need.
    from linetune.decode.by_rule import ByRule
    from linetune.rules.automaton import compiled

    return ByRule(charset, compiled(rule))
