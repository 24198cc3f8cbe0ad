"""Decoding: class probabilities become texts and confidences."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from linetune.core.charset import Charset
from linetune.decode.reading import Decoder, Greedy, Reading

__all__ = ["Decoder", "Reading", "decoder_of", "default_decoder"]


def default_decoder(charset: Charset) -> Decoder:
    """Return the decoder of a model that has no decoder of its own."""
    return Greedy(charset)


def decoder_of(charset: Charset, rule: Mapping[str, Any]) -> Decoder:
    """Return the decoder of a model with a rule, see :func:`linetune.rules.automaton.compiled`.

    Raises:
        LinetuneError: the rule cannot be used.
    """
    return _by_rule(charset, json.dumps(rule)) if rule else default_decoder(charset)


@lru_cache(4)
def _by_rule(charset: Charset, rule: str) -> Decoder:
    # Only here: the rest of linetune reads without what rules need.
    from linetune.decode.by_rule import ByRule
    from linetune.rules.automaton import compiled

    return ByRule(charset, compiled(json.loads(rule)))
