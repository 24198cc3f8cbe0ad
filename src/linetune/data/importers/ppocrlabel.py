"""PPOCRLabel projects, and PaddleOCR's detection labels, which have the same format: boxes in photos."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from linetune.core.errors import LinetuneError
from linetune.data.importers import boxes, paddleocr, texts
from linetune.data.importers.source import Box, Format, Found, Item, Source

_PROJECT, _CROPS = "Label.txt", "rec_gt.txt"
_PLACEHOLDERS = {
    "待识别": "not labelled yet",
    "TEMPORARY": "not labelled yet, or the photo shows this word",
    "无法识别": "could not be read",
    "NULL": "could not be read, or the photo shows this word",
}
"""Texts that PPOCRLabel itself writes: into a new box, and into a box in which it reads nothing.

They are ``tempLabel`` and ``nullLabel`` in its files of strings, which exist in Chinese and English.
"""
_ROW = re.compile(r"[^\t]+\t\s*\[\s*(\{|\])")


def find(path: Path) -> list[Path]:
    """Return Label.txt, or other files whose lines hold lists of boxes."""
    if path.is_dir():
        project = path / _PROJECT
        return [project] if project.is_file() else [p for p in texts.files(path, ".txt") if _has_boxes(p)]
    return [path] if path.name == _PROJECT or _has_boxes(path) else []


def _has_boxes(path: Path) -> bool:
    return texts.mostly(path, _ROW)


def read(source: Source) -> list[Item]:
    """Return one crop for each box."""
    items: list[Item] = []
    crops = source.path.parent / _CROPS
    if source.path.name == _PROJECT and crops.is_file():
        source.notes.append(f"{crops} is not read; --format rec_gt imports its crops and texts instead")
    for number, row in texts.rows(source.read_text(source.path)):
        place = f"{source.path}:{number}"
        try:
            written, listed = _photo(source, row, number)
        except LinetuneError as error:
            items.append(error)
            continue
        photo = source.locate(written, place) if listed else None
        if photo is not None:
            items += [_crop(photo, box, index, place) for index, box in enumerate(listed)]
        elif listed:
            what = f"photo not found: {texts.shown(written)} (boxes: {len(listed)})"
            items.append(LinetuneError(what, place))
    return items


def _photo(source: Source, row: str, number: int) -> tuple[str, list[Any]]:
    """Return the photo's path and the boxes of a line.

    Raises:
        LinetuneError: the line has no tab or no list of boxes.
    """
    place = f"{source.path}:{number}"
    written, tab, content = row.partition("\t")
    if not tab:
        raise LinetuneError("no tab between photo and boxes", place)
    listed = texts.parse_json(content, source.path, number)
    if not isinstance(listed, list):
        raise LinetuneError("no list of boxes after the tab", place)
    return written, listed


def _crop(photo: Path, box: Any, index: int, place: str) -> Item:
    name = f"box {index + 1}"
    text = box.get("transcription") if isinstance(box, dict) else None
    if not isinstance(text, str):
        return LinetuneError(f"{name} has no transcription", place)
    name = f"{name} {texts.quoted(text)}"
    if box.get("difficult") is True:
        return LinetuneError(f"{name}: marked as difficult", place)
    if reason := (boxes.NO_TEXT | _PLACEHOLDERS).get(text):
        return LinetuneError(f"{name}: {reason}", place)
    corners = boxes.points(box.get("points"))
    if len(corners) < 4:
        return LinetuneError(f"{name}: points are not four pairs of numbers", place)
    # The name that PPOCRLabel itself gives the crop.
    return Found(Box(photo, corners, outline=len(corners) > 4), text, place, f"{photo.stem}_crop_{index}")


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
