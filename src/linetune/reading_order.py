"""Right-to-left text: label files and readings hold logical order, the network sees visual order.

Logical order is the order in which a text is typed and read. Visual order is the order of its glyphs from
left to right, which is the order of the frames that CTC aligns. Unicode's bidirectional algorithm (UAX #9)
turns the one into the other and mirrors brackets. A line with any right-to-left letter is taken for a
right-to-left line, as PaddleOCR takes it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from bidi.algorithm import get_display

VISUAL = "visual"
"""What a model's file says of the order that its network has learnt."""
_RIGHT_TO_LEFT = {"R", "AL", "AN"}
"""Classes of Hebrew letters, Arabic letters and Arabic digits in UAX #9."""
_ARABIC_MARK = "\u061c"
"""An invisible character that counts as an Arabic letter."""
_FIRST_OTHER = 0x1E800
"""The first of 197 right-to-left letters of another script, Mende Kikakui."""
_FIRST_MARK = 0xE0100
"""The first of 240 marks without a shape of their own, variation selectors."""


def is_right_to_left(text: str) -> bool:
    """Whether a text holds a right-to-left letter, or an Arabic digit."""
    return not text.isascii() and any(
        unicodedata.bidirectional(c) in _RIGHT_TO_LEFT and unicodedata.category(c) != "Cf" for c in text
    )


def to_visual(text: str) -> str:
    """The glyphs of a text from left to right."""
    return _displayed(text) if is_right_to_left(text) else text


def to_logical(glyphs: str) -> str:
    """A text whose glyphs from left to right are the given ones.

    Where several texts look the same, it is one of them.
    """
    if not is_right_to_left(glyphs):
        return glyphs
    texts = list(_candidates(glyphs))
    return next((text for text in texts if _displayed(text) == glyphs), texts[0])


def _candidates(glyphs: str) -> Iterator[str]:
    """Texts that may look like that, by the algorithm itself, which nearly is its own inverse.

    It joins numbers with their signs only where no Arabic letter comes before them, and what comes before
    differs between the orders. So it is also asked with an Arabic letter before everything, and with none.
    """
    yield _displayed(glyphs)
    yield _displayed(_ARABIC_MARK + glyphs).replace(_ARABIC_MARK, "")
    stand_in, back = _stand_ins(glyphs, "AL", _FIRST_OTHER)
    yield _displayed(glyphs.translate(stand_in)).translate(back)


def _displayed(text: str) -> str:
    # The algorithm drops joiners and others that cannot be seen. Marks stay with their letters.
    stand_in, back = _stand_ins(text, "BN", _FIRST_MARK)
    return str(get_display(text.translate(stand_in), base_dir="R")).translate(back)


def _stand_ins(text: str, kind: str, first: int) -> tuple[dict[int, int], dict[int, int]]:
    """Code points for the characters of a class in UAX #9, from ``first`` on, and the way back."""
    found = sorted({ord(c) for c in text if unicodedata.bidirectional(c) == kind})
    stand_in = {code: first + number for number, code in enumerate(found)}
    return stand_in, {code: own for own, code in stand_in.items()}
