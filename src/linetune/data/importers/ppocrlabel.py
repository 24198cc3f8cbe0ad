"""PPOCRLabel projects, and PaddleOCR's detection labels, which have the same format: boxes in photos."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from linetune.core.errors import LinetuneError
from linetune.data.importers import boxes, paddleocr, shapes, texts
from linetune.data.importers.boxes import Drawn
from linetune.data.importers.photos import IMAGES_HINT
from linetune.data.importers.source import Format, Found, Item, Source

_PROJECT, _CROPS = "Label.txt", "rec_gt.txt"
_PLACEHOLDERS = {
    "待识别": "not labelled yet",
    "TEMPORARY": "not labelled yet, or the photo shows this word",
    "无法识别": "could not be read",
    "NULL": "could not be read, or the photo shows this word",
}
"""Texts that PPOCRLabel itself writes: into a new box, and into a box in which it reads nothing.

Its files of strings, in Chinese and English, call them ``tempLabel`` and ``nullLabel``.
"""
_UNLABELLED = ("待识别", "TEMPORARY", "")
"""Texts of boxes that nobody has labelled yet."""
_LINE = "write path<TAB>[{…}, …], a list of boxes in JSON"
_ROW = re.compile(r"[^\t]+\t\s*\[\s*(\{|\])")


def find(path: Path) -> list[Path]:
    """Return Label.txt, or other files whose lines have lists of boxes."""
    project = path / _PROJECT
    if project.is_file():
        return [project]
    candidates = texts.files(path, ".txt") if path.is_dir() else [path]
    return [p for p in candidates if p.name == _PROJECT or texts.mostly(p, _ROW)]


def read(source: Source) -> list[Item]:
    """Return one crop for each box."""
    items: list[Item] = []
    crops = source.path.parent / _CROPS
    if source.path.name == _PROJECT and crops.is_file():
        source.notes.append(f"{crops} is not read; --format rec_gt imports its crops and texts instead")
    for number, row in source.read_rows():
        place = f"{source.path}:{number}"
        written, tab, content = row.partition("\t")
        if not tab:
            items.append(LinetuneError("no tab between photo and boxes", place, _LINE))
            continue
        try:
            listed = texts.parse_json(content, source.path, number)
        except LinetuneError as error:
            items.append(error)
            continue
        photo = source.locate(written, place) if isinstance(listed, list) and listed else None
        if photo:
            items += boxes.crops(photo, [_drawn(box, n, place, source) for n, box in enumerate(listed, 1)])
        elif not isinstance(listed, list):
            items.append(LinetuneError("no list of boxes after the tab", place, _LINE))
        elif listed:
            what = f"photo not found: {texts.shown(written)} (boxes: {len(listed)})"
            items.append(LinetuneError(what, place, IMAGES_HINT))
    return items


def _drawn(box: Any, number: int, place: str, source: Source) -> Drawn:
    fields = box if isinstance(box, dict) else {}
    text, corners = fields.get("transcription"), shapes.points(fields.get("points"))
    drawn = Drawn(f"box {number}", place, text, corners, len(corners) > 4)
    drawn.needs = "points that are four pairs of numbers"
    if source.unlabelled and text in _UNLABELLED:
        drawn.text, drawn.unlabelled = "", True
    else:
        drawn.reason = _PLACEHOLDERS.get(str(text))
    if fields.get("difficult") is True:
        drawn.reason = "marked as difficult"
    return drawn


def find_crops(path: Path) -> list[Path]:
    """Return rec_gt.txt, but none from a folder that has a Label.txt."""
    if path.is_dir():
        return [] if (path / _PROJECT).is_file() else find_crops_asked(path)
    return [path] if path.name == _CROPS else []


def find_crops_asked(folder: Path) -> list[Path]:
    """Return the rec_gt.txt of a folder."""
    crops = folder / _CROPS
    return [crops] if crops.is_file() else []


def read_crops(source: Source) -> list[Item]:
    """Return one crop for each line.

    Raises:
        LinetuneError: see :func:`paddleocr.read`.
    """
    return [
        LinetuneError(f"{texts.quoted(item.text)}: {_PLACEHOLDERS[item.text]}", item.place)
        if isinstance(item, Found) and item.text in _PLACEHOLDERS
        else item
        for item in paddleocr.read(source)
    ]


PHOTOS = Format(find, read)
CROPS = Format(find_crops, read_crops, find_asked=find_crops_asked)
