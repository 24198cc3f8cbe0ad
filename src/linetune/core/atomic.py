"""Write files and folders so that they appear whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PART = ".part"
"""Suffix of files that are not complete. Those of a killed program stay."""


@contextmanager
def written(path: Path, durable: bool = False) -> Iterator[Path]:
    """Yield a temporary path beside ``path``. Its file replaces ``path`` if the block succeeds.

    Otherwise the file is deleted. Its name is random. Two programs may therefore write the same file, and the
    one that ends last wins.

    Args:
        path: the file.
        durable: whether the file must survive a power failure, which takes some milliseconds.
    """
    partial = path.with_name(f"{path.name}.{_random_name()}{PART}")
    try:
        yield partial
        if durable:
            sync(partial)
        partial.replace(path)
        if durable and os.name == "posix":  # Windows cannot open folders
            sync(path.parent)
    finally:
        partial.unlink(missing_ok=True)


def _random_name() -> str:
    # The module secrets would take longer to import than a small model takes to read a crop.
    return os.urandom(4).hex()


def sync(path: Path) -> None:
    """Wait until a file or a folder is on the disk."""
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def folder_written(path: Path, files: Collection[str] = ()) -> Iterator[Path]:
    """Yield a temporary folder beside ``path``. It replaces ``path`` if the block succeeds, or is deleted.

    Args:
        path: the folder.
        files: names of files that an existing folder may contain. They are lost. We never delete other files.

    Raises:
        OSError: ``path`` is a file, or contains another file.
    """
    _refuse_others(path, files)
    partial = path.with_name(f"{path.name}.{_random_name()}.part")
    partial.mkdir(parents=True)
    aside = partial.with_suffix(".old")
    try:
        yield partial
        _refuse_others(path, files)
        if path.is_dir():
            path.rename(aside)
        partial.rename(path)
    finally:
        if aside.exists() and not path.exists():
            aside.rename(path)
        for outdated in (aside, partial):
            shutil.rmtree(outdated, ignore_errors=True)


def _refuse_others(path: Path, files: Collection[str]) -> None:
    other = sorted({child.name for child in path.iterdir()} - set(files)) if path.is_dir() else []
    if other:
        raise OSError(f"the folder contains {other[0]}, which would be lost")


@contextmanager
def files_written(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder. Its files move into ``folder`` if the block succeeds, or are deleted.

    They replace files with the same names. Other files stay. Each file is whole at any time.
    """
    new = not folder.exists()
    partial = folder / f"{_random_name()}.part"
    partial.mkdir(parents=True)
    try:
        yield partial
        for file in sorted(partial.iterdir()):
            file.replace(folder / file.name)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        if new:
            with suppress(OSError):  # the folder is not empty
                folder.rmdir()


def write_text(path: Path, text: str, durable: bool = False) -> None:
    """Write UTF-8 with LF line ends on every system. ``durable`` is that of :func:`written`."""
    with written(path, durable) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")
