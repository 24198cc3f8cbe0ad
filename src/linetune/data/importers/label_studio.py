"""Label Studio's exports JSON and JSON-MIN: texts of regions in photos, or one text for each image.

Coordinates are percentages of the image. A rectangle's rotation is in degrees, clockwise about its top left.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, TypeAlias

from linetune.core import image
from linetune.core.errors import LinetuneError
from linetune.data.importers import boxes, shapes, texts
from linetune.data.importers.boxes import Drawn
from linetune.data.importers.photos import Photos
from linetune.data.importers.source import Format, Item, Source, forms

_ANNOTATED = r'"(annotations|completions)"\s*:\s*\['
_TASKS = re.compile(
    rf'\s*\[\s*\{{.*?({_ANNOTATED}|"original_width"\s*:|"annotation_id"\s*:)'
    # A single task, as the API returns it. COCO's files have annotations too.
    rf'|\s*\{{(?=.*"data"\s*:\s*\{{)(?=.*{_ANNOTATED})(?!.*"(images|imgs)"\s*:\s*[\[{{])',
    re.DOTALL,
)
_OWN_KEYS = {"annotator", "created_at", "updated_at", "lead_time", "id", "annotation_id", "agreement"}
"""Keys of a JSON-MIN task that are neither data nor labels."""

_Region: TypeAlias = "tuple[dict[str, Any] | None, object]"
"""The outline of a region, or None for the whole image, and its text as the file has it."""


def find(path: Path) -> list[Path]:
    """Return JSON files that have a list of tasks, or one task."""
    return texts.having(path, ".json", lambda file: texts.begins(file, _TASKS))


def read(source: Source) -> list[Item]:
    """Return one crop for each region, or for each task whose whole image has one text.

    Raises:
        LinetuneError: the file is not JSON or has no tasks, or several text areas may have the text.
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
        try:
            if not isinstance(task, dict):
                raise LinetuneError("not a JSON object", hint="export it again as JSON")
            items += _Task(photos, task, name, place, area).crops()
        except LinetuneError as error:
            items.append(LinetuneError(f"{name}: {error.what}", place, error.hint))
    return items


@dataclass(frozen=True)
class _Task:
    """One image and what was labelled on it."""

    photos: Photos
    content: dict[str, Any]
    name: str
    """The task, for messages."""
    place: str
    """``file:line``, for messages."""
    area: str
    """Name of the text area that has the texts. Empty if no task has a text."""

    def crops(self) -> list[Item]:
        """Return one crop for each region.

        Raises:
            LinetuneError: nothing of the task can be used. The error does not name the task.
        """
        result = _result(self.content)
        data: Any
        if result is None:
            data = {key: value for key, value in self.content.items() if key not in _OWN_KEYS}
            regions = self._minimal_regions(data)
        else:
            data = self.content.get("data")
            # The outline and the text of a region have the same id.
            outlines, written = _outlines_and_texts(result)
            whole = {area: text for (_, area), text in written.items()}.get(self.area)
            regions = [(outline, written.get((id_, self.area))) for id_, outline in outlines.items()]
            regions = regions or [(None, whole)]
        path = self._image(data if isinstance(data, dict) else {})
        photo = self.photos.find(path, self.place, len(regions))
        return boxes.crops(photo, [self._drawn(*region, n) for n, region in enumerate(regions, 1)])

    def _minimal_regions(self, data: dict[str, Any]) -> list[_Region]:
        """Return the regions of a JSON-MIN task.

        JSON-MIN does not separate data from labels, and only the order says which text belongs to a region.
        """
        outlines: dict[str, list[Any]] = {}
        fields: dict[str, list[Any]] = {}
        for key, value in data.items():
            parts = value if isinstance(value, list) else []
            if parts and all(isinstance(part, dict) and _geometry(part) for part in parts):
                outlines[key] = parts
            elif parts and all(isinstance(part, (str, dict)) for part in parts):
                fields[key] = parts
            elif isinstance(value, str) and not _is_image(value):
                fields[key] = [value]
        chosen = boxes.text_field(self.photos.source, fields, self.place)
        if not outlines:
            return [(None, fields[chosen] if chosen is not None else None)]
        if chosen is None:
            raise LinetuneError("no texts", hint="write the text of each region, or delete the task")
        written = fields[chosen]
        fitting = [value for value in outlines.values() if len(value) == len(written)]
        # Several labels of one region repeat its outline.
        if len({tuple(str(_geometry(region)) for region in value) for value in fitting}) != 1:
            count = max(map(len, outlines.values()))
            what = (
                f"{count} regions and {len(written)} texts, and JSON-MIN does not say which text is in which "
                "region"
            )
            raise LinetuneError(what, hint="export as JSON")
        return list(zip(fitting[0], written, strict=True))

    def _image(self, data: dict[str, Any]) -> str:
        """Return the path of the task's image."""
        strings = {key: value for key, value in data.items() if isinstance(value, str)}
        if (asked := self.photos.source.image_column) is not None:
            return strings[boxes.named_field(asked, strings, self.place)]
        images = {key: value for key, value in strings.items() if _is_image(value)}
        if not images:
            raise LinetuneError("no image", hint="export a project of images, or pass --image-column NAME")
        if len(set(images.values())) > 1:
            what = f"several images: {', '.join(map(texts.shown, images))}"
            raise LinetuneError(what, hint="pass --image-column NAME")
        return next(iter(images.values()))

    def _drawn(self, region: dict[str, Any] | None, written: object, number: int) -> Drawn | LinetuneError:
        name = self.name if region is None else f"{self.name}, region {number}"
        text = _only_text(written)
        if isinstance(text, list):
            return LinetuneError(f"{name} has {len(text)} texts, but a line has one", self.place, "keep one")
        if region is None:
            return Drawn(name, self.place, text, None)
        if shapes.number(rotation := region.get("image_rotation") or 0):
            what = f"{name} was drawn on an image that was rotated by {rotation}° for labelling"
            return LinetuneError(what, self.place, "rotate the image file itself")
        size = shapes.size(region.get("original_width"), region.get("original_height"))
        if size is None:
            what = f"{name} has no original_width and original_height"
            return LinetuneError(what, self.place, "export it again as JSON")
        outline = shapes.points(region.get("points"))
        sides = [region.get(key) for key in ("x", "y", "width", "height")]
        corners = _in_pixels(outline or shapes.rectangle(sides), size)
        if corners and not outline:
            (top_left,) = _in_pixels(shapes.pairs(sides[:2]), size)
            corners = shapes.rotated(corners, shapes.number(region.get("rotation") or 0) or 0, top_left)
        needs = "rectangle or polygon"
        return Drawn(name, self.place, text, corners, bool(outline), needs=needs, size=size)


