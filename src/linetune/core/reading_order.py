"""Right-to-left text: label files and readings hold logical order, the network sees visual order.

Logical order is the order in which a text is typed and read. Visual order is the order of its glyphs from
left to right, which is the order of the frames that CTC aligns. Unicode's bidirectional algorithm (UAX #9)
turns the one into the other and mirrors brackets. A line with any right-to-left letter is taken for a
right-to-left line, as PaddleOCR takes it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from itertools import accumulate, groupby

from bidi import get_display
from bidi.mirror import MIRRORED

VISUAL = "visual"
"""What a model's file says of the order that its network has learnt."""
MARKS = frozenset("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that only say in which direction others run. They have no glyph."""
_RIGHT_TO_LEFT = {"R", "AL", "AN"}
"""Classes of Hebrew letters, Arabic letters and Arabic digits in UAX #9."""
_ARABIC_MARK = "\u061c"
"""An invisible character that counts as an Arabic letter."""
_FIRST_OTHER = 0x1E800
"""The first of 197 right-to-left letters of another script, Mende Kikakui."""

_UNITS = (
    "kg g mg µg ml cl dl cm mm km kW kWh mA Ah mAh Hz kHz MHz GHz kPa MPa hPa bar psi Nm dB lm rpm kV "
    "km/h m/s mg/ml °C °F C° F° USD EUR GBP SAR AED ILS NIS EGP KWD QAR JOD IRR AM PM pcs GB MB TB"
)
_UNIT_FIRST = re.compile(rf"(?<!\S)({'|'.join(_UNITS.split())}) ?([\d.,:/+-]*\d)(?!\S)")
"""A unit before a number, the other way round from how people write."""


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

    Where several texts look the same, it is the one with numbers before their units, and any one otherwise.
    """
    if not is_right_to_left(glyphs):
        return glyphs
    texts = list(_candidates(glyphs))
    measured = [_UNIT_FIRST.sub(r"\2 \1", text) for text in texts]
    return next((text for text in (*measured, *texts) if _displayed(text) == glyphs), texts[0])


def is_same(one: str, other: str) -> bool:
    """Whether two texts are equal, or nobody can tell them apart by their glyphs."""
    return one == other or (is_right_to_left(one) and to_visual(one) == to_visual(other))


def _candidates(glyphs: str) -> Iterator[str]:
    """Texts that may look like that, by the algorithm itself, which nearly is its own inverse.

    It joins numbers with their signs only where no Arabic letter comes before them, and what comes before
    differs between the orders. So it is also asked with an Arabic letter before everything, and with none.
    """
    yield _displayed(glyphs)
    yield _displayed(_ARABIC_MARK + glyphs)
    arabic = sorted({c for c in glyphs if unicodedata.bidirectional(c) == "AL"})
    other = {ord(c): chr(_FIRST_OTHER + number) for number, c in enumerate(arabic)}
    back = {ord(letter): chr(code) for code, letter in other.items()}
    yield _displayed(glyphs.translate(other)).translate(back)


def _displayed(text: str) -> str:
    """The glyphs of a right-to-left line from left to right: rules L2 and L4 of UAX #9."""
    glyphs = [
        (MIRRORED.get(c, c) if level % 2 else c, level) for c, level in zip(text, _levels(text), strict=True)
    ]
    for lowest in range(max((level for _, level in glyphs), default=0), 0, -1):
        glyphs = list(_reversed_from(lowest, glyphs))
    # Marks of direction have done their work.
    return "".join(c for c, _ in glyphs if c not in MARKS)


def _reversed_from(lowest: int, glyphs: list[tuple[str, int]]) -> Iterator[tuple[str, int]]:
    """The glyphs with every run of that level or a higher one in reverse."""
    for inside, run in groupby(glyphs, lambda glyph: glyph[1] >= lowest):
        in_order = list(run)
        yield from in_order[::-1] if inside else in_order


def _levels(text: str) -> list[int]:
    """The embedding level of each character of a right-to-left line: odd ones run from right to left.

    python-bidi reorders by itself as well, but it neither mirrors brackets nor keeps joiners.
    """
    told = str(get_display(text, base_dir="R", debug=True)).partition("levels: [")[2].partition("]")[0]
    of_bytes = [int(level) for level in re.findall(r"\d+", told)]
    starts = accumulate((len(c.encode("utf-8", "surrogatepass")) for c in text[:-1]), initial=0)
    return [of_bytes[start] for start in starts] if text else []
