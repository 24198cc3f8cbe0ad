"""Photos and page files: where the photos of a source are, and formats with one file for each photo."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath

from linetune.core import files, image
from linetune.core.errors import LinetuneError
from linetune.data.importers import texts
from linetune.data.importers.boxes import Entries, crops
from linetune.data.importers.source import Item, Source, forms, outside

_MOST_HINTS = 20
"""Missing photos that get a hint of their own. Each hint takes a search through folders."""
IMAGES_HINT = "pass --images DIR, the folder of the photos"
"""What to do about a photo that is not found."""


@dataclass
class Photos:
    """The photos of a source, which may be elsewhere than their paths say."""

    source: Source
    _paths: dict[Path, str] = field(default_factory=dict)
    """For each photo, the first path that led to it."""
    _pages: dict[Path, list[Path]] = field(default_factory=dict)
    """For each photo, its page files."""
    _other_suffix: list[tuple[str, Path]] = field(default_factory=list)
    """Photos whose suffix differs from the written one: the path as written, and the photo."""
    _missing: int = 0

    def find(self, written: str, place: str, count: int, near: Sequence[Path] = ()) -> Path:
        """Return the photo that a path names.

        Args:
            written: the path in the source.
            place: ``file:line``, for messages.
            count: the number of boxes in the photo, for messages.
            near: folders to search besides those that paths start from.

        Raises:
            LinetuneError: the photo is not found, or another path led to it before.
        """
        photo = self._search(written, place, near)
        if photo is None:
            raise self._not_found(written, place, count)
        self._claim(photo, written, place)
        return photo

    def crops(self, written: str, place: str, drawn: Entries, near: Sequence[Path] = ()) -> list[Item]:
        """Return the crops of a photo's boxes, or one error if the photo cannot be used. See :meth:`find`."""
        try:
            return crops(self.find(written, place, len(drawn), near), drawn)
        except LinetuneError as error:
            return [error]

    def of_page(self, written: str, page: Path, place: str, count: int, stem: str | None = None) -> Path:
        """Return the photo of a page file: the one that it names, or one with its stem.

        People convert scans, and the page files keep the old suffix. A photo with the stem of the page file
        therefore also counts if the written path has this stem.

        Args:
            written: the path of the photo in the page file. Empty if it has none.
            page: the page file.
            place: ``file:line``, for messages.
            count: the number of boxes in the photo, for messages.
            stem: the stem of the photo if no path is written. By default, the stem of the page file.

        Raises:
            LinetuneError: the photo is not found, several photos have the stem, or another path led to the
                photo before.
        """
        near = (page.parent, page.parent.parent)
        if photo := self._search(written, place, near) if written else None:
            self._claim(photo, written, place)
        else:
            missing = self._not_found(written, place, count) if written else None
            if missing and PurePosixPath(_with_slashes(written)).stem != page.stem:
                raise missing
            try:
                photo = self._with_stem(stem or page.stem, near, place, count)
            except LinetuneError as error:
                raise missing or error from None
            if written:
                self._other_suffix.append((written, photo))
        self._pages.setdefault(photo.resolve(), []).append(page)
        return photo

    def finish(self) -> None:
        """Check that no photo has several page files, and note the photos with another suffix.

        Raises:
            LinetuneError: a photo has several page files, such as those of a person and of a program.
        """
        several = [pages for pages in self._pages.values() if len(pages) > 1]
        if several:
            first, second = several[0][:2]
            what = f"{second} is of the same photo, and the lines would be imported twice"
            more = f" (photos with several such files: {len(several)})"
            raise LinetuneError(what + more, first, "import one of the files or folders")
        if self._other_suffix:
            written, photo = self._other_suffix[0]
            number = len(self._other_suffix)
            note = f"photos found with another suffix: {number}, such as {photo} for {written}"
            self.source.notes.append(note)

    def _with_stem(self, stem: str, near: Sequence[Path], place: str, count: int) -> Path:
        """Return the photo with a stem: in a folder near the page file, or else the only one of the source.

        Raises:
            LinetuneError: no photo has the stem, or several have it.
        """
        # Names are tried one by one: in a glob, a stem could contain special characters.
        names = [stem + s for suffix in sorted(image.SUFFIXES) for s in (suffix, suffix.upper())]
        in_folders = ([f / name for name in names if files.is_file(f / name)] for f in self._folders(near))
        photos = next(filter(None, in_folders), self._by_stem.get(stem, []))
        if not photos:
            raise LinetuneError(f"no photo {stem}.jpg, .png, … (boxes: {count})", place, IMAGES_HINT)
        if len({os.path.realpath(path) for path in photos}) > 1:
            listed = " or ".join(map(str, photos[:3]))
            raise LinetuneError(f"several photos: {listed}", place, IMAGES_HINT)
        return photos[0]

    def _search(self, written: str, place: str, near: Sequence[Path]) -> Path | None:
        """Return the photo of a path: below a folder, where the source locates it, or by its name alone."""
        folders = self._folders(near)
        path = _with_slashes(written)
        photo = next((folder / path for folder in folders if files.is_file(folder / path)), None)
        if photo is None and (photo := self.source.locate(written, place)) is None:
            names = [PurePosixPath(form).name for form in forms(written)]
            by_name = (folder / name for name in names for folder in folders)
            photo = next((path for path in by_name if path.name and files.is_file(path)), None)
            if photo is not None:
                self.source.moved.append((written, photo))
        return photo

    def _claim(self, photo: Path, written: str, place: str) -> None:
        """Remember the path of a photo.

        Raises:
            LinetuneError: another path led to this photo before.
        """
        path = _with_slashes(written)
        if (other := self._paths.setdefault(photo, path)) != path:
            what = f"{texts.shown(written)} and {texts.shown(other)} both lead to {photo}"
            raise LinetuneError(what, place, "pass --images DIR, the folder that the paths start from")

    def _not_found(self, written: str, place: str, count: int) -> LinetuneError:
        self._missing += 1
        hint = self.source.way_to(written) if self._missing <= _MOST_HINTS else None
        what = f"photo not found: {texts.shown(written)} (boxes: {count})"
        return LinetuneError(what, place, hint or IMAGES_HINT)

    def _folders(self, near: Sequence[Path]) -> list[Path]:
        """Return the folders to search. --images replaces those near the label file."""
        root = self.source.root
        starts = [root] if self.source.images is not None else [*near, root]
        return [folder for start in starts for folder in (start, start / "images")]

    @cached_property
    def _by_stem(self) -> dict[str, list[Path]]:
        """The images below the root, by stem."""
        by_stem: dict[str, list[Path]] = {}
        for path in outside(image.in_folder(self.source.root)[0], self.source.skip):
            by_stem.setdefault(path.stem, []).append(path)
        return by_stem


def pages(source: Source, fits: Callable[[Path], bool]) -> list[Path]:
    """Return the page files of a source: itself, or those below its folder and outside the target."""
    if source.path.is_file():
        return [source.path]
    return outside(filter(fits, files.below(source.path)), source.skip)


def find_pages(path: Path, fits: Callable[[Path], bool]) -> list[Path]:
    """Return the path if it is a page file, or a folder with page files below it."""
    return [path] if any(map(fits, [path] if path.is_file() else files.below(path))) else []


def read_pages(
    source: Source, paths: Iterable[Path], read_page: Callable[[Path, Photos], list[Item]]
) -> list[Item]:
    """Return the crops of page files.

    Args:
        source: the source.
        paths: its page files.
        read_page: returns the crops of a page file. If it raises LinetuneError, only this page is left out.

    Raises:
        LinetuneError: a photo has several page files.
    """
    photos = Photos(source)
    items: list[Item] = []
    for path in paths:
        try:
            items += read_page(path, photos)
        except LinetuneError as error:
            items.append(error)
    photos.finish()
    return items


def _with_slashes(written: str) -> str:
    return PurePosixPath(written.replace("\\", "/")).as_posix()
