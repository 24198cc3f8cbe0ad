"""Models of an early linetune that has learned right-to-left text in the wrong order."""

from __future__ import annotations

from collections.abc import Mapping

from linetune.core import reading_order
from linetune.core.charset import Charset
from linetune.core.errors import LinetuneError


def refuse_logical_order(charset: Charset, header: Mapping[str, str], where: object) -> None:
    """Refuse a model of an early linetune that has learned right-to-left text in the wrong order.

    Raises:
        LinetuneError: the charset has right-to-left letters, and the file does not say that it uses visual
            order.
    """
    if charset.right_to_left and header.get("text_order") != reading_order.VISUAL:
        raise LinetuneError(
            "an earlier version of linetune trained this model on right-to-left text in the wrong order",
            where,
            "train it again",
        )
