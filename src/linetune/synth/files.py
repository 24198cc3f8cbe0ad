"""Files named one by one or found in folders, in an order that no file system decides."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from linetune.errors import LinetuneError


def find(paths: Sequence[Path], suffixes: frozenset[str], hint: str) -> list[Path]:
    """The files among ``paths``, and those below its folders that end in one of ``suffixes``.

    Raises:
        LinetuneError: a path does not exist, or a folder holds no such file.
    """
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_file():
            found[path] = None
            continue
        if not path.is_dir():
            raise LinetuneError("no such file or folder", path, hint)
        inside = [file for file in path.rglob("*") if file.suffix.lower() in suffixes and file.is_file()]
        if not inside:
            raise LinetuneError(f"no {', '.join(sorted(suffixes))} file in the folder", path, hint)
        # As text, since Windows paths sort without regard to case.
        found.update(dict.fromkeys(sorted(inside, key=lambda file: file.relative_to(path).as_posix())))
    return list(found)
