"""Where files lie that can be made or fetched again: downloaded weights, stored features, unpacked crops."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import IO

from platformdirs import user_cache_path


def folder() -> Path:
    """The cache folder: ``LINETUNE_CACHE``, or the platform's."""
    return Path(os.environ.get("LINETUNE_CACHE") or user_cache_path("linetune"))


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


def prune(suffix: str, limit: int) -> None:
    """Delete the least recently used files with that suffix until the others take at most ``limit`` bytes."""
    kept = 0
    files = [path for path in folder().glob(f"*{suffix}") if path.is_file()]
    for path in sorted(files, key=lambda path: path.stat().st_mtime, reverse=True):
        kept += path.stat().st_size
        if kept > limit:
            path.unlink(missing_ok=True)
