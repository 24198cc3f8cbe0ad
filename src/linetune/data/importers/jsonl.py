"""JSON lines: an object a line with a path and a text, as MMOCR, Hugging Face and many others write it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from linetune.data.importers import columns, texts
from linetune.data.importers.source import Format, Item, Source
from linetune.errors import LinetuneError

_SUFFIXES = (".jsonl", ".ndjson")


def find(path: Path) -> list[Path]:
    """Files named ``.jsonl`` or ``.ndjson``."""
    if path.is_dir():
        return texts.files(path, *_SUFFIXES)
    return [path] if path.suffix.lower() in _SUFFIXES else []


def read(source: Source) -> list[Item]:
    """A crop a line.

    Raises:
        LinetuneError: which keys are those of image and text is not clear.
    """
    rows: list[tuple[str, dict[str, Any] | LinetuneError]] = []
    for number, row in source.read_rows():
        place = f"{source.path}:{number}"
        try:
            entry = texts.parse_json(row, source.path, number)
        except LinetuneError as error:
            entry = error
        if not isinstance(entry, (dict, LinetuneError)):
            entry = LinetuneError("no JSON object", place, 'write {"file_name": …, "text": …}')
        rows.append((place, entry))
    objects = [entry for _, entry in rows if isinstance(entry, dict)]
    names = list(dict.fromkeys(name for entry in objects for name in entry))
    if not names:
        return [entry for _, entry in rows if isinstance(entry, LinetuneError)]
    table = [[entry.get(name) for name in names] for entry in objects]
    chosen = columns.choose(source, names, table, source.path)
    image, text = names[chosen.image], names[chosen.text]
    return [
        entry if isinstance(entry, LinetuneError) else _crop(source, entry, image, text, place)
        for place, entry in rows
    ]


def _crop(source: Source, entry: dict[str, Any], image: str, text: str, place: str) -> Item:
    for key in (image, text):
        if not isinstance(entry.get(key), str):
            what = f"{key!r} is not a string" if key in entry else f"no {key!r}"
            return LinetuneError(what, place, f"write {{{image!r}: …, {text!r}: …}}".replace("'", '"'))
    return source.label(entry[image], entry[text], place)


FORMAT = Format(find, read, columns=True)
