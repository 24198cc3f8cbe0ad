"""Tables: CSV, semicolons or tabs, columns known by the names in the header."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from linetune.data.importers import texts
from linetune.data.importers.source import Format, Item, Source
from linetune.errors import LinetuneError

IMAGE = ("image", "path", "file", "filename", "imagepath", "filepath")
TEXT = ("text", "label", "transcription", "words")


def find(path: Path) -> list[Path]:
    """Tables; in a folder only those with a header that names both columns."""
    if path.is_file():
        return [path] if path.suffix.lower() in texts.TABLES else []
    return [p for p in texts.files(path, *texts.TABLES) if _has_header(p)]


def _has_header(path: Path) -> bool:
    try:
        return _columns(texts.decode(path)[0]) is not None
    except LinetuneError:
        return False


def read(source: Source) -> list[Item]:
    """A crop a row.

    Raises:
        LinetuneError: the header lacks a column.
    """
    content = source.read_text(source.path)
    columns = _columns(content)
    if columns is None:
        raise LinetuneError(
            "the header names no image and text columns",
            f"{source.path}:1",
            f"images: {', '.join(IMAGE[:4])}; texts: {', '.join(TEXT)}",
        )
    delimiter, width, image, text = columns
    found: list[Item] = []
    rows = _records(content, delimiter, source.path)
    next(rows)
    for line, row in rows:
        place = f"{source.path}:{line}"
        if isinstance(row, LinetuneError):
            found.append(row)
        elif len(row) != width:
            what = f"{len(row)} fields where the header has {width}"
            found.append(LinetuneError(what, place, f"quote texts that hold {delimiter!r}"))
        elif any(row):
            found.append(source.label(row[image], row[text], place))
    return found


def _columns(content: str) -> tuple[str, int, int, int] | None:
    """Delimiter, number of columns, and which of them are image and text."""
    for delimiter in ",;\t":
        _, header = next(_records(content, delimiter, Path()), (1, []))
        if isinstance(header, LinetuneError):
            continue
        names = [name.strip().lower().replace("_", "").replace(" ", "") for name in header]
        image = next((names.index(name) for name in IMAGE if name in names), None)
        text = next((names.index(name) for name in TEXT if name in names), None)
        if image is not None and text is not None:
            return delimiter, len(names), image, text
    return None


def _records(content: str, delimiter: str, path: Path) -> Iterator[tuple[int, list[str] | LinetuneError]]:
    """Rows with the line each begins in; a row may span lines, and a stray quote takes some along."""
    reader = csv.reader(io.StringIO(content, newline=""), delimiter=delimiter, strict=True)
    while True:
        start = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            lost = f", lines {start} to {reader.line_num} are lost" if reader.line_num > start else ""
            yield start, LinetuneError(f"not a row of a table ({error}{lost})", f"{path}:{start}")
            continue
        if row:
            yield start, row


FORMAT = Format(find, read)
