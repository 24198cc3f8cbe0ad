"""Boxes of reading competitions: one ``gt_<photo>.txt`` or ``<photo>.txt`` for each photo, one box a line.

- ICDAR 2015: ``x1,y1,x2,y2,x3,y3,x4,y4,text``, clockwise from the top left of the text
- MLT 2017 and 2019: the same with the name of the script before the text
- RCTW 2017: the same with 1 for difficult, or 0, before the text in quotes
- CTW1500, and Total-Text in its form: any number of points, then ``####`` before the text
- ICDAR 2013: ``left, top, right, bottom, "text"``, or the same with spaces
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from linetune.core.errors import LinetuneError
from linetune.data.importers import boxes, icdar, shapes, sidecar, texts
from linetune.data.importers.photos import Photos, find_pages, pages
from linetune.data.importers.shapes import Points
from linetune.data.importers.source import Box, Format, Item, Source

_NUMBER = r"\s*-?\d+(?:\.\d+)?\s*"
_EIGHT = re.compile(rf"({_NUMBER}(?:,{_NUMBER}){{7}})(?:,(.*))?")
_POLYGON = re.compile(rf"({_NUMBER}(?:,{_NUMBER}){{5,}}),\s*####(.*)")
_FOUR = re.compile(r'\s*(-?\d+[\s,]+-?\d+[\s,]+-?\d+[\s,]+-?\d+)[\s,]+"(.*)"\s*')
_ROW = re.compile(rf"{_EIGHT.pattern}$|{_POLYGON.pattern}$|{_FOUR.pattern}$")
_SPACE = (re.compile(r" (?P<text>.*)"), "the space before every text is not part of the text")
_SCRIPTS = "Arabic|Latin|Chinese|Japanese|Korean|Bangla|Hindi|Devanagari|Symbols|Mixed|None"
_AROUND = (
    _SPACE,
    (
        re.compile(rf"\s*(?:{_SCRIPTS})\s*,(?P<text>.*)"),
        "the ninth field of every line is the script, and not part of the text",
    ),
    (
        re.compile(r'\s*(?P<flag>[01])\s*,\s*(?P<text>".*"|###)\s*'),
        "the ninth field of every line says whether the text is difficult, and is not part of it",
    ),
    (
        re.compile(r"\s*(?:0?\.\d+|1(?:\.0+)?)\s*,(?P<text>.*)|(?P<after>.*),\s*(?:0?\.\d+|1(?:\.0+)?)\s*"),
        "the number from 0 to 1 in every line is not part of the text",
    ),
    (
        re.compile(r"\s*[a-z]{2}\s*,(?P<text>.*)"),
        "the ninth field of every line is the language, and not part of the text",
    ),
    _SPACE,
    (re.compile(r'\s*"(?P<text>.*)"\s*'), "the quotes around every text are not part of it"),
)
"""What can be around all texts, from the outside in, and the note about it.

