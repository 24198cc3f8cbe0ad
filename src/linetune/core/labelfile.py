"""Labelled lines and the label files they come from: ``path<TAB>text``, UTF-8, one crop a line."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from linetune.core import atomic, textfile
from linetune.core.errors import LinetuneError, many_errors

T = TypeVar("T")
_SEPARATOR = re.compile(r"[\t\r\n]")

NO_TAB = "no tab between path and text"
NO_PATH = "no image path"
NO_TEXT = "empty text"
THIRD_COLUMN = "a second tab"
CARRIAGE_RETURN = "a carriage return inside the line"


@dataclass(frozen=True, slots=True)
class Line:
    """One labelled crop: its image, its text, and where the label stands."""

    image: Path
    text: str
    source: str
    """``file:line`` of the label, for messages."""


def spread(items: Sequence[T], most: int) -> Sequence[T]:
    """At most so many lines or crops, evenly out of all, since neighbours are often of one photo."""
    return items[:: max(1, -(-len(items) // most))]


def read_labels(*paths: Path) -> list[Line]:
    """Read label files, one after the other; images are relative to the folder of theirs.

    Blank lines are passed over. What stands after the tab is the text, spaces included.

    Raises:
        LinetuneError: a file is missing, not UTF-8, holds no line or is named twice; a ``ManyErrors``
            when lines have no tab or a second one, no path or no text.
    """
    named = [path.resolve() for path in paths]
    for number, path in enumerate(paths):
        if named[number] in named[:number]:
            raise LinetuneError("the label file is named twice", path, "its crops would count twice")
    return [line for path in paths for line in _read(path)]


def _read(path: Path) -> list[Line]:
    lines, errors = scan_labels(path)
    for error in errors.values():
        # Told alone: that mends the whole file.
        if error.what in (textfile.NOT_UTF8, textfile.GBK):
            raise error
    if errors:
        raise many_errors(list(errors.values()), "lines that are not labels")
    return lines


def scan_labels(path: Path) -> tuple[list[Line], dict[str, LinetuneError]]:
    """Read a label file as :func:`read_labels` does, without stopping at lines that are no labels.

    Returns:
        The labels, and by ``file:line`` what is wrong with the other lines.

    Raises:
        LinetuneError: the file is missing, UTF-16 or holds no line.
    """
    command = f"linetune import {shlex.quote(str(path))} --to DIR"
    rows = textfile.read_lines(path, "label file", command)
    lines: list[Line] = []
    errors: dict[str, LinetuneError] = {}
    for number, row in enumerate(rows, 1):
        source = f"{path}:{number}"
        if isinstance(row, LinetuneError):
            errors[source] = row
            continue
        row = row.removesuffix("\r")
        if not row.strip():
            continue
        image, tab, text = row.partition("\t")
        if not tab:
            comment = row.startswith("#")
            way_out = f"write path<TAB>text, or {command} reads other forms"
            hint = "label files have no comments: take the line out" if comment else way_out
            errors[source] = LinetuneError(NO_TAB, source, hint)
        elif not image:
            errors[source] = LinetuneError(NO_PATH, source, "write path<TAB>text")
        elif not text:
            errors[source] = LinetuneError(NO_TEXT, source, "write path<TAB>text")
        elif "\r" in row:
            errors[source] = LinetuneError(CARRIAGE_RETURN, source, "save with LF line ends")
        elif "\t" in text:
            errors[source] = LinetuneError(THIRD_COLUMN, source, third_column(text))
        else:
            lines.append(Line(path.parent / image, text, source))
    if not lines and not errors:
        raise LinetuneError("the label file holds no lines", path, "write path<TAB>text, one crop a line")
    return lines, errors


def third_column(text: str) -> str:
    """The way out where what stands after the first tab of a line has a tab of its own."""
    if text.startswith("\t"):
        return "two tabs stand in a row where one separates path and text"
    if text.endswith("\t") and "\t" not in text[:-1]:
        return "the line ends in a tab, which would be part of its text"
    return "write path<TAB>text; linetune import --text-column NUMBER takes one column of several"


def write_labels(path: Path, lines: Iterable[tuple[str, str]]) -> None:
    """Write (image path relative to the file, text) pairs; the file appears whole or not at all.

    Raises:
        LinetuneError: a path or text holds a tab or a line break, which would be another column or line, or
            a path is not Unicode.
    """
    rows = []
    for image, text in lines:
        if _SEPARATOR.search(image + text):
            raise LinetuneError(f"a tab or line break in {image!r} or its text {text!r:.60}", path)
        if not f"{image}{text}".isascii():
            _refuse_bytes(image, path)
        rows.append(f"{image}\t{text}\n")
    atomic.write_text(path, "".join(rows))


def _refuse_bytes(image: str, path: Path) -> None:
    try:
        image.encode()
    except UnicodeEncodeError:
        what = f"a label file is UTF-8, and the name of the image is not: {image!a}"
        raise LinetuneError(what, path, "rename its file or folder") from None
