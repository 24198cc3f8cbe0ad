"""COCO files with texts: COCO-Text and TextOCR (``imgs``, ``anns``), or a text in each annotation."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

from linetune.core.errors import LinetuneError
from linetune.data.importers import boxes, shapes, texts
from linetune.data.importers.photos import Photos
from linetune.data.importers.shapes import Points
from linetune.data.importers.source import Box, Format, Item, Source

_KEYS = (("images", "annotations"), ("imgs", "anns"))
_COCO = re.compile(r'\s*\{(?=.*"(images|imgs)"\s*:\s*[\[{])(?=.*"(annotations|anns)"\s*:\s*[\[{])', re.DOTALL)
_FIELDS = ("utf8_string", "text", "transcription", "caption", "rec_texts", "rec_text")
"""Fields of an annotation with its text. Otherwise one of its ``attributes`` has it."""
_FEWEST = 10
"""Least number of boxes that show what their numbers mean."""
_ILLEGIBLE = "."
"""The text of an illegible word in TextOCR."""


class _Annotation(NamedTuple):
    name: str
    place: str
    fields: dict[str, Any]


def find(path: Path) -> list[Path]:
    """JSON files with lists of images and annotations."""
    return texts.having(path, ".json", lambda file: texts.begins(file, _COCO))


def read(source: Source) -> list[Item]:
    """Return one crop for each annotation.

    Raises:
        LinetuneError: the file is not JSON, or lists no images and annotations, or has no text at all.
    """
    boxes.refuse_image_column(source, "coco_text")
    content = source.read_text(source.path)
    whole = texts.parse_json(content, source.path)
    keys = next((k for k in _KEYS if isinstance(whole, dict) and whole.keys() >= set(k)), _KEYS[0])
    images = {
        str(entry.get("id", name)): entry
        for _, name, entry in texts.members(content, source.path, keys[0])
        if isinstance(entry, dict)
    }
    found: list[Item] = []
    by_image: dict[str, list[_Annotation]] = {}
    for line, number, entry in texts.members(content, source.path, keys[1]):
        fields = entry if isinstance(entry, dict) else {}
        name, place = f"annotation {texts.shown(fields.get('id', number))}", f"{source.path}:{line}"
        image = str(fields.get("image_id"))
        if image in images:
            by_image.setdefault(image, []).append(_Annotation(name, place, fields))
        else:
            found.append(LinetuneError(f"{name} has no image_id of an image", place))
    if not by_image:
        return found
    annotations = [annotation for group in by_image.values() for annotation in group]
    field = _field(source, [annotation.fields for annotation in annotations])
    if field is None:
        hint = f"texts are in {', '.join(_FIELDS[:4])}, or in attributes"
        raise LinetuneError("holds boxes without texts", source.path, hint)
    photos = Photos(source)
    near = _folders(source.path)
    for image, group in by_image.items():
        found += _image(images[image], group, field, photos, near)
    if _are_corners(annotations):
        source.notes.append(
            "every bbox could be two corners as well as COCO's x, y, width, height; look at the crops"
        )
    return found


def _are_corners(annotations: list[_Annotation]) -> bool:
    """Return whether rectangles can be two corners. Few texts are wider than their distance from the left."""
    sides = [shapes.pairs(a.fields.get("bbox") or ()) for a in annotations if not _outline(a.fields)]
    both = [pair for pair in sides if len(pair) == 2]
    return len(both) >= _FEWEST and all(right > left and low > top for (left, top), (right, low) in both)


def _folders(path: Path) -> list[Path]:
    """Return the photo folder of COCO's layout: beside ``annotations``, with the name of the subset.

    It is ``train2017`` for ``annotations/instances_train2017.json``. CVAT uses ``images/default``.
    """
    if path.parent.name.lower() != "annotations":
        return []
    above, subset = path.parent.parent, path.stem.rpartition("_")[2]
    return [above / subset, above / "images" / subset, above]


def _field(source: Source, entries: list[dict[str, Any]]) -> str | None:
    """Return the name of the field with the texts, for the whole file."""
    asked = source.text_column is not None
    names = {name for entry in entries for name in _FIELDS if isinstance(_single(entry.get(name)), str)}
    inner = {
        name
        for entry in entries
        for name, value in _attributes(entry).items()
        if asked or isinstance(value, str)
    }
    return boxes.text_field(source, names | inner if asked or not names else names, str(source.path))


def _attributes(entry: dict[str, Any]) -> dict[str, Any]:
    found = entry.get("attributes")
    return found if isinstance(found, dict) else {}


def _single(value: object) -> object:
    """Return a value, or the only value of a list."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _image(
    image: dict[str, Any], group: list[_Annotation], field: str, photos: Photos, near: list[Path]
) -> list[Item]:
    written = image.get("file_name", image.get("filename"))
    place = group[0].place
    if not isinstance(written, str) or not written.strip():
        what = f"image {texts.shown(image.get('id'))} has no file_name (boxes: {len(group)})"
        return [LinetuneError(what, place)]
    try:
        photo = photos.find(written, place, len(group), near)
    except LinetuneError as error:
        return [error]
    size = shapes.size(image.get("width"), image.get("height"))
    return [_crop(annotation, field, photo, size, index) for index, annotation in enumerate(group)]


def _crop(
    annotation: _Annotation, field: str, photo: Path, size: tuple[float, float] | None, index: int
) -> Item:
    name, place, fields = annotation
    text = _single(fields.get(field, _attributes(fields).get(field)))
    if fields.get("legibility") == "illegible" or (text == _ILLEGIBLE and "points" in fields):
        what = f"{name} {texts.quoted(text)}" if isinstance(text, str) else name
        return LinetuneError(f"{what}: marked as illegible", place)
    if outline := _outline(fields):
        return boxes.crop(Box(photo, outline, True, size=size), text, name, place, index)
    box = fields.get("bbox")
    sides = shapes.pairs(box) if isinstance(box, list) and len(box) == 4 else ()
    if len(sides) != 2:
        return LinetuneError(f"{name} has no bbox of x, y, width, height", place)
    # CVAT writes the box before its rotation about the centre, and the degrees.
    degrees = shapes.number(_attributes(fields).get("rotation", 0))
    if degrees is None:
        return LinetuneError(f"{name} has a rotation that is no number", place)
    (left, top), (width, height) = sides
    corners = shapes.rectangle(left, top, width, height)
    corners = shapes.rotated(corners, degrees, (left + width / 2, top + height / 2))
    return boxes.crop(Box(photo, corners, size=size), text, name, place, index)


def _outline(entry: dict[str, Any]) -> Points:
    """Return the polygon, under the name that this kind of file uses. Empty if there is only a rectangle."""
    for name in ("segmentation", "points", "mask", "polygon"):
        values = entry.get(name)
        if not isinstance(values, list):
            continue
        nested = [part for part in values if isinstance(part, list)]
        parts = nested if len(nested) == len(values) else [] if nested else [values]
        # An object in two parts has several polygons.
        outline = shapes.points(values) or tuple(point for part in parts for point in shapes.pairs(part))
        if len(outline) >= 4:
            return outline
    return ()


FORMAT = Format(find, read, columns=True)
