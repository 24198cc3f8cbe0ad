"""The characters a model can output, and the CTC classes they map to.

Class 0 is the CTC blank; class ``i + 1`` is ``characters[i]``. A character is one dictionary
entry: nearly always one code point, but the official PP-OCRv5 dictionary also holds flags made
of two, so encoding takes the longest entry that fits.

Texts are in logical order and classes in visual order, left to right (:mod:`linetune.core.reading_order`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from linetune.core import atomic, scripts, textfile
from linetune.core.errors import LinetuneError
from linetune.core.reading_order import is_right_to_left, to_logical, to_visual

BLANK = 0
SPACE = " "
_LONGEST = 3
"""Most letters of an entry in a charset file: those that are hardly several on one line."""


@dataclass(frozen=True)
class Charset:
    """An ordered set of characters; a space, where there is one, stands last.

    The space stands last because every reader of PP-OCR models (PaddleOCR, PaddleX, RapidOCR)
    appends it to the dictionary by itself.

    Raises:
        LinetuneError: no characters, an empty one, or one that stands twice.
    """

    characters: tuple[str, ...]
    _index: dict[str, int] = field(init=False, repr=False, compare=False)
    _longest: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.characters:
            raise LinetuneError("the charset is empty", hint="it needs at least one character")
        ordered = tuple(sorted(self.characters, key=lambda c: c == SPACE))
        index = {c: i + 1 for i, c in enumerate(ordered)}
        if "" in index:
            raise LinetuneError("the charset holds an empty character")
        if len(index) < len(ordered):
            twice = next(c for c in ordered if ordered.count(c) > 1)
            raise LinetuneError(f"the charset holds {show(twice)} twice")
        object.__setattr__(self, "characters", ordered)
        object.__setattr__(self, "_index", index)
        object.__setattr__(self, "_longest", max(map(len, ordered)))

    def __len__(self) -> int:
        return len(self.characters)

    def __contains__(self, character: str) -> bool:
        return character in self._index

    @property
    def classes(self) -> int:
        """Number of CTC classes: the characters and the blank."""
        return len(self.characters) + 1

    @property
    def sha256(self) -> str:
        """Hex digest of the ordered characters, to tell two charsets apart."""
        return hashlib.sha256("\n".join(self.characters).encode()).hexdigest()

    @property
    def right_to_left(self) -> bool:
        """Whether a character of a right-to-left script is among them."""
        return is_right_to_left("".join(self.characters))

    def encode(self, text: str) -> list[int]:
        """CTC classes of ``text``, in visual order.

        Raises:
            LinetuneError: naming every character that the charset lacks.
        """
        classes: list[int] = []
        missing: list[str] = []
        for unit in self._split(to_visual(text)):
            if unit in self._index:
                classes.append(self._index[unit])
            else:
                missing.append(unit)
        if missing:
            raise LinetuneError(f"{show(*dict.fromkeys(missing))} not in the charset")
        return classes

    def missing(self, text: str) -> list[str]:
        """Characters of ``text`` that the charset lacks, each once, in order."""
        return list(dict.fromkeys(u for u in self._split(to_visual(text)) if u not in self._index))

    def decode(self, classes: Iterable[int]) -> str:
        """Text, in logical order, of CTC classes that are already collapsed; blanks are left out."""
        return to_logical("".join(self.characters[c - 1] for c in classes if c != BLANK))

    def _split(self, text: str) -> list[str]:
        units = []
        at = 0
        while at < len(text):
            for length in range(min(self._longest, len(text) - at), 0, -1):
                if length == 1 or text[at : at + length] in self._index:
                    units.append(text[at : at + length])
                    at += length
                    break
        return units

    @classmethod
    def collect(cls, texts: Iterable[str]) -> Charset:
        """The characters that occur in ``texts`` as they are displayed, in code-point order."""
        return cls(tuple(sorted(set[str]().union(*map(to_visual, texts)))))

    @classmethod
    def read(cls, path: Path) -> Charset:
        """A charset file: UTF-8, one character a line.

        Only the line ends are stripped, so a line that holds U+3000 or a space is that character.

        Raises:
            LinetuneError: the file is missing, not UTF-8, or a line is empty or stands twice.
        """
        lines = _lines(path)
        seen: dict[str, int] = {}
        for number, line in enumerate(lines, 1):
            if not line:
                raise LinetuneError(
                    "empty line", f"{path}:{number}", "a charset file has one character a line"
                )
            if (letters := len(scripts.clusters(line))) > _LONGEST:
                what = f"one line holds {letters} characters"
                raise LinetuneError(what, f"{path}:{number}", "a charset file has one character a line")
            if line in seen:
                raise LinetuneError(
                    f"{show(line)} stands twice, first in line {seen[line]}", f"{path}:{number}"
                )
            seen[line] = number
        if not seen:
            raise LinetuneError("the charset file is empty", path, "write one character a line")
        return cls(tuple(seen))

    @classmethod
    def from_dictionary(cls, lines: Sequence[str]) -> Charset:
        """A PaddleOCR dictionary, to which every PP-OCR model appends the space."""
        return cls((*(c for c in lines if c != SPACE), SPACE))

    def write(self, path: Path) -> None:
        """Write the charset file that :meth:`read` reads."""
        atomic.write_text(path, "".join(f"{c}\n" for c in self.characters))


def show(*characters: str) -> str:
    """Characters for a message: quoted, with the code point where the eye cannot tell."""
    named = []
    for character in characters:
        plain = len(character) == 1 and character.isascii() and character.isprintable() and character != SPACE
        codes = " ".join(f"U+{ord(c):04X}" for c in character)
        visible = character.isprintable() and not character.isspace()
        named.append(f"'{character}'" if plain else f"'{character}' ({codes})" if visible else codes)
    return ", ".join(named)


def _lines(path: Path) -> list[str]:
    text = textfile.read(path, "charset file")
    return [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")] if text else []
