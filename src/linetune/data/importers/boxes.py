"""What the formats of boxes in photos have in common: texts that are none, coordinates, and their photos."""

from __future__ import annotations

import math
import os
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, TypeAlias

from linetune.core import files, image
from linetune.core.errors import LinetuneError
from linetune.data.importers import texts
from linetune.data.importers.source import Box, Format, Found, Item, Source, forms

NO_TEXT = {
    "###": "marked as illegible",  # ICDAR's mark
    "*": "marked as illegible",
}
"""Texts that say why there is none."""
_HINTS = 20
_TEXTS = ("text", "transcription", "utf8string", "value", "caption", "rectexts", "word", "content")
"""Names of fields that hold a text, in small letters without ``_``."""
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_NUMBERS = re.compile(rf"\s*{_NUMBER}(?:[\s,]+{_NUMBER})*[\s,]*")

Points: TypeAlias = tuple[tuple[float, float], ...]


def crop(box: Box, text: object, name: str, place: str, index: int) -> Item:
    """A box's crop, or why there is none.

    Args:
        box: where it lies.
        text: what is written there, as the source has it.
        name: the box, for messages.
        place: ``file:line``, for messages.
        index: the box's number in its photo, from 0.
    """
    if isinstance(text, (int, float)) and not isinstance(text, bool):
        hint = "export it as a text, since a number loses its leading zeros"
        return LinetuneError(f"{name} has the number {texts.shown(text)} in place of a text", place, hint)
    if not isinstance(text, str) or not text.strip():
        return LinetuneError(f"{name} has no text", place)
    if text in NO_TEXT:
        return LinetuneError(f"{name} {texts.quoted(text)}: {NO_TEXT[text]}", place)
    # The name that PPOCRLabel gives a crop.
    return Found(box, text, place, f"{box.photo.stem}_crop_{index}")


def whole(photo: Path, text: object, name: str, place: str) -> Item:
    """A whole image as a crop, or why there is none; the arguments are those of :func:`crop`."""
    checked = crop(Box(photo, ()), text, name, place, 0)
    return Found(photo, checked.text, place, photo.stem) if isinstance(checked, Found) else checked


def number(value: object) -> float | None:
    """A number as JSON or XML has it; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def numbers(text: object) -> list[float]:
    """The numbers of a text with spaces or commas between them; none where it holds anything else."""
    if not isinstance(text, str) or not _NUMBERS.fullmatch(text):
        return []
    return [float(part) for part in re.findall(_NUMBER, text)]


def pairs(values: Sequence[Any]) -> Points:
    """Points of ``x1, y1, x2, y2, …``; none where the values are no such list."""
    found = [number(value) for value in values]
    if len(found) % 2 or any(value is None for value in found):
        return ()
    return tuple(zip(found[::2], found[1::2], strict=True))  # type: ignore[arg-type]


def points(values: object) -> Points:
    """Points of ``[[x1, y1], [x2, y2], …]``; none where the values are no such list."""
    if not isinstance(values, (list, tuple)):
        return ()
    if not all(isinstance(value, (list, tuple)) and len(value) == 2 for value in values):
        return ()
    return pairs([coordinate for value in values for coordinate in value])


def rectangle(left: float, top: float, width: float, height: float) -> Points:
    """The corners of an upright rectangle, clockwise from the top left, also where a side is below 0."""
    (x0, x1), (y0, y1) = sorted((left, left + width)), sorted((top, top + height))
    return (x0, y0), (x1, y0), (x1, y1), (x0, y1)


def turned(corners: Points, degrees: float, centre: tuple[float, float]) -> Points:
    """Points turned clockwise, as one sees it in an image, about a centre."""
    # Sines of 90° are not quite 0 or 1 in radians, and infinity has none.
    angle = math.radians(degrees) if math.isfinite(degrees) else math.nan
    sine, cosine = (round(f(angle), 12) for f in (math.sin, math.cos))
    x0, y0 = centre
    return tuple(
        (x0 + (x - x0) * cosine - (y - y0) * sine, y0 + (x - x0) * sine + (y - y0) * cosine)
        for x, y in corners
    )


def direction(baseline: Points, text: str) -> tuple[float, float] | None:
    """Where a baseline leads, as a step of length 1 to the right and down; None without one.

    People draw the baseline of a text that reads from right to left from either end. Its crop is the same in
    both cases, so it is taken as drawn to the right.
    """
    if len(baseline) < 2:
        return None
    (x0, y0), (x1, y1) = baseline[0], baseline[-1]
    length = math.hypot(x1 - x0, y1 - y0)
    if not 0 < length < math.inf:
        return None
    x, y = (x1 - x0) / length, (y1 - y0) / length
    kinds = [unicodedata.bidirectional(character) for character in text]
    backwards = sum(kind in ("R", "AL") for kind in kinds) > kinds.count("L")
    return (-x, -y) if backwards and x < 0 else (x, y)


def size(width: object, height: object) -> tuple[float, float] | None:
    """A photo's size as a source has it; None where it has none."""
    found = number(width), number(height)
    if found[0] is None or found[1] is None or not all(0 < value < math.inf for value in found if value):
        return None
    return (found[0], found[1]) if found[0] and found[1] else None


