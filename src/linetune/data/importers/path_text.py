"""Label files whose lines are a path, then spaces or a comma, then the text: ``img.png LOT 4711``.

The path ends at an image's suffix, so that paths and texts may both hold spaces. What follows a comma is the
text only where it is certain that it is no column of a table.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from linetune.core.errors import LinetuneError
from linetune.data.importers import table, texts
from linetune.data.importers.source import Format, Item, Source

_SPLIT = re.compile(rf"{texts.IMAGE_END}(?P<between>\s*,\s*|[ \t]+)(?=\S)", re.IGNORECASE)
_ROW = re.compile(rf'[^\t]+?{texts.IMAGE_END}( +|\s*,(?!\s*")\s*)\S', re.IGNORECASE)
_NUMBERS = re.compile(rf"[\[(]*{texts.NUMBERS}")
_MARK = re.compile(r"(->|=>|[-:=|>])\s+\S")
"""What may stand between path and text besides spaces."""
_LEXICON = re.compile(r"\d+_[^\W\d_]+_(\d+)")
"""The names of MJSynth's images; the text stands in the middle, and its number in a lexicon at the end."""
_OTHERS = (*texts.TABLES, ".json", ".jsonl", ".ndjson")


def find(path: Path) -> list[Path]:
    """Text files of which most lines begin with an image's name, and then spaces or a comma."""
    candidates = texts.files(path, ".txt") if path.is_dir() else [path]
    fitting = [p for p in candidates if p.suffix.lower() not in _OTHERS and texts.mostly(p, _ROW)]
    return [p for p in fitting if not table.FORMAT.find(p)]


def read(source: Source) -> list[Item]:
    """A crop a line.

    Raises:
        LinetuneError: commas separate more than two columns, or boxes stand beside the images.
    """
    rows = list(source.read_rows())
    split = [(number, row, _parts(source, row)) for number, row in rows]
    if not source.asked:
        _check(source, [(number, row, parts) for number, row, parts in split if parts])
    starts = [_MARK.match(parts[2]) for _, _, parts in split if parts]
    marks = {start[1] if start else "" for start in starts}
    (mark,) = marks if len(marks) == 1 else ("",)
    if mark:
        source.notes.append(f"{mark} stands before every text, and is no part of it")
    found: list[Item] = []
    for number, _, parts in split:
        place = f"{source.path}:{number}"
        if parts is None:
            what = "not an image's path, then spaces or a comma, then a text"
            found.append(LinetuneError(what, place, "write img.png text"))
        else:
            text = parts[2].removeprefix(mark).lstrip() if mark else parts[2]
            found.append(source.label(parts[0], text, place))
    return found


def _check(source: Source, rows: list[tuple[int, str, tuple[str, str, str]]]) -> None:
    """Whether what follows the paths is a text and nothing else."""
    for number, row, (_, between, _) in rows:
        if "," in between and row.count(",") > 1:
            what = "several commas, so that the text may be one column of several"
            hint = (
                "--format path_text takes all after the first, --format csv --text-column NUMBER one column"
            )
            raise LinetuneError(what, f"{source.path}:{number}", hint)
    if rows and all(
        (m := _LEXICON.fullmatch(_stem(path))) and m[1] == text for _, _, (path, _, text) in rows
    ):
        what = f"{rows[0][2][2]} is the number of a text in a lexicon, as MJSynth has it"
        hint = r"pass the folder, --format names and --pattern '\d+_(?P<text>.+)_\d+'"
        raise LinetuneError(what, f"{source.path}:{rows[0][0]}", hint)
    if rows and all(_NUMBERS.match(text) for _, _, (_, _, text) in rows):
        what = "every line has four or more numbers beside its image, as files of boxes have them"
        raise LinetuneError(what, f"{source.path}:{rows[0][0]}", texts.of_boxes("path_text"))


def _stem(written: str) -> str:
    return PurePosixPath(written.replace("\\", "/")).stem


def _parts(source: Source, row: str) -> tuple[str, str, str] | None:
    """Path, what separates, and text; the path is the first that leads to a file."""
    parts = [(row[: m.start("between")].strip(), m["between"], row[m.end() :]) for m in _SPLIT.finditer(row)]
    return next((part for part in parts if source.leads(part[0])), parts[0] if parts else None)


FORMAT = Format(find, read)
