"""Boxes in photos: their texts and their photos. Several formats share this."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from linetune.core import files, image
from linetune.core.errors import LinetuneError
from linetune.data.importers import texts
from linetune.data.importers.source import Box, Format, Found, Item, Source, forms

NO_TEXT = {
    "###": "marked as illegible",  # ICDAR's mark
    "*": "marked as illegible",
}
"""Texts that mean: there is no text. With the reason."""
_HINTS = 20
_TEXTS = ("text", "transcription", "utf8string", "value", "caption", "rectexts", "word", "content")
"""Names of fields with a text, in small letters without ``_``."""


def crop(box: Box, text: object, name: str, place: str, index: int) -> Item:
    """Return the crop of a box, or the reason why there is none.

    Args:
        box: the box.
        text: the text in the source.
        name: the name of the box in messages.
        place: ``file:line``, for messages.
        index: the number of the box in its photo, from 0.
    """
    if isinstance(text, (int, float)) and not isinstance(text, bool):
        hint = "export it as a text, because a number loses its leading zeros"
        return LinetuneError(f"{name} has the number {texts.shown(text)} instead of a text", place, hint)
    if not isinstance(text, str) or not text.strip():
        return LinetuneError(f"{name} has no text", place)
    if text in NO_TEXT:
        return LinetuneError(f"{name} {texts.quoted(text)}: {NO_TEXT[text]}", place)
    # PPOCRLabel gives crops such names.
    return Found(box, text, place, f"{box.photo.stem}_crop_{index}")


def whole(photo: Path, text: object, name: str, place: str) -> Item:
    """Return a whole image as a crop, or the reason why there is none. Arguments as in :func:`crop`."""
    checked = crop(Box(photo, ()), text, name, place, 0)
    return Found(photo, checked.text, place, photo.stem) if isinstance(checked, Found) else checked


def text_field(source: Source, names: Iterable[str], place: str, sure: bool = False) -> str | None:
    """Return the field with the text. None if there are no fields.

    Args:
        source: has the field that the user asks for, if any.
        names: the names of the fields.
        place: ``file:line``, for messages.
        sure: a single field has the text, whatever its name is.

    Raises:
        LinetuneError: several fields could have the text, none seems to, or the one that is asked for is
            missing.
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
    # A corrected text of a person counts as much as a name that means text.
    chosen = [name for name in known if name in likely or texts.CORRECTED.search(name)] or known
    if len(chosen) > 1:
        what = f"it is not clear which field has the text: {', '.join(map(texts.shown, chosen))}"
        raise LinetuneError(what, place, "pass --text-column NAME")
    if chosen[0] not in likely and not sure:
        what = f"it is not clear whether the field {texts.quoted(chosen[0])} has the text"
        raise LinetuneError(what, place, f"if it does, pass --text-column {texts.shown(chosen[0])}")
    return chosen[0]


def refuse_image_column(source: Source, name: str) -> None:
    """Refuse --image-column for a format with a fixed place for the names of images.

    Raises:
        LinetuneError: the user asks for a column.
    """
    if source.image_column is not None:
        what = f"{name} has a fixed place for the names of images"
        raise LinetuneError(what, "--image-column", "leave it out")


@dataclass
class Photos:
    """Finds the photos of a source, also if they are not where their paths say."""

    source: Source
    _taken: dict[Path, str] = field(default_factory=dict)
    _pages: dict[Path, list[Path]] = field(default_factory=dict)
    """The page files of each photo, for formats with one file for each photo."""
    _stems: dict[str, list[Path]] | None = None
    _missing: int = 0
    _other_suffix: list[tuple[str, Path]] = field(default_factory=list)

    def find(self, written: str, place: str, count: int, near: Sequence[Path] = ()) -> Path:
        """Return the photo of a path.

        Args:
            written: the path in the source.
            place: ``file:line``, for messages.
            count: the number of its boxes, for messages.
            near: other folders to search, besides those where paths start.

        Raises:
            LinetuneError: there is no such photo, or two paths lead to it.
        """
        found = self._named(written, place, near)
        if found is None:
            raise self._not_found(written, place, count)
        return self._taken_once(found, written, place)

    def of_page(self, written: str, page: Path, place: str, count: int, stem: str | None = None) -> Path:
        """Return the photo of a page file: the one that it names, or one with its stem and another suffix.

        People convert scans, and the page files keep the old name.

        Args:
            written: the path of the photo. Empty if the file names none. Then the stem of the file counts.
            page: the page file.
            place: ``file:line``, for messages.
            count: the number of its boxes, for messages.
            stem: the stem of the photo if the file names none. By default, that of the file.

        Raises:
            LinetuneError: there is no such photo, there are several, or two paths lead to it.
        """
        found = (
            self._of_page(written, page, place, count)
            if written
            else self.beside(stem or page.stem, page, place, count)
        )
        self._pages.setdefault(found.resolve(), []).append(page)
        return found

    def check_pages(self) -> None:
        """Refuse several page files of one photo, for example the texts of a program and of a person.

        Raises:
            LinetuneError: a photo has several page files.
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
        """Return notes on how the photos were found."""
        if not self._other_suffix:
            return []
        written, found = self._other_suffix[0]
        return [f"photos found with another suffix: {len(self._other_suffix)}, such as {found} for {written}"]

    def beside(self, stem: str, page: Path, place: str, count: int) -> Path:
        """Return the photo with the stem of a page file: near it, or the only one below the source.

        Raises:
            LinetuneError: there is none, or there are several.
        """
        for folder in self._folders((page.parent, page.parent.parent)):
            # Without patterns, because a stem may contain their special characters.
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
        # Each hint searches a folder, and nobody reads thousands.
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
    """Return the page files of a source: itself, or those below its folder, without those in the target."""
    if source.path.is_file():
        return [source.path]
    found = [path for path in files.below(source.path) if path.suffix.lower() == suffix and fits(path)]
    return [p for p in found if source.skip is None or not p.resolve().is_relative_to(source.skip)]


def find_pages(path: Path, suffix: str, fits: Callable[[Path], bool]) -> list[Path]:
    """Return the path if it is a page file, or a folder with one."""
    if path.is_file():
        return [path] if path.suffix.lower() == suffix and fits(path) else []
    inside = (p for p in files.below(path) if p.suffix.lower() == suffix)
    return [path] if any(map(fits, inside)) else []


def page_format(
    suffix: str, fits: Callable[[Path], bool], read_page: Callable[[Path, Photos], list[Item]]
) -> Format:
    """Return a format with one file for each page. A source is such a file, or a folder with some.

    Args:
        suffix: the suffix of the files.
        fits: returns whether a file has the format.
        read_page: returns the crops of a page. Its errors are reported, and the other pages are read.
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
