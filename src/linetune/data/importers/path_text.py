"""Label files whose lines are a path, then spaces or a comma, then the text: ``img.png LOT 4711``.

The path ends at the suffix of an image, so both path and text may contain spaces. What follows a comma is the
text only if it is certainly not one of several columns of a table.
"""

from __future__ import annotations

import re
from pathlib import Path, PureWindowsPath
from typing import NamedTuple

from linetune.core.errors import LinetuneError
from linetune.data.importers import table, texts
from linetune.data.importers.source import Format, Item, Source

_SPLIT = re.compile(rf"{texts.IMAGE_END}(?P<between>\s*,\s*|[ \t]+)(?=\S)", re.IGNORECASE)
_ROW = re.compile(rf'[^\t]+?{texts.IMAGE_END}( +|\s*,(?!\s*")\s*)\S', re.IGNORECASE)
_NUMBERS = re.compile(rf"[\[(]*{texts.NUMBERS}")
_MARK = re.compile(r"(->|=>|[-:=|>])\s+\S")
"""A mark that may separate path and text in addition to spaces."""
_LEXICON = re.compile(r"\d+_[^\W\d_]+_(\d+)")
"""Name of an MJSynth image: the text is in the middle, and its number in a lexicon at the end."""


class _Parts(NamedTuple):
    """The three parts of a line."""

    path: str
    between: str
    text: str


def find(path: Path) -> list[Path]:
    """Return text files in which most lines start with the name of an image, then spaces or a comma."""
    candidates = texts.files(path, ".txt") if path.is_dir() else [path]
    fitting = [p for p in candidates if p.suffix.lower() not in texts.STRUCTURED and texts.mostly(p, _ROW)]
    return [p for p in fitting if not table.FORMAT.find(p)]


def read(source: Source) -> list[Item]:
    """Return one crop for each line.

    Raises:
        LinetuneError: commas separate more than two columns, or the lines hold boxes.
    """
    lines = [(number, row, _split(source, row)) for number, row in source.read_rows()]
    if not source.asked:
        _check(source, [(number, row, parts) for number, row, parts in lines if parts])
    starts = [_MARK.match(parts.text) for _, _, parts in lines if parts]
    marks = {start[1] if start else "" for start in starts}
    (mark,) = marks if len(marks) == 1 else ("",)
    if mark:
        source.notes.append(f"the {mark} before every text is not part of the text")
    items: list[Item] = []
    for number, _, parts in lines:
        place = f"{source.path}:{number}"
        if parts is None:
            what = "not an image's path, then spaces or a comma, then a text"
            items.append(LinetuneError(what, place, "write img.png text"))
        else:
            text = parts.text.removeprefix(mark).lstrip() if mark else parts.text
            items.append(source.label(parts.path, text, place))
    return items


def _check(source: Source, lines: list[tuple[int, str, _Parts]]) -> None:
    """Check that the paths are followed by texts and nothing else.

    Raises:
        LinetuneError: the lines have several columns, numbers of a lexicon, or boxes.
    """
    for number, row, parts in lines:
        if "," in parts.between and row.count(",") > 1:
            what = "several commas, so the text may be one of several columns"
            hint = (
                "pass --format path_text if it is everything after the first comma, --format csv "
                "--text-column NUMBER if it is one column"
            )
            raise LinetuneError(what, f"{source.path}:{number}", hint)
    if not lines:
        return
    number, _, example = lines[0]
    numbered = [(_LEXICON.fullmatch(PureWindowsPath(parts.path).stem), parts.text) for _, _, parts in lines]
    if all(name and name[1] == text for name, text in numbered):
        what = f"{example.text} is the number of a text in a lexicon, as in MJSynth's lists"
        hint = r"import the folder with --format names --pattern '\d+_(?P<text>.+)_\d+'"
        raise LinetuneError(what, f"{source.path}:{number}", hint)
    if all(_NUMBERS.match(parts.text) for _, _, parts in lines):
        what = "every line has four or more numbers after its path, like a file of boxes"
        raise LinetuneError(what, f"{source.path}:{number}", texts.of_boxes("path_text"))


def _split(source: Source, row: str) -> _Parts | None:
    """Split a line after the first path that leads to a file, or else after the first path."""
    splits = [
        _Parts(row[: m.start("between")].strip(), m["between"], row[m.end() :]) for m in _SPLIT.finditer(row)
    ]
    return next((parts for parts in splits if source.leads(parts.path)), splits[0] if splits else None)


FORMAT = Format(find, read)
