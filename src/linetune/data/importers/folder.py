"""The folder of an import: it is filled completely or not at all, and files of others stay."""

from __future__ import annotations

import hashlib
import json
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from linetune.core import atomic
from linetune.core.errors import LinetuneError, os_errors

LABELS = "labels.txt"
IMAGES = "images"
RECORD = "import.json"
"""The file with what was imported, what was left out, and the import's own files."""


def earlier(target: Path, overwrite: bool) -> list[Path]:
    """Return the files of an earlier import that may be replaced. None if the target is new or empty.

    Raises:
        LinetuneError: the target has an import that must not be overwritten, or other files.
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
    try:
        record = json.loads((target / RECORD).read_bytes())
        images, digest = record["images"], record["labels_sha256"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    # Only names: a damaged record must not lead out of the folder.
    plain = isinstance(images, list) and all(isinstance(n, str) and Path(n).name == n for n in images)
    return record if plain and isinstance(digest, str) else None


def write_record(folder: Path, images: Sequence[str], facts: dict[str, Any]) -> None:
    """Write the record of an import, with the names of its own files."""
    record = {**facts, "labels_sha256": _hash(folder / LABELS), "images": list(images)}
    # ASCII, because a file name that is not UTF-8 could not be written otherwise.
    atomic.write_text(folder / RECORD, json.dumps(record, indent=1) + "\n")


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@contextmanager
def replacing(target: Path, old: Sequence[Path]) -> Iterator[Path]:
    """Give a folder beside ``target`` to the block. If the block succeeds, its files replace ``old``.

    Otherwise everything stays as before.

    Raises:
        LinetuneError: something cannot be written.
    """
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        (part / IMAGES).mkdir(parents=True)
        yield part
        if target.exists():
            _exchange(part, target, old)
        else:
            part.rename(target)
    except OSError as error:
        raise LinetuneError(f"cannot write ({error.strerror})", target) from None
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _exchange(part: Path, target: Path, old: Sequence[Path]) -> None:
    images = sorted((part / IMAGES).iterdir())
    moves = [(path, part / "old" / path.relative_to(target)) for path in old]
    # The labels come last. Without them, nobody takes the folder for an import.
    moves += [(p, target / p.relative_to(part)) for p in (*images, part / RECORD, part / LABELS)]
    done: list[tuple[Path, Path]] = []
    try:
        for here, there in moves:
            there.parent.mkdir(parents=True, exist_ok=True)
            done.append((here, there))
            here.rename(there)
    except BaseException:
        for here, there in reversed(done):
            if not here.exists():
                there.rename(here)
        with suppress(OSError):
            (target / IMAGES).rmdir()
        raise
