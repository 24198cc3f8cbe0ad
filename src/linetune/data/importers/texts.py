"""Text files as people have them: line ends, JSON with its lines, and texts in messages."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from linetune.core import image, textfile, untrusted
from linetune.core.errors import LinetuneError
from linetune.data.importers import WITH_BOXES

TABLES = (".csv", ".tsv")
"""Suffixes of tables, in lower case."""
STRUCTURED = (*TABLES, ".json", ".jsonl", ".ndjson")
"""Suffixes of tables and JSON, in lower case: files that are no plain lists of paths and texts."""
IMAGE_END = rf"\.(?:{'|'.join(suffix[1:] for suffix in sorted(image.SUFFIXES))})"
"""Regular expression for the suffix of an image, in lower case."""
CORRECTED = re.compile(r"correct|truth|final|manual|gold|verif|human|revis|review", re.IGNORECASE)
"""Words in the names of columns and fields that hold a person's correction of another text."""
_LONGEST_TEXT, _LONGEST_NAME = 60, 200
"""Characters of a text and of a name that a message shows."""
_SNIFFED_BYTES = 1 << 16
_SNIFFED_ROWS = 20
_APART = r"[\s,;()\[\]{}]+"
NUMBERS = rf"(?:-?\d+(?:\.\d+)?{_APART}){{3,}}-?\d+(?:\.\d+)?(?:{_APART}|$)"
"""Regular expression for four or more numbers in a row, such as the corners of a box."""
_BETWEEN = re.compile(r"[\s,:]*")


def of_boxes(form: str) -> str:
    """Return the hint for boxes in a format from which linetune only imports whole images."""
    with_boxes = ", ".join(WITH_BOXES)
    return f"pass --format {form} to import whole images anyway; linetune imports boxes from {with_boxes}"


def head(path: Path) -> str:
    """Return the first 64 KiB of a file as text; an empty text if the file cannot be read."""
    try:
        with path.open("rb") as file:
            return textfile.lenient(file.read(_SNIFFED_BYTES))
    except OSError:
        return ""


def first_rows(path: Path) -> list[str]:
    """Return the first lines of a file that are not blank, 20 at most."""
    return [row for _, row in islice(rows(head(path)), _SNIFFED_ROWS)]


def rows(text: str, where: object = None) -> Iterator[tuple[int, str]]:
    """Yield the lines of a text that are not blank, with their numbers and without their ends.

    The byte order mark that joined files leave at the start of a line is removed. CR alone ends a line
    only if the text has no LF.

    Raises:
        LinetuneError: the text has too many lines. The error names ``where``.
    """
    untrusted.check_lines(text, where)
    if "\n" not in text:
        text = text.replace("\r", "\n")
    # Not splitlines(): that would split a text at U+2028, U+0085 and others.
    for number, row in enumerate(text.split("\n"), 1):
        if row.strip("\ufeff").strip():
            yield number, row.removeprefix("\ufeff").rstrip("\r")


def mostly(path: Path, pattern: re.Pattern[str]) -> bool:
    """Return whether more than half of the first lines of a file match at their start."""
    sample = first_rows(path)
    return sum(bool(pattern.match(row)) for row in sample) * 2 > len(sample)


def begins(path: Path, pattern: re.Pattern[str]) -> bool:
    """Return whether the content of a file matches at its start; False if the file cannot be read."""
    try:
        # All of it, because thousands of images may be listed before the key that the pattern needs.
        return bool(pattern.match(textfile.decode(textfile.content(path, "file"), path)[0]))
    except LinetuneError:
        return False


def having(path: Path, suffix: str, fits: Callable[[Path], bool]) -> list[Path]:
    """Return the file, or the files directly in the folder, that have the suffix and fit."""
    candidates = files(path, suffix) if path.is_dir() else [path]
    return [p for p in candidates if p.suffix.lower() == suffix and fits(p)]


def files(folder: Path, *suffixes: str) -> list[Path]:
    """Return the files directly in a folder that have one of the suffixes and are not hidden."""
    entries = sorted(folder.iterdir())
    return [p for p in entries if p.suffix.lower() in suffixes and p.name[0] != "." and p.is_file()]


def parse_json(text: str, path: Path, line: int = 1) -> Any:
    """Parse JSON that starts in a line of a file.

    Raises:
        LinetuneError: the text is not JSON; the error names the line.
    """
    return untrusted.parse_json(text, path, line)


def members(text: str, path: Path, key: str | None = None) -> list[tuple[int, str | int, Any]]:
    """Return the members of a JSON list or object: line, name or number from 1, and value.

    Args:
        text: the file's content.
        path: the file.
        key: the key of the list or object. By default it is the whole content.

    Raises:
        LinetuneError: the text is not JSON, or has no such list or object.
    """
    content = parse_json(text, path)
    container = content.get(key) if isinstance(content, dict) and key is not None else content
    if not isinstance(container, (list, dict)) or (key is not None and container is content):
        raise LinetuneError("no JSON list or object" if key is None else f'no list "{key}"', path)
    del content, container  # both copies together may not fit into memory
    # The json module gives no positions, so the text, now known to be valid, is read again value by value.
    at = _skip_gap(text, 0)
    if key is not None:
        # The json module keeps the last of several equal keys.
        at = [start for name, start, _ in _walk(text, at) if name == key][-1]
    listed = []
    line, counted = 1, 0
    for number, (name, start, value) in enumerate(_walk(text, at), 1):
        line, counted = line + text.count("\n", counted, start), start
        listed.append((line, number if name is None else name, value))
    return listed


def _walk(text: str, at: int) -> Iterator[tuple[str | None, int, Any]]:
    """Yield name, position and value of each member of the list or object that starts at a position."""
    decoder = json.JSONDecoder()
    named = text[at] == "{"
    at = _skip_gap(text, at + 1)
    while text[at] not in "]}":
        name = None
        if named:
            name, at = decoder.raw_decode(text, at)
            at = _skip_gap(text, at)
        start = at
        value, at = decoder.raw_decode(text, at)
        yield name, start, value
        at = _skip_gap(text, at)


def _skip_gap(text: str, at: int) -> int:
    """Return the position after spaces, commas and colons."""
    gap = _BETWEEN.match(text, at)
    return gap.end() if gap else at


def composed(name: str) -> str:
    """Return a file name in NFC, because macOS separates letters and accents in names."""
    return unicodedata.normalize("NFC", name)


def shown(name: object) -> str:
    """Return a name from a source for a message: on one line, and cut if it is long."""
    text = _shortened(str(name), _LONGEST_NAME)
    return text if text.isprintable() else repr(text)


def quoted(text: str) -> str:
    """Return a text in quotes for a message, cut if it is long."""
    return repr(_shortened(text, _LONGEST_TEXT))


def _shortened(text: str, length: int) -> str:
    return text if len(text) <= length else text[:length] + "…"
