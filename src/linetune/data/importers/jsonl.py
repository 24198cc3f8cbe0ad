"""JSON of crops: objects with a path and a text, on lines or in a list, and MMOCR's ``data_list``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from linetune.core.errors import LinetuneError
from linetune.data.importers import columns, label_studio, texts
from linetune.data.importers.source import Format, Item, Source

_SUFFIXES = (".jsonl", ".ndjson")
_DATA_LIST = re.compile(r'.*"data_list"\s*:', re.DOTALL)
_LIST = re.compile(r"\s*\[\s*\{")
_MMOCR_ENTRY = 'write {"img_path": …, "instances": [{"text": …}]}'
_IMAGE = re.compile(rf'\s*\[\s*\{{[^{{}}\[\]]*:\s*"[^"]+{texts.IMAGE_END}"', re.IGNORECASE)


def find(path: Path) -> list[Path]:
    """Return ``.jsonl`` and ``.ndjson`` files, and JSON lists whose first object names an image."""
    candidates = texts.files(path, *_SUFFIXES, ".json") if path.is_dir() else [path]
    return [p for p in candidates if p.suffix.lower() in _SUFFIXES or _is_list_of_images(p)]


def _is_list_of_images(path: Path) -> bool:
    named = path.suffix.lower() == ".json" and _IMAGE.match(texts.head(path))
    return bool(named) and not label_studio.FORMAT.find(path)


def read(source: Source) -> list[Item]:
    """Return one crop for each object.

    Raises:
        LinetuneError: the keys of image and text are not clear.
    """
    rows = list(_entries(source))
    objects = [entry for _, entry in rows if isinstance(entry, dict)]
    names = list(dict.fromkeys(name for entry in objects for name in entry))
    if not names:
        return [entry for _, entry in rows if isinstance(entry, LinetuneError)]
    table = [[entry.get(name) for name in names] for entry in objects]
    choice = columns.choose(source, names, table, source.path, form="jsonl")
    image, text = names[choice.image], names[choice.text]
    return [
        entry if isinstance(entry, LinetuneError) else _crop(source, entry, image, text, place, choice)
        for place, entry in rows
    ]


def _entries(source: Source) -> Iterator[tuple[str, dict[str, Any] | LinetuneError]]:
    """Yield the place and the object of each entry, or an error if the entry is not an object."""
    content = source.read_text(source.path)
    if source.path.suffix.lower() == ".json" and _LIST.match(content):
        for line, number, entry in texts.members(content, source.path):
            yield _checked(entry, _place(source, line, number))
        return
    for number, row in texts.rows(content, source.path):
        try:
            entry = texts.parse_json(row, source.path, number)
        except LinetuneError as error:
            yield str(error.where), error
        else:
            yield _checked(entry, f"{source.path}:{number}")


def _checked(entry: Any, place: str) -> tuple[str, dict[str, Any] | LinetuneError]:
    if isinstance(entry, dict):
        return place, entry
    return place, LinetuneError("not a JSON object", place, 'write {"file_name": …, "text": …}')


def _crop(
    source: Source, entry: dict[str, Any], image: str, text: str, place: str, choice: columns.Choice
) -> Item:
    for key in (image, text):
        if not isinstance(entry.get(key), str):
            what = f"{key!r:.60} is not a string" if key in entry else f"no {key!r:.60}"
            hint = f"write {{{image!r:.60}: …, {text!r:.60}: …}}".replace("'", '"')
            return LinetuneError(what, place, hint)
    return source.label(choice.path(entry[image]), entry[text], place)


def find_mmocr(path: Path) -> list[Path]:
    """Return JSON files with a ``data_list``."""
    return texts.having(path, ".json", lambda file: texts.begins(file, _DATA_LIST))


def read_mmocr(source: Source) -> list[Item]:
    """Return one crop for each entry of MMOCR's ``data_list``.

    Raises:
        LinetuneError: the file is not JSON, or has no ``data_list``.
    """
    entries = texts.members(source.read_text(source.path), source.path, "data_list")
    return [_of_mmocr(source, entry, _place(source, line, number)) for line, number, entry in entries]


def _of_mmocr(source: Source, entry: Any, place: str) -> Item:
    fields = entry if isinstance(entry, dict) else {}
    path, instances = fields.get("img_path"), fields.get("instances")
    if not isinstance(path, str) or not isinstance(instances, list):
        return LinetuneError("no img_path or no instances", place, _MMOCR_ENTRY)
    if len(instances) != 1:
        return LinetuneError(f"{len(instances)} instances, but a crop has one", place, _MMOCR_ENTRY)
    text = instances[0].get("text") if isinstance(instances[0], dict) else None
    if not isinstance(text, str):
        return LinetuneError("the instance has no text", place, _MMOCR_ENTRY)
    return source.label(path, text, place)


def _place(source: Source, line: int, number: object) -> str:
    """Return the place of an entry. Most programs write all entries on one line, so it has a number too."""
    return f"{source.path}:{line}, entry {number}"


FORMAT = Format(find, read, columns=True)
MMOCR = Format(find_mmocr, read_mmocr)
