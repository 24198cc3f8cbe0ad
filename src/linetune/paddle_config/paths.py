"""Convert paths: PaddleOCR's are relative to its working folder, those of a run file to that file."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable
from pathlib import Path, PurePosixPath, PureWindowsPath

from linetune.core import untrusted
from linetune.core.errors import LinetuneError

_RESERVED = ("auto", "synth", "train")
"""Words that mean something else than a path in a run file."""


class Paths:
    """Converts paths of PaddleOCR's configurations.

    Args:
        root: the folder that PaddleOCR ran in.
        output: the run file.
    """

    def __init__(self, root: Path, output: Path) -> None:
        self.root, self.folder = root.absolute(), output.absolute().parent

    def absolute(self, path: str) -> Path:
        """Return where a path of PaddleOCR leads."""
        return self.root / _with_slashes(path)

    def for_run_file(self, path: str) -> str:
        """Return a path of PaddleOCR as the run file has to name it."""
        path = _with_slashes(path)
        if PureWindowsPath(path).drive or PurePosixPath(path).is_absolute():
            return path
        try:
            relative = os.path.relpath(self.root / path, self.folder)
        except ValueError:  # on Windows: another drive
            return (self.root / path).as_posix()
        relative = relative.replace(os.sep, "/")
        return f"./{relative}" if relative in _RESERVED or relative.startswith("~") else relative

    def count_lines(self, paths: Iterable[str]) -> int | None:
        """Return the number of lines of all label files together, or None if one cannot be read."""
        total = 0
        try:
            for path in paths:
                untrusted.refuse_pipe(self.absolute(path))
                with self.absolute(path).open("rb") as file:
                    total += sum(1 for line in file if line.strip())
        except (OSError, LinetuneError):
            return None
        return total


def normalised(path: str) -> str:
    """Return one spelling for all spellings of a path, for comparisons."""
    return posixpath.normpath(_with_slashes(path))


def _with_slashes(path: str) -> str:
    # Windows takes slashes and backslashes.
    return path.replace("\\", "/")
