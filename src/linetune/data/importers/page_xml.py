"""PAGE XML of Transkribus, eScriptorium, OCR-D and others: one file a page, text lines with their outlines.

Read as PRImA's schema of the format describes it, in any of its versions.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from linetune.data.importers import boxes, markup, texts
from linetune.data.importers.boxes import Photos, Points
from linetune.data.importers.source import Box, Item
from linetune.errors import LinetuneError


def _is_page(path: Path) -> bool:
    return markup.opening(path)[:1] == ["PcGts"]


def _page(path: Path, photos: Photos) -> list[Item]:
    root = markup.parse(path)
    page = root.find("{*}Page")
    if page is None:
        raise LinetuneError("no Page in the file", path)
    lines = list(page.iter("{*}TextLine"))
    if not lines:
        return []
    written = page.get("imageFilename", "").strip()
    photo = photos.of_page(written, path, markup.place(path, page), len(lines))
    size = boxes.size(page.get("imageWidth"), page.get("imageHeight"))
    return [_line(line, photo, size, index, path) for index, line in enumerate(lines)]


def _line(line: Any, photo: Path, size: tuple[float, float] | None, index: int, path: Path) -> Item:
    name = f"line {texts.shown(line.get('id') or index + 1)}"
    place = markup.place(path, line)
    outline = _points(line.find("{*}Coords"))
    if len(outline) < 3:
        return LinetuneError(f"{name} has no outline (Coords)", place)
    baseline = _points(line.find("{*}Baseline"))
    text = _text(line)
    return boxes.crop(
        Box(photo, outline, True, boxes.direction(baseline, text), size), text, name, place, index
    )


def _points(element: Any) -> Points:
    """The points of Coords or of a Baseline: an attribute, or until 2010 elements."""
    if element is None:
        return ()
    if "points" in element.attrib:
        return boxes.pairs(boxes.numbers(element.get("points")))
    return boxes.points([(point.get("x"), point.get("y")) for point in element.iter("{*}Point")])


def _text(line: Any) -> str:
    """The line's own text; of several the one with the lowest index, which is the chosen one."""
    variants = line.findall("{*}TextEquiv")
    if not variants:
        return ""
    first = min(variants, key=lambda variant: boxes.number(variant.get("index")) or 0)
    return markup.text(first.find("{*}Unicode"))


FORMAT = boxes.page_format(".xml", _is_page, _page)
"""A crop a text line."""
