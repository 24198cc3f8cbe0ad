"""What every importer shares: options, sources, crops, boxes and formats."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
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
"""What Label Studio writes before the path of a file on its own disk."""
_UPLOAD = re.compile(r"(.*/data/upload/(?:.*/)?)[0-9a-f]{8}-([^/]+)")
"""Path of an uploaded file: Label Studio puts eight digits before the file's name."""
_MOST_HINTS = 20
"""Missing images that get a hint. Each hint takes a search through folders, and nobody reads thousands."""
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://([^?#]*)")

_Log: TypeAlias = "list[tuple[str, Path]]"
"""Images that are not exactly where a label file says: the path as written, and the file."""


@dataclass(frozen=True, slots=True)
class Box:
    """The place of a text line in a photo."""

    photo: Path
    corners: tuple[tuple[float, float], ...]
    """Points (x, y) in px: four, clockwise from the text's top left; or any number if ``outline``."""
    outline: bool = False
    """The corners are an outline: neither the first one nor their order says where the text starts."""
    baseline: tuple[float, float] | None = None
    """Direction of the text of an outline: a step (x, y) of length 1, x to the right and y down."""
    size: tuple[float, float] | None = None
    """Width and height of the photo in px as the source says."""


@dataclass(frozen=True, slots=True)
class Found:
    """One labelled crop of a source."""

    pixels: Path | Box | bytes
    """An image file, a part of a photo, or the content of an image file."""
    text: str
    place: str
    """``file:line`` of the label, for messages."""
    stem: str
    """The crop's file name without its suffix, before it is made safe and unique."""


Item: TypeAlias = Found | LinetuneError
"""A crop, or the reason why it is left out."""


@dataclass(frozen=True)
class Stream:
    """Crops that are read from a file again in each pass, because they may be larger than memory."""

    count: int
    read: Callable[[], Iterator[Item]]

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Item]:
        return self.read()


@dataclass(kw_only=True)
class Options:
    """What the user says about a source. For None, linetune finds the value itself."""

    form: str | None = None
    """Name of the format, a key of FORMATS."""
    images: Path | None = None
    """Folder that image paths are relative to. By default it is the label file's folder."""
    pattern: str | None = None
    """Regular expression for file names. Its group ``text`` is the label."""
    upright: bool = False
    """Boxes start at their own top left, whatever their first corner is."""
    encoding: str | None = None
    """Encoding of label files, by its name in Python."""
    text_column: str | None = None
    """Column or key of the text: its name, or its number from 1."""
    image_column: str | None = None
    """Column or key of the image: its name, or its number from 1."""


