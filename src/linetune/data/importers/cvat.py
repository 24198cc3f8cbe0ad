"""CVAT's own XML, as "CVAT for images 1.1" exports it: boxes and polygons whose text is an attribute."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from linetune.core.errors import LinetuneError
from linetune.data.importers import boxes, markup, texts
from linetune.data.importers.boxes import Photos, Points
from linetune.data.importers.source import Box, Format, Item, Source

_CHOICES = {"checkbox", "radio", "select"}
"""Kinds of attributes that hold no text of their own."""
_NUMBER = "number"
_UNDEFINED = "__undefined__"
"""What an attribute holds that nobody filled in."""
_SHAPES = {"box", "polygon", "polyline", "points", "ellipse", "mask", "cuboid", "skeleton", "tag"}


def _is_cvat(path: Path) -> bool:
    first, *others = markup.opening(path) or [""]
    return first == "annotations" and bool({"meta", "image", "track"}.intersection(others))


def find(path: Path) -> list[Path]:
    """An export's annotations.xml."""
    return texts.having(path, ".xml", _is_cvat)


def read(source: Source) -> list[Item]:
    """A crop a box, a polygon or a tag.

    Raises:
        LinetuneError: the file is no XML or holds a video's tracks, or several attributes could be the text.
    """
    root = markup.parse(source.path)
    boxes.refuse_image_column(source, "cvat")
    track = root.find("{*}track")
    if track is not None:
        hint = "export it as CVAT for images 1.1"
        raise LinetuneError("holds tracks of a video", markup.place(source.path, track), hint)
    fields = _text_fields(source, root)
    photos = Photos(source)
    found: list[Item] = []
    for image in root.iter("{*}image"):
        found += _image(source, image, photos, fields)
    return found


def _text_fields(source: Source, root: Any) -> dict[str, str | None]:
    """The attribute with the text, by the label that has it."""
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
            for attribute in shape.findall("{*}attribute"):
                names.setdefault(label, set()).add(attribute.get("name", ""))
    if source.text_column is not None:
        # Not each label need have it.
        every = {name for found in names.values() for name in found}
        return dict.fromkeys(names, boxes.text_field(source, every, str(source.path)))
    chosen = {}
    for label, found in names.items():
        fitting = {name for name in found if kinds.get((label, name)) not in _CHOICES}
        declared = all((label, name) in kinds for name in fitting)
        chosen[label] = name = boxes.text_field(source, fitting, places[label], declared)
        if kinds.get((label, name or "")) == _NUMBER:
            told = f"the texts of {texts.shown(label)} are the numbers of {texts.shown(name)}"
            source.notes.append(f"{told}; --text-column names another attribute")
    return chosen


def _shapes(image: Any) -> Iterator[Any]:
    return (child for child in image if child.tag.rpartition("}")[2] in _SHAPES)


def _image(source: Source, image: Any, photos: Photos, fields: dict[str, str | None]) -> list[Item]:
    shapes = list(_shapes(image))
    if not shapes:
        return []
    place = markup.place(source.path, image)
    written = image.get("name", "").strip()
    if not written:
        return [LinetuneError("image without a name", place)]
    # Of a project's export, the images lie in folders that are named for their subsets.
    subset = image.get("subset")
    near = [source.root / "images" / subset] if subset else []
    try:
        photo = photos.find(written, place, len(shapes), near)
    except LinetuneError as error:
        return [error]
    size = boxes.size(image.get("width"), image.get("height"))
    return [_crop(source, shape, photo, size, index, fields) for index, shape in enumerate(shapes)]


def _crop(
    source: Source,
    shape: Any,
    photo: Path,
    size: tuple[float, float] | None,
    index: int,
    fields: dict[str, str | None],
) -> Item:
    kind = shape.tag.rpartition("}")[2]
    label = shape.get("label", "")
    name = f"{kind} {index + 1} ({texts.shown(label)})"
    place = markup.place(source.path, shape)
    wanted = fields.get(label)
    values = [a for a in shape.findall("{*}attribute") if a.get("name", "") == wanted]
    text = markup.text(values[0]) if values else ""
    text = "" if text == _UNDEFINED else text
    if kind == "tag":
        return boxes.whole(photo, text, name, place)
    if kind not in ("box", "polygon"):
        return LinetuneError(f"{name} is neither a box nor a polygon", place)
    corners = (
        _box(shape)
        if kind == "box"
        else boxes.pairs(boxes.numbers(shape.get("points", "").replace(";", " ")))
    )
    if len(corners) < 3:
        return LinetuneError(f"{name} has no coordinates", place)
    return boxes.crop(Box(photo, corners, kind == "polygon", size=size), text, name, place, index)


def _box(shape: Any) -> Points:
    left, top, right, bottom = (boxes.number(shape.get(side)) for side in ("xtl", "ytl", "xbr", "ybr"))
    if left is None or top is None or right is None or bottom is None:
        return ()
    corners = boxes.rectangle(left, top, right - left, bottom - top)
    return boxes.turned(
        corners, boxes.number(shape.get("rotation", 0)) or 0, ((left + right) / 2, (top + bottom) / 2)
    )


FORMAT = Format(find, read, columns=True)
