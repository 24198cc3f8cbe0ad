"""ICDAR's word recognition labels: ``img.png, "text"``, quotes in the text escaped by a backslash."""

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
    """Text files of which most lines begin with an image's name, a comma and a quote."""
    candidates = texts.files(path, ".txt") if path.is_dir() else [path]
    return [p for p in candidates if p.suffix.lower() not in _OTHERS and texts.mostly(p, START)]


def read(source: Source) -> list[Item]:
    """A crop a line, whose image lies beside the file or in ``images`` beside it, as CVAT exports it."""
    source.beside = ("images",)
    found: list[Item] = []
    rows = [(number, _ROW.fullmatch(row)) for number, row in source.read_rows()]
    matched = [parts for _, parts in rows if parts]
    # Writers of tables double quotes, and put no space after a comma.
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
    """What stands between quotes."""
    return _ESCAPED.sub(r"\1", text)


FORMAT = Format(find, read)
