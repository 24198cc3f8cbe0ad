"""ICDAR's word recognition labels: ``img.png, "text"``, with a backslash before quotes in the text."""

from __future__ import annotations

import re
from pathlib import Path

from linetune.core.errors import LinetuneError
from linetune.data.importers import texts
from linetune.data.importers.source import Format, Item, Source

_ROW = re.compile(r'(?P<path>[^\t]+?\.\w+),(?P<space>\s*)"(?P<text>.*)"\s*')
START = re.compile(r'[^\t]+?\.\w+,\s*"')
_OTHERS = (*texts.TABLES, ".json", ".jsonl", ".xml")
_ESCAPED = re.compile(r'\\(["\\])')


def find(path: Path) -> list[Path]:
    """Text files in which most lines begin with the name of an image, a comma and a quote."""
    candidates = texts.files(path, ".txt") if path.is_dir() else [path]
    return [p for p in candidates if p.suffix.lower() not in _OTHERS and texts.mostly(p, START)]


def read(source: Source) -> list[Item]:
    """Return one crop for each line. Images are in the folder of the file, or in its ``images`` (CVAT)."""
    source.beside = ("images",)
    found: list[Item] = []
    rows = [(number, _ROW.fullmatch(row)) for number, row in source.read_rows()]
    matched = [parts for _, parts in rows if parts]
    # Programs for tables double quotes, and write no space after a comma.
    doubled = not any(parts["space"] for parts in matched) and any('""' in parts["text"] for parts in matched)
    if doubled:
        source.notes.append(f"quotes are doubled inside the texts of {source.path}, and read as one each")
    for number, parts in rows:
        place = f"{source.path}:{number}"
        if parts is None:
            found.append(
                LinetuneError("not a path, a comma and a quoted text", place, 'write img.png, "text"')
            )
        else:
            plain = parts["text"].replace('""', '"') if doubled else unescaped(parts["text"])
            found.append(source.label(parts["path"], plain, place))
    return found


def unescaped(text: str) -> str:
    """Return the text between quotes."""
    return _ESCAPED.sub(r"\1", text)


FORMAT = Format(find, read)
