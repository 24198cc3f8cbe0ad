"""Paths: relative to PaddleOCR's working folder there, to the run's file here."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable
from pathlib import Path, PurePosixPath, PureWindowsPath

_NAMES = ("auto", "synth", "train")
"""What a path must not look like, since it means something else in a run's file."""


class Places:
    """Turns PaddleOCR's paths into those of a run's file.

    Args:
        root: the folder that PaddleOCR ran in.
        output: the run's file.
    """

    def __init__(self, root: Path, output: Path) -> None:
        self.root, self.folder = root.absolute(), output.absolute().parent

    def there(self, path: str) -> Path:
        """Where a path of PaddleOCR's leads."""
        return self.root / _slashes(path)

    def written(self, path: str) -> str:
        """A path of PaddleOCR's as the run's file names it."""
        path = _slashes(path)
        if PureWindowsPath(path).drive or PurePosixPath(path).is_absolute():
            return path
        try:
            relative = os.path.relpath(self.root / path, self.folder)
        except ValueError:  # another drive
            return (self.root / path).as_posix()
        relative = relative.replace(os.sep, "/")
        return f"./{relative}" if relative in _NAMES or relative.startswith("~") else relative

    def lines(self, paths: Iterable[str]) -> int | None:
        """Lines in label files together; None where one cannot be read."""
        total = 0
        try:
            for path in paths:
                with self.there(path).open("rb") as file:
                    total += sum(1 for line in file if line.strip())
        except OSError:
            return None
        return total


def plain(path: str) -> str:
    """A path in one spelling, to tell whether two are one."""
    return posixpath.normpath(_slashes(path))


def _slashes(path: str) -> str:
    # Windows takes both.
    return path.replace("\\", "/")
