"""PPOCRLabel projects, and PaddleOCR's detection labels, which are the same: boxes in photos."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from linetune.core.errors import LinetuneError
from linetune.data.importers import boxes, paddleocr, texts
from linetune.data.importers.source import Box, Format, Found, Item, Source

_PLACEHOLDERS = {
    "待识别": "not labelled yet",
    "TEMPORARY": "not labelled yet, or the photo shows this word",
    "无法识别": "could not be read",
    "NULL": "could not be read, or the photo shows this word",
}
"""What PPOCRLabel writes into a new box, and into one where it reads nothing: in Chinese and English.

They are ``tempLabel`` and ``nullLabel`` of its files of strings; it has no other languages.
"""
_ROW = re.compile(r"[^\t]+\t\s*\[\s*(\{|\])")


def find(path: Path) -> list[Path]:
    """Label.txt, or other files whose lines hold lists of boxes."""
    if path.is_dir():
        project = path / "Label.txt"
        return [project] if project.is_file() else [p for p in texts.files(path, ".txt") if _is_boxes(p)]
    return [path] if path.name == "Label.txt" or _is_boxes(path) else []


def _is_boxes(path: Path) -> bool:
    return texts.mostly(path, _ROW)


def read(source: Source) -> list[Item]:
    """A crop a box."""
    found: list[Item] = []
    beside = source.path.parent / "rec_gt.txt"
    if source.path.name == "Label.txt" and beside.is_file():
        source.notes.append(f"{beside} is not read, which --format rec_gt reads: its crops and their texts")
    for number, row in texts.rows(source.read_text(source.path)):
        place = f"{source.path}:{number}"
        try:
            written, listed = _photo(source, row, number)
        except LinetuneError as error:
            found.append(error)
            continue
        photo = source.locate(written, place) if listed else None
        if photo is not None:
            found += [_crop(photo, box, index, place) for index, box in enumerate(listed)]
        elif listed:
            found.append(
                LinetuneError(f"photo not found: {texts.shown(written)} (boxes: {len(listed)})", place)
            )
    return found


def _photo(source: Source, row: str, number: int) -> tuple[str, list[Any]]:
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
    told = f"{name} {texts.quoted(text)}"
    if box.get("difficult") is True:
        return LinetuneError(f"{told}: marked as difficult", place)
    if reason := (boxes.NO_TEXT | _PLACEHOLDERS).get(text):
        return LinetuneError(f"{told}: {reason}", place)
    corners = boxes.points(box.get("points"))
    if len(corners) < 4:
        return LinetuneError(f"{told}: points are not four pairs of numbers", place)
    # The name that PPOCRLabel itself gives the crop.
    return Found(Box(photo, corners, outline=len(corners) > 4), text, place, f"{photo.stem}_crop_{index}")


def find_crops(path: Path) -> list[Path]:
    """rec_gt.txt, in a folder only where there is no Label.txt."""
    if path.is_dir():
        crops = path / "rec_gt.txt"
        return [crops] if crops.is_file() and not (path / "Label.txt").is_file() else []
    return [path] if path.name == "rec_gt.txt" else []


def find_crops_asked(path: Path) -> list[Path]:
    """rec_gt.txt, whatever else there is."""
    crops = path / "rec_gt.txt"
    return [crops] if crops.is_file() else []


def read_crops(source: Source) -> list[Item]:
    """A crop a line.

    Raises:
        LinetuneError: as :func:`paddleocr.read`.
    """
    return [
        LinetuneError(f"{texts.quoted(item.text)}: {_PLACEHOLDERS[item.text]}", item.place)
        if isinstance(item, Found) and item.text in _PLACEHOLDERS
        else item
        for item in paddleocr.read(source)
    ]


PHOTOS = Format(find, read)
CROPS = Format(find_crops, read_crops, find_asked=find_crops_asked)