Single texts may begin with such a word, a space or a quote, but hardly all of them.
"""
_NO_TEXTS = (
    (
        re.compile(rf"(?:{_NUMBER},){{2,}}.*"),
        "there are more than eight numbers before the text in every line",
        "write ,#### before the text of a polygon",
    ),
    (
        re.compile(r"\s*[01]\s*,.*[^\W\d].*"),
        "every text begins with 0 or 1 and a comma, which look like a mark of difficult texts",
        "take the field out",
    ),
    (
        re.compile(r"[^,]*[^\W\d][^,]*,\s*[0-2]\s*"),
        "every line ends in a word and a number, which look like DOTA's class and difficulty",
        "write the text in their place",
    ),
)
"""What all texts look like if they are something else, with the message and the hint."""
_START = "gt_"


@dataclass
class _Row:
    """A line of a file."""

    place: str
    corners: Points
    text: str | None
    outline: bool = False
    """The corners, as in :class:`Box`."""
    bare: bool = False
    """The text is everything after the numbers, so that something can be around it."""
    difficult: bool = False

    @property
    def tells(self) -> bool:
        """Whether it shows what is around the texts."""
        plain = (self.text or "").strip()
        return self.bare and bool(plain) and plain not in boxes.NO_TEXT


def _is_boxes(path: Path) -> bool:
    return not path.name.endswith(sidecar.GT) and texts.mostly(path, _ROW)


def find(path: Path) -> list[Path]:
    """A file of boxes, or a folder with such files below it."""
    return find_pages(path, ".txt", _is_boxes)


def read(source: Source) -> list[Item]:
    """Return one crop for each box.

    Raises:
        LinetuneError: in every line, the text looks like something else.
    """
    photos = Photos(source)
    found: list[Item] = []
    lines: dict[Path, list[tuple[int, str]]] = {}
    source.alike = pages(source, ".txt", _is_boxes)
    for path in source.alike:
        try:
            lines[path] = list(texts.rows(source.read_text(path)))
        except LinetuneError as error:
            found.append(error)
    # A text of ICDAR can begin with the mark of a polygon.
    marked = all(_POLYGON.fullmatch(row) for listed in lines.values() for _, row in listed)
    rows = {
        path: [_row(row, f"{path}:{line}", marked) for line, row in listed] for path, listed in lines.items()
    }
    _free(source, [row for listed in rows.values() for row in listed if isinstance(row, _Row)])
    for path, of_photo in rows.items():
        try:
            photo = photos.of_page("", path, str(path), len(of_photo), path.stem.removeprefix(_START))
        except LinetuneError as error:
            found.append(error)
            continue
        found += [
            _crop(photo, row, index) if isinstance(row, _Row) else row for index, row in enumerate(of_photo)
        ]
    photos.check_pages()
    return found


def _row(written: str, place: str, marked: bool) -> _Row | LinetuneError:
    if match := _FOUR.fullmatch(written):
        left, top, right, bottom = shapes.numbers(match[1])
        if right < left or bottom < top:
            what = "the box ends before it begins: left, top, right and bottom, or x, y, width and height?"
            return LinetuneError(what, place, "write left, top, right, bottom")
        corners = shapes.rectangle(left, top, right - left, bottom - top)
        return _Row(place, corners, icdar.unescaped(match[2]))
    match = _POLYGON.fullmatch(written)
    if match and (marked or match[1].count(",") > 7):
        corners = shapes.pairs(shapes.numbers(match[1]))
        if not corners:
            return LinetuneError("an odd number of coordinates", place, "write two for each point")
        return _Row(place, corners, match[2], outline=True)
    if match := _EIGHT.fullmatch(written):
        return _Row(place, shapes.pairs(shapes.numbers(match[1])), match[2], bare=True)
    hint = 'write x1,y1,…,x4,y4,text or left, top, right, bottom, "text"'
    return LinetuneError("neither eight numbers and a text, nor four and a quoted text", place, hint)


def _free(source: Source, rows: Sequence[_Row]) -> None:
    """Remove what is around every text.

    Raises:
        LinetuneError: all texts look like something else, and the user did not name the format.
    """
    for around, note in _AROUND:
        telling = [row for row in rows if row.tells]
        if not telling or not all(around.fullmatch(row.text or "") for row in telling):
            continue
        source.notes.append(note)
        for row in rows:
            if row.bare and (match := around.fullmatch(row.text or "")):
                row.text = match["text"] or match.groupdict().get("after") or ""
                row.difficult = row.difficult or match.groupdict().get("flag") == "1"
    telling = [row for row in rows if row.tells]
    for other, what, way_out in _NO_TEXTS:
        if telling and not source.asked and all(other.fullmatch(row.text or "") for row in telling):
            hint = f"{way_out}, or pass --format icdar_boxes if these are the texts"
            raise LinetuneError(what, telling[0].place, hint)


def _crop(photo: Path, row: _Row, index: int) -> Item:
    name = f"box {index + 1}"
    if row.difficult and row.text:
        return LinetuneError(f"{name} {texts.quoted(row.text)}: marked as difficult", row.place)
    return boxes.crop(Box(photo, row.corners, row.outline), row.text, name, row.place, index)


FORMAT = Format(find, read)
