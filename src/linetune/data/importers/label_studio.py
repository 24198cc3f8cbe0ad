"""Label Studio's exports as JSON and JSON-MIN: texts of regions in photos, or one text an image.

Coordinates are percentages of the image; a rectangle's rotation is in degrees, clockwise about its top left.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any

from linetune.core import image
from linetune.core.errors import LinetuneError
from linetune.data.importers import boxes, texts
from linetune.data.importers.boxes import Photos
from linetune.data.importers.source import Box, Format, Item, Source, forms

_ANNOTATED = r'"(annotations|completions)"\s*:\s*\['
_TASKS = re.compile(
    rf'\s*\[\s*\{{.*?({_ANNOTATED}|"original_width"\s*:|"annotation_id"\s*:)'
    # One task by itself, as the API gives it; COCO's files have annotations as well.
    rf'|\s*\{{(?=.*"data"\s*:\s*\{{)(?=.*{_ANNOTATED})(?!.*"(images|imgs)"\s*:\s*[\[{{])',
    re.DOTALL,
)
_OWN_KEYS = {"annotator", "created_at", "updated_at", "lead_time", "id", "annotation_id", "agreement"}
"""What JSON-MIN tells of a task besides its data and its labels."""


def find(path: Path) -> list[Path]:
    """JSON files that hold a list of tasks, or one task."""
    return texts.having(path, ".json", lambda file: texts.begins(file, _TASKS))


def read(source: Source) -> list[Item]:
    """A crop a region, or a task where the whole image has one text.

    Raises:
        LinetuneError: the file is not JSON, or holds no tasks, or several text areas could hold the text.
    """
    photos = Photos(source)
    found: list[Item] = []
    content = source.read_text(source.path)
    tasks = texts.members(content, source.path)
    if content.lstrip().startswith("{"):
        tasks = [(1, 1, texts.parse_json(content, source.path))]
    area = _area(source, (task for _, _, task in tasks if isinstance(task, dict)))
    for line, number, task in tasks:
        place = f"{source.path}:{line}"
        own = task.get("id") if isinstance(task, dict) else None
        name = f"task {texts.shown(number if own is None else own)}"
        if not isinstance(task, dict):
            found.append(LinetuneError(f"{name} is no object", place))
            continue
        try:
            found += list(_Task(source, photos, task, name, place, area).items())
        except LinetuneError as error:
            what = error.what if error.what.startswith(name) else f"{name}: {error.what}"
            found.append(LinetuneError(what, place, error.hint))
    return found


class _Task:
    """One image with what was labelled on it."""

    def __init__(
        self,
        source: Source,
        photos: Photos,
        task: dict[str, Any],
        name: str,
        place: str,
        area: str | None,
    ) -> None:
        self._source = source
        self._photos = photos
        self._task = task
        self._name = name
        self._place = place
        self._area = area

    def items(self) -> Iterator[Item]:
        """A crop a region.

        Raises:
            LinetuneError: nothing of the task can be used.
        """
        data: Any
        annotations = self._task.get("annotations", self._task.get("completions"))
        if annotations is None:
            data = {key: value for key, value in self._task.items() if key not in _OWN_KEYS}
            regions = self._minimal_regions(data)
        else:
            data = self._task.get("data")
            regions = self._regions(_result(annotations, self._name))
        written = self._image(data if isinstance(data, dict) else {})
        photo = self._photos.find(written, self._place, len(regions))
        for index, (value, text) in enumerate(regions):
            name = self._name if value is None else f"{self._name}, region {index + 1}"
            if isinstance(text, LinetuneError):
                yield LinetuneError(f"{name} has {text.what}", self._place)
            elif value is None:
                yield boxes.whole(photo, text, name, self._place)
            else:
                yield self._crop(photo, value, text, name, index)

    def _regions(self, result: list[Any]) -> list[tuple[dict[str, Any] | None, object]]:
        """Outline and text of each region, which share an id; no outline where the whole image has a text."""
        outlines, written = _parts(result)
        if not outlines:
            return [(None, self._single(_merged(written.values()).get(self._area or "")))]
        return [
            (value, self._single(written.get(region, {}).get(self._area or "")))
            for region, value in outlines.items()
        ]

    def _single(self, text: object) -> object:
        """The text itself of a list that holds one."""
        if isinstance(text, dict):
            return self._single(text.get("text"))
        if not isinstance(text, list):
            return text
        if len(text) > 1:
            return LinetuneError(f"{len(text)} texts where a line has one")
        return text[0] if text else None

    def _minimal_regions(self, data: dict[str, Any]) -> list[tuple[dict[str, Any] | None, object]]:
        """JSON-MIN tells apart neither data from labels nor, but for their order, which text is whose."""
        outlines = {key: value for key, value in data.items() if _are_outlines(value)}
        rest = {key: value for key, value in data.items() if key not in outlines and _are_texts(value)}
        images = [key for key, value in rest.items() if isinstance(value, str) and _is_image(value)]
        fields = {key: value for key, value in rest.items() if key not in images}
        chosen = boxes.text_field(self._source, fields, self._place)
        if not outlines:
            return [(None, self._single(fields[chosen]) if chosen is not None else None)]
        if chosen is None:
            raise LinetuneError(f"{self._name} has no texts")
        found = fields[chosen] if isinstance(fields[chosen], list) else [fields[chosen]]
        fitting = [value for value in outlines.values() if len(value) == len(found)]
        places = {tuple(str(_geometry(region)) for region in value) for value in fitting}
        if len(places) != 1:
            count = max(map(len, outlines.values()))
            what = f"{self._name} has {count} regions and {len(found)} texts, which JSON-MIN does not match"
            raise LinetuneError(what, hint="export as JSON")
        return [(region, self._single(text)) for region, text in zip(fitting[0], found, strict=True)]

    def _image(self, data: dict[str, Any]) -> str:
        texts_of_data = {key: value for key, value in data.items() if isinstance(value, str)}
        if (asked := self._source.image_column) is not None:
            if asked not in texts_of_data:
                hint = f"there are: {', '.join(map(texts.shown, texts_of_data)) or 'none'}"
                raise LinetuneError(f"{self._name} has no field {texts.quoted(asked)}", hint=hint)
            return texts_of_data[asked]
        found = {key: value for key, value in texts_of_data.items() if _is_image(value)}
        if not found:
            raise LinetuneError(f"{self._name} has no image")
        if len(set(found.values())) > 1:
            what = f"{self._name} has several images: {', '.join(map(texts.shown, found))}"
            raise LinetuneError(what, hint="pass --image-column NAME")
        return next(iter(found.values()))

    def _crop(self, photo: Path, value: dict[str, Any], text: object, name: str, index: int) -> Item:
        if boxes.number(value.get("image_rotation") or 0):
            what = f"{name} lies in an image that was turned by {value['image_rotation']}° for labelling"
            return LinetuneError(what, self._place, "turn the image file itself")
        size = boxes.size(value.get("original_width"), value.get("original_height"))
        if size is None:
            return LinetuneError(f"{name} has no original_width and original_height", self._place)
        sides = [boxes.number(value.get(key)) for key in ("x", "y", "width", "height")]
        outline = boxes.points(value.get("points"))
        if outline:
            corners = _in_pixels(outline, size)
        elif None not in sides:
            left, top, width, height = (side or 0 for side in sides)
            (left, top), (width, height) = _in_pixels(((left, top), (width, height)), size)
            degrees = boxes.number(value.get("rotation") or 0) or 0
            corners = boxes.turned(boxes.rectangle(left, top, width, height), degrees, (left, top))
        else:
            return LinetuneError(f"{name} is neither a rectangle nor a polygon", self._place)
        return boxes.crop(Box(photo, corners, bool(outline), size=size), text, name, self._place, index)


def _area(source: Source, tasks: Iterable[dict[str, Any]]) -> str | None:
    """The text area that holds the text, one for the whole file; None where no task has a text.

    Where one task has regions, texts of whole images are remarks.
    """
    of_regions: set[str] = set()
    of_images: set[str] = set()
    for task in tasks:
        with suppress(LinetuneError):
            outlines, written = _parts(_result(task.get("annotations", task.get("completions"))))
            if outlines:
                of_regions |= _merged(
                    fields for region, fields in written.items() if region in outlines
                ).keys()
            else:
                of_images |= _merged(written.values()).keys()
    names = of_regions or of_images
    return boxes.text_field(source, names, str(source.path), sure=True) if names else None


def _result(annotations: object, name: str = "") -> list[Any]:
    """The regions and texts of the one annotation that counts."""
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


def _parts(result: list[Any]) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, object]]]:
    """By the id of each region: its outline, and its texts by the names of their areas."""
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


def _merged(fields: Iterable[dict[str, object]]) -> dict[str, object]:
    return {name: text for texts_of_one in fields for name, text in texts_of_one.items()}


def _in_pixels(points: boxes.Points, size: tuple[float, float]) -> boxes.Points:
    return tuple((x * size[0] / 100, y * size[1] / 100) for x, y in points)


def _are_outlines(value: Any) -> bool:
    return (
        isinstance(value, list) and bool(value) and all(isinstance(v, dict) and _geometry(v) for v in value)
    )


def _geometry(region: dict[str, Any]) -> tuple[object, ...]:
    """What of a region says where it lies; nothing where it lies nowhere."""
    found = tuple(region.get(key) for key in ("x", "y", "width", "height", "rotation", "points"))
    return found if any(part is not None for part in (found[0], found[5])) else ()


def _are_texts(value: Any) -> bool:
    if isinstance(value, list):
        return bool(value) and all(isinstance(part, (str, dict)) for part in value)
    return isinstance(value, str)


def _is_image(value: str) -> bool:
    return any(PurePosixPath(form).suffix.lower() in image.SUFFIXES for form in forms(value))


FORMAT = Format(find, read, columns=True)
