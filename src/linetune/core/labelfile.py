"""Labelled lines and label files: ``path<TAB>text`` in UTF-8, one crop a line."""

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
_FORM = "write path<TAB>text"

NO_TAB = "no tab between path and text"
NO_PATH = "no image path"
NO_TEXT = "empty text"
THIRD_COLUMN = "a second tab"
CARRIAGE_RETURN = "a carriage return inside the line"

UNUSABLE = "unusable.txt"
"""Name of the label file, beside others, of the crops that a review called unusable."""


def unusable_beside(folders: Iterable[Path]) -> list[Path]:
    """Return the label files of unusable crops in folders of label files, each once."""
    return [path for each in sorted(set(folders)) if (path := each / UNUSABLE).is_file()]


@dataclass(frozen=True, slots=True)
class Line:
    """One labelled crop: its image, its text, and the place of its label."""

    image: Path
    text: str
    source: str
    """``file:line`` of the label, for messages."""


def spread(items: Sequence[T], most: int) -> Sequence[T]:
    """Return at most ``most`` items at even distances, since neighbours often come from one photo."""
    return items[:: max(1, -(-len(items) // most))]


def read_labels(*paths: Path, unlabelled: bool = False) -> list[Line]:
    """Read label files one after the other. Image paths are relative to the folder of their label file.

    Blank lines are skipped. The text is everything after the tab, including spaces.

    Args:
        paths: the label files.
        unlabelled: see :func:`scan_labels`.

    Raises:
        LinetuneError: a file is missing, not UTF-8, without any label, or listed twice. A ``ManyErrors`` if
            lines have no tab, a second tab, no path or no text.
    """
    resolved = [path.resolve() for path in paths]
    for number, path in enumerate(paths):
        if resolved[number] in resolved[:number]:
            raise LinetuneError("the label file is listed twice", path, "list it once: its crops count twice")
    return [line for path in paths for line in _read(path, unlabelled)]


def _read(path: Path, unlabelled: bool) -> list[Line]:
    lines, errors = scan_labels(path, unlabelled)
    for error in errors.values():
        # Raised alone, because one conversion corrects the complete file.
        if error.what in (textfile.NOT_UTF8, textfile.GBK):
            raise error
    if not lines and all(error.what == NO_TEXT for error in errors.values()):
        label = f"linetune review {shlex.quote(str(path))} labels them"
        raise LinetuneError(f"none of the {len(errors)} crops has a label yet", path, label)
    if errors:
        raise many_errors(list(errors.values()), "lines that are not labels")
    return lines


def path_in_file(line: Line) -> str:
    """Return the path of a crop as its label file has it: relative to the file, or absolute elsewhere."""
    labels = Path(line.source.rpartition(":")[0])
    try:
        return line.image.relative_to(labels.parent).as_posix()
    except ValueError:
        return line.image.as_posix()


def scan_labels(path: Path, unlabelled: bool = False) -> tuple[list[Line], dict[str, LinetuneError]]:
    """Read a label file as :func:`read_labels` does, but collect the errors of its lines.

    Args:
        path: the label file.
        unlabelled: whether a line may have an empty text, because nobody has labelled its crop yet.

    Returns:
        The labels, and the errors of the other lines by ``file:line``.

    Raises:
        LinetuneError: the file is missing, UTF-16 or without a label.
    """
    convert = f"linetune import {shlex.quote(str(path))} --to DIR"
    lines: list[Line] = []
    errors: dict[str, LinetuneError] = {}
    for number, row in enumerate(textfile.read_lines(path, "label file", convert), 1):
        source = f"{path}:{number}"
        if isinstance(row, LinetuneError):
            errors[source] = row
            continue
        row = row.removesuffix("\r")
        if not row.strip():
            continue
        problem = _problem(row, convert)
        if problem and not (unlabelled and problem[0] == NO_TEXT):
            errors[source] = LinetuneError(problem[0], source, problem[1])
            continue
        image, _, text = row.partition("\t")
        lines.append(Line(path.parent / image, text, source))
    if not lines and not errors and unlabelled:
        raise LinetuneError("the list has no crops", path, "write a path and a tab, one crop a line")
    if not lines and not errors:
        raise LinetuneError("the label file has no labels", path, f"{_FORM}, one crop a line")
    return lines, errors


def _problem(row: str, convert: str) -> tuple[str, str] | None:
    """Return what is wrong with a line and how to fix it, or None for a label."""
    image, tab, text = row.partition("\t")
    if not tab and row.startswith("#"):
        return NO_TAB, "label files have no comments: remove the line"
    if not tab:
        return NO_TAB, f"{_FORM}, or {convert} reads other formats"
    if not image:
        return NO_PATH, _FORM
    if not text:
        return NO_TEXT, _FORM
    if "\r" in row:
        return CARRIAGE_RETURN, "save the file with LF line ends"
    if "\t" in text:
        return THIRD_COLUMN, third_column(text)
    return None


def third_column(text: str) -> str:
    """Return the hint for a line with a second tab.

    Args:
        text: everything after the first tab.
    """
    if text.startswith("\t"):
        return "write one tab between path and text, not two"
    if text.endswith("\t") and "\t" not in text[:-1]:
        return "remove the tab at the end of the line"
    return f"{_FORM}; linetune import --text-column NUMBER reads one column of several"


def unwritable(text: str) -> str | None:
    """Return why a label file cannot have a text or a path. None if it can."""
    if _SEPARATOR.search(text):
        return f"a tab or line break in {text!r:.60}"
    try:
        text.encode()
    except UnicodeEncodeError:
        return f"a label file is UTF-8, but this is not: {text!a:.60}"
    return None


def write_labels(path: Path, lines: Iterable[tuple[str, str]]) -> None:
    """Write (image path relative to the file, text) pairs. The file appears whole or not at all.

    Raises:
        LinetuneError: a path or text contains a tab or a line break, or is not Unicode.
    """
    rows = []
    for image, text in lines:
        if problem := unwritable(image):
            raise LinetuneError(problem, path, "rename the image or its folder")
        if problem := unwritable(text):
            raise LinetuneError(f"{problem}, the text of {image!r}", path)
        rows.append(f"{image}\t{text}\n")
    atomic.write_text(path, "".join(rows))
