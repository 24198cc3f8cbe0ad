"""Label Studio's exports JSON and JSON-MIN: texts of regions in photos, or one text for each image.

Coordinates are percentages of the image. A rectangle's rotation is in degrees, clockwise about its top left.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, TypeAlias

from linetune.core import image
from linetune.core.errors import LinetuneError
from linetune.data.importers import boxes, shapes, texts
from linetune.data.importers.photos import Photos
from linetune.data.importers.source import Box, Format, Item, Source, forms

_ANNOTATED = r'"(annotations|completions)"\s*:\s*\['
_TASKS = re.compile(
    rf'\s*\[\s*\{{.*?({_ANNOTATED}|"original_width"\s*:|"annotation_id"\s*:)'
    # A single task, as the API returns it. COCO's files have annotations too.
    rf'|\s*\{{(?=.*"data"\s*:\s*\{{)(?=.*{_ANNOTATED})(?!.*"(images|imgs)"\s*:\s*[\[{{])',
    re.DOTALL,
)
_OWN_KEYS = {"annotator", "created_at", "updated_at", "lead_time", "id", "annotation_id", "agreement"}
"""Keys of a JSON-MIN task that hold neither data nor labels."""

_Region: TypeAlias = "tuple[dict[str, Any] | None, object]"
"""The outline of a region, None for the whole image, and its text, an error if there is no single text."""


def find(path: Path) -> list[Path]:
    """Return JSON files that hold a list of tasks, or one task."""
    return texts.having(path, ".json", lambda file: texts.begins(file, _TASKS))


def read(source: Source) -> list[Item]:
    """Return one crop for each region, or for each task whose whole image has one text.

    Raises:
        LinetuneError: the file is not JSON or holds no tasks, or several text areas may hold the text.
    """
    photos = Photos(source)
    items: list[Item] = []
    content = source.read_text(source.path)
    tasks = texts.members(content, source.path)
    if content.lstrip().startswith("{"):
        tasks = [(1, 1, texts.parse_json(content, source.path))]
    area = _text_area(source, (task for _, _, task in tasks if isinstance(task, dict)))
    for line, number, task in tasks:
        place = f"{source.path}:{line}"
        own = task.get("id") if isinstance(task, dict) else None
        name = f"task {texts.shown(number if own is None else own)}"
        if not isinstance(task, dict):
            items.append(LinetuneError(f"{name} is not a JSON object", place))
            continue
        try:
            items += list(_Task(source, photos, task, name, place, area).items())
        except LinetuneError as error:
            what = error.what if error.what.startswith(name) else f"{name}: {error.what}"
            items.append(LinetuneError(what, place, error.hint))
    return items


@dataclass(frozen=True)
class _Task:
    """One image and what was labelled on it."""

    source: Source
    photos: Photos
    content: dict[str, Any]
    name: str
    """The task, for messages."""
    place: str
    """``file:line``, for messages."""
    area: str | None
    """Name of the text area that holds the texts."""

    def items(self) -> Iterator[Item]:
        """Yield one crop for each region.

        Raises:
            LinetuneError: nothing of the task can be used.
        """
        data: Any
        annotations = self.content.get("annotations", self.content.get("completions"))
        if annotations is None:
            data = {key: value for key, value in self.content.items() if key not in _OWN_KEYS}
            regions = self._minimal_regions(data)
        else:
            data = self.content.get("data")
            regions = self._regions(_result(annotations, self.name))
        written = self._image(data if isinstance(data, dict) else {})
        photo = self.photos.find(written, self.place, len(regions))
        for index, (outline, text) in enumerate(regions):
            name = self.name if outline is None else f"{self.name}, region {index + 1}"
            if isinstance(text, LinetuneError):
                yield LinetuneError(f"{name} has {text.what}", self.place)
            elif outline is None:
                yield boxes.whole(photo, text, name, self.place)
            else:
                yield self._crop(photo, outline, text, name, index)

    def _regions(self, result: list[Any]) -> list[_Region]:
        """Return the regions of a JSON task. Outline and text of a region have the same id."""
        outlines, written = _outlines_and_texts(result)
        if not outlines:
            return [(None, _only_text(_merged(written.values()).get(self.area or "")))]
        return [
            (outline, _only_text(written.get(region, {}).get(self.area or "")))
            for region, outline in outlines.items()
        ]

    def _minimal_regions(self, data: dict[str, Any]) -> list[_Region]:
        """Return the regions of a JSON-MIN task.

        JSON-MIN does not separate data from labels, and only the order says which text belongs to a region.
        """
        outlines = {key: value for key, value in data.items() if _are_outlines(value)}
        rest = {key: value for key, value in data.items() if key not in outlines and _are_texts(value)}
        images = [key for key, value in rest.items() if isinstance(value, str) and _is_image(value)]
        fields = {key: value for key, value in rest.items() if key not in images}
        chosen = boxes.text_field(self.source, fields, self.place)
        if not outlines:
            return [(None, _only_text(fields[chosen]) if chosen is not None else None)]
        if chosen is None:
            raise LinetuneError(f"{self.name} has no texts")
        written = fields[chosen] if isinstance(fields[chosen], list) else [fields[chosen]]
        fitting = [value for value in outlines.values() if len(value) == len(written)]
        # Several labels of one region repeat its outline.
        places = {tuple(str(_geometry(region)) for region in value) for value in fitting}
        if len(places) != 1:
            count = max(map(len, outlines.values()))
            what = (
                f"{self.name} has {count} regions and {len(written)} texts, and JSON-MIN does not say which "
                "belong together"
            )
            raise LinetuneError(what, hint="export as JSON")
        return [(region, _only_text(text)) for region, text in zip(fitting[0], written, strict=True)]

    def _image(self, data: dict[str, Any]) -> str:
        """Return the path of the task's image."""
        strings = {key: value for key, value in data.items() if isinstance(value, str)}
        if (asked := self.source.image_column) is not None:
            if asked not in strings:
                hint = f"there are: {', '.join(map(texts.shown, strings)) or 'none'}"
                raise LinetuneError(f"{self.name} has no field {texts.quoted(asked)}", hint=hint)
            return strings[asked]
        images = {key: value for key, value in strings.items() if _is_image(value)}
        if not images:
            raise LinetuneError(f"{self.name} has no image")
        if len(set(images.values())) > 1:
            what = f"{self.name} has several images: {', '.join(map(texts.shown, images))}"
            raise LinetuneError(what, hint="pass --image-column NAME")
        return next(iter(images.values()))

    def _crop(self, photo: Path, region: dict[str, Any], text: object, name: str, index: int) -> Item:
        if shapes.number(region.get("image_rotation") or 0):
            what = (
                f"{name} was drawn on an image that was rotated by {region['image_rotation']}° for labelling"
            )
            return LinetuneError(what, self.place, "rotate the image file itself")
        size = shapes.size(region.get("original_width"), region.get("original_height"))
        if size is None:
            return LinetuneError(f"{name} has no original_width and original_height", self.place)
        sides = [shapes.number(region.get(key)) for key in ("x", "y", "width", "height")]
        outline = shapes.points(region.get("points"))
        if outline:
            corners = _in_pixels(outline, size)
        elif None not in sides:
            left, top, width, height = (side or 0 for side in sides)
            (left, top), (width, height) = _in_pixels(((left, top), (width, height)), size)
            degrees = shapes.number(region.get("rotation") or 0) or 0
            corners = shapes.rotated(shapes.rectangle(left, top, width, height), degrees, (left, top))
        else:
            return LinetuneError(f"{name} is neither a rectangle nor a polygon", self.place)
        return boxes.crop(Box(photo, corners, bool(outline), size=size), text, name, self.place, index)