@dataclass
class Source(Options):
    """A label file or folder to import, and what its importer noticed."""

    path: Path
    skip: Path | None = None
    """Folder whose images are never imported, the target of the import."""
    unlabelled: bool = False
    """Whether a box without a text counts too. Its text is empty. Only PPOCRLabel's boxes need this."""
    beside: Sequence[str] = ()
    """Names of subfolders that may hold the images too."""
    alike: Sequence[Path] = ()
    """Small files whose encoding is judged together, because one alone holds too few characters."""
    gbk: list[Path] = field(default_factory=list)
    """Files that were read as GBK."""
    notes: list[str] = field(default_factory=list)
    """What the user should know about how the source was read."""
    moved: _Log = field(default_factory=list)
    """Images that only the last parts of their path lead to."""
    twins: _Log = field(default_factory=list)
    """Images whose name differs from the written one as :func:`files.twin` allows."""
    _missing: int = 0
    _paths_of: dict[Path, tuple[str, bool]] = field(default_factory=dict)
    """For each image, the first path that led to it, and whether it is logged in ``moved`` or ``twins``."""

    @property
    def asked(self) -> bool:
        """Whether the user named the format. Then nothing has to prove that the source has it."""
        return self.form is not None

    @property
    def root(self) -> Path:
        """Folder that image paths are relative to."""
        return self.images or (self.path if self.path.is_dir() else self.path.parent)

    def read_text(self, path: Path) -> str:
        """Return the content of a text file, and note what is unusual about its encoding.

        Raises:
            LinetuneError: the file cannot be read, or its encoding is not certain.
        """
        data = textfile.content(path, "file")
        content, encoding = textfile.decode(data, path, self.encoding, self._judge)
        if encoding == "gbk" and self.encoding is None:
            self.gbk.append(path)
        if encoding == self.encoding and textfile.is_utf8(data, encoding):
            self.notes.append(f"{path}: read as {encoding} as you asked, although it could be UTF-8")
        if joined := content.count("\n\ufeff"):
            self.notes.append(f"{path}: lines that start with a byte order mark, which is removed: {joined}")
        return content.replace("\n\ufeff", "\n")

    def read_rows(self) -> Iterator[tuple[int, str]]:
        """Return the numbered lines of the label file without blank lines, see :func:`texts.rows`.

        Raises:
            LinetuneError: the file cannot be read, or its encoding is not certain.
        """
        return texts.rows(self.read_text(self.path), self.path)

    def label(self, written: str, text: str, place: str) -> Item:
        """Return the crop of an image path as a label file has it, or the reason why there is no image.

        Raises:
            LinetuneError: see :meth:`locate`.
        """
        if not written.strip():
            return LinetuneError("no image path", place, "write the path of the image")
        path = self.locate(written, place)
        if path is None:
            self._missing += 1
            hint = self.way_to(written) if self._missing <= _MOST_HINTS else None
            return LinetuneError(f"image not found: {texts.shown(written)}", place, hint)
        return Found(path, text, place, path.stem)

    def locate(self, written: str, place: str) -> Path | None:
        """Return the file that a path names. None if no file fits.

        The path may be of another operating system, of a folder that has moved since, a URL, or a path of
        Label Studio. If nothing exists there, :meth:`locate` looks for a :func:`files.twin`, and then for
        the last parts of the path, the longest ending first.

        Raises:
            LinetuneError: two different paths lead to one file, and at least one of them not exactly.
                One label would get the other's image.
        """
        hit = self._search(written)
        if hit is None:
            return None
        path, log = hit
        key = "/".join(_parts(written))
        other, other_logged = self._paths_of.setdefault(path, (key, log is not None))
        if other != key and (log is not None or other_logged):
            what = f"{written} does not exist and ends like {other}: {path} may be the image of either"
            raise LinetuneError(what, place, "pass --images DIR, the folder that the paths start from")
        if log is not None:
            log.append((written, path))
        return path

    def leads(self, written: object, exactly: bool = False) -> bool:
        """Return whether a value is a path that leads to a file, with ``exactly`` to one just there."""
        hit = self._search(written) if isinstance(written, str) and written.strip() else None
        return hit is not None and not (exactly and hit[1] is not None)

    def way_to(self, written: str) -> str | None:
        """Return a hint with the one file that a missing path may mean. None without exactly one."""
        plain = written.replace("\\", "/")
        above = self.root.parent
        likely = [*(path for path in sorted(self.root.glob("[!.]*")) if path.is_dir()), above]
        if above != self.root:
            likely += [above / "images", above / "img"]
        holders = [folder for folder in dict.fromkeys(likely) if files.is_file(folder / plain)]
        if self.images is None and len(holders) == 1:
            return f"it is in {holders[0]}, so pass --images {holders[0]}"
        path = self.root / plain
        hint = files.missing_file_hint(path)
        if hint or not path.name:
            return hint
        others = [path.with_suffix(end) for suffix in image.SUFFIXES for end in (suffix, suffix.upper())]
        images = [other for other in others if files.is_file(other)]
        return f"there is {images[0]}, another kind of image" if len(images) == 1 else None

    def scan(self) -> list[Path]:
        """Return the images below the folder in a fixed order, see :func:`files.below`."""
        return outside(image.in_folder(self.path)[0], self.skip)

    def _judge(self, data: bytes) -> Judgement:
        alone = not self.alike or encodings.unmarked_utf16(data)
        return encodings.judge(data) if alone else self._joint_judgement

    @cached_property
    def _joint_judgement(self) -> Judgement:
        return textfile.judged_together(self.alike)

    def _search(self, written: str) -> tuple[Path, _Log | None] | None:
        """Return a file and the log to write it to. The log is None if the file is exactly at the path."""
        roots = [self.root, *(self.root / name for name in self.beside)]
        if self.images is None and self.path.is_symlink() and not self.path.is_dir():
            roots.append(self.path.resolve().parent)
        paths = forms(written)
        # PPOCRLabel's paths start with the name of the folder that Label.txt is in.
        inside = [path.removeprefix(f"{self.root.resolve().name}/") for path in paths]
        exactly = (root / path for root in roots for path in dict.fromkeys([*paths, *inside]))
        by_end = (root.joinpath(*end) for path in paths for end in _ends(path) for root in roots)
        for places, log in ((exactly, None), (by_end, self.moved)):
            candidates = list(places)
            if found := next(filter(files.is_file, candidates), None):
                return found, log
            if twin := next(filter(None, map(files.twin, candidates)), None):
                return twin, self.twins
        return None


def outside(paths: Iterable[Path], folder: Path | None) -> list[Path]:
    """Return the paths that are not below ``folder``, which is resolved; all of them for None."""
    return [path for path in paths if folder is None or not path.resolve().is_relative_to(folder)]


def forms(written: str) -> list[str]:
    """Return the paths that a written path may mean. The path itself is the first.

    URLs and Label Studio's paths contain a path of their own.
    """
    plain = written.replace("\\", "/")
    paths = [written, plain]
    if local := _LOCAL_FILES.match(plain):
        paths.append(unquote(plain[local.end() :]))
    elif url := _URL.match(plain):
        paths.append(unquote(url[1]))
    elif "%" in plain:
        paths.append(unquote(plain))
    paths += [upload[1] + upload[2] for path in tuple(paths) if (upload := _UPLOAD.match(path))]
    return list(dict.fromkeys(paths))


def _parts(path: str) -> list[str]:
    return [part for part in _SEPARATORS.split(_DRIVE.sub("", path)) if part not in ("", ".", "..")]


def _ends(path: str) -> list[list[str]]:
    """Return the last parts of a path, all of them first."""
    parts = _parts(path)
    return [parts[start:] for start in range(len(parts))]


@dataclass(frozen=True)
class Format:
    """How linetune recognises and reads one format."""

    find: Callable[[Path], list[Path]]
    """Returns the sources of this format: the path itself, or files directly in the folder."""
    read: Callable[[Source], Sequence[Item] | Stream]
    """Returns the crops of a source. Raises LinetuneError if the whole source is unusable."""
    find_asked: Callable[[Path], list[Path]] | None = None
    """Takes the place of ``find`` if the user named the format."""
    folder: bool = False
    """A source of this format is always a folder."""
    guess: bool = False
    """Images alone are enough for this format, so every other format goes first."""
    columns: bool = False
    """Entries have columns or keys, and the user may name those of the image and the text."""
