"""ALTO XML of eScriptorium, kraken and libraries: one file for each page, with text lines and their words.

The Library of Congress publishes the schemas. linetune reads all their versions.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from linetune.core.errors import LinetuneError
from linetune.data.importers import boxes, markup, shapes, texts
from linetune.data.importers.photos import Photos, page_format
from linetune.data.importers.shapes import Points
from linetune.data.importers.source import Box, Item

_PIXEL = "pixel"


def _is_alto(path: Path) -> bool:
    return [name.lower() for name in markup.opening(path)[:1]] == ["alto"]


def _read_page(path: Path, photos: Photos) -> list[Item]:
    """Return one crop for each text line of a page.

    Raises:
        LinetuneError: the file is not one page in pixels, or its photo is not found.
    """
    root = markup.parse(path)
    unit = root.find(".//{*}MeasurementUnit")
    if unit is not None and markup.text(unit).strip() != _PIXEL:
        what = f"measures in {markup.text(unit).strip() or 'no unit'}, not in pixels"
        raise LinetuneError(what, markup.place(path, unit), "export in pixels, or as PAGE XML")
    pages = list(root.iter("{*}Page"))
    if len(pages) != 1:
        raise LinetuneError(f"{len(pages)} pages in one file", path, "export one file for each page")
    lines = list(pages[0].iter("{*}TextLine"))
    if not lines:
        return []
    name = root.find(".//{*}sourceImageInformation/{*}fileName")
    written = markup.text(name).strip()
    place = markup.place(path, name if written else pages[0])
    photo = photos.of_page(written, path, place, len(lines))
    size = shapes.size(pages[0].get("WIDTH"), pages[0].get("HEIGHT"))
    return [_line(line, photo, size, index, path) for index, line in enumerate(lines)]


def _line(line: Any, photo: Path, size: tuple[float, float] | None, index: int, path: Path) -> Item:
    name = f"line {texts.shown(line.get('ID') or index + 1)}"
    place = markup.place(path, line)
    outline = _outline(line)
    if len(outline) < 3:
        return LinetuneError(f"{name} has neither a Polygon nor HPOS, VPOS, WIDTH and HEIGHT", place)
    text = _text(line)
    # Before version 4.1 the baseline is one number, its height, and says no direction.
    baseline = shapes.pairs(shapes.numbers(line.get("BASELINE")))
    box = Box(photo, outline, True, shapes.direction(baseline, text), size)
    return boxes.crop(box, text, name, place, index)


def _outline(line: Any) -> Points:
    polygon = line.find("{*}Shape/{*}Polygon")
    if polygon is not None:
        return shapes.pairs(shapes.numbers(polygon.get("POINTS")))
    sides = shapes.pairs([line.get(name) for name in ("HPOS", "VPOS", "WIDTH", "HEIGHT")])
    if not sides:
        return ()
    (left, top), (width, height) = sides
    return shapes.rectangle(left, top, width, height)


def _text(line: Any) -> str:
    """Return the text of a line: its words and spaces in order.

    If the line has no spaces, there is one between two words.
    """
    parts: list[str] = []
    spaced = line.find("{*}SP") is not None
    for part in line:
        kind = part.tag.rpartition("}")[2]
        if kind == "String":
            parts += [" "] * (bool(parts) and not spaced) + [part.get("CONTENT", "")]
        elif kind == "SP":
            parts.append(" ")
        elif kind == "HYP":
            parts.append(part.get("CONTENT", "-"))
    return "".join(parts)


FORMAT = page_format(".xml", _is_alto, _read_page)