def _text_area(source: Source, tasks: Iterable[dict[str, Any]]) -> str | None:
    """Return the text area that holds the texts of the whole file; None if no task has a text.

    If any task has regions, the texts of whole images are remarks.
    """
    of_regions: set[str] = set()
    of_images: set[str] = set()
    for task in tasks:
        with suppress(LinetuneError):
            result = _result(task.get("annotations", task.get("completions")))
            outlines, written = _outlines_and_texts(result)
            if outlines:
                in_outlines = (fields for region, fields in written.items() if region in outlines)
                of_regions |= _merged(in_outlines).keys()
            else:
                of_images |= _merged(written.values()).keys()
    names = of_regions or of_images
    return boxes.text_field(source, names, str(source.path), sure=True) if names else None


def _result(annotations: object, name: str = "") -> list[Any]:
    """Return the regions and texts of the only annotation that counts.

    Raises:
        LinetuneError: no annotation counts, or more than one.
    """
    listed = [a for a in annotations if isinstance(a, dict)] if isinstance(annotations, list) else []
    kept = [a for a in listed if not a.get("was_cancelled")]
    chosen = [a for a in kept if a.get("ground_truth")] or kept
    if not chosen:
        raise LinetuneError(f"{name} is not annotated" + (", but skipped" if listed else ""))
    if len(chosen) > 1:
        hint = "keep one, or mark one as ground truth"
        raise LinetuneError(f"{name} has {len(chosen)} annotations", hint=hint)
    result = chosen[0].get("result")
    return result if isinstance(result, list) else []


def _outlines_and_texts(
    result: list[Any],
) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, object]]]:
    """Return, by the id of each region, its outline, and its texts by the names of their text areas."""
    outlines: dict[str, dict[str, Any]] = {}
    written: dict[str, dict[str, object]] = {}
    for part in result:
        value = part.get("value") if isinstance(part, dict) else None
        if not isinstance(value, dict):
            continue
        region = str(part.get("id"))
        if "x" in value or "points" in value:
            sizes = ("original_width", "original_height", "image_rotation")
            outlines.setdefault(region, {**value, **{key: part.get(key) for key in sizes}})
        if "text" in value:
            written.setdefault(region, {})[str(part.get("from_name"))] = value["text"]
    return outlines, written


def _only_text(text: object) -> object:
    """Return the text inside a list or object; an error, which names no place, for several texts."""
    if isinstance(text, dict):
        return _only_text(text.get("text"))
    if not isinstance(text, list):
        return text
    if len(text) > 1:
        return LinetuneError(f"{len(text)} texts, but a line has one")
    return text[0] if text else None


def _merged(fields: Iterable[dict[str, object]]) -> dict[str, object]:
    return {name: text for texts_of_one in fields for name, text in texts_of_one.items()}


def _in_pixels(points: shapes.Points, size: tuple[float, float]) -> shapes.Points:
    return tuple((x * size[0] / 100, y * size[1] / 100) for x, y in points)


def _are_outlines(value: Any) -> bool:
    return (
        isinstance(value, list) and bool(value) and all(isinstance(v, dict) and _geometry(v) for v in value)
    )


def _geometry(region: dict[str, Any]) -> tuple[object, ...]:
    """Return the values that say where a region is; an empty tuple if none does."""
    values = tuple(region.get(key) for key in ("x", "y", "width", "height", "rotation", "points"))
    return values if any(value is not None for value in (values[0], values[5])) else ()


def _are_texts(value: Any) -> bool:
    if isinstance(value, list):
        return bool(value) and all(isinstance(part, (str, dict)) for part in value)
    return isinstance(value, str)


def _is_image(value: str) -> bool:
    return any(PurePosixPath(path).suffix.lower() in image.SUFFIXES for path in forms(value))


FORMAT = Format(find, read, columns=True)
