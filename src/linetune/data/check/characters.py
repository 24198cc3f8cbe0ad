"""Characters that are not what they look like."""

from __future__ import annotations

import unicodedata
from collections.abc import Container, Iterable
from dataclasses import dataclass

from linetune.charset import SPACE

_FULL_WIDTH = {chr(code): chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
_ODD_SPACES = dict.fromkeys(["\u00a0", *map(chr, range(0x2000, 0x200B)), "\u202f", "\u205f"], SPACE)
_ALWAYS = {c: plain for c, plain in _FULL_WIDTH.items() if plain.isalnum()} | _ODD_SPACES
_PUNCTUATION = (
    {c: plain for c, plain in _FULL_WIDTH.items() if not plain.isalnum()}
    | dict.fromkeys("\u2010\u2011\u2012\u2013\u2212", "-")
    | {"\u3000": SPACE}
)
"""At home among Chinese or in prose; a slip of the input method among plain ASCII."""
_TWINS = dict(zip("АВЕЗКМНОРСТУХІЅЈаеорсухіѕј", "ABE3KMHOPCTYXISJaeopcyxisj", strict=True)) | dict(
    zip("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧο", "ABEZHIKMNOPTYXo", strict=True)
)
"""Cyrillic and Greek letters and what they look like."""


@dataclass(frozen=True)
class Suspects:
    """Which characters of a data set are suspicious.

    Args:
        at_home: scripts that the labels really use: those with a letter that has no Latin twin.
        wanted: characters that are meant, since the charset has them.
    """

    at_home: frozenset[str]
    wanted: Container[str] = ()

    @classmethod
    def among(cls, texts: Iterable[str], wanted: Container[str] = ()) -> Suspects:
        """Those of the given labels."""
        used = set().union(*texts)
        return cls(frozenset(_script(c) for c in used if c not in _TWINS), wanted)

    def invisible(self, text: str) -> list[str]:
        """Characters that cannot be seen, each once: zero width, controls, variation selectors."""
        return self._once(c for c in text if _is_invisible(c))

    def garbled(self, text: str) -> list[str]:
        """Characters that stand for none, each once: the replacement character, private use, unassigned."""
        return self._once(c for c in text if c == "\ufffd" or unicodedata.category(c) in {"Co", "Cn"})

    def lookalikes(self, text: str) -> dict[str, str]:
        """Characters that look like others, and what they look like."""
        found = {c: _ALWAYS[c] for c in text if c in _ALWAYS}
        rest = [c for c in text if c not in _ALWAYS]
        if all(c.isascii() or c in _PUNCTUATION for c in rest):
            found |= {c: _PUNCTUATION[c] for c in rest if c in _PUNCTUATION}
        latin = any(c.isascii() and c.isalpha() for c in rest)
        found |= {c: _TWINS[c] for c in rest if c in _TWINS and (latin or _script(c) not in self.at_home)}
        return {c: plain for c, plain in found.items() if c not in self.wanted}

    def repaired(self, text: str) -> str:
        """The text as it was most probably meant: plain, visible, composed, without spaces at the ends."""
        drop = set(self.invisible(text))
        plain = self.lookalikes(text)
        kept = "".join(plain.get(c, c) for c in text if c not in drop)
        return unicodedata.normalize("NFC", kept).strip()

    def _once(self, characters: Iterable[str]) -> list[str]:
        return [c for c in dict.fromkeys(characters) if c not in self.wanted]


def _script(character: str) -> str:
    return unicodedata.name(character, "").partition(" ")[0]


def _is_invisible(character: str) -> bool:
    return unicodedata.category(character) in {"Cf", "Cc", "Zl", "Zp"} or "\ufe00" <= character <= "\ufe0f"
