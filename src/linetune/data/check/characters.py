"""Characters that are not what they look like."""

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
"""Ends of lines and pages that programs leave between words."""
_ODD_SPACES = dict.fromkeys([*_BREAKS, "\u00a0", *map(chr, range(0x2000, 0x200B)), "\u202f", "\u205f"], SPACE)
_ALWAYS = {c: plain for c, plain in _FULL_WIDTH.items() if plain.isalnum()} | _ODD_SPACES
_PUNCTUATION = (
    {c: plain for c, plain in _FULL_WIDTH.items() if not plain.isalnum()}
    | dict.fromkeys("\u2010\u2011\u2012\u2013\u2212", "-")
    | {"\u3000": SPACE}
)
"""At home among Chinese or in prose; a slip of the input method among plain ASCII."""
_LATIN_TWINS = {
    "Cyrl": dict(zip("АВЕЗКМНОРСТУХІЅЈаеорсухіѕј", "ABE3KMHOPCTYXISJaeopcyxisj", strict=True)),
    "Grek": dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧο", "ABEZHIKMNOPTYXo", strict=True)),
}
"""Cyrillic and Greek letters and what they look like."""
_TWINS_OF_LATIN = {
    script: {plain: c for c, plain in twins.items() if plain.isalpha()}
    for script, twins in _LATIN_TWINS.items()
}
_TELLING = {"Cyrl": 1, "Grek": 2}
"""Letters without a twin that show a word to be of the script; a single Greek one is a symbol, as in 5 μA."""
_WORD = re.compile("(?:[^\\W_]|[\u0300-\u036f])+")
"""Letters and digits, with accents that stand apart."""
_SHAPES = {
    chr(code): unicodedata.normalize("NFKC", chr(code))
    for code in (*range(0xFB50, 0xFC00), *range(0xFE80, 0xFEFD))
    if unicodedata.decomposition(chr(code)).startswith("<")
}
"""Arabic letters as they are displayed at one place of a word, and the letters that are typed.

They are Unicode's Arabic Presentation Forms, but for words in one character and for marks by themselves.
"""
_TWICE = {"\u00b5", "\u0e33", "\u0eb3", *map(chr, range(0x2F00, 0x2FD6))}
_KEYBOARDS = dict(zip("٠١٢٣٧٨٩يك∆∑∏∼￥şţŞŢÐ׳״", "۰۱۲۳۷۸۹یکΔΣΠ~¥șțȘȚĐ'\"", strict=True)) | {"…": "..."}
_FILLERS = "\u3164\uffa0"
"""Blanks of Hangul that Unicode counts as letters."""
_FLAG, _KEYCAP = "\U0001f3f4", "\u20e3"
_VIRAMA = 9
"""Combining class of the marks that silence a letter's vowel; a joiner after one shapes that letter."""


@dataclass(frozen=True)
class Suspects:
    """Which characters of a data set are suspicious; correct spelling is not.

    :meth:`repaired` changes what the other methods find and nothing else.

    Args:
        at_home: scripts that the labels really use: those with a letter that has no Latin twin, and all where
            no label has a Latin letter.
        wanted: characters that are meant, since the charset has them.
    """

    at_home: frozenset[str]
    wanted: Container[str] = ()

    @classmethod
    def among(cls, texts: Iterable[str], wanted: Container[str] = ()) -> Suspects:
        """Those of the given labels."""
        used = set().union(*texts)
        written = {c: scripts.script(c) for c in used}
        told = {script for c, script in written.items() if c not in _LATIN_TWINS.get(script, ())}
        # Plates have those letters alone that Latin has too.
        return cls(frozenset(told if "Latn" in written.values() else written.values()), wanted)

    def invisible(self, text: str) -> list[str]:
        """Characters that cannot be seen and spell nothing, each once: zero width, controls, selectors."""
        return list(dict.fromkeys(text[at] for at in self._invisible(text)))

    def ordering(self, text: str) -> list[str]:
        """Those of the invisible ones that may decide on the order of the text, each once.

        They are not removed: a line with letters from right to left may read in another order without them.
        """
        if not is_right_to_left(text):
            return []
        return [c for c in self.invisible(text) if c in MARKS]

    def garbled(self, text: str) -> list[str]:
        """Characters that stand for none, each once: the replacement character, private use, unassigned."""
        found = (c for c in text if c == "\ufffd" or unicodedata.category(c) in {"Co", "Cn"})
        return [c for c in dict.fromkeys(found) if c not in self.wanted]

    def lookalikes(self, text: str) -> dict[str, str]:
        """Characters that look like others, and what they look like."""
        shapes = {c: _SHAPES[c] for c in text if self._is_shape(c)}
        seen = self._seen(text)
        return shapes | {c: plain for c, plain in zip(seen, self._plain(seen), strict=True) if c != plain}

    def decomposed(self, text: str) -> dict[str, str]:
        """Letters written with more characters than they need, and their composed forms."""
        letters = scripts.clusters(self._plain(self._seen(text)))
        return {letter: short for letter in letters if (short := self._composed(letter)) != letter}

    def has_edges(self, text: str) -> bool:
        """Whether what is seen of a text begins or ends with a space of any kind."""
        plain = self._plain(self._seen(text))
        return plain != plain.strip()

    def repaired(self, text: str) -> str:
        """The text as it was most probably meant: plain, visible, composed, without spaces at the ends."""
        plain = self._plain(self._seen(text))
        return "".join(map(self._composed, scripts.clusters(plain))).strip()

    def _invisible(self, text: str) -> list[int]:
        """The places of invisible characters."""
        return [
            at
            for at, c in enumerate(text)
            if (c in _FILLERS or (scripts.is_invisible(c) and c not in _BREAKS and not _spells(text, at)))
            and c not in self.wanted
        ]

    def _seen(self, text: str) -> str:
        """A text in typed letters, and of its invisible characters those that may decide on its order."""
        gone, ordering = set(self._invisible(text)), self.ordering(text)
        kept = (c for at, c in enumerate(text) if at not in gone or c in ordering)
        return "".join(_SHAPES[c] if self._is_shape(c) else c for c in kept)

    def _is_shape(self, character: str) -> bool:
        return character in _SHAPES and character not in self.wanted

    def _plain(self, text: str) -> str:
        """A text with every look-alike replaced, character by character."""
        for meant in (_narrowed, self._in_one_script, _ascii):
            pairs = zip(text, meant(text), strict=True)
            text = "".join(c if c in self.wanted else plain for c, plain in pairs)
        return text

    def _in_one_script(self, text: str) -> str:
        """A text with the slips in every word replaced: letters with a twin in the script of the others."""
        return _WORD.sub(lambda found: self._word(found[0]), text)

    def _word(self, word: str) -> str:
        if _LATIN_TWINS.keys() <= set(map(scripts.script, word)):
            return word
        for script, twins in _LATIN_TWINS.items():
            back = _TWINS_OF_LATIN[script]
            own = sum(scripts.script(c) == script and c not in twins for c in word)
            latin = sum(scripts.script(c) == "Latn" and c not in back for c in word)
            mixed = any(scripts.script(c) == "Latn" for c in word)
            if own >= _TELLING[script] and not latin:
                word = "".join(back.get(c, c) for c in word)
            # Where a word's letters could be of either, Latin is likelier unless the labels use the script.
            elif not own and (mixed or script not in self.at_home):
                word = "".join(twins.get(c, c) for c in word)
        return word

    def _composed(self, letter: str) -> str:
        """A letter with its marks in the composed form, where that has fewer characters."""
        short = _composed(letter)
        # The charset may have the marks alone.
        meant = all(c in self.wanted for c in letter) and not all(c in self.wanted for c in short)
        return letter if meant or len(short) >= len(letter) else short


