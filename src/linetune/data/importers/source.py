"""What an importer is given and what it gives."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from linetune import image
from linetune.data.importers import texts
from linetune.errors import LinetuneError

_DRIVE = re.compile(r"^[A-Za-z]:")
_SEPARATORS = re.compile(r"[\\/]+")


@dataclass(frozen=True, slots=True)
class Box:
    """Where a line lies in a photo."""

    photo: Path
    corners: tuple[tuple[float, float], ...]
    """In px: four, clockwise from the text's top left; or any points around the text (``outline``)."""
    outline: bool = False
    """The first of the corners means nothing, nor does their order."""
    baseline: tuple[float, float] | None = None
    """In which direction the text of an outline runs, as a step of length 1 to the right and down."""
    size: tuple[float, float] | None = None
    """Width and height in px that the source says the photo has."""


@dataclass(frozen=True, slots=True)
class Found:
    """One labelled crop of a source."""

    pixels: Path | Box | bytes
    """An image file, a part of one, or a file's content."""
    text: str
    place: str
    """``file:line`` of the label, for messages."""
    stem: str
    """What to name the crop after."""


Item: TypeAlias = Found | LinetuneError
"""A crop, or why there is none."""


@dataclass
class Source:
    """A label file or folder to import, and what was noticed on the way."""

    path: Path
    images: Path | None = None
    """Folder that image paths are relative to; the label file's own by default."""
    skip: Path | None = None
    """Folder whose images are never taken: the import's own target."""
    pattern: str | None = None
    """Regular expression with a group ``text``, for labels in file names."""
    upright: bool = False
    """Boxes start at their own top left, whatever their first corner is."""
    gbk: list[Path] = field(default_factory=list)
    """Files that were read as GBK."""
    notes: list[str] = field(default_factory=list)
    moved: list[tuple[str, Path]] = field(default_factory=list)
    """Images found by the end of their path only: as written, and where."""
    _taken: dict[Path, tuple[str, bool]] = field(default_factory=dict)

    @property
    def root(self) -> Path:
        """Where image paths start."""
        return self.images or (self.path if self.path.is_dir() else self.path.parent)

    def read_text(self, path: Path) -> str:
        """A text file's content, UTF-8 or else GBK, which is noted.

        Raises:
            LinetuneError: it cannot be read or is neither.
        """
        content, gbk = texts.decode(path)
        if gbk:
            self.gbk.append(path)
        return content

    def label(self, written: str, text: str, place: str) -> Item:
        """The crop of an image path as a label file has it.

        Raises:
            LinetuneError: as :meth:`locate`.
        """
        if not written.strip():
            return LinetuneError("no image path", place)
        path = self.locate(written, place)
        if path is None:
            return LinetuneError(f"image not found: {written}", place)
        return Found(path, text, place, path.stem)

    def locate(self, written: str, place: str) -> Path | None:
        """The file a path means, be it of another system or of a folder that has since moved.

        A path that leads nowhere is looked for by its last components, the longest end first.

        Raises:
            LinetuneError: two different paths lead to one file that way, so that one label would get
                the other's image.
        """
        plain = written.replace("\\", "/")
        parts = [part for part in _SEPARATORS.split(_DRIVE.sub("", written)) if part not in ("", ".", "..")]
        exact = [self.root / written, self.root / plain]
        ends = [self.root.joinpath(*parts[start:]) for start in range(len(parts))]
        for number, candidate in enumerate((*exact, *ends)):
            if _is_file(candidate):
                by_end = number >= len(exact)
                key = "/".join(parts)
                other, other_by_end = self._taken.setdefault(candidate, (key, by_end))
                if other != key and (by_end or other_by_end):
                    what = f"{written} does not exist and ends like {other}: whose image is {candidate}?"
                    raise LinetuneError(what, place, "pass --images DIR, where the paths start")
                if by_end:
                    self.moved.append((written, candidate))
                return candidate
        return None

    def scan(self) -> list[Path]:
        """The images below the folder in a fixed order, hidden ones left out."""
        found = []
        for path in self.path.rglob("*"):
            hidden = any(part.startswith(".") for part in path.relative_to(self.path).parts)
            own = self.skip is not None and path.resolve().is_relative_to(self.skip)
            if path.suffix.lower() in image.SUFFIXES and not hidden and not own and path.is_file():
                found.append(path)
        return sorted(found, key=lambda path: path.relative_to(self.path).as_posix())


@dataclass(frozen=True)
class Format:
    """How a format is recognised and read."""

    find: Callable[[Path], list[Path]]
    """The sources of this format that a path is or directly holds."""
    read: Callable[[Source], Sequence[Item]]
    """The crops of one source; raises LinetuneError when it is unusable as a whole."""
    find_asked: Callable[[Path], list[Path]] | None = None
    """As ``find``, where the user named the format; as ``find`` by default."""
    folder: bool = False
    """Only a folder can be of this format."""
    guess: bool = False
    """There is nothing to know it by but images, so that any other format goes before it."""


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        # A name too long, or with characters that no file name can have.
        return False
