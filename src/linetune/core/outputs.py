"""Files and folders of results. linetune never replaces or mixes with what it does not own."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from linetune.core.errors import LinetuneError, os_errors


def refuse_existing(
    path: Path,
    overwrite: bool = False,
    hint: str = "--overwrite replaces it",
    what: str | None = None,
    folder: bool = False,
) -> None:
    """Refuse to write over a file or folder.

    Args:
        path: the file or folder to write.
        overwrite: whether the user allows to replace it.
        hint: how to go on, for the message.
        what: what the path is, for the message. By default, "file" or "folder".
        folder: whether the result may be a folder.

    Raises:
        LinetuneError: the path exists and ``overwrite`` is false, or it is a folder and the result is a file.
    """
    if path.is_dir() and not folder:
        raise LinetuneError("a folder, where the file should be", path, "name a file that does not exist yet")
    if path.exists() and not overwrite:
        kind = what or ("folder" if path.is_dir() else "file")
        raise LinetuneError(f"the {kind} already exists", path, hint)


def is_filled(folder: Path, marks: Collection[str], kind: str, hint: str) -> bool:
    """Return whether a folder already has a result of linetune. False if it is empty or does not exist.

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
