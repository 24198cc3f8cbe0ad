"""Crops into image files: copied as they are, or cut out of their photo."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from linetune.core import image
from linetune.core.errors import LinetuneError, os_errors
from linetune.core.image import Crop
from linetune.data.importers import texts
from linetune.data.importers.boxes import NO_TEXT
from linetune.data.importers.cut import cut, turned
from linetune.data.importers.source import Box, Found
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
    """Puts crops into a folder, each under a name of its own."""

    folder: Path
    names: Names
    upright: bool = False
    """As :func:`cut` has it."""
    home: Path | None = None
    """Where the names of folders begin that names of crops keep; None where all lie in one folder."""
    remarks: dict[str, list[str]] = field(default_factory=dict)
    """The crops that something is to be told of, by the kind of remark."""
    reach: dict[Path, tuple[float, float]] = field(default_factory=dict)
    """How far right and down boxes lie in photos of no written size, in parts of the photo's size."""
    _photo: tuple[Path | None, Crop | LinetuneError | None] = field(default=(None, None))

    def add(self, found: Found) -> str:
        """Write one crop; its file's name comes back.

        Raises:
            LinetuneError: its text or its image cannot be used; at the label's place.
        """
        _check_text(found.text, found.place)
        try:
            if isinstance(found.pixels, Box):
                photo = self._decoded(found.pixels.photo)
                box, turning = turned(found.pixels, photo)
                crop, remarks = cut(photo, box, found.text, self.upright)
                remarks |= turning
                self._note_reach(found.pixels, photo)
                name = self.names.take(self._stem(found), ".png")
                image.write(self.folder / name, crop)
                for kind, detail in remarks.items():
                    told = f"{name}{detail and ', '}{detail} ({found.place})"
                    self.remarks.setdefault(kind, []).append(told)
                return name
            data, suffix = _content(found.pixels)
            where = None if isinstance(found.pixels, bytes) else found.pixels
            image.decode(np.frombuffer(data, np.uint8), where)
        except LinetuneError as error:
            elsewhere = error.where is not None and str(error.where) != found.place
            what = f"{error.what}: {error.where}" if elsewhere else error.what
            of_box = f"{texts.quoted(found.text)}: {what}" if isinstance(found.pixels, Box) else what
            raise LinetuneError(of_box, found.place, error.hint) from None
        name = self.names.take(self._stem(found), suffix or _suffix(data))
        (self.folder / name).write_bytes(data)
        return name

    def _stem(self, found: Found) -> str:
        # Crops of one photo or page keep a name in common, by which a split keeps them together.
        path = found.pixels.photo if isinstance(found.pixels, Box) else found.pixels
        folders = path.parent.relative_to(self.home).parts if self.home and isinstance(path, Path) else ()
        return safe("-".join((*folders, found.stem)))

    def _note_reach(self, box: Box, photo: Crop) -> None:
        if box.size is None:
            (right, low), (height, width) = np.max(box.corners, 0).tolist(), photo.shape[:2]
            before = self.reach.get(box.photo, (0.0, 0.0))
            self.reach[box.photo] = (max(before[0], right / width), max(before[1], low / height))

    def _decoded(self, photo: Path) -> Crop:
        # The boxes of one photo follow each other.
        if self._photo[0] != photo:
            try:
                self._photo = (photo, image.read(photo))
            except LinetuneError as error:
                self._photo = (photo, error)
        decoded = self._photo[1]
        if decoded is None or isinstance(decoded, LinetuneError):
            raise decoded or LinetuneError("no photo", photo)
        return decoded


def _content(pixels: Path | bytes) -> tuple[bytes, str]:
    """An image file's content, and its suffix where it has a usual one."""
    if isinstance(pixels, bytes):
        return pixels, ""
    with os_errors("image cannot be read", pixels):
        suffix = pixels.suffix.lower()
        return pixels.read_bytes(), suffix if suffix in image.SUFFIXES else ""


def _suffix(data: bytes) -> str:
    return next((suffix for start, suffix in _SIGNATURES.items() if data.startswith(start)), ".img")


def _check_text(text: str, place: str) -> None:
    if not text:
        raise LinetuneError("empty text", place)
    if reason := NO_TEXT.get(text):
        raise LinetuneError(f"{texts.quoted(text)}: {reason}", place)
    if "\n" in text or "\r" in text:
        raise LinetuneError(f"a line break inside the text {text!r:.60}", place)
    if "\t" in text:
        raise LinetuneError(f"a tab inside the text {text!r:.60}", place)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise LinetuneError(f"not Unicode, the text {text!r:.60}", place) from None
