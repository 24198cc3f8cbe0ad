"""Writing systems: the script of a character, what belongs to one letter, and which scripts are shaped."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from functools import lru_cache

from fontTools import unicodedata as scripts  # type: ignore[import-untyped]

ZWNJ, ZWJ = "\u200c", "\u200d"
JOINERS = ZWNJ + ZWJ
"""Invisible characters that are spelling in some scripts: they part two letters, or join them."""
GRAPHEME_JOINER = "\u034f"
_SHARED = {"Zyyy", "Zinh", "Zzzz"}
_CODES = (
    "Ahom Bali Batk Beng Bhks Brah Bugi Cakm Cham Deva Diak Dogr Gong Gonm Gran Gujr Guru Hano Java Khmr "
    "Khoj Knda Kthi Lana Laoo Lepc Limb Maka Marc Mlym Modi Mong Mtei Mymr Nand Newa Orya Phag Plrd Rjng "
    "Saur Shrd Sidd Sind Sinh Soyo Sund Sylo Takr Taml Telu Tglg Thai Tibt Tirh Zanb"
)
_SHAPED = frozenset(_CODES.split())
"""Scripts from left to right whose letters join, stack or change places.

They are those with spacing marks (general category Mc) or a virama (combining class 9) in the Unicode
Character Database, without Hangul, Han and Tifinagh, and two that join: Mongolian and Phags-pa.
"""
_VISIBLE = frozenset(map(chr, (*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD)))
"""Signs that Unicode counts as format characters although they are printed, around the digits that follow."""


@lru_cache(maxsize=1 << 16)
def script(character: str) -> str:
    """The ISO 15924 code of a character's script; empty for what several scripts share, such as digits."""
    code = str(scripts.script(character))
    return "" if code in _SHARED else code


def names(characters: Iterable[str]) -> list[str]:
    """The names of the scripts that characters are of, in alphabetical order."""
    return sorted({str(scripts.script_name(code)) for code in map(script, characters) if code})


@lru_cache(maxsize=1 << 16)
def is_joining(character: str) -> bool:
    """Whether a character's script joins letters, stacks them, changes their places or is right to left."""
    if is_invisible(character):
        return False
    code = script(character)
    return code in _SHAPED or bool(scripts.script_horizontal_direction(code, "LTR") == "RTL")


@lru_cache(maxsize=1 << 16)
def is_selector(character: str) -> bool:
    """Whether a character chooses a variant of the one before."""
    return (
        "\ufe00" <= character <= "\ufe0f"
        or "\U000e0100" <= character <= "\U000e01ef"
        or "\u180b" <= character <= "\u180d"
    )


@lru_cache(maxsize=1 << 16)
def is_invisible(character: str) -> bool:
    """Whether a character has no shape of its own: a control, a joiner, a mark of direction, a selector."""
    if character in _VISIBLE:
        return False
    kind = unicodedata.category(character)
    return kind in {"Cf", "Cc", "Zl", "Zp"} or character == GRAPHEME_JOINER or is_selector(character)


@lru_cache(maxsize=1 << 16)
def is_mark(character: str) -> bool:
    """Whether a character is a combining mark, which belongs to the letter before."""
    return unicodedata.category(character).startswith("M")


@lru_cache(maxsize=1 << 16)
def continues(character: str) -> bool:
    """Whether a character belongs to the one before: marks, joiners, later letters of a Hangul syllable."""
    return (
        is_mark(character)
        or character in JOINERS
        or "\u1160" <= character <= "\u11ff"  # vowels and final consonants
        or "\U0001f3fb" <= character <= "\U0001f3ff"  # skin tones
    )


@lru_cache(maxsize=1 << 12)
def clusters(text: str) -> tuple[str, ...]:
    """A text cut into its letters, each with the marks that belong to it."""
    found: list[str] = []
    for character in text:
        if found and (continues(character) or _awaits(found[-1], character)):
            found[-1] += character
        else:
            found.append(character)
    return tuple(found)


def _awaits(cluster: str, character: str) -> bool:
    # A picture made of several; between letters, the joiner only changes their shapes.
    return cluster.endswith(ZWJ) and unicodedata.category(character) == "So"
