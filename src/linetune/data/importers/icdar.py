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
    """Return the text files whose lines mostly begin with the name of an image, a comma and a quote."""
    candidates = texts.files(path, ".txt") if path.is_dir() else [path]
    return [p for p in candidates if p.suffix.lower() not in _OTHERS and texts.mostly(p, START)]


def read(source: Source) -> list[Item]:
    """Return one crop for each line. CVAT exports the images in a subfolder ``images``."""
    source.beside = ("images",)
    items: list[Item] = []
    rows = [(number, _ROW.fullmatch(row)) for number, row in source.read_rows()]
    matched = [parts for _, parts in rows if parts]
    # Programs that write tables double the quotes in a text, and write no space after a comma.
    doubled = not any(parts["space"] for parts in matched) and any('""' in parts["text"] for parts in matched)
    if doubled:
        source.notes.append(
            f"quotes inside the texts of {source.path} are doubled; linetune reads two as one"
        )
    for number, parts in rows:
        place = f"{source.path}:{number}"
        if parts is None:
            items.append(
                LinetuneError("not a path, a comma and a quoted text", place, 'write img.png, "text"')
            )
        else:
            plain = parts["text"].replace('""', '"') if doubled else unescaped(parts["text"])
            items.append(source.label(parts["path"], plain, place))
    return items


def unescaped(text: str) -> str:
    """Return a text without the backslashes before its quotes and backslashes."""
    return _ESCAPED.sub(r"\1", text)


FORMAT = Format(find, read)
