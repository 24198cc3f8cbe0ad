"""Files and folders that appear whole or not at all."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def written(path: Path) -> Iterator[Path]:
    """A temporary file beside ``path`` that takes its place when the block ends well, and goes otherwise.

    Its name is its own, so that two programs may write the same file: the last one to end wins.
    """
    partial = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def folder_written(path: Path) -> Iterator[Path]:
    """A temporary folder beside ``path`` that becomes it when the block ends well, and goes otherwise.

    Raises:
        OSError: something stands in its place by then.
    """
    with _folder_beside(path) as partial:
        yield partial
        partial.rename(path)


@contextmanager
def folder_replaced(path: Path, files: Collection[str]) -> Iterator[Path]:
    """As :func:`folder_written`, but a folder of the same files may stand in its place, which then goes.

    Args:
        path: the folder.
        files: names of the only files that the one to replace may hold, so that nobody loses others.

    Raises:
        OSError: something else stands in its place.
    """
    _refuse_others(path, files)
    with _folder_beside(path) as partial:
        yield partial
        _refuse_others(path, files)
        aside = partial.with_suffix(".old")
        try:
            if path.is_dir():
                path.rename(aside)
            partial.rename(path)
        finally:
            if aside.exists() and not path.exists():
                aside.rename(path)
            shutil.rmtree(aside, ignore_errors=True)


@contextmanager
def _folder_beside(path: Path) -> Iterator[Path]:
    partial = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    partial.mkdir(parents=True)
    try:
        yield partial
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _refuse_others(path: Path, files: Collection[str]) -> None:
    other = sorted({child.name for child in path.iterdir()} - set(files)) if path.is_dir() else []
    if other:
        raise OSError(f"the folder there holds {other[0]}, which would be lost")


@contextmanager
def files_written(folder: Path) -> Iterator[Path]:
    """A temporary folder whose files move into ``folder`` when the block ends well, and go otherwise.

    They replace files of their names, and leave others alone. Each is whole at any time.
    """
    new = not folder.exists()
    partial = folder / f"{secrets.token_hex(4)}.part"
    partial.mkdir(parents=True)
    try:
        yield partial
        for file in sorted(partial.iterdir()):
            file.replace(folder / file.name)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        if new:
            with suppress(OSError):  # it is not empty
                folder.rmdir()


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 with plain line ends on every system."""
    with written(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")