def _text_area(source: Source, tasks: Iterable[dict[str, Any]]) -> str:
    """Return the text area that has the texts of the whole file. Empty if no task has a text.

    If any task has regions, the texts of whole images are remarks.
    """
    of_images: set[str] = set()
    of_regions: set[str] = set()
    for task in tasks:
        with suppress(LinetuneError):
            outlines, written = _outlines_and_texts(_result(task) or [])
            names = {area for region, area in written if region in outlines or not outlines}
            (of_regions if outlines else of_images).update(names)
    chosen = of_regions or of_images
    return (boxes.text_field(source, chosen, str(source.path), sure=True) or "") if chosen else ""


def _result(task: dict[str, Any]) -> list[Any] | None:
    """Return the regions and texts of the only annotation that counts. None for a JSON-MIN task.

    Raises:
        LinetuneError: no annotation counts, or more than one.
    """
    annotations = task.get("annotations", task.get("completions"))
    if annotations is None:
        return None
    listed = [a for a in annotations if isinstance(a, dict)] if isinstance(annotations, list) else []
    kept = [a for a in listed if not a.get("was_cancelled")]
    chosen = [a for a in kept if a.get("ground_truth")] or kept
    if not chosen:
        what = "not annotated" + (", but skipped" if listed else "")
        raise LinetuneError(what, hint="annotate the task, or delete it")
    if len(chosen) > 1:
        raise LinetuneError(f"{len(chosen)} annotations", hint="keep one, or mark one as ground truth")
    result = chosen[0].get("result")
    return result if isinstance(result, list) else []


def _outlines_and_texts(
    result: list[Any],
) -> tuple[dict[str, dict[str, Any]], dict[tuple[str, str], object]]:
    """Return outlines by the ids of their regions, and texts by the ids and the names of the text areas."""
    outlines: dict[str, dict[str, Any]] = {}
    written: dict[tuple[str, str], object] = {}
    for part in result:
        value = part.get("value") if isinstance(part, dict) else None
        if not isinstance(value, dict):
            continue
        region = str(part.get("id"))
        if "x" in value or "points" in value:
            sizes = ("original_width", "original_height", "image_rotation")
            outlines.setdefault(region, {**value, **{key: part.get(key) for key in sizes}})
        if "text" in value:
            written[region, str(part.get("from_name"))] = value["text"]
    return outlines, written


def _only_text(text: object) -> object:
    """Return the text inside a list or an object, but a list of several texts as it is."""
    if isinstance(text, dict):
        return _only_text(text.get("text"))
    if isinstance(text, list) and len(text) < 2:
        return text[0] if text else None
    return text


def _in_pixels(points: shapes.Points, size: shapes.Point) -> shapes.Points:
    return tuple((x * size[0] / 100, y * size[1] / 100) for x, y in points)


def _geometry(region: dict[str, Any]) -> tuple[object, ...]:
    """Return the values that say where a region is. Empty if none does."""
    values = tuple(region.get(key) for key in ("x", "y", "width", "height", "rotation", "points"))
    return values if any(value is not None for value in (values[0], values[5])) else ()


def _is_image(value: str) -> bool:
    return any(PurePosixPath(path).suffix.lower() in image.SUFFIXES for path in forms(value))


FORMAT = Format(find, read, columns=True)
