"""Find and repair characters that are not what they seem: invisible ones, look-alikes, separate accents."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container, Iterable
from dataclasses import dataclass

from linetune.core import scripts
from linetune.core.charset import SPACE
from linetune.core.reading_order import MARKS, is_right_to_left

_FULL_WIDTH = {chr(code): chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
_BREAKS = "\v\f\x1c\x1d\x1e\x85\u2028\u2029"
"""Line and page breaks that programs leave between words."""
_ODD_SPACES = dict.fromkeys([*_BREAKS, "\u00a0", *map(chr, range(0x2000, 0x200B)), "\u202f", "\u205f"], SPACE)
_ALWAYS = {c: plain for c, plain in _FULL_WIDTH.items() if plain.isalnum()} | _ODD_SPACES
_PUNCTUATION = (
    {c: plain for c, plain in _FULL_WIDTH.items() if not plain.isalnum()}
    | dict.fromkeys("\u2010\u2011\u2012\u2013\u2212", "-")
    | {"\u3000": SPACE}
)
"""Punctuation that is correct in Chinese or in prose, but a slip of the input method among ASCII."""
_LATIN_TWINS = {
    "Cyrl": dict(zip("АВЕЗКМНОРСТУХІЅЈаеорсухіѕј", "ABE3KMHOPCTYXISJaeopcyxisj", strict=True)),
    "Grek": dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧο", "ABEZHIKMNOPTYXo", strict=True)),
}
"""Cyrillic and Greek letters, and the Latin letters or digits that look the same: their twins."""
_TWINS_OF_LATIN = {
    script: {plain: c for c, plain in twins.items() if plain.isalpha()}
    for script, twins in _LATIN_TWINS.items()
}
_PROOF = {"Cyrl": 1, "Grek": 2}
"""Letters without a twin that prove a word's script. One Greek letter may be a symbol, as in 5 μA."""
_WORD = re.compile("(?:[^\\W_]|[\u0300-\u036f])+")
"""Letters and digits, including accents as separate characters."""
_SHAPES = {
    chr(code): unicodedata.normalize("NFKC", chr(code))
    for code in (*range(0xFB50, 0xFC00), *range(0xFE80, 0xFEFD))
    if unicodedata.decomposition(chr(code)).startswith("<")
}
"""Arabic letters in the shape for one place in a word, and the letters that people type instead.

These are Unicode's Arabic Presentation Forms without words in one character and without single marks.
"""
_TWICE = {"\u00b5", "\u0e33", "\u0eb3", *map(chr, range(0x2F00, 0x2FD6))}
_KEYBOARDS = dict(zip("٠١٢٣٧٨٩يك∆∑∏∼￥şţŞŢÐ׳״", "۰۱۲۳۷۸۹یکΔΣΠ~¥șțȘȚĐ'\"", strict=True)) | {"…": "..."}
_FILLERS = "\u3164\uffa0"
"""Blank Hangul characters that Unicode counts as letters."""
_FLAG, _KEYCAP = "\U0001f3f4", "\u20e3"
_VIRAMA = 9
"""Combining class of marks that remove a letter's vowel. A joiner after the mark shapes the letter."""


