"""Find white space that looks like a plain space and is another character.

Configurations that were copied from web pages have non-breaking spaces in their indentation. YAML takes them
for text: its error names another line, or there is no error and a number becomes a text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

TAB_WIDTH = 2
"""Spaces that replace a tab. PaddleOCR's files are indented by two."""
_WHITE = r"[\s\u200b-\u200f\u2060\ufeff]"
_COMMENT = re.compile(rf"(?:^|{_WHITE})#")
_INDENT = re.compile(rf"^(?:{_WHITE}|-(?={_WHITE}|$))*")
_GAP = re.compile(rf"(?<=[:,\[{{]){_WHITE}+|{_WHITE}+$")


@dataclass(frozen=True, slots=True)
class OddSpace:
    """A character in the place of a plain space. Line and column count from 1."""

    line: int
    column: int
    character: str

    def __str__(self) -> str:
        code = f"U+{ord(self.character):04X}"
        names = {"\t": "a tab", "\u00a0": "a non-breaking space"}
        name = names.get(self.character) or unicodedata.name(self.character, "white space").lower()
        return f"{name} ({code})"


def odd_spaces(text: str) -> list[OddSpace]:
    """Return all odd white space in indentations, after colons, commas and brackets, and at line ends."""
    return [
        OddSpace(number, index + 1, line[index])
        for number, line in enumerate(text.split("\n"), 1)
        for index in _positions(line)
    ]


def with_plain_spaces(text: str) -> str:
    """Return the text with plain spaces of the same width in place of odd white space."""
    return "\n".join(_repaired(line) for line in text.split("\n"))


def _repaired(line: str) -> str:
    odd = set(_positions(line))
    return "".join(" " * _width(c) if index in odd else c for index, c in enumerate(line))


def _positions(line: str) -> Iterator[int]:
    """Yield the indices of a line's odd white space. A comment may contain any white space."""
    comment = _COMMENT.search(line)
    line = line[: comment.end() - 1] if comment else line
    indent = _INDENT.match(line)
    start = indent.end() if indent else 0
    yield from (index for index in range(start) if _is_odd(line[index]))
    for gap in _GAP.finditer(line, start):
        # YAML reads a tab between words as white space.
        yield from (index for index in range(*gap.span()) if _is_odd(line[index]) and line[index] != "\t")


def _is_odd(character: str) -> bool:
    return character not in " -\r"


def _width(character: str) -> int:
    """Return how many plain spaces replace a character."""
    if character == "\t":
        return TAB_WIDTH
    if unicodedata.category(character) == "Cf":
        return 0
    return 2 if unicodedata.east_asian_width(character) in "FW" else 1
