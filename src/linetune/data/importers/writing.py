"""Crops as image files: copied unchanged, or cut out of a photo."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np

from linetune.core import image
from linetune.core.errors import LinetuneError
from linetune.core.image import Crop
from linetune.data.importers import texts
from linetune.data.importers.boxes import NO_TEXT
from linetune.data.importers.cut import cut, turn_with_exif
from linetune.data.importers.source import Box, Found, Item
from linetune.data.naming import Names, safe

_SIGNATURES = {
    b"\x89PNG": ".png",
    b"\xff\xd8": ".jpg",
    b"BM": ".bmp",
    b"RIFF": ".webp",
    b"II*\0": ".tif",
    b"MM\0*": ".tif",
}


@dataclass
class Writer:
    """Writes crops into a folder, each under a unique name."""

    folder: Path
    names: Names
    upright: bool = False
    """Boxes start at their own top left, see :func:`cut`."""
    home: Path | None = None
    """Folder below which the images are, if they are in several folders. Names of crops start with their path
    from there."""
    remarks: dict[str, list[str]] = field(default_factory=dict)
    """For each kind of remark of :func:`cut`, the crops that it is about."""
    reach: dict[Path, tuple[float, float]] = field(default_factory=dict)
    """For each photo whose size the source does not say: how far right and down its boxes go, as fractions of
    its width and height."""
    labels: list[tuple[str, str]] = field(default_factory=list)
    """File name and text of each crop."""
    texts_of: dict[Path, set[str]] = field(default_factory=dict)
    """The texts of each image file that is a crop."""
    refused: list[LinetuneError] = field(default_factory=list)
    """Why something is left out, and where it is."""
    _read: Callable[[Path], Crop] = field(default_factory=lambda: lru_cache(maxsize=1)(image.read))
    """Reads a photo. It keeps the last one, because the boxes of one photo follow each other."""

    def add(self, item: Item) -> None:
        """Write one crop, or note why it is left out."""
        try:
            if isinstance(item, LinetuneError):
                raise item
            self.labels.append((self._write(item), item.text))
        except LinetuneError as error:
            self.refused.append(error)
            return
        if isinstance(item.pixels, Path):
            self.texts_of.setdefault(item.pixels, set()).add(item.text)

    def _write(self, found: Found) -> str:
        """Write one crop and return the name of its file.

        Raises:
            LinetuneError: the text or the image cannot be used. The error names the place of the label.
        """
        _check_text(found.text, found.place)
        pixels = found.pixels
        try:
            return self._cut(found, pixels) if isinstance(pixels, Box) else self._copy(found, pixels)
        except LinetuneError as error:
            elsewhere = error.where is not None and str(error.where) != found.place
            what = f"{error.what}: {error.where}" if elsewhere else error.what
            if isinstance(pixels, Box):
                what = f"{texts.quoted(found.text)}: {what}"
            raise LinetuneError(what, found.place, error.hint) from None

    def _cut(self, found: Found, box: Box) -> str:
        photo = self._read(box.photo)
        upright_box, turn_remarks = turn_with_exif(box, photo)
        crop, cut_remarks = cut(photo, upright_box, found.text, self.upright)
        if box.size is None:
            (right, low), (height, width) = np.max(box.corners, 0).tolist(), photo.shape[:2]
            before = self.reach.get(box.photo, (0.0, 0.0))
            self.reach[box.photo] = (max(before[0], right / width), max(before[1], low / height))
        name = self.names.take(self._stem(found), ".png")
        image.write(self.folder / name, crop)
        for kind, detail in (cut_remarks | turn_remarks).items():
            remark = f"{name}{detail and ', '}{detail} ({found.place})"
            self.remarks.setdefault(kind, []).append(remark)
        return name

    def _copy(self, found: Found, pixels: Path | bytes) -> str:
        if isinstance(pixels, bytes):
            data, suffix, where = pixels, _suffix(pixels), None
        else:
            data, suffix, where = image.content(pixels).tobytes(), pixels.suffix.lower(), pixels
            if suffix not in image.SUFFIXES:
                suffix = _suffix(data)
        # Only to check that it is an image: the file is copied byte for byte.
        image.decode(np.frombuffer(data, np.uint8), where)
        name = self.names.take(self._stem(found), suffix)
        (self.folder / name).write_bytes(data)
        return name

    def _stem(self, found: Found) -> str:
        # Crops of one photo or page keep a name in common, by which a split keeps them together.
        path = found.pixels.photo if isinstance(found.pixels, Box) else found.pixels
        folders = path.parent.relative_to(self.home).parts if self.home and isinstance(path, Path) else ()
        return safe("-".join((*folders, found.stem)))


def _suffix(data: bytes) -> str:
    return next((suffix for start, suffix in _SIGNATURES.items() if data.startswith(start)), ".img")


def _check_text(text: str, place: str) -> None:
    if not text:
        raise LinetuneError("empty text", place, "write the text of the crop, or delete this label")
    if reason := NO_TEXT.get(text):
        raise LinetuneError(f"{texts.quoted(text)}: {reason}", place)
    for character, name in (("\n", "line break"), ("\r", "line break"), ("\t", "tab")):
        if character in text:
            hint = "a label is one line without tabs: correct the text"
            raise LinetuneError(f"a {name} inside the text {text!r:.60}", place, hint)
    try:
        text.encode()
    except UnicodeEncodeError:
        what = f"the text is not valid Unicode: {text!r:.60}"
        raise LinetuneError(what, place, "correct the text, or export it again") from None
