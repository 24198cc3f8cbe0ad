"""PAGE XML of Transkribus, eScriptorium, OCR-D and others: one file a page, text lines with their outlines.

Read as PRImA's schema of the format describes it, in any of its versions.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from linetune.core.errors import LinetuneError
from linetune.data.importers import boxes, markup, texts
from linetune.data.importers.boxes import Photos, Points
from linetune.data.importers.source import Box, Item


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
    corrected = any(_index(variant) == 0 for line in lines for variant in line.findall("{*}TextEquiv"))
    written = page.get("imageFilename", "").strip()
    photo = photos.of_page(written, path, markup.place(path, page), len(lines))
    size = boxes.size(page.get("imageWidth"), page.get("imageHeight"))
    found: list[Item] = []
    for number, line in enumerate(lines):
        name, place = f"line {texts.shown(line.get('id') or number + 1)}", markup.place(path, line)
        try:
            text = _text(line, corrected)
        except LinetuneError as error:
            found.append(LinetuneError(f"{name} {error.what}", place, error.hint))
            continue
        outline = _points(line.find("{*}Coords"))
        if len(outline) < 3:
            found.append(LinetuneError(f"{name} has no outline (Coords)", place))
            continue
        direction = boxes.direction(_points(line.find("{*}Baseline")), text)
        found.append(boxes.crop(Box(photo, outline, True, direction, size), text, name, place, number))
    return found


def _points(element: Any) -> Points:
    """The points of Coords or of a Baseline: an attribute, or until 2010 elements."""
    if element is None:
        return ()
    if "points" in element.attrib:
        return boxes.pairs(boxes.numbers(element.get("points")))
    return boxes.points([(point.get("x"), point.get("y")) for point in element.iter("{*}Point")])


def _text(line: Any, corrected: bool) -> str:
    """The line's own text; of several the one with the lowest index, which is the chosen one.

    Args:
        line: with its texts.
        corrected: lines of its page have a text of index 0, which LAREX and OCR4all keep for a person's.

    Raises:
        LinetuneError: several texts have no index, or a person's is missing.
    """
    variants = line.findall("{*}TextEquiv")
    if not variants:
        return ""
    indices = [_index(variant) for variant in variants]
    found = [markup.text(variant.find("{*}Unicode")) for variant in variants]
    if len(set(found)) > 1 and None in indices:
        what = f"has {len(found)} texts, and no index says which one counts"
        raise LinetuneError(what, hint='write index="0" at the right one')
    if corrected and all(indices):
        what = f"{texts.quoted(found[0])} has no text of index 0, as corrected lines of its page have"
        raise LinetuneError(what, hint='correct the line, or write index="0" where it is right')
    return min(zip(indices, found, strict=True), key=lambda variant: variant[0] or 0)[1]


def _index(variant: Any) -> float | None:
    return boxes.number(variant.get("index"))


FORMAT = boxes.page_format(".xml", _is_page, _page)
"""A crop a text line."""