def same_look(characters: Iterable[str]) -> dict[str, str]:
    """Characters that Unicode gives a code point of their own beside the one of the same look, and that one.

    They are those that its canonical composition (NFC) replaces, such as the ohm sign; the micro sign, the
    radicals of Kangxi, and vowels of Thai and Lao that NFKC takes apart; and what keyboards have in two
    forms, such as Persian and Arabic digits.
    """
    forms = {
        c: _KEYBOARDS.get(c) or unicodedata.normalize("NFKC" if c in _TWICE else "NFC", c) for c in characters
    }
    return {c: plain for c, plain in forms.items() if c != plain}


def told_apart(text: str, other: str) -> tuple[str, str]:
    """Two texts in quotes for a message, with code points where they differ and look the same."""
    alike = Suspects(frozenset())
    if text != other and alike.repaired(text) == alike.repaired(other):
        return ascii(text), ascii(other)
    return repr(text), repr(other)


def _narrowed(text: str) -> str:
    return "".join(_ALWAYS.get(c, c) for c in text)


def _ascii(text: str) -> str:
    """Punctuation of the input method replaced where all else is ASCII."""
    if all(c.isascii() or c in _PUNCTUATION for c in text):
        return "".join(_PUNCTUATION.get(c, c) for c in text)
    return text


def _composed(letter: str) -> str:
    """Unicode's composed form (NFC), except of characters that it replaces by themselves.

    Such are the ohm sign U+2126, and letters like U+0958 that it takes apart.
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
    """Whether an invisible character is spelling where it stands."""
    c, before, after = text[at], text[:at], text[at + 1 : at + 2]
    last = before[-1:]
    # The letter or picture before, without its marks.
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
        # At the end it asks for the form that a letter has before another: the sign of the Persian era.
        if c == scripts.ZWJ and base and joins[0]:
            return True
        # Between two letters, or a number or a foreign word and its ending.
        return bool(base.strip() and following.strip()) and any(joins)
    if scripts.is_selector(c):
        return bool(last) and (_has_variants(last) or (after == _KEYCAP and last in "0123456789#*"))
    if c == scripts.GRAPHEME_JOINER:
        return bool(after) and scripts.is_mark(after) and not scripts.is_invisible(after)
    if "\U000e0020" <= c <= "\U000e007f":  # letters of a region, as in the flag of Scotland
        return _FLAG in before
    # Format characters of a script of their own, such as hieroglyphs' and Mongolian's.
    return bool(base) and c not in MARKS and scripts.script(c) == scripts.script(base) != ""


def _is_picture(character: str) -> bool:
    return character != "" and unicodedata.category(character) in {"So", "Sk"}


def _has_variants(character: str) -> bool:
    """Whether variation selectors follow such characters: ideographs, letters of some scripts, symbols."""
    if scripts.script(character) == "Hani" or scripts.is_joining(character):
        return True
    return not character.isascii() and unicodedata.category(character)[0] in "SP"
