"""Files that can be made or fetched again (downloaded weights, features, unpacked crops), and locks."""

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

from linetune.core.errors import LinetuneError

HINT = "free some space, or name another folder in the environment variable LINETUNE_CACHE"
"""The way out when the cache is full or cannot be written."""
ABANDONED = 24 * 3600
"""Seconds without a change after which a half-written file belongs to nobody."""


def folder() -> Path:
    """The cache folder: ``LINETUNE_CACHE``, or the platform's."""
    return Path(os.environ.get("LINETUNE_CACHE") or user_cache_path("linetune")).expanduser()


def check_writable() -> None:
    """Refuse a cache folder that cannot be written, before anything depends on it.

    Raises:
        LinetuneError: with the system's reason.
    """
    try:
        folder().mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder()).close()
    except OSError as error:
        hint = "name another folder in the environment variable LINETUNE_CACHE"
        raise LinetuneError(
            f"the cache folder cannot be written ({error.strerror})", folder(), hint
        ) from None


def scratch() -> IO[bytes]:
    """An open file without a name that is gone when it is closed, however the program ends.

    It lies in the cache folder, since the system's temporary folder is often kept in memory; there only
    where the cache folder cannot be written.
    """
    try:
        folder().mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryFile(dir=folder())
    except OSError:
        return tempfile.TemporaryFile()


@contextlib.contextmanager
def alone(filled: Path) -> Iterator[None]:
    """Nobody else, in this process or another, fills the same folder meanwhile.

    The lock lies in the cache folder, so that none is left in the user's, and the system gives it back
    however a process ends. Where the cache folder cannot be written, nobody is kept out.

    Raises:
        LinetuneError: somebody else is.
    """
    name = hashlib.sha256(str(filled.resolve()).encode()).hexdigest()[:32]
    locks = folder() / "locks"
    lock = FileLock(locks / f"{name}.lock")
    with contextlib.suppress(OSError):
        locks.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise LinetuneError(
                "another linetune is filling this folder", filled, "wait for it, or name another folder"
            ) from None
    try:
        yield
    finally:
        lock.release()


def prune(suffix: str, limit: int, spare: Path) -> None:
    """Delete the least recently used files with that suffix until the rest take at most ``limit`` bytes.

    Args:
        suffix: of the files' names; what an interrupted program left half-written has ``.part`` after it.
        limit: bytes.
        spare: never deleted, however large.
    """
    kept = 0
    for path in sorted(folder().glob(f"*{suffix}*"), key=_last_used, reverse=True):
        # Another program may take a file away at any moment, or hold it open.
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
