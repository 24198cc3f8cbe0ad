"""COCO files that hold texts: COCO-Text and TextOCR (``imgs``, ``anns``), or a text in each annotation."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from linetune.data.importers import boxes, texts
from linetune.data.importers.boxes import Photos, Points
from linetune.data.importers.source import Box, Format, Item, Source
from linetune.errors import LinetuneError

_KEYS = (("images", "annotations"), ("imgs", "anns"))
_COCO = re.compile(r'\s*\{(?=.*"(images|imgs)"\s*:\s*[\[{])(?=.*"(annotations|anns)"\s*:\s*[\[{])', re.DOTALL)
_FIELDS = ("utf8_string", "text", "transcription", "caption", "rec_texts", "rec_text")
"""Where an annotation itself has its text; else one of its ``attributes`` holds it."""
_ILLEGIBLE = "."
"""TextOCR's text of a word that cannot be read."""


def find(path: Path) -> list[Path]:
    """JSON files that list images and annotations."""
    candidates = texts.files(path, ".json") if path.is_dir() else [path]
    return [p for p in candidates if p.suffix.lower() == ".json" and texts.begins(p, _COCO)]


def read(source: Source) -> list[Item]:
    """A crop an annotation.

    Raises:
        LinetuneError: the file is not JSON, or lists no images and annotations, or has no text at all.
    """
    content = source.read_text(source.path)
    whole = texts.parse_json(content, source.path)
    images_key, key = next(
        (k for k in _KEYS if isinstance(whole, dict) and all(part in whole for part in k)), _KEYS[0]
    )
    images = {}
    for _, number, entry in texts.members(content, source.path, images_key):
        if isinstance(entry, dict):
            images[str(entry.get("id", number))] = entry
    by_image: dict[str, list[tuple[str, str, dict[str, Any]]]] = {}
    found: list[Item] = []
    for line, number, entry in texts.members(content, source.path, key):
        place = f"{source.path}:{line}"
        name = f"annotation {entry.get('id', number)}" if isinstance(entry, dict) else f"annotation {number}"
        image = str(entry.get("image_id")) if isinstance(entry, dict) else None
        if image not in images:
            found.append(LinetuneError(f"{name} has no image_id of an image", place))
        else:
            by_image.setdefault(image, []).append((name, place, entry))
    every = [entry for group in by_image.values() for _, _, entry in group]
    field = _field(source, every)
    if every and field is None:
        hint = f"texts stand in {', '.join(_FIELDS[:4])}, or in attributes"
        raise LinetuneError("holds boxes without texts", source.path, hint)
    photos = Photos(source)
    for number, group in by_image.items():
        found += _image(images[number], group, field, photos)
    return found


def _field(source: Source, entries: list[dict[str, Any]]) -> str | None:
    """The name that the texts stand under, in all of the file."""
    names = {name for entry in entries for name in _FIELDS if _single(entry.get(name)) is not None}
    inner = {
        name
        for entry in entries
        for name, value in _attributes(entry).items()
        if isinstance(value, str) and name not in names
    }
    own = getattr(source, "text_column", None)
    return boxes.text_field(source, names | inner if own or not names else names, str(source.path))


def _attributes(entry: dict[str, Any]) -> dict[str, Any]:
    found = entry.get("attributes")
    return found if isinstance(found, dict) else {}


def _single(value: object) -> str | None:
    """A text, or the one of a list."""
    one = value[0] if isinstance(value, list) and len(value) == 1 else value
    return one if isinstance(one, str) else None


def _image(
    image: dict[str, Any], group: list[tuple[str, str, dict[str, Any]]], field: str | None, photos: Photos
) -> list[Item]:
    written = image.get("file_name", image.get("filename"))
    place = group[0][1]
    if not isinstance(written, str) or not written.strip():
        return [LinetuneError(f"image {image.get('id')} has no file_name (boxes: {len(group)})", place)]
    try:
        photo = photos.find(written, place, len(group))
    except LinetuneError as error:
        return [error]
    size = boxes.size(image.get("width"), image.get("height"))
    return [
        _crop(entry, field, photo, size, index, name, place)
        for index, (name, place, entry) in enumerate(group)
    ]


def _crop(
    entry: dict[str, Any],
    field: str | None,
    photo: Path,
    size: tuple[float, float] | None,
    index: int,
    name: str,
    place: str,
) -> Item:
    text = _single(entry.get(field, _attributes(entry).get(field))) if field else None
    if entry.get("legibility") == "illegible" or (text == _ILLEGIBLE and "points" in entry):
        return LinetuneError(f"{name} {text!r}: marked as illegible", place)
    outline = _outline(entry)
    if outline:
        return boxes.crop(Box(photo, outline, True, size=size), text, name, place, index)
    box = entry.get("bbox")
    sides = boxes.pairs(box) if isinstance(box, list) and len(box) == 4 else ()
    if len(sides) != 2:
        return LinetuneError(f"{name} has no bbox of x, y, width, height", place)
    return boxes.crop(Box(photo, boxes.rectangle(*sides[0], *sides[1]), size=size), text, name, place, index)


def _outline(entry: dict[str, Any]) -> Points:
    """The polygon, under the name that this kind of file gives it; none where there is only a rectangle."""
    for name in ("segmentation", "points", "mask", "polygon"):
        values = entry.get(name)
        if not isinstance(values, list):
            continue
        parts = values if values and isinstance(values[0], list) else [values]
        # An object cut in two has several.
        outline = boxes.points(values) or tuple(point for part in parts for point in boxes.pairs(part))
        if len(outline) >= 4:
            return outline
    return ()


FORMAT = Format(find, read)
