"""MMOCR's annotations: one JSON file with a ``data_list``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from linetune.core.errors import LinetuneError
from linetune.data.importers import texts
from linetune.data.importers.source import Format, Item, Source

_LIST = re.compile(r'.*"data_list"\s*:', re.DOTALL)


def find(path: Path) -> list[Path]:
    """Return JSON files with a ``data_list``."""
    return texts.having(path, ".json", lambda file: texts.begins(file, _LIST))


def read(source: Source) -> list[Item]:
    """Return one crop for each entry.

    Raises:
        LinetuneError: the file is not JSON, or has no ``data_list``.
    """
    entries = texts.entries(source.read_text(source.path), "data_list", source.path)
    # MMOCR writes everything on one line, so messages need the number of the entry as well.
    return [
        _item(source, entry, f"entry {number}", f"{source.path}:{line}")
        for number, (line, entry) in enumerate(entries, 1)
    ]


def _item(source: Source, entry: Any, name: str, place: str) -> Item:
    path = entry.get("img_path") if isinstance(entry, dict) else None
    instances = entry.get("instances") if isinstance(entry, dict) else None
    if not isinstance(path, str) or not isinstance(instances, list):
        return LinetuneError(f"{name} has no img_path or no instances", place)
    if len(instances) != 1:
        return LinetuneError(f"{name} has {len(instances)} instances, but a crop has one", place)
    text = instances[0].get("text") if isinstance(instances[0], dict) else None
    if not isinstance(text, str):
        return LinetuneError(f"{name} has no text", place)
    item = source.label(path, text, place)
    return LinetuneError(f"{name}: {item.what}", place) if isinstance(item, LinetuneError) else item


FORMAT = Format(find, read)
