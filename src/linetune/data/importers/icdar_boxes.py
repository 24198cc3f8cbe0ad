"""The boxes of ICDAR's reading competitions: one ``gt_<photo>.txt`` or ``<photo>.txt`` a photo, a box a line.

- 2015: ``x1,y1,x2,y2,x3,y3,x4,y4,text``, clockwise from the text's top left
- MLT 2017 and 2019: the same with the script's name before the text
- 2013: ``left, top, right, bottom, "text"``, or the same with spaces
"""

from __future__ import annotations

import re
from pathlib import Path

from linetune.data.importers import boxes, icdar, sidecar, texts
from linetune.data.importers.boxes import Photos
from linetune.data.importers.source import Box, Format, Item, Source
from linetune.errors import LinetuneError

_NUMBER = r"\s*-?\d+(?:\.\d+)?\s*"
_EIGHT = re.compile(rf"({_NUMBER}(?:,{_NUMBER}){{7}})(?:,(.*))?")
_FOUR = re.compile(r'\s*(-?\d+[\s,]+-?\d+[\s,]+-?\d+[\s,]+-?\d+)[\s,]+"(.*)"\s*')
_ROW = re.compile(rf"{_EIGHT.pattern}$|{_FOUR.pattern}$")
_SCRIPT = re.compile(
    r"\s*(Arabic|Latin|Chinese|Japanese|Korean|Bangla|Hindi|Devanagari|Symbols|Mixed|None)\s*,(.*)"
)
"""The scripts of MLT, before the text."""
_START = "gt_"


def _is_boxes(path: Path) -> bool:
    return not path.name.endswith(sidecar.GT) and texts.mostly(path, _ROW)


def find(path: Path) -> list[Path]:
    """A file of boxes, or a folder with such files in it or in its subfolders."""
    return boxes.find_pages(path, ".txt", _is_boxes)


def read(source: Source) -> list[Item]:
    """A crop a box."""
    photos = Photos(source)
    found: list[Item] = []
    rows: dict[Path, list[tuple[int, str]]] = {}
    for path in boxes.pages(source, ".txt", _is_boxes):
        try:
            rows[path] = list(texts.rows(source.read_text(path)))
        except LinetuneError as error:
            found.append(error)
    written = [match[2] for lines in rows.values() for _, row in lines if (match := _EIGHT.fullmatch(row))]
    # A 2015 text may begin with such a word and a comma, but hardly each of them.
    scripts = bool(written) and all(text is not None and _SCRIPT.fullmatch(text) for text in written)
    if scripts:
        source.notes.append("the ninth field names the script in every line, and is no part of the text")
    for path, lines in rows.items():
        try:
            photo = photos.beside(path.stem.removeprefix(_START), path, str(path), len(lines))
        except LinetuneError as error:
            found.append(error)
            continue
        found += [
            _crop(photo, row, index, f"{path}:{line}", scripts) for index, (line, row) in enumerate(lines)
        ]
    return found


def _crop(photo: Path, row: str, index: int, place: str, scripts: bool) -> Item:
    name = f"box {index + 1}"
    if match := _FOUR.fullmatch(row):
        left, top, right, bottom = boxes.numbers(match[1])
        corners = boxes.rectangle(left, top, right - left, bottom - top)
        return boxes.crop(Box(photo, corners), icdar.unescaped(match[2]), name, place, index)
    match = _EIGHT.fullmatch(row)
    if match is None:
        hint = 'write x1,y1,…,x4,y4,text or left, top, right, bottom, "text"'
        return LinetuneError("neither eight numbers and a text, nor four and a quoted text", place, hint)
    text = match[2]
    if scripts and text and (named := _SCRIPT.fullmatch(text)):
        text = named[2]
    return boxes.crop(Box(photo, boxes.pairs(boxes.numbers(match[1]))), text, name, place, index)


FORMAT = Format(find, read)