@dataclass(frozen=True)
class CharacterChecks:
    """The checks of the characters in the labels of one data set. They accept correct spelling.

    :meth:`repaired` changes what the other methods find and nothing else.

    Args:
        at_home: the scripts that the labels really use. Such a script has a letter without a Latin twin in
            the labels, or no label has a Latin letter.
        wanted: characters that are always correct, because the charset has them.
    """

    at_home: frozenset[str]
    wanted: Container[str] = ()

    @classmethod
    def of(cls, texts: Iterable[str], wanted: Container[str] = ()) -> CharacterChecks:
        """Return the checks for a data set with these labels."""
        used = set().union(*texts)
        written = {c: scripts.script(c) for c in used}
        proven = {script for c, script in written.items() if c not in _LATIN_TWINS.get(script, ())}
        # Russian number plates use only letters with Latin twins.
        return cls(frozenset(proven if "Latn" in written.values() else written.values()), wanted)

    def invisible(self, text: str) -> list[str]:
        """Return each invisible character that no spelling needs: zero width, controls, selectors."""
        return list(dict.fromkeys(text[at] for at in self._invisible(text)))

    def ordering(self, text: str) -> list[str]:
        """Return the invisible characters that may decide the order of the text, each once.

        We do not remove them: without them, a right-to-left line may read in another order.
        """
        if not is_right_to_left(text):
            return []
        return [c for c in self.invisible(text) if c in MARKS]

    def garbled(self, text: str) -> list[str]:
        """Return the broken characters, each once: the replacement character, private use, unassigned."""
        broken = (c for c in text if c == "\ufffd" or unicodedata.category(c) in {"Co", "Cn"})
        return [c for c in dict.fromkeys(broken) if c not in self.wanted]

    def lookalikes(self, text: str) -> dict[str, str]:
        """Return the characters that look like others, and those others."""
        shapes = {c: _SHAPES[c] for c in text if self._is_shape(c)}
        visible = self._visible(text)
        return shapes | {
            c: plain for c, plain in zip(visible, self._plain(visible), strict=True) if c != plain
        }

    def decomposed(self, text: str) -> dict[str, str]:
        """Return the letters with more characters than they need, and their composed forms."""
        letters = scripts.clusters(self._plain(self._visible(text)))
        return {letter: short for letter in letters if (short := self._composed(letter)) != letter}

    def has_edges(self, text: str) -> bool:
        """Return whether the visible part of a text begins or ends with a space of any kind."""
        plain = self._plain(self._visible(text))
        return plain != plain.strip()

    def repaired(self, text: str) -> str:
        """Return the text that the writer probably meant: visible, plain, composed, without outer spaces."""
        plain = self._plain(self._visible(text))
        return "".join(map(self._composed, scripts.clusters(plain))).strip()

    def _invisible(self, text: str) -> list[int]:
        """Return the places of the characters that :meth:`invisible` finds."""
        return [
            at
            for at, c in enumerate(text)
            if (c in _FILLERS or (scripts.is_invisible(c) and c not in _BREAKS and not _spells(text, at)))
            and c not in self.wanted
        ]

    def _visible(self, text: str) -> str:
        """Return a text in typed letters, without invisible characters except those of :meth:`ordering`."""
        invisible, ordering = set(self._invisible(text)), self.ordering(text)
        kept = (c for at, c in enumerate(text) if at not in invisible or c in ordering)
        return "".join(_SHAPES[c] if self._is_shape(c) else c for c in kept)

    def _is_shape(self, character: str) -> bool:
        return character in _SHAPES and character not in self.wanted

    def _plain(self, text: str) -> str:
        """Replace every look-alike, character by character."""
        for replaced in (_narrowed, self._in_one_script, _ascii):
            pairs = zip(text, replaced(text), strict=True)
            text = "".join(c if c in self.wanted else plain for c, plain in pairs)
        return text

    def _in_one_script(self, text: str) -> str:
        """Replace letters by their twins in words of two scripts."""
        return _WORD.sub(lambda match: self._word_in_one_script(match[0]), text)

    def _word_in_one_script(self, word: str) -> str:
        """Replace letters by their twins if the other letters of the word prove the script."""
        if _LATIN_TWINS.keys() <= set(map(scripts.script, word)):
            return word
        for script, twins in _LATIN_TWINS.items():
            back = _TWINS_OF_LATIN[script]
            own = sum(scripts.script(c) == script and c not in twins for c in word)
            latin = sum(scripts.script(c) == "Latn" and c not in back for c in word)
            mixed = any(scripts.script(c) == "Latn" for c in word)
            if own >= _PROOF[script] and not latin:
                word = "".join(back.get(c, c) for c in word)
            # A word of twins only is probably Latin, unless the labels use the other script.
            elif not own and (mixed or script not in self.at_home):
                word = "".join(twins.get(c, c) for c in word)
        return word

    def _composed(self, letter: str) -> str:
        """Return a letter and its marks in the composed form, if this has fewer characters."""
        short = _composed(letter)
        # A charset may have the marks but not the composed letter.
        wanted = all(c in self.wanted for c in letter) and not all(c in self.wanted for c in short)
        return letter if wanted or len(short) >= len(letter) else short


