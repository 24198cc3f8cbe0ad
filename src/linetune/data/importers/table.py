"""Tables with any columns: CSV, semicolons or tabs, with a header or without."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

from linetune.core.errors import LinetuneError
from linetune.core.image import SUFFIXES
from linetune.data.importers import columns, icdar, texts
from linetune.data.importers.source import Format, Item, Source

Row: TypeAlias = "list[str] | LinetuneError"
_DELIMITERS = ",;\t|"
_SNIFFED_ROWS = 50
_TOLD = re.compile(rf"\ufeff?sep=([{_DELIMITERS}])(?=\r?\n)", re.IGNORECASE)


def find(path: Path) -> list[Path]:
    """Tables; in a folder only those with a column of images and another."""
    if path.is_file():
        return [path] if path.suffix.lower() in texts.TABLES or _is_plain_table(path) else []
    tables = [p for p in texts.files(path, *texts.TABLES) if _holds_images(p)]
    return tables + [p for p in texts.files(path, ".txt") if _is_plain_table(p)]


def _holds_images(path: Path) -> bool:
    """Whether a header names both columns, or a column leads to files."""
    _, rows = _sniffed(path)
    if not rows or len(rows[0]) < 2:
        return False
    names = {columns.plain(name) for name in rows[0]}
    source = Source(path)
    if names & columns.IMAGE and names & columns.TEXT:
        return True
    if any(source.leads(cell) for row in rows[:3] for cell in row):
        return True
    stems = columns.stems(path.parent)
    by_column = zip(*(rows[1:] or rows), strict=False)
    return any(all(cell in stems for cell in cells) for cells in by_column)


def _is_plain_table(path: Path) -> bool:
    """Whether a text file is a table with a column of images, and not a path and then a text a line."""
    if path.suffix.lower() != ".txt" or texts.mostly(path, icdar.START):
        return False
    delimiter, rows = _sniffed(path)
    width = len(rows[0]) if rows else 0
    if width < 2 or any(len(row) != width for row in rows):
        return False
    images = [i for i in range(width) if all(_is_image(row[i]) for row in rows[1:] or rows)]
    # A comma alone stands between path and text as well.
    sure = width > 2 or delimiter in ";|" or texts.head(path).startswith('"')
    return bool(images) and (images[0] > 0 or (delimiter != "\t" and sure))


def _sniffed(path: Path) -> tuple[str, list[list[str]]]:
    """The delimiter and the first rows."""
    content = texts.head(path)
    # The last line may be cut off.
    content = content[: content.rfind("\n") + 1] or content
    delimiter, content = _split(content, Source(path))
    rows = islice(_records(content, delimiter, path), _SNIFFED_ROWS)
    return delimiter, [row for _, row in rows if not isinstance(row, LinetuneError)]


def read(source: Source) -> list[Item]:
    """A crop a row.

    Raises:
        LinetuneError: the file is no table, or which columns are image and text is not clear.
    """
    delimiter, content = _split(source.read_text(source.path), source)
    return labels(
        source, list(_records(content, delimiter, source.path)), f"quote texts that hold {delimiter!r}"
    )


def labels(source: Source, rows: Sequence[tuple[int, Row]], hint: str, form: str = "csv") -> list[Item]:
    """A crop a row of a table.

    Args:
        source: where paths lead, and which columns are asked for.
        rows: each with its line.
        hint: the way out where a row has more or fewer fields than the first.
        form: the format that the rows are of.

    Raises:
        LinetuneError: which columns are image and text is not clear.
    """
    line, first = next(((line, row) for line, row in rows if not isinstance(row, LinetuneError)), (1, []))
    place = f"{source.path}:{line}"
    if len(first) < 2:
        raise LinetuneError("a table of one column", place, "image and text are two columns")
    # A header names columns, the first row of a table without one has an image.
    headed = not any(_is_image(cell) or source.leads(cell) for cell in first)
    if headed and {*map(columns.plain, first)}.isdisjoint(columns.IMAGE | columns.TEXT):
        headed = columns.stems(source.root).keys().isdisjoint(first)
    names = [name.strip() for name in first] if headed else [str(i + 1) for i in range(len(first))]
    body = [(at, row) for at, row in rows if not headed or at != line]
    if not body:
        return []
    whole = [row for _, row in body if not isinstance(row, LinetuneError) and len(row) == len(first)]
    # Where no row fits the header, each is told.
    chosen = columns.choose(source, names, whole, place, form=form) if whole else columns.Choice(0, 0)
    # A space after each delimiter is no part of the texts.
    spaced = bool(whole) and all(row[chosen.text].startswith(" ") for row in whole if row[chosen.text])
    if spaced:
        source.notes.append("a space stands before every text, and is no part of it")
    found: list[Item] = []
    for at, row in body:
        here = f"{source.path}:{at}"
        if isinstance(row, LinetuneError):
            found.append(row)
        elif len(row) != len(first):
            expected = f"the {'header' if headed else 'first row'} has {len(first)}"
            found.append(LinetuneError(f"{len(row)} fields where {expected}", here, hint))
        elif any(row):
            text = row[chosen.text].removeprefix(" ") if spaced else row[chosen.text]
            found.append(source.label(chosen.path(row[chosen.image]), text, here))
    return found


def _split(content: str, source: Source) -> tuple[str, str]:
    """What separates the fields, and the content without a first line that says so, as Excel reads it."""
    told = _TOLD.match(content)
    return (told[1], content[told.end() :]) if told else (_delimiter(content, source), content)


def _delimiter(content: str, source: Source) -> str:
    """What separates the fields: columns that lead to images prove it, else rows of one width."""

    def fitness(delimiter: str) -> tuple[bool, float]:
        rows = [row for _, row in islice(_records(content, delimiter, Path()), _SNIFFED_ROWS)]
        good = [row for row in rows if not isinstance(row, LinetuneError)]
        if not good or len(good[0]) < 2:
            return False, 0
        even = sum(len(row) == len(good[0]) for row in good) / len(rows)
        return any(source.leads(cell) or _is_image(cell) for row in good[:3] for cell in row), even

    return max(_DELIMITERS, key=fitness)


def _is_image(cell: Any) -> bool:
    return str(cell).strip().lower().endswith(tuple(SUFFIXES))


def _records(content: str, delimiter: str, path: Path) -> list[tuple[int, Row]]:
    """Rows with the line each begins in; a row may span lines.

    Quotes are characters like any other where they would take lines along, and without them all rows are of
    one width: an inch sign begins a text.
    """
    rows = list(_parsed(content, delimiter, path, csv.QUOTE_MINIMAL))
    ends = [line for line, _ in rows[1:]]
    if any(isinstance(row, LinetuneError) for _, row in rows) or ends != list(range(2, len(ends) + 2)):
        plain = list(_parsed(content, delimiter, path, csv.QUOTE_NONE))
        widths = {len(row) for _, row in plain if not isinstance(row, LinetuneError)}
        if len(widths) == 1 and widths != {1} and len(plain) > len(rows):
            return plain
    return rows


def _parsed(content: str, delimiter: str, path: Path, quoting: Any) -> Iterator[tuple[int, Row]]:
    # A space before a quote would make the quote a part of the text.
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
