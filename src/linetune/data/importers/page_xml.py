"""Page files in XML: one file for each page, text lines with outlines.

- PAGE XML of Transkribus, eScriptorium, OCR-D and others. PRImA's schema describes it.
- ALTO XML of eScriptorium, kraken and libraries, with the words of each line. The Library of Congress
  publishes the schemas.

linetune reads all versions of both.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from linetune.core.errors import LinetuneError
from linetune.data.importers import boxes, markup, shapes, texts
from linetune.data.importers.boxes import Drawn
from linetune.data.importers.photos import Photos, find_pages, pages, read_pages
from linetune.data.importers.shapes import Point, Points
from linetune.data.importers.source import Format, Item


class _Page(NamedTuple):
    """One page of a file."""

    element: Any
    written: str
    """Path of the photo. Empty if the file does not name it."""
    named: Any
    """Element that names the photo, for messages."""
    size: Point | None
    """Width and height of the photo in px as the file says."""
    read_line: Callable[[Any], tuple[str, Points, Points]]
    """Returns text, baseline and outline of a line. Raises LinetuneError if no single text counts."""
    needs: str
    """What a line without outline lacks, for messages."""


def _page(root: Any, path: Path) -> _Page:
    """Return the page of a PAGE file.

    Raises:
        LinetuneError: the file has no page.
    """
    page = root.find("{*}Page")
    if page is None:
        raise LinetuneError("no Page in the file", path, "export it again as PAGE XML")
    corrected = any(_index(variant) == 0 for variant in page.iterfind(".//{*}TextLine/{*}TextEquiv"))

    def read_line(line: Any) -> tuple[str, Points, Points]:
        baseline, outline = (_points(line.find(name)) for name in ("{*}Baseline", "{*}Coords"))
        return _page_text(line, corrected), baseline, outline

    size = shapes.size(page.get("imageWidth"), page.get("imageHeight"))
    return _Page(page, page.get("imageFilename", "").strip(), page, size, read_line, "outline (Coords)")


def _points(element: Any) -> Points:
    """Return the points of Coords or Baseline, which are an attribute, or elements in versions until 2010."""
    if element is None:
        return ()
    if "points" in element.attrib:
        return shapes.pairs(shapes.numbers(element.get("points")))
    return shapes.points([(point.get("x"), point.get("y")) for point in element.iter("{*}Point")])


def _page_text(line: Any, corrected: bool) -> str:
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


def _alto_page(root: Any, path: Path) -> _Page:
    """Return the page of an ALTO file.

    Raises:
        LinetuneError: the file is not one page in pixels.
    """
    unit = root.find(".//{*}MeasurementUnit")
    if unit is not None and markup.text(unit).strip() != "pixel":
        what = f"measures in {markup.text(unit).strip() or 'no unit'}, not in pixels"
        raise LinetuneError(what, markup.place(path, unit), "export in pixels, or as PAGE XML")
    found = list(root.iter("{*}Page"))
    if len(found) != 1:
        raise LinetuneError(f"{len(found)} pages in one file", path, "export one file for each page")
    name = root.find(".//{*}sourceImageInformation/{*}fileName")
    written = markup.text(name).strip()
    size = shapes.size(found[0].get("WIDTH"), found[0].get("HEIGHT"))
    needs = "Polygon and no HPOS, VPOS, WIDTH and HEIGHT"
    return _Page(found[0], written, name if written else found[0], size, _alto_line, needs)


def _alto_line(line: Any) -> tuple[str, Points, Points]:
    polygon = line.find("{*}Shape/{*}Polygon")
    if polygon is None:
        outline = shapes.rectangle([line.get(side) for side in ("HPOS", "VPOS", "WIDTH", "HEIGHT")])
    else:
        outline = shapes.pairs(shapes.numbers(polygon.get("POINTS")))
    # Before version 4.1 the baseline is one number, its height, and says no direction.
    return _alto_text(line), shapes.pairs(shapes.numbers(line.get("BASELINE"))), outline


def _alto_text(line: Any) -> str:
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


def _format(root: str, page_of: Callable[[Any, Path], _Page]) -> Format:
    """Return a format of page files.

    Args:
        root: the name of the root element, in small letters.
        page_of: returns the page of a root element and its file.
    """

    def fits(path: Path) -> bool:
        return path.suffix.lower() == ".xml" and [n.lower() for n in markup.opening(path)[:1]] == [root]

    def read_page(path: Path, photos: Photos) -> list[Item]:
        page = page_of(markup.parse(path), path)
        lines = list(page.element.iter("{*}TextLine"))
        if not lines:
            return []
        photo = photos.of_page(page.written, path, markup.place(path, page.named), len(lines))
        return boxes.crops(photo, [_drawn(page, line, number, path) for number, line in enumerate(lines, 1)])

    return Format(
        lambda path: find_pages(path, fits),
        lambda source: read_pages(source, pages(source, fits), read_page),
    )


def _drawn(page: _Page, line: Any, number: int, path: Path) -> Drawn | LinetuneError:
    name = f"line {texts.shown(line.get('id') or line.get('ID') or number)}"
    place = markup.place(path, line)
    try:
        text, baseline, outline = page.read_line(line)
    except LinetuneError as error:
        return LinetuneError(f"{name} {error.what}", place, error.hint)
    direction = shapes.direction(baseline, text)
    return Drawn(name, place, text, outline, True, direction, page.size, page.needs)


PAGE = _format("pcgts", _page)
ALTO = _format("alto", _alto_page)
