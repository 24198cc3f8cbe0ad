"""The charset: the characters that a model can output, and their CTC classes.

Class 0 is the CTC blank. Class ``i + 1`` is ``characters[i]``. A character is one entry of the dictionary.
Nearly all entries are one code point, but the official PP-OCRv5 dictionary also has flags of two code points.
Encoding therefore takes the longest entry that fits.

A character can have several classes. The charset names it once for each. For example, the rows of ``a`` and
of ``A`` both give ``A``. Encoding gives the first class of a character, and decoding accepts all.

Texts are in logical order. Classes are in visual order: left to right (:mod:`linetune.core.reading_order`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from linetune.core import atomic, scripts, textfile
from linetune.core.errors import LinetuneError
from linetune.core.reading_order import is_right_to_left, to_logical, to_visual

BLANK = 0
SPACE = " "
_LONGEST = 3
"""Most letters in a line of a charset file. A longer line is likely a whole charset on one line."""
_ONE_A_LINE = "a charset file has one character a line"
AliasClasses = Sequence[tuple[int, int]]
"""(class, first class of the same character) of each class after the first one of a character."""


@dataclass(frozen=True)
class Charset:
    """The characters of all classes, in order. A character that is there twice has two classes.

    A space is always the last one, and has one class. The reason is that all programs that read PP-OCR models
    (PaddleOCR, PaddleX, RapidOCR) append the space to the dictionary.

    Raises:
        LinetuneError: there are no characters, one is empty, or the space is there twice.
    """

    characters: tuple[str, ...]
    _index: dict[str, int] = field(init=False, repr=False, compare=False)
    _longest: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.characters:
            raise LinetuneError("the charset is empty", hint="add at least one character")
        ordered = tuple(sorted(self.characters, key=lambda c: c == SPACE))
        # The first class of each character.
        index = {c: len(ordered) - i for i, c in enumerate(reversed(ordered))}
        if "" in index:
            raise LinetuneError("the charset holds an empty character")
        if ordered.count(SPACE) > 1:
            raise LinetuneError(f"the charset holds {show(SPACE)} twice")
        object.__setattr__(self, "characters", ordered)
        object.__setattr__(self, "_index", index)
        object.__setattr__(self, "_longest", max(map(len, ordered)))

    def __len__(self) -> int:
        return len(self.characters)

    def __contains__(self, character: str) -> bool:
        return character in self._index

    @property
    def classes(self) -> int:
        """Number of CTC classes: all characters and the blank."""
        return len(self.characters) + 1

    @property
    def distinct(self) -> tuple[str, ...]:
        """The characters, each once."""
        return tuple(dict.fromkeys(self.characters))

    @cached_property
    def alias_classes(self) -> AliasClasses:
        """The classes after the first one of each character."""
        classes = ((row, self._index[c]) for row, c in enumerate(self.characters, 1))
        return tuple((row, first) for row, first in classes if row != first)

    @property
    def sha256(self) -> str:
        """SHA-256 of the ordered characters, in hexadecimal. Different charsets have different digests."""
        return hashlib.sha256("\n".join(self.characters).encode()).hexdigest()

    @property
    def right_to_left(self) -> bool:
        """Whether the charset has a character of a right-to-left script."""
        return is_right_to_left("".join(self.characters))

    def encode(self, text: str) -> list[int]:
        """Return the CTC classes of a text, in visual order: the first class of each character.

        Raises:
            LinetuneError: the charset lacks characters of the text. The message names each of them.
        """
        if missing := self.missing(text):
            raise LinetuneError(f"{show(*missing)} not in the charset")
        return [self._index[entry] for entry in self._split(text)]

    def missing(self, text: str) -> list[str]:
        """Return the characters of a text that the charset lacks, each once, in visual order."""
        return list(dict.fromkeys(e for e in self._split(text) if e not in self._index))

    def decode(self, classes: Iterable[int]) -> str:
        """Return the text, in logical order, of collapsed CTC classes. Blanks are skipped."""
        return to_logical("".join(self.characters[c - 1] for c in classes if c != BLANK))

    def _split(self, text: str) -> list[str]:
        """Split a text in visual order: into the longest entries of the charset, or single characters."""
        rest, entries = to_visual(text), []
        while rest:
            starts = (rest[:length] for length in range(min(self._longest, len(rest)), 1, -1))
            entries.append(next((start for start in starts if start in self._index), rest[0]))
            rest = rest[len(entries[-1]) :]
        return entries

    @classmethod
    def collect(cls, texts: Iterable[str]) -> Charset:
        """Return the charset of all characters that texts show, in code-point order.

        Raises:
            LinetuneError: the texts have no characters.
        """
        return cls(tuple(sorted(set[str]().union(*map(to_visual, texts)))))

    @classmethod
    def read(cls, path: Path, dictionary: bool = False) -> Charset:
        """Read a charset file: UTF-8, one character a line.

        Only line ends are stripped: a line with nothing but a space or U+3000 is that character.

        Args:
            path: the file.
            dictionary: whether the file is the dictionary of a model. It names a character once for each of
                its classes. What a person writes names each character once.

        Raises:
            LinetuneError: the file is missing, empty or not UTF-8; a line is empty or there twice, or has
                several characters.
        """
        seen, characters = dict[str, int](), list[str]()
        text = textfile.read(path, "charset file")
        for number, row in enumerate(text.removesuffix("\n").split("\n") if text else (), 1):
            line, where = row.removesuffix("\r"), f"{path}:{number}"
            if not line:
                raise LinetuneError("empty line", where, _ONE_A_LINE)
            if (letters := len(scripts.clusters(line))) > _LONGEST:
                raise LinetuneError(f"one line has {letters} characters", where, _ONE_A_LINE)
            if line in seen and not dictionary:
                raise LinetuneError(f"{show(line)} is there twice, first in line {seen[line]}", where)
            seen.setdefault(line, number)
            characters.append(line)
        if not seen:
            raise LinetuneError("the charset file is empty", path, "write one character a line")
        return cls(tuple(characters))

    @classmethod
    def from_dictionary(cls, lines: Sequence[str]) -> Charset:
        """Return the charset of a PaddleOCR dictionary: its lines, and the space that models append."""
        return cls((*(c for c in lines if c != SPACE), SPACE))

    def write(self, path: Path) -> None:
        """Write a charset file that :meth:`read` reads, with each character once.

        Raises:
            OSError: the file cannot be written.
        """
        atomic.write_text(path, "".join(f"{c}\n" for c in self.distinct))


def show(*characters: str) -> str:
    """Return characters for a message: quoted, with the code point of all but printable ASCII."""
    named = []
    for character in characters:
        plain = len(character) == 1 and character.isascii() and character.isprintable() and character != SPACE
        codes = " ".join(f"U+{ord(c):04X}" for c in character)
        visible = character.isprintable() and not character.isspace()
        named.append(f"'{character}'" if plain else f"'{character}' ({codes})" if visible else codes)
    return ", ".join(named)
