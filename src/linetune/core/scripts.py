"""Properties of characters: the script, the letter that a mark belongs to, and whether it needs shaping."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

ZWNJ, ZWJ = "\u200c", "\u200d"
JOINERS = ZWNJ + ZWJ
"""Invisible characters that separate or join two letters. Some scripts need them for correct spelling."""
GRAPHEME_JOINER = "\u034f"
_SELECTOR = re.compile("[\u180b-\u180d\ufe00-\ufe0f\U000e0100-\U000e01ef]")
_SHARED = {"Zyyy", "Zinh", "Zzzz"}
_CODES = (
    "Ahom Bali Batk Beng Bhks Brah Bugi Cakm Cham Deva Diak Dogr Gong Gonm Gran Gujr Guru Hano Java Khmr "
    "Khoj Knda Kthi Lana Laoo Lepc Limb Maka Marc Mlym Modi Mong Mtei Mymr Nand Newa Orya Phag Plrd Rjng "
    "Saur Shrd Sidd Sind Sinh Soyo Sund Sylo Takr Taml Telu Tglg Thai Tibt Tirh Zanb"
)
_SHAPED = frozenset(_CODES.split())
"""Scripts from left to right whose letters join, stack or change places.

In the Unicode Character Database, these scripts have spacing marks (general category Mc) or a virama
(combining class 9). Hangul, Han and Tifinagh are left out; Mongolian and Phags-pa are added, since they join.
"""
_VISIBLE = frozenset(map(chr, (*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD)))
"""Signs that are printed around the digits after them, although Unicode calls them format characters."""


def _fonttools() -> Any:
    """Return the database of scripts. It is imported late, because reading crops needs no scripts."""
    from fontTools import unicodedata  # type: ignore[import-untyped]

    return unicodedata


@lru_cache(maxsize=1 << 16)
def script(character: str) -> str:
    """Return the ISO 15924 code of a character's script, or "" if several scripts share it, as digits."""
    code = str(_fonttools().script(character))
    return "" if code in _SHARED else code


def names(characters: Iterable[str]) -> list[str]:
    """Return the names of the characters' scripts in alphabetical order."""
    return sorted({str(_fonttools().script_name(code)) for code in map(script, characters) if code})


@lru_cache(maxsize=1 << 16)
def is_joining(character: str) -> bool:
    """Return whether a character's script joins, stacks or reorders letters, or runs from right to left."""
    if is_invisible(character):
        return False
    code = script(character)
    return code in _SHAPED or bool(_fonttools().script_horizontal_direction(code, "LTR") == "RTL")


def is_selector(character: str) -> bool:
    """Return whether a character is a variation selector. It chooses the form of the character before it."""
    return _SELECTOR.match(character) is not None


@lru_cache(maxsize=1 << 16)
def is_invisible(character: str) -> bool:
    """Return whether a character has no glyph: a control, a joiner, a direction mark, a selector."""
    if character in _VISIBLE:
        return False
    kind = unicodedata.category(character)
    return kind in {"Cf", "Cc", "Zl", "Zp"} or character == GRAPHEME_JOINER or is_selector(character)


def is_mark(character: str) -> bool:
    """Return whether a character is a combining mark, which belongs to the letter before it."""
    return unicodedata.category(character).startswith("M")


@lru_cache(maxsize=1 << 16)
def continues(character: str) -> bool:
    """Return whether a character belongs to the one before it.

    Such are marks, joiners, skin tones, and the vowels and final consonants of a Hangul syllable.
    """
    return (
        is_mark(character)
        or character in JOINERS
        or "\u1160" <= character <= "\u11ff"  # vowels and final consonants
        or "\U0001f3fb" <= character <= "\U0001f3ff"  # skin tones
    )


@lru_cache(maxsize=1 << 12)
def clusters(text: str) -> tuple[str, ...]:
    """Split a text into letters, each with the characters that belong to it."""
    letters: list[str] = []
    for character in text:
        # A joiner makes one picture of two. Between letters it only changes their shapes.
        picture = letters and letters[-1].endswith(ZWJ) and unicodedata.category(character) == "So"
        if picture or (letters and continues(character)):
            letters[-1] += character
        else:
            letters.append(character)
    return tuple(letters)
