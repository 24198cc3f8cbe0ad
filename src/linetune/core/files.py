"""Find the files of a folder, and the file that a wrong path probably means."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from linetune.core.errors import LinetuneError, os_errors

RULE = "including subfolders and linked folders, without hidden files (.name)"
"""The files of a folder that count, for help texts."""
_WRAPPING = " \t\u00a0\ufeff\"'"
"""Characters that spreadsheets, editors and shells leave around a name."""


def below(folder: Path, unreadable: list[LinetuneError] | None = None) -> list[Path]:
    """Return all files below a folder, sorted by their relative paths on every system.

    Subfolders and linked folders count, hidden files and folders (``.name``) do not. A broken link counts, so
    that opening it gives an error.

    Args:
        folder: where to look.
        unreadable: receives the errors of folders that cannot be read, instead of raising them.

    Raises:
        LinetuneError: a folder cannot be read.
    """
    # Sorted as text, because Windows paths ignore case.
    return sorted(_below(folder, (), unreadable), key=lambda path: path.relative_to(folder).as_posix())


def _below(folder: Path, parents: tuple[str, ...], unreadable: list[LinetuneError] | None) -> Iterator[Path]:
    try:
        with os_errors("the folder cannot be read", folder):
            entries = list(os.scandir(folder))
    except LinetuneError as error:
        if unreadable is None:
            raise
        unreadable.append(error)
        return
    # A link to a folder above itself would never end.
    parents = (*parents, os.path.realpath(folder))
    for entry in entries:
        path = Path(folder, entry.name)
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            if os.path.realpath(path) not in parents:
                yield from _below(path, parents, unreadable)
        elif entry.is_file() or not path.exists():  # a broken link, but no pipe
            yield path


def find(paths: Sequence[Path], suffixes: Collection[str], hint: str) -> list[Path]:
    """Return the files among ``paths``, and the files :func:`below` its folders with one of the suffixes.

    Raises:
        LinetuneError: a path does not exist, a folder cannot be read, or it contains no such file.
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
    """Return a path relative to a folder, with forward slashes on every system."""
    if ".." in path.parts:
        # After a link, .. means the parent of the folder that the link points to.
        path = path.parent.resolve() / path.name
    try:
        # For the same reason the path starts from the folder's real place.
        return Path(os.path.relpath(path.absolute(), folder.resolve())).as_posix()
    except ValueError:
        # The file is on another drive.
        return path.absolute().as_posix()


def missing_file_hint(missing: Path) -> str | None:
    """Return a hint with the one file that a wrong path probably means, or None without exactly one."""
    with_slashes = Path(str(missing).replace("\\", "/"))
    if with_slashes != missing and exists(with_slashes):
        return "use / instead of \\ in the path"
    if meant := twin(missing):
        return f"did you mean {str(meant)!r}? The names differ in {_difference(missing, meant)}"
    inside = [folder / missing.name for folder in _listed(missing.parent)[0]]
    found = list(filter(exists, inside))
    return f"did you mean {found[0]}?" if len(found) == 1 else None


def near(missing: Path, folder: Path) -> Path | None:
    """Return the one file with this name in or near a folder, or None without exactly one.

    We look in the folder, in its parent, and in the direct subfolders of both.
    """
    name = missing.name.replace("\\", "/").rpartition("/")[2]
    if not name:
        return None
    above = folder.resolve().parent
    likely = (folder, above, *_listed(folder)[0], *_listed(above)[0])
    found = {os.path.realpath(path / name): path / name for path in likely if is_file(path / name)}
    return next(iter(found.values())) if len(found) == 1 else None


def twin(missing: Path) -> Path | None:
    """Return the one file whose path differs only in Unicode form, case, or spaces and quotes around a name.

    None without exactly one.
    """
    found = Path(missing.anchor)
    for part in missing.parts[1 if missing.anchor else 0 :]:
        if exists(found / part):
            found /= part
            continue
        alike = _listed(found)[1].get(_key(part), ())
        if len(alike) != 1:
            return None
        (found,) = alike
    return found if found.is_file() else None


def _key(name: str) -> str:
    """Return a name without the differences that :func:`twin` ignores."""
    return unicodedata.normalize("NFC", name.strip(_WRAPPING)).casefold()


def _listed(folder: Path) -> tuple[list[Path], dict[str, list[Path]]]:
    """Return the sorted direct subfolders, and all files and folders in a folder by their :func:`_key`.

    Both are empty if the folder cannot be read.
    """
    try:
        return _listed_at(folder, folder.stat().st_mtime_ns)
    except (OSError, ValueError):
        return [], {}


@lru_cache(maxsize=16)
def _listed_at(folder: Path, changed: int) -> tuple[list[Path], dict[str, list[Path]]]:
    """Do the work of :func:`_listed`.

    Thousands of images may be missing from one folder, which is then listed once. ``changed`` is the time of
    the folder's last change in ns. A later change therefore leads to a new listing.
    """
    by_key: dict[str, list[Path]] = {}
    for path in folder.iterdir():
        by_key.setdefault(_key(path.name), []).append(path)
    return sorted(path for paths in by_key.values() for path in paths if path.is_dir()), by_key


def _difference(one: Path, other: Path) -> str:
    a, b = str(one), str(other)
    if unicodedata.normalize("NFC", a) == unicodedata.normalize("NFC", b):
        return "Unicode form (accents as part of their letters or as separate characters)"
    if a.casefold() == b.casefold():
        return "upper and lower case"
    return "spaces, quotes or a byte order mark"


def is_file(path: Path) -> bool:
    """Return whether the file exists. An impossible name gives False, where ``Path`` raises an error."""
    return os.path.isfile(path)  # noqa: PTH113


def exists(path: Path) -> bool:
    """Return whether a file or folder exists. An impossible name gives False, as in :func:`is_file`."""
    return os.path.exists(path)  # noqa: PTH110
