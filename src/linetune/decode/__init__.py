"""From class probabilities to texts and confidences."""

from __future__ import annotations

from linetune.core.charset import Charset
from linetune.decode.greedy import Greedy
from linetune.decode.reading import Decoder, Reading

__all__ = ["Decoder", "Reading", "default_decoder"]


def default_decoder(charset: Charset) -> Decoder:
    """Return the decoder of a model that has no other one."""
    return Greedy(charset)
