"""Boxes of reading competitions: a ``gt_<photo>.txt`` or ``<photo>.txt`` for each photo, a line for each box.

- ICDAR 2015: ``x1,y1,x2,y2,x3,y3,x4,y4,text``, clockwise from the top left of the text
- MLT 2017 and 2019: as ICDAR 2015, with the name of the script before the text
- RCTW 2017: as ICDAR 2015, with 1 (difficult) or 0 before the text in quotes
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
from linetune.data.importers.boxes import Drawn
from linetune.data.importers.photos import Photos, find_pages, pages, read_pages
from linetune.data.importers.shapes import Points
from linetune.data.importers.source import Format, Item, Source

_NUMBER = r"\s*-?\d+(?:\.\d+)?\s*"
_EIGHT = re.compile(rf"({_NUMBER}(?:,{_NUMBER}){{7}})(?:,(.*))?")
_POLYGON = re.compile(rf"({_NUMBER}(?:,{_NUMBER}){{5,}}),\s*####(.*)")
_FOUR = re.compile(r'\s*(-?\d+[\s,]+-?\d+[\s,]+-?\d+[\s,]+-?\d+)[\s,]+"(.*)"\s*')
_ROW = re.compile(rf"{_EIGHT.pattern}$|{_POLYGON.pattern}$|{_FOUR.pattern}$")
_SPACE_BEFORE = (re.compile(r" (?P<text>.*)"), "the space before every text is not part of the text")
_SCRIPTS = "Arabic|Latin|Chinese|Japanese|Korean|Bangla|Hindi|Devanagari|Symbols|Mixed|None"
_EXTRAS = (
    _SPACE_BEFORE,
    (
        re.compile(rf"\s*(?:{_SCRIPTS})\s*,(?P<text>.*)"),
        "the ninth field of every line is the script, not part of the text",
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
        "the ninth field of every line is the language, not part of the text",
    ),
    _SPACE_BEFORE,
    (re.compile(r'\s*"(?P<text>.*)"\s*'), "the quotes around every text are not part of it"),
)
"""What may be around all texts, from the outside in, each with a note.

