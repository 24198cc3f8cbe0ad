"""PaddleOCR's labels for recognition, which are linetune's own format too: ``path<TAB>text``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TypeAlias

from linetune.core import labelfile
from linetune.core.errors import LinetuneError
from linetune.data.importers import table, texts
from linetune.data.importers.column import IMAGE, TEXT, plain
from linetune.data.importers.source import Format, Item, Source

_Lines: TypeAlias = "list[tuple[int, str]]"
"""Lines with their numbers."""
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
        plain = path.name != "rec_gt.txt" and path.suffix.lower() not in texts.STRUCTURED
        return [path] if plain and _has_labels(path) else []
    if any((path / name).is_file() for name in ("Label.txt", "rec_gt.txt")):
        # Other files of a PPOCRLabel project look like label files too.
        return []
    return [p for p in texts.files(path, ".txt") if _has_labels(p)]


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
    lines = _without_header(source, [(number, "\t".join(cells)) for number, cells in rows])
    lines = _unspaced(source, lines)
    if not source.asked and lines and all(_BOX_AND_TEXT.match(row) for _, row in lines):
        what = "every line has four or more numbers before its text, like a file of boxes"
        raise LinetuneError(what, f"{source.path}:{lines[0][0]}", texts.of_boxes("paddleocr"))
    items: list[Item] = []
    for number, row in lines:
        place = f"{source.path}:{number}"
        written, tab, text = row.partition("\t")
        if not tab:
            items.append(LinetuneError(labelfile.NO_TAB, place, "write path<TAB>text"))
        elif "\t" in text:
            items.append(LinetuneError(labelfile.THIRD_COLUMN, place, labelfile.third_column(text)))
        elif _LIST.match(written):
            items += _crops_of_list(source, written, text, number)
        else:
            items.append(source.label(written, text, place))
    return items


def _without_header(source: Source, lines: _Lines) -> _Lines:
    """Remove a first line that names the columns, such as ``filename<TAB>text``."""
    written, _, text = lines[0][1].partition("\t") if lines else ("", "", "")
    if not _is_header([written, text]) or source.leads(written):
        return lines
    source.notes.append(f"{source.path}:{lines[0][0]} is a header and not a label: {written!r}, {text!r}")
    return lines[1:]


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


def _unspaced(source: Source, lines: _Lines) -> _Lines:
    """Remove the spaces around the tab if every line has some after its tab."""
    parts = [row.split("\t", 1) for _, row in lines]
    if not parts or not all(len(part) == 2 and part[1].startswith(" ") for part in parts):
        return lines
    if len(parts) == 1 and not parts[0][0].endswith(" "):
        return lines
    source.notes.append(f"the spaces around every tab of {source.path} are removed")
    return [
        (number, written.rstrip(" ") + "\t" + text.lstrip(" "))
        for (number, _), (written, text) in zip(lines, parts, strict=True)
    ]


def _crops_of_list(source: Source, written: str, text: str, number: int) -> list[Item]:
    """Return the crops of a line that starts with a JSON list of images."""
    place = f"{source.path}:{number}"
    try:
        paths = texts.parse_json(written, source.path, number)
    except LinetuneError as error:
        return [LinetuneError(f"the list of images is {error.what}", place)]
    if not all(isinstance(path, str) for path in paths):
        return [LinetuneError("the list of images may only hold paths", place)]
    return [source.label(path, text, place) for path in paths]


FORMAT = Format(find, read, columns=True)
