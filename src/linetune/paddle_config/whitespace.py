"""White space that looks like a plain space and is none, where YAML gives space a meaning.

Configurations copied from web pages carry non-breaking spaces in their indentation. YAML takes them for
text, and its message then names another line, or none is given at all and a number arrives as a text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

TAB_WIDTH = 2
"""Spaces a tab stands for: PaddleOCR's files are indented by two."""
_WHITE = r"[\s\u200b-\u200f\u2060\ufeff]"
_COMMENT = re.compile(rf"(?:^|{_WHITE})#")
_INDENT = re.compile(rf"^(?:{_WHITE}|-(?={_WHITE}|$))*")
_GAP = re.compile(rf"(?<=[:,\[{{]){_WHITE}+|{_WHITE}+$")


@dataclass(frozen=True, slots=True)
class OddSpace:
    """One character that should have been a plain space, and where it stands, from 1."""

    line: int
    column: int
    character: str

    def __str__(self) -> str:
        code = f"U+{ord(self.character):04X}"
        named = {"\t": "a tab", "\u00a0": "a non-breaking space"}.get(self.character)
        name = named or unicodedata.name(self.character, "white space").lower()
        return f"{name} ({code})"


def odd_spaces(text: str) -> list[OddSpace]:
    """Every odd white space in an indentation, after a colon, comma or bracket, or at a line's end."""
    return [
        OddSpace(number, at + 1, line[at])
        for number, line in enumerate(text.split("\n"), 1)
        for at in _positions(line)
    ]


def with_plain_spaces(text: str) -> str:
    """The text with every odd white space replaced by as many plain ones as it is wide."""
    return "\n".join(_plain(line) for line in text.split("\n"))


def _plain(line: str) -> str:
    odd = set(_positions(line))
    return "".join(" " * _width(c) if at in odd else c for at, c in enumerate(line))


def _positions(line: str) -> Iterator[int]:
    """Where a line's odd white space stands; its comment may hold any."""
    comment = _COMMENT.search(line)
    line = line[: comment.end() - 1] if comment else line
    indent = _INDENT.match(line)
    start = indent.end() if indent else 0
    yield from (at for at in range(start) if _is_odd(line[at]))
    for gap in _GAP.finditer(line, start):
        # YAML takes a tab between words for what it is.
        yield from (at for at in range(*gap.span()) if _is_odd(line[at]) and line[at] != "\t")


def _is_odd(character: str) -> bool:
    return character not in " -\r"


def _width(character: str) -> int:
    if character == "\t":
        return TAB_WIDTH
    if unicodedata.category(character) == "Cf":
        return 0
    return 2 if unicodedata.east_asian_width(character) in "FW" else 1
