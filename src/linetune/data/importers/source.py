"""What an importer is given and what it gives."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TypeAlias
from urllib.parse import unquote

from linetune.core import encodings, files, image, textfile
from linetune.core.encodings import Judgement
from linetune.core.errors import LinetuneError
from linetune.data.importers import texts

_DRIVE = re.compile(r"^[A-Za-z]:")
_SEPARATORS = re.compile(r"[\\/]+")
_LOCAL_FILES = re.compile(r".*/data/local-files/?\?d=")
"""What Label Studio writes before the path of a file that it was not given but shown."""
_UPLOAD = re.compile(r"(.*/data/upload/(?:.*/)?)[0-9a-f]{8}-([^/]+)")
"""Label Studio puts eight digits before the name of a file that was uploaded."""
_HINTS = 20
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://([^?#]*)")


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
    encoding: str | None = None
    """The encoding of label files; told from their content by default."""
    text_column: str | None = None
    """The column or key of the text, by its name, or by its number from 1."""
    image_column: str | None = None
    """The column or key of the image, likewise."""
    asked: bool = False
    """The user named the format, so that what only tells formats apart needs no proof."""
    beside: Sequence[str] = ()
    """Folders beside the label file in which images are looked for as well."""
    alike: Sequence[Path] = ()
    """Small files whose encoding is judged together, since few characters of one tell little."""
    gbk: list[Path] = field(default_factory=list)
    """Files that were read as GBK."""
    notes: list[str] = field(default_factory=list)
    moved: list[tuple[str, Path]] = field(default_factory=list)
    """Images found by the end of their path only: as written, and where."""
    twins: list[tuple[str, Path]] = field(default_factory=list)
    """Images found by a name that differs as :func:`files.twin` allows: as written, and where."""
    _missing: int = 0
    _taken: dict[Path, tuple[str, bool]] = field(default_factory=dict)

    @property
    def root(self) -> Path:
        """Where image paths start."""
        return self.images or (self.path if self.path.is_dir() else self.path.parent)

    def read_text(self, path: Path) -> str:
        """A text file's content; that it was GBK is noted.

        Raises:
            LinetuneError: it cannot be read, or is in no encoding that is certain.
        """
        data = textfile.content(path, "file")
        content, encoding = textfile.decode(data, path, self.encoding, self._judge)
        if encoding == "gbk" and self.encoding is None:
            self.gbk.append(path)
        if encoding == self.encoding and textfile.is_utf8(data, encoding):
            self.notes.append(f"{path}: read as {encoding} as asked, though it could be UTF-8")
        if joined := content.count("\n\ufeff"):
            self.notes.append(f"{path}: lines that begin with a byte order mark, which is left out: {joined}")
        return content.replace("\n\ufeff", "\n")

    def read_rows(self) -> Iterator[tuple[int, str]]:
        """The label file's numbered lines that are not blank, as :func:`texts.rows` gives them.

        Raises:
            LinetuneError: as :meth:`read_text`.
        """
        return texts.rows(self.read_text(self.path))

    def label(self, written: str, text: str, place: str) -> Item:
        """The crop of an image path as a label file has it.

        Raises:
            LinetuneError: as :meth:`locate`.
        """
        if not written.strip():
            return LinetuneError("no image path", place)
        path = self.locate(written, place)
        if path is None:
            self._missing += 1
            # Each looks through a folder, and nobody reads thousands.
            hint = self.way_to(written) if self._missing <= _HINTS else None
            return LinetuneError(f"image not found: {texts.shown(written)}", place, hint)
        return Found(path, text, place, path.stem)

    def locate(self, written: str, place: str) -> Path | None:
        """The file a path means, be it of another system or of a folder that has since moved.

        URLs and Label Studio's paths are understood as well. A path that leads nowhere is looked for as
        :func:`files.twin` does, and then by its last components, the longest end first.

        Raises:
            LinetuneError: two different paths lead to one file that way, so that one label would get
                the other's image.
        """
        found = self._find(written)
        if found is None:
            return None
        path, noted = found
        key = "/".join(_parts(written))
        other, other_noted = self._taken.setdefault(path, (key, noted is not None))
        if other != key and (noted is not None or other_noted):
            what = f"{written} does not exist and ends like {other}: whose image is {path}?"
            raise LinetuneError(what, place, "pass --images DIR, where the paths start")
        if noted is not None:
            noted.append((written, path))
        return path

    def leads(self, written: object, exactly: bool = False) -> bool:
        """Whether something is a path that leads to a file, if ``exactly`` then just where it says."""
        found = self._find(written) if isinstance(written, str) and written.strip() else None
        return found is not None and not (exactly and found[1] is not None)

    def way_to(self, written: str) -> str | None:
        """A hint at the file that a path was meant to name which leads nowhere."""
        plain = written.replace("\\", "/")
        above = self.root.parent
        likely = [*self._folders, above, *(above / name for name in ("images", "img") if above != self.root)]
        inside = [folder for folder in dict.fromkeys(likely) if files.is_file(folder / plain)]
        if self.images is None and len(inside) == 1:
            return f"it is in {inside[0]}, so pass --images {inside[0]}"
        return files.missing_file_hint(self.root / plain) or self._same_stem(plain)

    def _same_stem(self, plain: str) -> str | None:
        """A hint at the one image that differs in its suffix."""
        path = self.root / plain
        if not path.name:
            return None
        inside = [path.with_suffix(end) for suffix in image.SUFFIXES for end in (suffix, suffix.upper())]
        found = [other for other in inside if files.is_file(other)]
        return f"there is {found[0]}, another kind of image" if len(found) == 1 else None

    def scan(self) -> list[Path]:
        """The images below the folder in a fixed order, as :func:`files.below` counts them."""
        images, _ = image.in_folder(self.path)
        return [path for path in images if self.skip is None or not path.resolve().is_relative_to(self.skip)]

    def _judge(self, data: bytes) -> Judgement:
        alone = not self.alike or encodings.unmarked_utf16(data)
        return encodings.judge(data) if alone else self._together

    @cached_property
    def _together(self) -> Judgement:
        return textfile.judged_together(self.alike)

    @cached_property
    def _folders(self) -> list[Path]:
        """The folders in the root."""
        try:
            inside = sorted(self.root.iterdir())
        except OSError:
            return []
        return [path for path in inside if path.is_dir() and not path.name.startswith(".")]

    def _find(self, written: str) -> tuple[Path, list[tuple[str, Path]] | None] | None:
        """A file, and the list that notes how it was found where it is not where the path says."""
        roots = [self.root, *(self.root / name for name in self.beside)]
        if self.images is None and self.path.is_symlink() and not self.path.is_dir():
            roots.append(self.path.resolve().parent)
        meant = forms(written)
        exact = [root / form for root in roots for form in meant]
        for candidate in exact:
            if files.is_file(candidate):
                return candidate, None
        for candidate in exact:
            if twin := files.twin(candidate):
                return twin, self.twins
        ends = [root.joinpath(*end) for form in meant for end in _ends(form) for root in roots]
        for candidate in ends:
            if files.is_file(candidate):
                return candidate, self.moved
        for candidate in ends:
            if twin := files.twin(candidate):
                return twin, self.twins
        return None


def forms(written: str) -> list[str]:
    """What a path may mean, as it stands first: URLs and Label Studio's paths hold one as well."""
    plain = written.replace("\\", "/")
    meant = [written, plain]
    if local := _LOCAL_FILES.match(plain):
        meant.append(unquote(plain[local.end() :]))
    elif url := _URL.match(plain):
        meant.append(unquote(url[1]))
    elif "%" in plain:
        meant.append(unquote(plain))
    meant += [upload[1] + upload[2] for form in tuple(meant) if (upload := _UPLOAD.match(form))]
    return list(dict.fromkeys(meant))


def _parts(form: str) -> list[str]:
    return [part for part in _SEPARATORS.split(_DRIVE.sub("", form)) if part not in ("", ".", "..")]


def _ends(form: str) -> list[list[str]]:
    parts = _parts(form)
    return [parts[start:] for start in range(len(parts))]


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
    columns: bool = False
    """Its entries have columns or keys, of which the user may name those of image and text."""
