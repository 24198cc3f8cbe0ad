"""Convert right-to-left text between logical order (label files, readings) and visual order (network).

Logical order is the order in which people type and read a text. Visual order is the order of its glyphs from
left to right. It is also the order of the CTC frames. Unicode's bidirectional algorithm (UAX #9) converts
logical to visual order and mirrors brackets. As in PaddleOCR, a line with any right-to-left letter is a
right-to-left line.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from itertools import accumulate, groupby

from bidi import get_display
from bidi.mirror import MIRRORED

VISUAL = "visual"
"""The value in a model file for a network that learnt visual order."""
MARKS = frozenset("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Direction marks. They only set the direction of other characters and have no glyph."""
_RIGHT_TO_LEFT = {"R", "AL", "AN"}
"""UAX #9 classes of Hebrew letters, Arabic letters and Arabic digits."""
_ARABIC_MARK = "\u061c"
"""An invisible character that the algorithm treats as an Arabic letter."""
_FIRST_STAND_IN = 0x1E800
"""The first of 197 right-to-left letters of Mende Kikakui. They replace Arabic letters for a moment."""

_UNITS = (
    "kg g mg µg ml cl dl cm mm km kW kWh mA Ah mAh Hz kHz MHz GHz kPa MPa hPa bar psi Nm dB lm rpm kV "
    "km/h m/s mg/ml °C °F C° F° USD EUR GBP SAR AED ILS NIS EGP KWD QAR JOD IRR AM PM pcs GB MB TB"
)
_UNIT_FIRST = re.compile(rf"(?<!\S)({'|'.join(_UNITS.split())}) ?([\d.,:/+-]*\d)(?!\S)")
"""A unit before a number. People write it after the number."""


def is_right_to_left(text: str) -> bool:
    """Return whether a text contains a right-to-left letter or an Arabic digit."""
    return not text.isascii() and any(
        unicodedata.bidirectional(c) in _RIGHT_TO_LEFT and unicodedata.category(c) != "Cf" for c in text
    )


def to_visual(text: str) -> str:
    """Return the glyphs of a text from left to right."""
    return _displayed(text) if is_right_to_left(text) else text


def to_logical(glyphs: str) -> str:
    """Return a text in logical order with these glyphs from left to right.

    Several texts may look the same. We prefer one with numbers before their units, and else take any.
    """
    if not is_right_to_left(glyphs):
        return glyphs
    texts = list(_candidates(glyphs))
    measured = [_UNIT_FIRST.sub(r"\2 \1", text) for text in texts]
    return next((text for text in (*measured, *texts) if _displayed(text) == glyphs), texts[0])


def is_same(one: str, other: str) -> bool:
    """Return whether two texts are equal or have the same glyphs in the same places."""
    return one == other or (is_right_to_left(one) and to_visual(one) == to_visual(other))


def _candidates(glyphs: str) -> Iterator[str]:
    """Yield texts that may have these glyphs, from the algorithm itself: it is nearly its own inverse.

    It joins a number and its signs only if no Arabic letter comes before them. What comes before differs
    between the two orders. We therefore also run the algorithm with an Arabic letter in front, and with all
    Arabic letters replaced by letters of another right-to-left script.
    """
    yield _displayed(glyphs)
    yield _displayed(_ARABIC_MARK + glyphs)
    arabic = sorted({c for c in glyphs if unicodedata.bidirectional(c) == "AL"})
    stand_ins = {ord(c): chr(_FIRST_STAND_IN + number) for number, c in enumerate(arabic)}
    back = {ord(letter): chr(code) for code, letter in stand_ins.items()}
    yield _displayed(glyphs.translate(stand_ins)).translate(back)


def _displayed(text: str) -> str:
    """Return the glyphs of a right-to-left line from left to right: rules L2 and L4 of UAX #9."""
    glyphs = [
        (MIRRORED.get(c, c) if level % 2 else c, level) for c, level in zip(text, _levels(text), strict=True)
    ]
    for lowest in range(max((level for _, level in glyphs), default=0), 0, -1):
        glyphs = list(_reversed_from(lowest, glyphs))
    return "".join(c for c, _ in glyphs if c not in MARKS)


def _reversed_from(lowest: int, glyphs: list[tuple[str, int]]) -> Iterator[tuple[str, int]]:
    """Yield the glyphs, with each run of this level or a higher one reversed."""
    for is_reversed, run in groupby(glyphs, lambda glyph: glyph[1] >= lowest):
        in_order = list(run)
        yield from in_order[::-1] if is_reversed else in_order


def _levels(text: str) -> list[int]:
    """Return the embedding level of each character of a line. Odd levels run from right to left.

    python-bidi can reorder too, but it neither mirrors brackets nor keeps joiners. Its debug output has the
    level of each UTF-8 byte.
    """
    printed = str(get_display(text, base_dir="R", debug=True)).partition("levels: [")[2].partition("]")[0]
    of_bytes = [int(level) for level in re.findall(r"\d+", printed)]
    starts = accumulate((len(c.encode("utf-8", "surrogatepass")) for c in text[:-1]), initial=0)
    return [of_bytes[start] for start in starts] if text else []
