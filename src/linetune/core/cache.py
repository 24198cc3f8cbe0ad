"""The cache folder: files that can be made or downloaded again, and the locks of folders in use."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from filelock import FileLock, Timeout
from platformdirs import user_cache_path

from linetune.core.errors import LinetuneError, os_errors

_OTHER_FOLDER = "set the environment variable LINETUNE_CACHE to another folder"
HINT = f"free some space, or {_OTHER_FOLDER}"
"""The hint if the cache is full or cannot be written."""
ABANDONED = 24 * 3600
"""Seconds without a change after which no program still writes a half-written file."""


def folder() -> Path:
    """Return the cache folder: the environment variable ``LINETUNE_CACHE``, or the platform's folder."""
    return Path(os.environ.get("LINETUNE_CACHE") or user_cache_path("linetune")).expanduser()


def check_writable() -> None:
    """Check that the cache folder can be written, before anything depends on it.

    Raises:
        LinetuneError: the cache folder cannot be written.
    """
    with os_errors("the cache folder cannot be written", folder(), _OTHER_FOLDER):
        folder().mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder()).close()


def scratch() -> IO[bytes]:
    """Open a temporary file that disappears when it is closed, even if the program crashes.

    The file is in the cache folder, because the system's temporary folder is often in memory. If the cache
    folder cannot be written, we use the system's folder.
    """
    try:
        folder().mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryFile(dir=folder())
    except OSError:
        return tempfile.TemporaryFile()


@contextlib.contextmanager
def locked(written: Path) -> Iterator[None]:
    """Lock a folder against other processes and other code of this process while the block runs.

    The lock file is in the cache folder. No file remains in the user's folder. The system releases the
    lock if the process crashes. If the cache folder cannot be written, there is no lock.

    Raises:
        LinetuneError: another process has locked the folder.
    """
    path = _lock_of(written)
    lock = FileLock(path)
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            what, hint = "another linetune is writing to this folder", "wait until it ends, or choose another"
            raise LinetuneError(what, written, hint) from None
    try:
        yield
    finally:
        lock.release()


def is_locked(written: Path) -> bool | None:
    """Return whether a program has locked a folder. None if no program ever did with this cache folder, for
    example because it runs on another machine."""
    path = _lock_of(written)
    if not path.exists():
        return None
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except (Timeout, OSError):
        return True
    lock.release()
    return False


def _lock_of(written: Path) -> Path:
    """Return the path of a folder's lock."""
    name = hashlib.sha256(str(written.resolve()).encode()).hexdigest()[:32]
    return folder() / "locks" / f"{name}.lock"


def prune(suffix: str, limit: int, spare: Path) -> None:
    """Delete the least recently used files with a suffix until the others take at most ``limit`` bytes.

    Args:
        suffix: the end of the files' names, or what is before ``.part`` in half-written files.
        limit: bytes.
        spare: a file that is never deleted, even if it is larger than ``limit``.
    """
    kept = 0
    for path in sorted(folder().glob(f"*{suffix}*"), key=_last_used, reverse=True):
        # Another program may delete a file at any moment, or keep it open.
        with contextlib.suppress(OSError):
            kept += path.stat().st_size
            stale = path.suffix == ".part" and time.time() - _last_used(path) > ABANDONED
            if path != spare and (kept > limit or stale):
                path.unlink()


def _last_used(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
