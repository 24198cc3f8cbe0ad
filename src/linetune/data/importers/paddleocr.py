"""PaddleOCR's labels for recognition, which are linetune's own format too: ``path<TAB>text``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TypeAlias

from linetune.core import labelfile
from linetune.core.errors import LinetuneError
from linetune.data.importers import table, texts, unknown
from linetune.data.importers.column import IMAGE, TEXT, plain
from linetune.data.importers.source import Format, Item, Source

_Rows: TypeAlias = "list[tuple[int, list[str]]]"
"""Lines, split at tabs, with their numbers."""
_ROW = re.compile(
    rf'(["\']?[^\t]+{texts.IMAGE_END}["\']? *|\[\s*"[^\t]*)\t(?!\s*\[\s*(\{{|\]))', re.IGNORECASE
)
_LIST = re.compile(r'\[\s*"')
_QUOTED = re.compile(r'"(?:[^"]|"")*"')
_BOXES = re.compile(r"[^\t]+(\t\s*-?[\d.]+(,\s*-?[\d.]+){3,}\s*)+$")
"""Coordinates after a path, as SynthTIGER writes them into separate files."""
_BOX_AND_TEXT = re.compile(rf"[^\t]*\t[\[(]*{texts.NUMBERS}[^\d\s]")


def find(path: Path) -> list[Path]:
    """Return files in which most lines are the path of an image, a tab and a text."""
    if path.is_file():
        other = path.name in ("rec_gt.txt", *unknown.STATES) or path.suffix.lower() in texts.STRUCTURED
        return [] if other or not _has_labels(path) else [path]
    if any((path / name).is_file() for name in ("Label.txt", "rec_gt.txt")):
        # Other files of a PPOCRLabel project look like label files too.
        return []
    found = texts.files(path, ".txt")
    return [p for p in found if p.name not in unknown.STATES and _has_labels(p)]


def _has_labels(path: Path) -> bool:
    return texts.mostly(path, _ROW) and not texts.mostly(path, _BOXES)


def read(source: Source) -> list[Item]:
    """Return one crop for each line, or several for a line that lists several images of one text.

    Raises:
        LinetuneError: every line has more than two columns, and the columns of image and text are not clear;
            or boxes come before the texts.
    """
    rows = _unquoted(source, [(number, row.split("\t")) for number, row in source.read_rows()])
    widths = {len(cells) for _, cells in rows}
    if source.text_column or source.image_column or (len(widths) == 1 and min(widths) > 2):
        return table.crops(source, list(rows), "every line needs the same number of tabs", "paddleocr")
    rows = _unspaced(source, _without_header(source, rows))
    if not source.asked and rows and all(_BOX_AND_TEXT.match("\t".join(cells)) for _, cells in rows):
        what = "every line has four or more numbers before its text, like a file of boxes"
        raise LinetuneError(what, f"{source.path}:{rows[0][0]}", texts.of_boxes("paddleocr"))
    items: list[Item] = []
    for number, (written, *rest) in rows:
        place = f"{source.path}:{number}"
        if not rest:
            items.append(LinetuneError(labelfile.NO_TAB, place, "write path<TAB>text"))
        elif len(rest) > 1:
            hint = labelfile.third_column("\t".join(rest))
            items.append(LinetuneError(labelfile.THIRD_COLUMN, place, hint))
        elif _LIST.match(written):
            items += _crops_of_list(source, written, rest[0], number)
        else:
            items.append(source.label(written, rest[0], place))
    return items


def _without_header(source: Source, rows: _Rows) -> _Rows:
    """Remove a first line that names the columns, such as ``filename<TAB>text``."""
    if not rows or len(rows[0][1]) != 2 or not _is_header(rows[0][1]) or source.leads(rows[0][1][0]):
        return rows
    number, (written, text) = rows[0]
    source.notes.append(f"{source.path}:{number} is a header and not a label: {written!r}, {text!r}")
    return rows[1:]


def _is_header(cells: list[str]) -> bool:
    names = [plain(cell) for cell in cells[:2]]
    return len(names) == 2 and names[0] in IMAGE and names[1] in TEXT


def _unquoted(source: Source, rows: _Rows) -> _Rows:
    """Remove quotes around cells if it is certain that a program wrote them."""
    cells = [cell for _, row in rows for cell in row]
    opened = [cell for cell in cells if cell.startswith('"')]
    closed = [cell for cell in opened if _QUOTED.fullmatch(cell)]
    if not closed:
        return rows
    every = len(closed) == len(cells)
    # Spreadsheets quote cells that contain a comma or a quote, and double the quote.
    by_program = any('""' in cell[1:-1] or "," in cell for cell in closed) or every
    by_program = by_program or _is_header([_without_quotes(cell) for cell in rows[0][1]])
    if len(closed) != len(opened) or not by_program:
        source.notes.append(
            f"the quotes around {len(closed)} cells of {source.path} are kept: {closed[0]:.60}"
        )
        return rows
    which = "every path and every text" if every else f"{len(closed)} cells"
    source.notes.append(f"the quotes around {which} of {source.path} are removed")
    return [(number, [_without_quotes(cell) for cell in row]) for number, row in rows]


def _without_quotes(cell: str) -> str:
    return cell[1:-1].replace('""', '"') if cell.startswith('"') else cell


def _unspaced(source: Source, rows: _Rows) -> _Rows:
    """Remove the spaces around the tab if every line has some after its tab."""
    if not all(len(cells) > 1 and cells[1].startswith(" ") for _, cells in rows):
        return rows
    if not rows or (len(rows) == 1 and not rows[0][1][0].endswith(" ")):
        return rows
    source.notes.append(f"the spaces around every tab of {source.path} are removed")
    return [(number, [path.rstrip(" "), text.lstrip(" "), *rest]) for number, (path, text, *rest) in rows]


def _crops_of_list(source: Source, written: str, text: str, number: int) -> list[Item]:
    """Return the crops of a line that starts with a JSON list of images."""
    place, hint = f"{source.path}:{number}", 'write ["a.png", "b.png"]<TAB>text'
    try:
        paths = texts.parse_json(written, source.path, number)
    except LinetuneError as error:
        return [LinetuneError(f"the list of images is {error.what}", place, hint)]
    if not all(isinstance(path, str) for path in paths):
        return [LinetuneError("the list of images may only have paths", place, hint)]
    return [source.label(path, text, place) for path in paths]


FORMAT = Format(find, read, columns=True)
