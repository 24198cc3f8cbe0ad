"""Tables with any columns: separated by commas, semicolons, tabs or bars, with or without a header."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from linetune.core import untrusted
from linetune.core.errors import LinetuneError
from linetune.data.importers import columns, icdar, texts
from linetune.data.importers.column import IMAGE, TEXT, is_image_name, plain
from linetune.data.importers.source import Format, Item, Source

Row: TypeAlias = "list[str] | LinetuneError"
_DELIMITERS = ",;\t|"
_SNIFFED_ROWS, _SNIFFED_CHARACTERS = 50, 1 << 16
_SEPARATOR_LINE = re.compile(rf"\ufeff?sep=([{_DELIMITERS}])(?=\r?\n)", re.IGNORECASE)
"""A first line that names the delimiter, as Excel understands it."""


def find(path: Path) -> list[Path]:
    """Return tables; from a folder only those with a column of images and another column."""
    if path.is_file():
        return [path] if path.suffix.lower() in texts.TABLES or _is_plain_table(path) else []
    tables = [p for p in texts.files(path, *texts.TABLES) if _holds_images(p)]
    return tables + [p for p in texts.files(path, ".txt") if _is_plain_table(p)]


def _holds_images(path: Path) -> bool:
    """Return whether a header names image and text, or a column leads to files."""
    _, rows = _sniffed(path)
    if not rows or len(rows[0]) < 2:
        return False
    names = {plain(name) for name in rows[0]}
    source = Source(path)
    if names & IMAGE and names & TEXT:
        return True
    if any(source.leads(cell) for row in rows[:3] for cell in row):
        return True
    stems = columns.stems(path.parent)
    by_column = zip(*(rows[1:] or rows), strict=False)
    return any(all(cell in stems for cell in cells) for cells in by_column)


def _is_plain_table(path: Path) -> bool:
    """Return whether a ``.txt`` file is a table with a column of images, not lines of a path and a text."""
    if path.suffix.lower() != ".txt" or texts.mostly(path, icdar.START):
        return False
    delimiter, rows = _sniffed(path)
    width = len(rows[0]) if rows else 0
    if width < 2 or any(len(row) != width for row in rows):
        return False
    images = [i for i in range(width) if all(is_image_name(row[i]) for row in rows[1:] or rows)]
    # A comma alone may also separate a path and a text.
    certain = width > 2 or delimiter in ";|" or texts.head(path).startswith('"')
    return bool(images) and (images[0] > 0 or (delimiter != "\t" and certain))


def _whole_lines(start: str) -> str:
    """Return the start of a file without its last line, which may be incomplete."""
    return start[: start.rfind("\n") + 1] or start


def _sniffed(path: Path) -> tuple[str, list[list[str]]]:
    """Return the delimiter and the first rows of a file."""
    content = _whole_lines(texts.head(path))
    delimiter, content = _split(content, Source(path))
    rows = _records(content, delimiter, path)[:_SNIFFED_ROWS]
    return delimiter, [row for _, row in rows if isinstance(row, list)]


def read(source: Source) -> list[Item]:
    """Return one crop for each row.

    Raises:
        LinetuneError: the file is not a table, or the columns of image and text are not clear.
    """
    delimiter, content = _split(source.read_text(source.path), source)
    hint = f"put quotes around texts that contain {delimiter!r}"
    return crops(source, _records(content, delimiter, source.path), hint)


def crops(source: Source, rows: Sequence[tuple[int, Row]], hint: str, form: str = "csv") -> list[Item]:
    """Return one crop for each row of a table.

    Args:
        source: the table's source.
        rows: the rows, each with the number of its line.
        hint: how to fix a row that has more or fewer fields than the first row.
        form: the format of the rows, for hints.

    Raises:
        LinetuneError: the columns of image and text are not clear.
    """
    line, first_row = next(((at, row) for at, row in rows if isinstance(row, list)), (1, []))
    place = f"{source.path}:{line}"
    width = len(first_row)
    if width < 2:
        what = "the table has only one column"
        raise LinetuneError(what, place, "it needs one column of images and one of texts")
    headed = _is_header(source, first_row)
    names = [name.strip() for name in first_row] if headed else [str(i + 1) for i in range(width)]
    body = [(at, row) for at, row in rows if not headed or at != line]
    if not body:
        return []
    complete = [row for _, row in body if isinstance(row, list) and len(row) == width]
    # If no row fits the header, every row is reported below.
    chosen = columns.choose(source, names, complete, place, form=form) if complete else columns.Choice(0, 0)
    spaced = bool(complete) and all(row[chosen.text][:1] in ("", " ") for row in complete)
    if spaced:
        source.notes.append("the space before every text is not part of the text")
    items: list[Item] = []
    for at, row in body:
        place = f"{source.path}:{at}"
        if isinstance(row, LinetuneError):
            items.append(row)
        elif len(row) != width:
            expected = f"the {'header' if headed else 'first row'} has {width}"
            items.append(LinetuneError(f"{len(row)} fields, but {expected}", place, hint))
        elif any(row):
            text = row[chosen.text].removeprefix(" ") if spaced else row[chosen.text]
            items.append(source.label(chosen.path(row[chosen.image]), text, place))
    return items


def _is_header(source: Source, row: list[str]) -> bool:
    """Return whether a first row names the columns: it has no image, or a name that columns often have."""
    if any(is_image_name(cell) or source.leads(cell) for cell in row):
        return False
    named = not {*map(plain, row)}.isdisjoint(IMAGE | TEXT)
    return named or columns.stems(source.root).keys().isdisjoint(row)


def _split(content: str, source: Source) -> tuple[str, str]:
    """Return the delimiter, and the content without a first line that names it.

    If no line names it, it is the delimiter that gives a column of images, or else the most even rows.
    """

    start = _whole_lines(content[:_SNIFFED_CHARACTERS])

    def fitness(delimiter: str) -> tuple[bool, float]:
        rows = [row for _, row in _records(start, delimiter, Path())[:_SNIFFED_ROWS]]
        good = [row for row in rows if isinstance(row, list)]
        if not good or len(good[0]) < 2:
            return False, 0
        even = sum(len(row) == len(good[0]) for row in good) / len(rows)
        return any(source.leads(cell) or is_image_name(cell) for row in good[:3] for cell in row), even

    if named := _SEPARATOR_LINE.match(content):
        return named[1], content[named.end() :]
    return max(_DELIMITERS, key=fitness), content


def _records(content: str, delimiter: str, path: Path) -> list[tuple[int, Row]]:
    """Return the rows, each with the line it starts in. A row may span several lines.

    A quote is an ordinary character, such as an inch sign before a text, if rows span lines or are malformed
    with quotes but all rows have the same width without them.

    Raises:
        LinetuneError: there are too many rows or cells.
    """
    untrusted.check_lines(content, path, delimiter)
    rows = list(_parsed(content, delimiter, path, csv.QUOTE_MINIMAL))
    lines = [line for line, _ in rows[1:]]
    if any(isinstance(row, LinetuneError) for _, row in rows) or lines != list(range(2, len(lines) + 2)):
        plain = list(_parsed(content, delimiter, path, csv.QUOTE_NONE))
        widths = {len(row) for _, row in plain if not isinstance(row, LinetuneError)}
        if len(widths) == 1 and widths != {1} and len(plain) > len(rows):
            return plain
    return rows


def _parsed(content: str, delimiter: str, path: Path, quoting: Any) -> Iterator[tuple[int, Row]]:
    # Otherwise a space before a quote would make the quote part of the text.
    spaced = re.search(rf'{re.escape(delimiter)} +"', content) is not None
    reader = csv.reader(
        io.StringIO(content, newline=""),
        delimiter=delimiter,
        strict=True,
        skipinitialspace=spaced,
        quoting=quoting,
    )
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


FORMAT = Format(find, read, columns=True)
