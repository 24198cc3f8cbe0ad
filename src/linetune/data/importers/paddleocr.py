"""PaddleOCR's recognition labels, which are linetune's own too: ``path<TAB>text``."""

from __future__ import annotations

import re
from pathlib import Path

from linetune import image
from linetune.data.importers import texts
from linetune.data.importers.source import Format, Item, Source
from linetune.errors import LinetuneError

_SUFFIXES = "|".join(suffix[1:] for suffix in sorted(image.SUFFIXES))
_ROW = re.compile(rf'([^\t]+\.({_SUFFIXES})|\[\s*"[^\t]*)\t(?!\s*\[\s*(\{{|\]))', re.IGNORECASE)
_LIST = re.compile(r'\[\s*"')
_OTHERS = (*texts.TABLES, ".json", ".jsonl")


def find(path: Path) -> list[Path]:
    """Files of which most lines are an image's path, a tab and a text."""
    if path.is_file():
        own = path.name != "rec_gt.txt" and path.suffix.lower() not in _OTHERS
        return [path] if own and texts.mostly(path, _ROW) else []
    if any((path / name).is_file() for name in ("Label.txt", "rec_gt.txt")):
        # A PPOCRLabel project, whose other files look alike.
        return []
    return [p for p in texts.files(path, ".txt") if texts.mostly(p, _ROW)]


def read(source: Source) -> list[Item]:
    """A crop a line, or several where a line lists several images of one text."""
    found: list[Item] = []
    for number, row in texts.rows(source.read_text(source.path)):
        place = f"{source.path}:{number}"
        written, tab, text = row.partition("\t")
        if not tab:
            found.append(LinetuneError("no tab between path and text", place, "write path<TAB>text"))
        elif _LIST.match(written):
            found += _several(source, written, text, number)
        else:
            found.append(source.label(written, text, place))
    return found


def _several(source: Source, written: str, text: str, number: int) -> list[Item]:
    place = f"{source.path}:{number}"
    try:
        paths = texts.parse_json(written, source.path, number)
    except LinetuneError as error:
        return [LinetuneError(f"the list of images is {error.what}", place)]
    if not all(isinstance(path, str) for path in paths):
        return [LinetuneError("the list of images holds something else than paths", place)]
    return [source.label(path, text, place) for path in paths]


FORMAT = Format(find, read)
