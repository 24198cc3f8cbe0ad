"""Which files of a folder count, and what a name that leads nowhere was meant to be."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from linetune.core.errors import LinetuneError

RULE = "its subfolders and linked folders included, hidden files (.name) left out"
"""Which files of a folder count, for help texts."""
_AROUND = " \t\u00a0\ufeff\"'"
"""What spreadsheets, editors and shells leave around a name."""


def below(folder: Path, unreadable: list[LinetuneError] | None = None) -> list[Path]:
    """Every file below a folder, in an order that no file system decides.

    Subfolders and linked folders are included, hidden files and folders (``.name``) are not. A link that
    leads nowhere counts, so that whoever opens it says so.

    Args:
        folder: where to look.
        unreadable: gets what is wrong with folders that cannot be read, which otherwise is raised.

    Raises:
        LinetuneError: a folder cannot be read.
    """
    # As text, since Windows paths sort without regard to case.
    return sorted(_below(folder, (), unreadable), key=lambda path: path.relative_to(folder).as_posix())


def _below(folder: Path, inside: tuple[str, ...], unreadable: list[LinetuneError] | None) -> Iterator[Path]:
    try:
        entries = list(os.scandir(folder))
    except OSError as error:
        problem = LinetuneError(f"the folder cannot be read ({error.strerror})", folder)
        if unreadable is None:
            raise problem from None
        unreadable.append(problem)
        return
    # A link to a folder that it lies in has no end.
    inside = (*inside, os.path.realpath(folder))
    for entry in entries:
        path = Path(folder, entry.name)
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            if os.path.realpath(path) not in inside:
                yield from _below(path, inside, unreadable)
        elif entry.is_file() or entry.is_symlink():
            yield path


def find(paths: Sequence[Path], suffixes: Collection[str], hint: str) -> list[Path]:
    """The files among ``paths``, and those :func:`below` its folders that end in one of ``suffixes``.

    Raises:
        LinetuneError: a path does not exist, a folder cannot be read or holds no such file.
    """
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_file():
            found[path] = None
            continue
        if not path.is_dir():
            raise LinetuneError("no such file or folder", path, hint)
        inside = [file for file in below(path) if file.suffix.lower() in suffixes]
        if not inside:
            raise LinetuneError(f"no {', '.join(sorted(suffixes))} file in the folder", path, hint)
        found.update(dict.fromkeys(inside))
    return list(found)


def relative(path: Path, folder: Path) -> str:
    """A file's path as it is written in a file of a folder, with plain slashes on every system."""
    if ".." in path.parts:
        # Behind a link, .. leads up from the folder that is linked to.
        path = path.parent.resolve() / path.name
    try:
        # The folder's real place, since .. leads up from there.
        return Path(os.path.relpath(path.absolute(), folder.resolve())).as_posix()
    except ValueError:
        # Another drive.
        return path.absolute().as_posix()


def way_to(missing: Path) -> str | None:
    """A hint at the file that a path was meant to name which leads nowhere; None without exactly one."""
    with_slashes = Path(str(missing).replace("\\", "/"))
    if with_slashes != missing and _exists(with_slashes):
        return "write / for \\ in the path"
    if found := twin(missing):
        return f"there is {str(found)!r}, whose name differs in {_difference(missing, found)}"
    inside = [folder / missing.name for folder in _folders(missing.parent) if _exists(folder / missing.name)]
    return f"there is {inside[0]}" if len(inside) == 1 else None


def near(missing: Path, folder: Path) -> Path | None:
    """The one file of that name in a folder, in the one above, or directly in one of their folders."""
    name = missing.name.replace("\\", "/").rpartition("/")[2]
    if not name:
        return None
    above = folder.resolve().parent
    likely = (folder, above, *_folders(folder), *_folders(above))
    found = {os.path.realpath(path / name): path / name for path in likely if is_file(path / name)}
    return next(iter(found.values())) if len(found) == 1 else None


def twin(missing: Path) -> Path | None:
    """The one file that a path names but for Unicode form, case, quotes, or spaces at the ends of a name."""
    found = Path(missing.anchor)
    for part in missing.parts[1 if missing.anchor else 0 :]:
        if _exists(found / part):
            found /= part
            continue
        alike = _by_key(str(found), _changed(found)).get(_key(part), ())
        if len(alike) != 1:
            return None
        found /= alike[0]
    return found if found.is_file() else None


def _folders(folder: Path) -> tuple[Path, ...]:
    """The folders in one, in order; none where it cannot be read."""
    return _listed_folders(folder, _changed(folder))


@lru_cache(maxsize=16)
def _listed_folders(folder: Path, changed: int) -> tuple[Path, ...]:
    # Thousands of images may be missing from one folder.
    try:
        return tuple(path for path in sorted(folder.iterdir()) if path.is_dir())
    except (OSError, ValueError):
        return ()


def _key(name: str) -> str:
    return unicodedata.normalize("NFC", name.strip(_AROUND)).casefold()


@lru_cache(maxsize=16)
def _by_key(folder: str, changed: int) -> dict[str, tuple[str, ...]]:
    """A folder's names by what is left of them without the differences that a twin may have."""
    names: dict[str, tuple[str, ...]] = {}
    try:
        entries = os.listdir(folder)  # noqa: PTH208 - an empty path is the current folder
    except OSError:
        return names
    for name in entries:
        names[_key(name)] = (*names.get(_key(name), ()), name)
    return names


def _changed(folder: Path) -> int:
    try:
        return folder.stat().st_mtime_ns
    except (OSError, ValueError):
        return 0


def _difference(one: Path, other: Path) -> str:
    a, b = str(one), str(other)
    if unicodedata.normalize("NFC", a) == unicodedata.normalize("NFC", b):
        return "its Unicode form (accents in one with their letters, or apart)"
    if a.casefold() == b.casefold():
        return "capital and small letters"
    return "spaces, quotes or a byte order mark around it"


def is_file(path: Path) -> bool:
    """Whether there is such a file; a name that no file can have is one of no file, unlike with ``Path``."""
    return os.path.isfile(path)  # noqa: PTH113


def _exists(path: Path) -> bool:
    # Unlike Path's own methods, these take any name for one of no file.
    return os.path.exists(path)  # noqa: PTH110