One text may begin with such a word, a space or a quote, but hardly all texts of a source do.
"""
_NOT_TEXTS = (
    (
        re.compile(rf"(?:{_NUMBER},){{2,}}.*"),
        "every line has more than eight numbers before the text",
        "write ,#### before the text of a polygon",
    ),
    (
        re.compile(r"\s*[01]\s*,.*[^\W\d].*"),
        "every text begins with 0 or 1 and a comma, which may say that a text is difficult",
        "remove this field",
    ),
    (
        re.compile(r"[^,]*[^\W\d][^,]*,\s*[0-2]\s*"),
        "every line ends in a word and a number, like DOTA's class and difficulty",
        "replace them with the text",
    ),
)
"""What all texts look like if they are something else, each with a message and a hint."""
_START = "gt_"


@dataclass
class _Row:
    """One box: a line of a file."""

    place: str
    corners: Points
    text: str | None
    outline: bool = False
    """Whether the corners are an outline, see :class:`Box`."""
    raw: bool = False
    """Whether the text is everything after the numbers. Then it may have extras around it."""
    difficult: bool = False

    @property
    def shows_extras(self) -> bool:
        """Whether the text would have the extras that all texts of a source have."""
        text = (self.text or "").strip()
        return self.raw and bool(text) and text not in boxes.NO_TEXT


def _is_boxes(path: Path) -> bool:
    return not path.name.endswith(sidecar.GT) and texts.mostly(path, _ROW)


def find(path: Path) -> list[Path]:
    """Return the path if it is a file of boxes, or a folder with such files below it."""
    return find_pages(path, ".txt", _is_boxes)


def read(source: Source) -> list[Item]:
    """Return one crop for each box.

    Raises:
        LinetuneError: all texts look like something else, or a photo has several files of boxes.
    """
    items: list[Item] = []
    lines: dict[Path, list[tuple[int, str]]] = {}
    source.alike = pages(source, ".txt", _is_boxes)
    for path in source.alike:
        try:
            lines[path] = list(texts.rows(source.read_text(path)))
        except LinetuneError as error:
            items.append(error)
    # After eight numbers, #### may be the start of a text. If all lines have it, it marks polygons.
    polygons = all(_POLYGON.fullmatch(row) for listed in lines.values() for _, row in listed)
    rows = {
        path: [_row(row, f"{path}:{line}", polygons) for line, row in listed]
        for path, listed in lines.items()
    }
    _remove_extras(source, [row for listed in rows.values() for row in listed if isinstance(row, _Row)])
    return items + read_pages(source, rows, lambda path, photos: _crops(path, rows[path], photos))


def _crops(path: Path, rows: Sequence[_Row | LinetuneError], photos: Photos) -> list[Item]:
    """Return the crops of a file's rows.

    Raises:
        LinetuneError: the photo is not found.
    """
    photo = photos.of_page("", path, str(path), len(rows), path.stem.removeprefix(_START))
    drawn: list[Drawn | LinetuneError] = []
    for number, row in enumerate(rows, 1):
        if isinstance(row, LinetuneError):
            drawn.append(row)
        elif row.difficult and row.text:
            what = f"box {number} {texts.quoted(row.text)}: marked as difficult"
            drawn.append(LinetuneError(what, row.place))
        else:
            drawn.append(Drawn(f"box {number}", row.place, row.text, row.corners, row.outline))
    return boxes.crops(photo, drawn)


def _row(written: str, place: str, polygons: bool) -> _Row | LinetuneError:
    """Return the box of a line, or the reason why it is left out.

    Args:
        written: the line.
        place: ``file:line``.
        polygons: whether ``####`` marks a polygon, also after eight numbers.
    """
    if match := _FOUR.fullmatch(written):
        ends = shapes.numbers(match[1])
        if ends[2] < ends[0] or ends[3] < ends[1]:
            what = "right < left or bottom < top, as if the numbers were x, y, width and height"
            return LinetuneError(what, place, "write left, top, right, bottom")
        return _Row(place, shapes.rectangle(ends, ends=True), icdar.unescaped(match[2]))
    match = _POLYGON.fullmatch(written)
    if match and (polygons or match[1].count(",") > 7):
        corners = shapes.pairs(shapes.numbers(match[1]))
        if not corners:
            return LinetuneError("an odd number of coordinates", place, "write two for each point")
        return _Row(place, corners, match[2], outline=True)
    if match := _EIGHT.fullmatch(written):
        return _Row(place, shapes.pairs(shapes.numbers(match[1])), match[2], raw=True)
    hint = 'write x1,y1,…,x4,y4,text or left, top, right, bottom, "text"'
    return LinetuneError("neither eight numbers and a text, nor four and a quoted text", place, hint)


def _remove_extras(source: Source, rows: Sequence[_Row]) -> None:
    """Remove the extras that all texts have around them, each with a note.

    Raises:
        LinetuneError: all texts look like something else, and the user did not name the format.
    """
    for pattern, note in _EXTRAS:
        if not _all_match(pattern, rows):
            continue
        source.notes.append(note)
        for row in rows:
            if row.raw and (match := pattern.fullmatch(row.text or "")):
                row.text = match["text"] or match.groupdict().get("after") or ""
                row.difficult = row.difficult or match.groupdict().get("flag") == "1"
    for pattern, what, way_out in _NOT_TEXTS:
        if not source.asked and (matching := _all_match(pattern, rows)):
            hint = f"{way_out}, or pass --format icdar_boxes if these are the texts"
            raise LinetuneError(what, matching[0].place, hint)


def _all_match(pattern: re.Pattern[str], rows: Sequence[_Row]) -> list[_Row]:
    """Return the rows that show extras, if the texts of all of them match. Otherwise return no rows."""
    showing = [row for row in rows if row.shows_extras]
    return showing if all(pattern.fullmatch(row.text or "") for row in showing) else []


FORMAT = Format(find, read)
