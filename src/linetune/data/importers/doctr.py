"""docTR's labels.json with images/ beside it: one text for each image, or words with boxes in photos."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from linetune.core import image
from linetune.core.errors import LinetuneError
from linetune.data.importers import boxes, shapes, texts
from linetune.data.importers.boxes import Drawn
from linetune.data.importers.photos import Photos
from linetune.data.importers.source import Format, Item, Source

_SUFFIXES = "|".join(suffix[1:] for suffix in sorted(image.SUFFIXES))
_IMAGES = re.compile(rf'\s*\{{\s*"[^"]*\.({_SUFFIXES})"\s*:\s*["{{]', re.IGNORECASE)


def find(path: Path) -> list[Path]:
    """Return the JSON files that have an object whose first key is the name of an image."""
    return texts.having(path, ".json", lambda file: texts.begins(file, _IMAGES))


def read(source: Source) -> list[Item]:
    """Return one crop for each image with a text, or for each word of a photo.

    Raises:
        LinetuneError: the file is not JSON, or has boxes without texts.
    """
    photos = Photos(source)
    items: list[Item] = []
    for line, name, value in texts.members(source.read_text(source.path), source.path):
        place = f"{source.path}:{line}"
        if isinstance(value, dict) and "polygons" in value:
            hint = "import docTR's labels for recognition, which have a text for each image"
            raise LinetuneError("holds docTR's labels for detection, boxes without texts", place, hint)
        words = value.get("typed_words") if isinstance(value, dict) else None
        try:
            if isinstance(value, str):
                photo = photos.find(str(name), place, 1)
                items += boxes.crops(photo, [Drawn(photo.name, place, value, None)])
            elif isinstance(words, list):
                photo = photos.find(str(name), place, len(words)) if words else Path()
                drawn = [_word(f"{photo.name}, word {n}", word, place) for n, word in enumerate(words, 1)]
                items += boxes.crops(photo, drawn)
            else:
                raise LinetuneError(f"{texts.shown(name)} has neither a text nor typed_words", place)
        except LinetuneError as error:
            items.append(error)
    return items


def _word(name: str, word: Any, place: str) -> Drawn:
    fields = word if isinstance(word, dict) else {}
    geometry = fields.get("geometry")
    corners = shapes.points(geometry) or shapes.rectangle(geometry, ends=True)
    needs = "geometry of xmin, ymin, xmax, ymax"
    return Drawn(name, place, fields.get("value"), corners, len(corners) > 4, needs=needs)


FORMAT = Format(find, read)