def text_field(source: Source, names: Iterable[str], place: str, sure: bool = False) -> str | None:
    """Which of several fields holds the text; None where there are no fields.

    Args:
        source: the user may have named the field there.
        names: of the fields.
        place: ``file:line``, for messages.
        sure: a field that stands alone holds the text, whatever its name is.

    Raises:
        LinetuneError: several could, none seems to, or none is the one that the user named.
    """
    known = sorted(set(names))
    asked = source.text_column
    if asked is not None:
        if asked not in known:
            hint = f"there are: {', '.join(map(texts.shown, known)) or 'none'}"
            raise LinetuneError(f"no field {texts.quoted(asked)}", place, hint)
        return asked
    likely = [name for name in known if name.lower().replace("_", "") in _TEXTS]
    if not known:
        return None
    # What a person made of another text counts as much as a name that says text.
    chosen = [name for name in known if name in likely or texts.CORRECTED.search(name)] or known
    if len(chosen) > 1:
        what = f"no telling which field holds the text: {', '.join(map(texts.shown, chosen))}"
        raise LinetuneError(what, place, "pass --text-column NAME")
    if chosen[0] not in likely and not sure:
        what = f"no telling whether the field {texts.quoted(chosen[0])} holds the text"
        raise LinetuneError(what, place, f"if it does, pass --text-column {texts.shown(chosen[0])}")
    return chosen[0]


def refuse_image_column(source: Source, name: str) -> None:
    """Tell a user who names the field of the images that the format has one place for them.

    Raises:
        LinetuneError: the user named one.
    """
    if source.image_column is not None:
        what = f"{name} has one place for the names of images"
        raise LinetuneError(what, "--image-column", "leave it out")


