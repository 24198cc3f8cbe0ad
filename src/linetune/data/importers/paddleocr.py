"""PaddleOCR's recognition labels, which are linetune's own too: ``path<TAB>text``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TypeAlias

from linetune import records
from linetune.data.importers import columns, table, texts
from linetune.data.importers.source import Format, Item, Source
from linetune.errors import LinetuneError

Rows: TypeAlias = "list[tuple[int, str]]"
_ROW = re.compile(
    rf'(["\']?[^\t]+{texts.IMAGE_END}["\']? *|\[\s*"[^\t]*)\t(?!\s*\[\s*(\{{|\]))', re.IGNORECASE
)
_LIST = re.compile(r'\[\s*"')
_QUOTED = re.compile(r'"([^"\t]+)"\t"([^\t]*)"')
_BOXES = re.compile(r"[^\t]+(\t\s*-?[\d.]+(,\s*-?[\d.]+){3,}\s*)+$")
"""Coordinates beside a path, as SynthTIGER writes them into files of their own."""
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
        LinetuneError: every line has more than two columns, and which are meant is not clear.
    """
    rows = [(number, row.split("\t")) for number, row in source.read_rows()]
    widths = {len(cells) for _, cells in rows}
    if source.text_column or source.image_column or (len(widths) == 1 and min(widths) > 2):
        return table.labels(source, list(rows), "every line needs as many tabs")
    pairs = _without_header(source, [(number, "\t".join(cells)) for number, cells in rows])
    for mended in (_unquoted, _unspaced):
        pairs = mended(source, pairs)
    found: list[Item] = []
    for number, row in pairs:
        place = f"{source.path}:{number}"
        written, tab, text = row.partition("\t")
        if not tab:
            found.append(LinetuneError(records.NO_TAB, place, "write path<TAB>text"))
        elif "\t" in text:
            found.append(LinetuneError(records.THIRD_COLUMN, place, records.third_column(text)))
        elif _LIST.match(written):
            found += _several(source, written, text, number)
        else:
            found.append(source.label(written, text, place))
    return found


def _without_header(source: Source, rows: Rows) -> Rows:
    """Without a first line that names the columns, such as ``filename<TAB>text``."""
    written, _, text = rows[0][1].partition("\t") if rows else ("", "", "")
    if (
        columns.plain(written) in columns.IMAGE
        and columns.plain(text) in columns.TEXT
        and not source.leads(written)
    ):
        source.notes.append(f"{source.path}:{rows[0][0]} is a header and no label: {written!r}, {text!r}")
        return rows[1:]
    return rows


def _unquoted(source: Source, rows: Rows) -> Rows:
    """Without the quotes that a table's writer put around every path and every text."""
    matches = [_QUOTED.fullmatch(row) for _, row in rows]
    if not rows or not all(matches):
        return rows
    source.notes.append(f"the quotes around every path and every text of {source.path} are left out")
    return [
        (number, match[1] + "\t" + match[2].replace('""', '"'))
        for (number, _), match in zip(rows, matches, strict=True)
        if match
    ]


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
