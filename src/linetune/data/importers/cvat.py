"""CVAT's XML ("CVAT for images 1.1"): boxes and polygons with their text in an attribute."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from linetune.core.errors import LinetuneError
from linetune.data.importers import boxes, markup, shapes, texts
from linetune.data.importers.boxes import Drawn
from linetune.data.importers.photos import Photos
from linetune.data.importers.shapes import Points
from linetune.data.importers.source import Format, Item, Source

_CHOICES = {"checkbox", "radio", "select"}
"""Input types of attributes whose values are chosen from a list."""
_NUMBER = "number"
_UNDEFINED = "__undefined__"
"""The value of an attribute that nobody filled in."""
_SHAPES = {"box", "polygon", "polyline", "points", "ellipse", "mask", "cuboid", "skeleton", "tag"}


def _is_cvat(path: Path) -> bool:
    first, *others = markup.opening(path) or [""]
    return first == "annotations" and bool({"meta", "image", "track"}.intersection(others))


def find(path: Path) -> list[Path]:
    """Return the annotations.xml of an export."""
    return texts.having(path, ".xml", _is_cvat)


def read(source: Source) -> list[Item]:
    """Return one crop for each box or polygon, and for each tag of a whole image.

    Raises:
        LinetuneError: the file is not XML or has the tracks of a video, or several attributes could be the
            text.
    """
    root = markup.parse(source.path)
    boxes.refuse_image_column(source, "cvat")
    track = root.find("{*}track")
    if track is not None:
        hint = "export the task as CVAT for images 1.1"
        raise LinetuneError("has the tracks of a video", markup.place(source.path, track), hint)
    fields = _text_fields(source, root)
    photos = Photos(source)
    items: list[Item] = []
    for image in root.iter("{*}image"):
        items += _crops(source, image, photos, fields)
    return items


def _text_fields(source: Source, root: Any) -> dict[str, str | None]:
    """Return the name of the attribute that has the text, by label. None if a label has no such attribute.

    Raises:
        LinetuneError: several attributes of a label may have the text, or the one that the user names is
            missing.
    """
    kinds = {
        (markup.text(label.find("{*}name")), markup.text(attribute.find("{*}name"))): kind
        for label in root.iter("{*}label")
        for attribute in label.iter("{*}attribute")
        if (kind := markup.text(attribute.find("{*}input_type")))
    }
    names: dict[str, set[str]] = {}
    places: dict[str, str] = {}
    for image in root.iter("{*}image"):
        for shape in _shapes(image):
            label = shape.get("label", "")
            places.setdefault(label, markup.place(source.path, shape))
            own = {attribute.get("name", "") for attribute in shape.findall("{*}attribute")}
            names.setdefault(label, set()).update(own)
    if source.text_column is not None:
        # Not every label needs this attribute.
        all_names = set().union(*names.values())
        return dict.fromkeys(names, boxes.text_field(source, all_names, str(source.path)))
    chosen = {}
    for label, attributes in names.items():
        fitting = {name for name in attributes if kinds.get((label, name)) not in _CHOICES}
        declared = all((label, name) in kinds for name in fitting)
        chosen[label] = name = boxes.text_field(source, fitting, places[label], declared)
        if kinds.get((label, name or "")) == _NUMBER:
            note = f"the texts of {texts.shown(label)} are the numbers in its attribute {texts.shown(name)}"
            source.notes.append(f"{note}; name another one with --text-column")
    return chosen


def _shapes(image: Any) -> list[Any]:
    """Return the elements of an image that are shapes or tags."""
    return [child for child in image if markup.name(child) in _SHAPES]


def _crops(source: Source, image: Any, photos: Photos, fields: dict[str, str | None]) -> list[Item]:
    elements = _shapes(image)
    if not elements:
        return []
    place = markup.place(source.path, image)
    written = image.get("name", "").strip()
    if not written:
        return [LinetuneError("the image has no name", place, "export it again, or delete it")]
    # The export of a project has one folder of images for each subset.
    subset = image.get("subset")
    near = [source.root / "images" / subset] if subset else []
    drawn = [_drawn(source, shape, number, fields) for number, shape in enumerate(elements, 1)]
    return photos.crops(written, place, drawn, near)


def _drawn(source: Source, shape: Any, number: int, fields: dict[str, str | None]) -> Drawn:
    kind, label, image = markup.name(shape), shape.get("label", ""), shape.getparent()
    values = [a for a in shape.findall("{*}attribute") if a.get("name", "") == fields.get(label)]
    text = markup.text(values[0]) if values else ""
    text = "" if text == _UNDEFINED else text
    corners: Points | None = ()
    if kind == "tag":
        corners = None
    elif kind == "box":
        corners = shapes.rectangle([shape.get(end) for end in ("xtl", "ytl", "xbr", "ybr")], ends=True)
        corners = shapes.rotated(corners, shapes.number(shape.get("rotation", 0)) or 0)
    elif kind == "polygon":
        corners = shapes.pairs(shapes.numbers(shape.get("points", "").replace(";", " ")))
    drawn = Drawn(f"{kind} {number} ({texts.shown(label)})", markup.place(source.path, shape), text, corners)
    drawn.outline, drawn.needs = kind == "polygon", "coordinates"
    drawn.size = shapes.size(image.get("width"), image.get("height"))
    if kind not in ("tag", "box", "polygon"):
        drawn.reason = "neither a box nor a polygon"
    return drawn


FORMAT = Format(find, read, columns=True)