@dataclass
class Photos:
    """Finds the photos of a source, which need not lie where their names lead."""

    source: Source
    _taken: dict[Path, str] = field(default_factory=dict)
    _pages: dict[Path, list[Path]] = field(default_factory=dict)
    """The files that describe each photo, where a photo has a file of its own."""
    _stems: dict[str, list[Path]] | None = None
    _missing: int = 0
    _other_suffix: list[tuple[str, Path]] = field(default_factory=list)

    def find(self, written: str, place: str, count: int, near: Sequence[Path] = ()) -> Path:
        """The photo that a source names.

        Args:
            written: its path.
            place: ``file:line``, for messages.
            count: how many boxes lie in it, for messages.
            near: folders to look into besides those that paths start from.

        Raises:
            LinetuneError: there is no such photo, or two names lead to it.
        """
        found = self._named(written, place, near)
        if found is None:
            raise self._not_found(written, place, count)
        return self._taken_once(found, written, place)

    def of_page(self, written: str, page: Path, place: str, count: int, stem: str | None = None) -> Path:
        """The photo of a page file: the one it names, or one with both their stems and another suffix.

        People convert scans, and the page files keep the old name.

        Args:
            written: the photo's path; empty where the file names none, and its own stem counts.
            page: the file.
            place: ``file:line``, for messages.
            count: how many boxes lie in it, for messages.
            stem: the photo's, where the file names none; the file's own by default.

        Raises:
            LinetuneError: there is no such photo, more than one, or two names lead to it.
        """
        found = (
            self._of_page(written, page, place, count)
            if written
            else self.beside(stem or page.stem, page, place, count)
        )
        self._pages.setdefault(found.resolve(), []).append(page)
        return found

    def check_pages(self) -> None:
        """Whether no photo has several page files, as where a program's texts lie beside a person's.

        Raises:
            LinetuneError: one has.
        """
        several = [pages for pages in self._pages.values() if len(pages) > 1]
        if several:
            what = f"{several[0][1]} is of the same photo, so that its lines would come twice"
            more = f" (photos with several such files: {len(several)})"
            raise LinetuneError(what + more, several[0][0], "import one of the files or folders")

    def _of_page(self, written: str, page: Path, place: str, count: int) -> Path:
        found = self._named(written, place, (page.parent, page.parent.parent))
        if found is not None:
            return self._taken_once(found, written, place)
        missing = self._not_found(written, place, count)
        if PurePosixPath(_plain(written)).stem != page.stem:
            raise missing
        try:
            found = self.beside(page.stem, page, place, count)
        except LinetuneError:
            raise missing from None
        self._other_suffix.append((written, found))
        return found

    def notes(self) -> list[str]:
        """What to tell of how the photos were found."""
        if not self._other_suffix:
            return []
        written, found = self._other_suffix[0]
        return [f"photos found with another suffix: {len(self._other_suffix)}, such as {found} for {written}"]

    def beside(self, stem: str, page: Path, place: str, count: int) -> Path:
        """The photo that has a page file's stem: beside it, above it, or the only one below the source.

        Raises:
            LinetuneError: there is none, or more than one.
        """
        for folder in self._folders((page.parent, page.parent.parent)):
            # A plain search, since a stem may hold the characters of a pattern.
            suffixes = (s for suffix in sorted(image.SUFFIXES) for s in (suffix, suffix.upper()))
            if fitting := [
                folder / (stem + suffix) for suffix in suffixes if files.is_file(folder / (stem + suffix))
            ]:
                break
        else:
            fitting = self._below().get(stem, [])
        if not fitting:
            hint = "pass --images DIR, the folder of the photos"
            raise LinetuneError(f"no photo {stem}.jpg, .png, … (boxes: {count})", place, hint)
        if len({os.path.realpath(path) for path in fitting}) > 1:
            several = " or ".join(str(path) for path in fitting[:3])
            raise LinetuneError(
                f"several photos: {several}", place, "pass --images DIR, the folder of the photos"
            )
        return fitting[0]

    def _named(self, written: str, place: str, near: Sequence[Path]) -> Path | None:
        folders = self._folders(near)
        plain = _plain(written)
        found = next((folder / plain for folder in folders if files.is_file(folder / plain)), None)
        if found is None and (found := self.source.locate(written, place)) is None:
            names = [PurePosixPath(form).name for form in forms(written)]
            by_name = (folder / name for name in names for folder in folders)
            found = next((path for path in by_name if path.name and files.is_file(path)), None)
            if found is not None:
                self.source.moved.append((written, found))
        return found

    def _taken_once(self, found: Path, written: str, place: str) -> Path:
        plain = _plain(written)
        if (other := self._taken.setdefault(found, plain)) != plain:
            what = f"{texts.shown(written)} and {texts.shown(other)} both lead to {found}"
            raise LinetuneError(what, place, "pass --images DIR, where the paths start")
        return found

    def _not_found(self, written: str, place: str, count: int) -> LinetuneError:
        self._missing += 1
        # Each looks through a folder, and nobody reads thousands.
        hint = self.source.way_to(written) if self._missing <= _HINTS else None
        hint = hint or "pass --images DIR, the folder of the photos"
        return LinetuneError(f"photo not found: {texts.shown(written)} (boxes: {count})", place, hint)

    def _folders(self, near: Sequence[Path]) -> list[Path]:
        root = self.source.root
        starts = [root] if self.source.images is not None else [*near, root]
        return [folder for start in starts for folder in (start, start / "images")]

    def _below(self) -> dict[str, list[Path]]:
        if self._stems is None:
            self._stems = {}
            for path in image.in_folder(self.source.root)[0]:
                own = self.source.skip is not None and path.resolve().is_relative_to(self.source.skip)
                if not own:
                    self._stems.setdefault(path.stem, []).append(path)
        return self._stems


def pages(source: Source, suffix: str, fits: Callable[[Path], bool]) -> list[Path]:
    """The page files of a source: itself, or those below its folder; not those of the import's own target."""
    if source.path.is_file():
        return [source.path]
    found = [path for path in files.below(source.path) if path.suffix.lower() == suffix and fits(path)]
    return [p for p in found if source.skip is None or not p.resolve().is_relative_to(source.skip)]


def find_pages(path: Path, suffix: str, fits: Callable[[Path], bool]) -> list[Path]:
    """The path itself where it is a page file, or a folder that holds one."""
    if path.is_file():
        return [path] if path.suffix.lower() == suffix and fits(path) else []
    inside = (p for p in files.below(path) if p.suffix.lower() == suffix)
    return [path] if any(map(fits, inside)) else []


def page_format(
    suffix: str, fits: Callable[[Path], bool], read_page: Callable[[Path, Photos], list[Item]]
) -> Format:
    """A format with one file a page: itself a source, or a folder with such files in it or in its subfolders.

    Args:
        suffix: of the files.
        fits: whether such a file is of the format.
        read_page: the crops of one; what it raises is told, and the other pages are read.
    """

    def read(source: Source) -> list[Item]:
        photos = Photos(source)
        found: list[Item] = []
        for path in pages(source, suffix, fits):
            try:
                found += read_page(path, photos)
            except LinetuneError as error:
                found.append(error)
        photos.check_pages()
        source.notes += photos.notes()
        return found

    return Format(lambda path: find_pages(path, suffix, fits), read)


def _plain(written: str) -> str:
    return PurePosixPath(written.replace("\\", "/")).as_posix()
