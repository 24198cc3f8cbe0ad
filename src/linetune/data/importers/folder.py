"""The target folder of an import. It changes as a whole or not at all, and files of the user stay."""

from __future__ import annotations

import hashlib
import json
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from linetune.core import atomic, untrusted
from linetune.core.errors import LinetuneError, os_errors

LABELS = "labels.txt"
IMAGES = "images"
RECORD = "import.json"
"""Name of the file that lists what was imported, what was left out, and the files that the import wrote."""


def earlier(target: Path, overwrite: bool) -> list[Path]:
    """Return the files of an earlier import, which the new one replaces. Empty if the target is new or empty.

    Args:
        target: the folder of the import.
        overwrite: whether the user allows to replace an earlier import.

    Raises:
        LinetuneError: the target is not a folder, has files but no import, has an import that must not be
            replaced, or the user changed its labels.
    """
    with os_errors("cannot be read", target):
        if not target.exists() or (target.is_dir() and not any(target.iterdir())):
            return []
    if not target.is_dir():
        raise LinetuneError("not a folder", target, "choose another --to")
    record = _read_record(target)
    if record is None:
        raise LinetuneError("the folder is not empty, and no import wrote it", target, "choose another --to")
    if not overwrite:
        raise LinetuneError(
            "the folder has an earlier import",
            target,
            "pass --overwrite to replace it, or choose another --to",
        )
    labels = target / LABELS
    if labels.is_file() and _hash(labels) != record["labels_sha256"]:
        raise LinetuneError("changed since it was imported", labels, "move it away, or choose another --to")
    files = [labels, target / RECORD, *(target / IMAGES / name for name in record["images"])]
    return [path for path in files if path.is_file()]


def _read_record(target: Path) -> dict[str, Any] | None:
    """Return the record of an import. None if it is missing or damaged."""
    try:
        record = untrusted.parse_json(untrusted.read(target / RECORD), target / RECORD)
        images, digest = record["images"], record["labels_sha256"]
    except (OSError, LinetuneError, KeyError, TypeError):
        return None
    # Only names: a damaged record must not lead out of the folder.
    plain = isinstance(images, list) and all(isinstance(n, str) and Path(n).name == n for n in images)
    return record if plain and isinstance(digest, str) else None


def write_record(folder: Path, images: Sequence[str], facts: dict[str, Any]) -> None:
    """Write the record of an import.

    Args:
        folder: the folder of the import, with its label file.
        images: the names of the image files that the import wrote.
        facts: what else the record says.
    """
    record = {**facts, "labels_sha256": _hash(folder / LABELS), "images": list(images)}
    # ASCII, because a file name that is not UTF-8 could not be written otherwise.
    atomic.write_text(folder / RECORD, json.dumps(record, indent=1) + "\n")


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@contextmanager
def replacing(target: Path, old: Sequence[Path]) -> Iterator[Path]:
    """Give the block a new folder beside the target, and move its files into the target at the end.

    If the block or a move fails, the target stays as it was.

    Args:
        target: the folder of the import.
        old: files in the target that the new ones replace.

    Raises:
        LinetuneError: a file cannot be written or moved.
    """
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        with os_errors("cannot write", target):
            (part / IMAGES).mkdir(parents=True)
            yield part
            if target.exists():
                _exchange(part, target, old)
            else:
                part.rename(target)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _exchange(part: Path, target: Path, old: Sequence[Path]) -> None:
    """Move old files out of the target and new files in. Move all of them back if a move fails."""
    images = sorted((part / IMAGES).iterdir())
    moves = [(path, part / "old" / path.relative_to(target)) for path in old]
    # The label file comes last, because a folder without it does not look like an import.
    moves += [(p, target / p.relative_to(part)) for p in (*images, part / RECORD, part / LABELS)]
    done: list[tuple[Path, Path]] = []
    try:
        for source, destination in moves:
            destination.parent.mkdir(parents=True, exist_ok=True)
            done.append((source, destination))
            source.rename(destination)
    except BaseException:
        for source, destination in reversed(done):
            if not source.exists():
                destination.rename(source)
        with suppress(OSError):
            (target / IMAGES).rmdir()
        raise
