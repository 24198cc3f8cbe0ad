"""Decoding: class probabilities become texts and confidences."""

from __future__ import annotations

from linetune.core.charset import Charset
from linetune.decode.reading import Decoder, Greedy, Reading

__all__ = ["Decoder", "Reading", "default_decoder"]


def default_decoder(charset: Charset) -> Decoder:
    """Return the decoder of a model that has no decoder of its own."""
    return Greedy(charset)
