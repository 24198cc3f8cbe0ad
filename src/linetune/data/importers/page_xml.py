"""PAGE XML of Transkribus, eScriptorium, OCR-D and others: one file for each page, text lines with outlines.

PRImA's schema describes the format. linetune reads all its versions.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from linetune.core.errors import LinetuneError
from linetune.data.importers import boxes, markup, shapes, texts
from linetune.data.importers.boxes import Drawn
from linetune.data.importers.photos import Photos, page_format
from linetune.data.importers.shapes import Points
from linetune.data.importers.source import Item


def _is_page(path: Path) -> bool:
    return markup.opening(path)[:1] == ["PcGts"]


def _read_page(path: Path, photos: Photos) -> list[Item]:
    """Return one crop for each text line of a page.

    Raises:
        LinetuneError: the file is not such a page, or its photo is not found.
    """
    root = markup.parse(path)
    page = root.find("{*}Page")
    if page is None:
        raise LinetuneError("no Page in the file", path)
    lines = list(page.iter("{*}TextLine"))
    if not lines:
        return []
    corrected = any(_index(variant) == 0 for line in lines for variant in line.findall("{*}TextEquiv"))
    written = page.get("imageFilename", "").strip()
    photo = photos.of_page(written, path, markup.place(path, page), len(lines))
    size = shapes.size(page.get("imageWidth"), page.get("imageHeight"))
    drawn = [_line(line, number, path, corrected) for number, line in enumerate(lines, 1)]
    return boxes.crops(photo, drawn, size)


def _line(line: Any, number: int, path: Path, corrected: bool) -> Drawn | LinetuneError:
    name, place = f"line {texts.shown(line.get('id') or number)}", markup.place(path, line)
    try:
        text = _text(line, corrected)
    except LinetuneError as error:
        return LinetuneError(f"{name} {error.what}", place, error.hint)
    direction = shapes.direction(_points(line.find("{*}Baseline")), text)
    outline = _points(line.find("{*}Coords"))
    return Drawn(name, place, text, outline, True, direction, needs="outline (Coords)")


def _points(element: Any) -> Points:
    """Return the points of Coords or Baseline, which are an attribute, or elements in versions until 2010."""
    if element is None:
        return ()
    if "points" in element.attrib:
        return shapes.pairs(shapes.numbers(element.get("points")))
    return shapes.points([(point.get("x"), point.get("y")) for point in element.iter("{*}Point")])


def _text(line: Any, corrected: bool) -> str:
    """Return the text of a line: of several texts the one with the lowest index.

    Args:
        line: the TextLine element.
        corrected: some line of the page has a text of index 0, which LAREX and OCR4all reserve for a
            person's correction.

    Raises:
        LinetuneError: several texts have no index, or the person's correction is missing.
    """
    variants = line.findall("{*}TextEquiv")
    if not variants:
        return ""
    indices = [_index(variant) for variant in variants]
    written = [markup.text(variant.find("{*}Unicode")) for variant in variants]
    if len(set(written)) > 1 and None in indices:
        what = f"has {len(written)} texts, and no index says which one counts"
        raise LinetuneError(what, hint='write index="0" at the right one')
    if corrected and all(indices):
        what = f"{texts.quoted(written[0])} has no text of index 0, unlike the corrected lines of its page"
        raise LinetuneError(what, hint='correct the line, or write index="0" if it is right')
    return min(zip(indices, written, strict=True), key=lambda variant: variant[0] or 0)[1]


def _index(variant: Any) -> float | None:
    return shapes.number(variant.get("index"))


FORMAT = page_format(".xml", _is_page, _read_page)
