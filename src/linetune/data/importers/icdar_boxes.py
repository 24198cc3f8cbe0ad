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
from linetune.data.importers.source import Format, Item, Source

_NUMBER = r"\s*-?\d+(?:\.\d+)?\s*"
_EIGHT = re.compile(rf"({_NUMBER}(?:,{_NUMBER}){{7}})(?:,(.*))?")
_POLYGON = re.compile(rf"({_NUMBER}(?:,{_NUMBER}){{5,}}),\s*####(.*)")
_FOUR = re.compile(r'\s*(-?\d+[\s,]+-?\d+[\s,]+-?\d+[\s,]+-?\d+)[\s,]+"(.*)"\s*')
_ROW = re.compile(rf"{_EIGHT.pattern}$|{_POLYGON.pattern}$|{_FOUR.pattern}$")
_SPACE_BEFORE = (r" (?P<text>.*)", "the space before every text")
_SCRIPTS = "Arabic|Latin|Chinese|Japanese|Korean|Bangla|Hindi|Devanagari|Symbols|Mixed|None"
_SHARE = r"\s*(?:0?\.\d+|1(?:\.0+)?)\s*"
_EXTRAS = (
    _SPACE_BEFORE,
    (rf"\s*(?:{_SCRIPTS})\s*,(?P<text>.*)", "the script before every text"),
    (r'\s*(?P<flag>[01])\s*,\s*(?P<text>".*"|###)\s*', "the 0 or 1 before every text (1: difficult)"),
    (rf"{_SHARE},(?P<text>.*)|(?P<after>.*),{_SHARE}", "the number from 0 to 1 in every line"),
    (r"\s*[a-z]{2}\s*,(?P<text>.*)", "the language before every text"),
    _SPACE_BEFORE,
    (r'\s*"(?P<text>.*)"\s*', "the pair of quotes around every text"),
)
"""Regular expressions for what may be around all texts, from the outside in, each with its name for a note.

One text may begin with such a word, a space or a quote, but hardly all texts of a source do.
"""
_NOT_TEXTS = (
    (rf"(?:{_NUMBER},){{2,}}.*", "has over eight numbers before the text", "write ,#### before each text"),
    (r"\s*[01]\s*,.*[^\W\d].*", "has 0 or 1 before the text, perhaps for difficult texts", "remove it"),
    (r"[^,]*[^\W\d][^,]*,\s*[0-2]\s*", "ends in a word and a number, like DOTA's", "write the text instead"),
)
"""Regular expressions for what all texts look like if they are something else, each with message and hint."""
_START = "gt_"


@dataclass
class _Row(Drawn):
    """One box: a line of a file."""

    raw: bool = False
    """Whether the text is everything after the numbers. Then it may have extras around it."""

    @property
    def shows_extras(self) -> bool:
        """Whether the text would have the extras that all texts of a source have."""
        return self.raw and bool(str(self.text or "").strip()) and str(self.text).strip() not in boxes.NO_TEXT


def _is_boxes(path: Path) -> bool:
    name = path.name.lower()
    return name.endswith(sidecar.TXT) and not path.name.endswith(sidecar.GT) and texts.mostly(path, _ROW)


def find(path: Path) -> list[Path]:
    """Return the path if it is a file of boxes, or a folder with such files below it."""
    return find_pages(path, _is_boxes)


def read(source: Source) -> list[Item]:
    """Return one crop for each box.

    Raises:
        LinetuneError: all texts look like something else, or a photo has several files of boxes.
    """
    items: list[Item] = []
    lines: dict[Path, list[tuple[int, str]]] = {}
    source.alike = pages(source, _is_boxes)
    for path in source.alike:
        try:
            lines[path] = list(texts.rows(source.read_text(path), path))
        except LinetuneError as error:
            items.append(error)
    # After eight numbers, #### may be the start of a text. If all lines have it, it marks polygons.
    polygons = all(_POLYGON.fullmatch(row) for listed in lines.values() for _, row in listed)
    rows = {
        path: [_row(row, f"box {n}", f"{path}:{line}", polygons) for n, (line, row) in enumerate(listed, 1)]
        for path, listed in lines.items()
    }
    _remove_extras(source, [row for listed in rows.values() for row in listed if isinstance(row, _Row)])

    def crops(path: Path, photos: Photos) -> list[Item]:
        stem = path.stem.removeprefix(_START)
        return boxes.crops(photos.of_page("", path, str(path), len(rows[path]), stem), rows[path])

    return items + read_pages(source, rows, crops)


def _row(written: str, name: str, place: str, polygons: bool) -> _Row | LinetuneError:
    """Return the box of a line, or the reason why it is left out.

    Args:
        written: the line.
        name: the name of the box, for messages.
        place: ``file:line``, for messages.
        polygons: whether ``####`` marks a polygon, also after eight numbers.
    """
    if match := _FOUR.fullmatch(written):
        ends = shapes.numbers(match[1])
        if ends[2] < ends[0] or ends[3] < ends[1]:
            what = "right < left or bottom < top, as if the numbers were x, y, width and height"
            return LinetuneError(what, place, "write left, top, right, bottom")
        return _Row(name, place, icdar.unescaped(match[2]), shapes.rectangle(ends, ends=True))
    match = _POLYGON.fullmatch(written)
    if match and (polygons or match[1].count(",") > 7):
        corners = shapes.pairs(shapes.numbers(match[1]))
        if not corners:
            return LinetuneError("an odd number of coordinates", place, "write two for each point")
        return _Row(name, place, match[2], corners, outline=True)
    if match := _EIGHT.fullmatch(written):
        return _Row(name, place, match[2], shapes.pairs(shapes.numbers(match[1])), raw=True)
    hint = 'write x1,y1,…,x4,y4,text or left, top, right, bottom, "text"'
    return LinetuneError("neither eight numbers and a text, nor four and a quoted text", place, hint)


def _remove_extras(source: Source, rows: Sequence[_Row]) -> None:
    """Remove the extras that all texts have around them, each with a note.

    Raises:
        LinetuneError: all texts look like something else, and the user did not name the format.
    """
    for pattern, extra in _EXTRAS:
        if not _all_match(pattern, rows):
            continue
        source.notes.append(f"{extra} is not part of the text")
        for row in rows:
            if row.raw and (match := re.fullmatch(pattern, str(row.text or ""))):
                row.text = match["text"] or match.groupdict().get("after") or ""
                if match.groupdict().get("flag") == "1":
                    row.reason = "marked as difficult"
    for pattern, what, way_out in _NOT_TEXTS:
        if not source.asked and (matching := _all_match(pattern, rows)):
            hint = f"{way_out}, or pass --format icdar_boxes if these are the texts"
            raise LinetuneError(f"every line {what}", matching[0].place, hint)


def _all_match(pattern: str, rows: Sequence[_Row]) -> list[_Row]:
    """Return the rows that show extras, if the texts of all of them match. Otherwise return no rows."""
    showing = [row for row in rows if row.shows_extras]
    return showing if all(re.fullmatch(pattern, str(row.text or "")) for row in showing) else []


FORMAT = Format(find, read)
