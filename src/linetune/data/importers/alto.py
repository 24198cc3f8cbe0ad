"""ALTO XML of eScriptorium, kraken and libraries: one file for each page, with text lines and their words.

The Library of Congress publishes the schemas. linetune reads all their versions.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from linetune.core.errors import LinetuneError
from linetune.data.importers import boxes, markup, shapes, texts
from linetune.data.importers.boxes import Drawn
from linetune.data.importers.photos import Photos, page_format
from linetune.data.importers.source import Item

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
    return boxes.crops(photo, [_line(line, number, path) for number, line in enumerate(lines, 1)], size)


def _line(line: Any, number: int, path: Path) -> Drawn:
    name = f"line {texts.shown(line.get('ID') or number)}"
    polygon = line.find("{*}Shape/{*}Polygon")
    if polygon is None:
        outline = shapes.rectangle([line.get(side) for side in ("HPOS", "VPOS", "WIDTH", "HEIGHT")])
    else:
        outline = shapes.pairs(shapes.numbers(polygon.get("POINTS")))
    text = _text(line)
    # Before version 4.1 the baseline is one number, its height, and says no direction.
    direction = shapes.direction(shapes.pairs(shapes.numbers(line.get("BASELINE"))), text)
    needs = "Polygon and no HPOS, VPOS, WIDTH and HEIGHT"
    return Drawn(name, markup.place(path, line), text, outline, True, direction, needs)


def _text(line: Any) -> str:
    """Return the text of a line: its words and spaces in order.

    If the line has no spaces, there is one between two words.
    """
    parts: list[str] = []
    spaced = line.find("{*}SP") is not None
    for part in line:
        kind = markup.name(part)
        if kind == "String":
            parts += [" "] * (bool(parts) and not spaced) + [part.get("CONTENT", "")]
        elif kind == "SP":
            parts.append(" ")
        elif kind == "HYP":
            parts.append(part.get("CONTENT", "-"))
    return "".join(parts)


FORMAT = page_format(".xml", _is_alto, _read_page)
