"""PaddleOCR's recognition labels, which are linetune's own too: ``path<TAB>text``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TypeAlias

from linetune.core import labelfile
from linetune.core.errors import LinetuneError
from linetune.data.importers import columns, table, texts
from linetune.data.importers.source import Format, Item, Source

Rows: TypeAlias = "list[tuple[int, str]]"
_ROW = re.compile(
    rf'(["\']?[^\t]+{texts.IMAGE_END}["\']? *|\[\s*"[^\t]*)\t(?!\s*\[\s*(\{{|\]))', re.IGNORECASE
)
_LIST = re.compile(r'\[\s*"')
_QUOTED = re.compile(r'"(?:[^"]|"")*"')
_BOXES = re.compile(r"[^\t]+(\t\s*-?[\d.]+(,\s*-?[\d.]+){3,}\s*)+$")
"""Coordinates beside a path, as SynthTIGER writes them into files of their own."""
_BOX_AND_TEXT = re.compile(rf"[^\t]*\t[\[(]*{texts.NUMBERS}[^\d\s]")
_OTHERS = (*texts.TABLES, ".json", ".jsonl", ".ndjson")


def find(path: Path) -> list[Path]:
    """Files of which most lines are an image's path, a tab and a text."""
    if path.is_file():
        own = path.name != "rec_gt.txt" and path.suffix.lower() not in _OTHERS
        return [path] if own and _is_labels(path) else []
    if any((path / name).is_file() for name in ("Label.txt", "rec_gt.txt")):
        # A PPOCRLabel project, whose other files look alike.
        return []
    return [p for p in texts.files(path, ".txt") if _is_labels(p)]


def _is_labels(path: Path) -> bool:
    return texts.mostly(path, _ROW) and not texts.mostly(path, _BOXES)


def read(source: Source) -> list[Item]:
    """A crop a line, or several where a line lists several images of one text.

    Raises:
        LinetuneError: every line has more than two columns, and which are meant is not clear; or boxes stand
            before the texts.
    """
    rows = _unquoted(source, [(number, row.split("\t")) for number, row in source.read_rows()])
    widths = {len(cells) for _, cells in rows}
    if source.text_column or source.image_column or (len(widths) == 1 and min(widths) > 2):
        return table.labels(source, list(rows), "every line needs as many tabs", "paddleocr")
    pairs = _without_header(source, [(number, "\t".join(cells)) for number, cells in rows])
    pairs = _unspaced(source, pairs)
    if not source.asked and pairs and all(_BOX_AND_TEXT.match(row) for _, row in pairs):
        what = "every line has four or more numbers before its text, as files of boxes have them"
        raise LinetuneError(what, f"{source.path}:{pairs[0][0]}", texts.of_boxes("paddleocr"))
    found: list[Item] = []
    for number, row in pairs:
        place = f"{source.path}:{number}"
        written, tab, text = row.partition("\t")
        if not tab:
            found.append(LinetuneError(labelfile.NO_TAB, place, "write path<TAB>text"))
        elif "\t" in text:
            found.append(LinetuneError(labelfile.THIRD_COLUMN, place, labelfile.third_column(text)))
        elif _LIST.match(written):
            found += _several(source, written, text, number)
        else:
            found.append(source.label(written, text, place))
    return found


def _without_header(source: Source, rows: Rows) -> Rows:
    """Without a first line that names the columns, such as ``filename<TAB>text``."""
    written, _, text = rows[0][1].partition("\t") if rows else ("", "", "")
    if not _is_header([written, text]) or source.leads(written):
        return rows
    source.notes.append(f"{source.path}:{rows[0][0]} is a header and no label: {written!r}, {text!r}")
    return rows[1:]


def _is_header(cells: list[str]) -> bool:
    names = [columns.plain(cell) for cell in cells[:2]]
    return len(names) == 2 and names[0] in columns.IMAGE and names[1] in columns.TEXT


def _unquoted(source: Source, rows: list[tuple[int, list[str]]]) -> list[tuple[int, list[str]]]:
    """Without the quotes that a table's writer put around cells, where it is certain that one did."""
    cells = [cell for _, row in rows for cell in row]
    opened = [cell for cell in cells if cell.startswith('"')]
    closed = [cell for cell in opened if _QUOTED.fullmatch(cell)]
    every = len(closed) == len(cells)
    # Spreadsheets quote the cells that hold a quote, which they double, or a comma.
    by_program = any('""' in cell[1:-1] or "," in cell for cell in closed) or every
    if closed and len(closed) == len(opened) and (by_program or _is_header([_bare(c) for c in rows[0][1]])):
        which = "every path and every text" if every else f"{len(closed)} cells"
        source.notes.append(f"the quotes around {which} of {source.path} are left out")
        return [(number, [_bare(cell) for cell in row]) for number, row in rows]
    if closed:
        source.notes.append(
            f"the quotes around {len(closed)} cells of {source.path} are kept: {closed[0]:.60}"
        )
    return rows


def _bare(cell: str) -> str:
    return cell[1:-1].replace('""', '"') if cell.startswith('"') else cell


def _unspaced(source: Source, rows: Rows) -> Rows:
    """Without spaces around the tab, where they stand after the tab of every line."""
    parts = [row.split("\t", 1) for _, row in rows]
    if not parts or not all(len(part) == 2 and part[1].startswith(" ") for part in parts):
        return rows
    if len(parts) == 1 and not parts[0][0].endswith(" "):
        return rows
    source.notes.append(f"the spaces around every tab of {source.path} are left out")
    return [
        (number, written.rstrip(" ") + "\t" + text.lstrip(" "))
        for (number, _), (written, text) in zip(rows, parts, strict=True)
    ]


def _several(source: Source, written: str, text: str, number: int) -> list[Item]:
    place = f"{source.path}:{number}"
    try:
        paths = texts.parse_json(written, source.path, number)
    except LinetuneError as error:
        return [LinetuneError(f"the list of images is {error.what}", place)]
    if not all(isinstance(path, str) for path in paths):
        return [LinetuneError("the list of images holds something else than paths", place)]
    return [source.label(path, text, place) for path in paths]


FORMAT = Format(find, read, columns=True)