def same_look(characters: Iterable[str]) -> dict[str, str]:
    """Return the characters that have a second code point with the same look, and that second character.

    These are characters that the canonical composition (NFC) replaces, such as the ohm sign. They are also
    the micro sign, the Kangxi radicals, and the Thai and Lao vowels that NFKC decomposes. Finally, they are
    characters that keyboards have in two forms, such as Persian and Arabic digits.
    """
    forms = {
        c: _KEYBOARDS.get(c) or unicodedata.normalize("NFKC" if c in _TWICE else "NFC", c) for c in characters
    }
    return {c: plain for c, plain in forms.items() if c != plain}


def quote_both(text: str, other: str) -> tuple[str, str]:
    """Return two texts in quotes for a message, with code points if they differ but look the same."""
    checks = CharacterChecks(frozenset())
    if text != other and checks.repaired(text) == checks.repaired(other):
        return ascii(text), ascii(other)
    return repr(text), repr(other)


def _narrowed(text: str) -> str:
    return "".join(_ALWAYS.get(c, c) for c in text)


def _ascii(text: str) -> str:
    """Replace punctuation of an input method if all other characters are ASCII."""
    if all(c.isascii() or c in _PUNCTUATION for c in text):
        return "".join(_PUNCTUATION.get(c, c) for c in text)
    return text


def _composed(letter: str) -> str:
    """Return Unicode's composed form (NFC), but keep single characters that NFC changes.

    Such characters are the ohm sign U+2126, and letters like U+0958 that NFC decomposes.
    """
    pieces = [""]
    for c in letter:
        if unicodedata.is_normalized("NFC", c):
            pieces[-1] += c
        else:
            pieces += [c, ""]
    return "".join(
        piece if number % 2 else unicodedata.normalize("NFC", piece) for number, piece in enumerate(pieces)
    )


def _spells(text: str, at: int) -> bool:
    """Return whether the invisible character at this place is part of correct spelling."""
    c, before, after = text[at], text[:at], text[at + 1 : at + 2]
    last = before[-1:]
    # The letter or picture before it, without its marks.
    base = next((b for b in reversed(before) if not scripts.is_mark(b)), "")
    base = "" if base and scripts.is_invisible(base) else base
    if c in scripts.JOINERS:
        following = text[at:].lstrip(scripts.JOINERS)[:1]
        following = "" if following and scripts.is_invisible(following) else following
        if c == scripts.ZWJ and last and unicodedata.combining(last) == _VIRAMA:
            return True
        if c == scripts.ZWJ and _is_picture(base):
            return _is_picture(following)
        joins = [scripts.is_joining(letter) for letter in (base, following) if letter]
        # At the end it gives a letter the shape before another letter, as in the sign of the Persian era.
        if c == scripts.ZWJ and base and joins[0]:
            return True
        # Between two letters, or between a number or foreign word and its ending.
        return bool(base.strip() and following.strip()) and any(joins)
    if scripts.is_selector(c):
        return bool(last) and (_has_variants(last) or (after == _KEYCAP and last in "0123456789#*"))
    if c == scripts.GRAPHEME_JOINER:
        return bool(after) and scripts.is_mark(after) and not scripts.is_invisible(after)
    if "\U000e0020" <= c <= "\U000e007f":  # letters of a region, as in the flag of Scotland
        return _FLAG in before
    # Format characters of one script, such as those of hieroglyphs and Mongolian.
    return bool(base) and c not in MARKS and scripts.script(c) == scripts.script(base) != ""


def _is_picture(character: str) -> bool:
    return character != "" and unicodedata.category(character) in {"So", "Sk"}


def _has_variants(character: str) -> bool:
    """Return whether variation selectors may follow: ideographs, letters of some scripts, symbols."""
    if scripts.script(character) == "Hani" or scripts.is_joining(character):
        return True
    return not character.isascii() and unicodedata.category(character)[0] in "SP"
