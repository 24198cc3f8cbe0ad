"""Folders that linetune fills: it never touches a folder with files of somebody else."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from linetune.core.errors import LinetuneError, os_errors


def holds(folder: Path, marks: Collection[str], kind: str, hint: str) -> bool:
    """Return whether a folder already has a result of linetune. An absent or empty folder has none.

    Hidden files (``.name``) do not count.

    Args:
        folder: the folder to fill.
        marks: names of files. Each shows that linetune has filled the folder.
        kind: the kind of result, for messages: "a run".
        hint: how to choose another folder, for messages.

    Raises:
        LinetuneError: the path is a file, or the folder has files but none of the marks, or cannot be read.
    """
    with os_errors("the folder cannot be read", folder):
        if not folder.exists():
            return False
        if not folder.is_dir():
            raise LinetuneError(f"a file, where the folder of {kind} should be", folder, hint)
        names = {path.name for path in folder.iterdir()}
    if names & set(marks):
        return True
    if any(not name.startswith(".") for name in names):
        raise LinetuneError(f"the folder has files but not {kind}", folder, hint)
    return False
