"""COCO files with texts: COCO-Text and TextOCR (``imgs``, ``anns``), or a text in each annotation."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

from linetune.core.errors import LinetuneError
from linetune.data.importers import boxes, shapes, texts
from linetune.data.importers.boxes import Drawn
from linetune.data.importers.photos import Photos
from linetune.data.importers.shapes import Point, Points
from linetune.data.importers.source import Format, Item, Source

_KEYS = (("images", "annotations"), ("imgs", "anns"))
_COCO = re.compile(r'\s*\{(?=.*"(images|imgs)"\s*:\s*[\[{])(?=.*"(annotations|anns)"\s*:\s*[\[{])', re.DOTALL)
_FIELDS = ("utf8_string", "text", "transcription", "caption", "rec_texts", "rec_text")
"""Fields of an annotation that may have the text. If none has it, one of the ``attributes`` does."""
_FEWEST_BOXES = 10
"""Least number of boxes that can show whether their numbers are two corners."""
_ILLEGIBLE = "."
"""The text of an illegible word in TextOCR."""


class _Annotation(NamedTuple):
    """One entry of the list of annotations, with its name and place for messages."""

    name: str
    place: str
    fields: dict[str, Any]


def find(path: Path) -> list[Path]:
    """Return the JSON files that have lists of images and annotations."""
    return texts.having(path, ".json", lambda file: texts.begins(file, _COCO))


def read(source: Source) -> list[Item]:
    """Return one crop for each annotation.

    Raises:
        LinetuneError: the file is not JSON, or has no images and annotations, or has no texts.
    """
    boxes.refuse_image_column(source, "coco_text")
    content = source.read_text(source.path)
    document = texts.parse_json(content, source.path)
    present = set(document) if isinstance(document, dict) else set()
    del document
    keys = next((keys for keys in _KEYS if present >= set(keys)), _KEYS[0])
    images = {
        str(entry.get("id", name)): entry
        for _, name, entry in texts.members(content, source.path, keys[0])
        if isinstance(entry, dict)
    }
    items: list[Item] = []
    by_image: dict[str, list[_Annotation]] = {}
    for line, number, entry in texts.members(content, source.path, keys[1]):
        fields = entry if isinstance(entry, dict) else {}
        name, place = f"annotation {texts.shown(fields.get('id', number))}", f"{source.path}:{line}"
        image = str(fields.get("image_id"))
        if image in images:
            by_image.setdefault(image, []).append(_Annotation(name, place, fields))
        else:
            items.append(LinetuneError(f"{name} has no image_id that the list of images contains", place))
    if not by_image:
        return items
    annotations = [annotation for group in by_image.values() for annotation in group]
    field = _field(source, [annotation.fields for annotation in annotations])
    if field is None:
        hint = f"linetune reads texts in {', '.join(_FIELDS[:4])} or attributes"
        raise LinetuneError("has boxes without texts", source.path, hint)
    photos = Photos(source)
    near = _folders(source.path)
    for image, group in by_image.items():
        items += _crops(images[image], group, field, photos, near)
    if _may_be_corners(annotations):
        source.notes.append(
            "each bbox may contain two corners instead of COCO's x, y, width, height; look at the crops"
        )
    return items


def _may_be_corners(annotations: list[_Annotation]) -> bool:
    """Return whether each bbox may be two corners: the last two numbers are larger than the first two.

    This is unlikely for x, y, width and height, because few texts are wider than their x.
    """
    sides = [shapes.pairs(a.fields.get("bbox")) for a in annotations if not _outline(a.fields)]
    both = [pair for pair in sides if len(pair) == 2]
    return len(both) >= _FEWEST_BOXES and all(
        right > left and low > top for (left, top), (right, low) in both
    )


def _folders(path: Path) -> list[Path]:
    """Return the folders that have the photos of a subset in COCO's layout and in CVAT's.

    For ``annotations/instances_train2017.json`` this is the folder ``train2017`` beside ``annotations``. CVAT
    writes ``images/default``.
    """
    if path.parent.name.lower() != "annotations":
        return []
    above, subset = path.parent.parent, path.stem.rpartition("_")[2]
    return [above / subset, above / "images" / subset, above]


def _field(source: Source, entries: list[dict[str, Any]]) -> str | None:
    """Return the name of the field that has the texts, one for the whole file. None if there are no texts."""
    asked = source.text_column is not None
    names = {name for entry in entries for name in _FIELDS if isinstance(_unpacked(entry.get(name)), str)}
    attributes = {
        name
        for entry in entries
        for name, value in _attributes(entry).items()
        if asked or isinstance(value, str)
    }
    return boxes.text_field(source, names | attributes if asked or not names else names, str(source.path))


def _attributes(entry: dict[str, Any]) -> dict[str, Any]:
    attributes = entry.get("attributes")
    return attributes if isinstance(attributes, dict) else {}


def _unpacked(value: object) -> object:
    """Return the only value of a list with one value. Return any other value as it is."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _crops(
    image: dict[str, Any], group: list[_Annotation], field: str, photos: Photos, near: list[Path]
) -> list[Item]:
    written, place = image.get("file_name", image.get("filename")), group[0].place
    if not isinstance(written, str) or not written.strip():
        what = f"image {texts.shown(image.get('id'))} has no file_name (boxes: {len(group)})"
        return [LinetuneError(what, place, "write the path of the photo")]
    size = shapes.size(image.get("width"), image.get("height"))
    return photos.crops(written, place, [_drawn(each, field, size) for each in group], near)


def _drawn(annotation: _Annotation, field: str, size: Point | None) -> Drawn | LinetuneError:
    name, place, fields = annotation
    text = _unpacked(fields.get(field, _attributes(fields).get(field)))
    corners = outline = _outline(fields)
    if not outline:
        # CVAT writes the box without its rotation about the centre, and the degrees in an attribute.
        degrees = shapes.number(_attributes(fields).get("rotation", 0))
        if degrees is None:
            return LinetuneError(f"{name} has a rotation that is not a number", place, "write it in degrees")
        corners = shapes.rotated(shapes.rectangle(fields.get("bbox")), degrees)
    drawn = Drawn(name, place, text, corners, bool(outline), size=size)
    drawn.needs = "bbox of x, y, width, height"
    if fields.get("legibility") == "illegible" or (text == _ILLEGIBLE and "points" in fields):
        drawn.reason = "marked as illegible"
    return drawn


def _outline(entry: dict[str, Any]) -> Points:
    """Return the polygon of an annotation. Empty if it has only a rectangle."""
    for name in ("segmentation", "points", "mask", "polygon"):
        values = entry.get(name)
        parts = values if isinstance(values, list) else []
        # An object in several parts has several polygons.
        several = tuple(point for part in parts for point in shapes.pairs(part))
        outline = shapes.points(parts) or shapes.pairs(parts) or several
        if len(outline) >= 4:
            return outline
    return ()


FORMAT = Format(find, read, columns=True)
