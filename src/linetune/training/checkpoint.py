"""Checkpoints: everything that an interrupted run continues from, in files of the run folder.

A checkpoint is one safetensors file. Its name ends with the hash of its content, which shows a damaged file.
The header has everything that is not a tensor, as JSON. No file can run code.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

from linetune.core import atomic
from linetune.core.errors import LinetuneError, os_errors
from linetune.core.progress import Reporter
from linetune.formats.store import as_bytes

FOLDER = "stages"
"""Folder of the checkpoints in the run folder. It stays, for it has the models of the stages too. A folder of
their own could stay behind empty, if the process is killed while it deletes them."""
PREFIX = "checkpoint-"
EVERY = 120.0
"""Seconds between two checkpoints of a stage. Writing one takes less than a second."""
KEPT = 2
"""Checkpoints that are kept. If the newest one is damaged, the run continues from the one before."""
VERSION = 1
SUFFIX = ".safetensors"


class Checkpoints:
    """The checkpoints of a run.

    Args:
        folder: the run folder.
        clock: returns the seconds since any fixed moment.
    """

    def __init__(self, folder: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder, self._clock = folder / FOLDER, clock
        self._written = clock()

    @property
    def due(self) -> bool:
        """Whether the last checkpoint is older than :data:`EVERY`."""
        return self._clock() - self._written >= EVERY

    def write(self, content: Mapping[str, Any]) -> None:
        """Write a checkpoint, which appears whole or not at all, and delete all but the last :data:`KEPT`.

        Args:
            content: nested dicts, lists and tuples of tensors, numbers, texts and None.

        Raises:
            LinetuneError: the file cannot be written, for example because the disk is full.
        """
        tensors = dict[str, Tensor]()
        header = {"version": str(VERSION), "content": json.dumps(_packed(content, tensors))}
        data = as_bytes(tensors, header)
        with os_errors("cannot write a checkpoint", self._folder, "free some space, then resume the run"):
            self._folder.mkdir(exist_ok=True)
            earlier = _files(self._folder)
            number = int(earlier[-1].name.split("-")[1]) + 1 if earlier else 1
            path = self._folder / f"{PREFIX}{number:06}-{_hash(data)}{SUFFIX}"
            with atomic.written(path, durable=True) as partial:
                partial.write_bytes(data)
            for old in earlier[: 1 - KEPT]:
                old.unlink(missing_ok=True)
        self._written = self._clock()

    def clear(self) -> None:
        """Delete all checkpoints, at the end of a run. A run that is killed now continues from the last."""
        for path in _files(self._folder):
            with suppress(OSError):
                path.unlink(missing_ok=True)


def exist(folder: Path) -> bool:
    """Return whether a run folder has checkpoints."""
    return bool(_files(folder / FOLDER))


def age(folder: Path) -> float | None:
    """Return the seconds since the last checkpoint of a run folder. None without a checkpoint."""
    files = _files(folder / FOLDER)
    return max(0.0, time.time() - files[-1].stat().st_mtime) if files else None


def newest(folder: Path, reporter: Reporter) -> dict[str, Any]:
    """Return the content of the newest checkpoint that is not damaged.

    Args:
        folder: the run folder.
        reporter: gets a message for each damaged checkpoint.

    Raises:
        LinetuneError: there is none.
    """
    start_anew = "linetune train with --overwrite starts a new run"
    for path in reversed(_files(folder / FOLDER)):
        with os_errors("cannot read the checkpoint", path):
            data = path.read_bytes()
        try:
            if _hash(data) != path.stem.rpartition("-")[2]:
                raise ValueError
            return _read(data, path)
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError, SafetensorError):
            reporter.say(f"{path} is damaged; the checkpoint before it is used")
    what = "every checkpoint is damaged" if exist(folder) else "the folder has no checkpoint to resume from"
    raise LinetuneError(what, folder, start_anew)


def _files(folder: Path) -> list[Path]:
    """Return the checkpoints of a folder, the newest last."""
    return sorted(folder.glob(f"{PREFIX}{'[0-9]' * 6}-*{SUFFIX}"))


def _hash(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def _read(data: bytes, path: Path) -> dict[str, Any]:
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])["__metadata__"]
    if header["version"] != str(VERSION):
        hint = "resume with the linetune that wrote it, or start anew with --overwrite"
        raise LinetuneError("a checkpoint of another version of linetune", path, hint)
    content: dict[str, Any] = _unpacked(json.loads(header["content"]), safetensors.torch.load(data))
    return content


def _packed(value: Any, tensors: dict[str, Tensor]) -> Any:
    """Return a value as JSON. Its tensors are added to ``tensors``, and are in the JSON by name.

    Dicts and tuples keep their types, since JSON has no keys but texts and no tuples.
    """
    if isinstance(value, Tensor):
        name = str(len(tensors))
        tensors[name] = value.detach().cpu().contiguous()
        return {"tensor": name}
    if isinstance(value, Mapping):
        return {"dict": [[key, _packed(item, tensors)] for key, item in value.items()]}
    if isinstance(value, (list, tuple)):
        return {type(value).__name__: [_packed(item, tensors) for item in value]}
    return value


def _unpacked(value: Any, tensors: Mapping[str, Tensor]) -> Any:
    """Return the inverse of :func:`_packed`."""
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "tensor":
        return tensors[content]
    if kind == "dict":
        return {key: _unpacked(item, tensors) for key, item in content}
    items = [_unpacked(item, tensors) for item in content]
    return tuple(items) if kind == "tuple" else items
