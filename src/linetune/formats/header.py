"""The header of a safetensors file: what it says of its model. Reading it needs no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from linetune.core import untrusted
from linetune.core.errors import LinetuneError

MOST = 1 << 23
"""Most bytes of the header of a safetensors file. The library accepts 100 MB."""
AGAIN = "copy the file again from where it was trained or published"


def check_sizes(path: Path) -> int:
    """Return the bytes of the header of a safetensors file.

    Raises:
        OSError: the file cannot be read.
        LinetuneError: the file or its header is too large.
    """
    untrusted.check_size(path, untrusted.MODEL, "model")
    with path.open("rb") as start:
        size = int.from_bytes(start.read(8), "little")
    if size > MOST:
        raise LinetuneError("not a safetensors file (its header is too large)", path, AGAIN)
    return size


def read_header(path: Path) -> dict[str, str]:
    """Return the metadata of a safetensors file. Empty if it has none.

    Raises:
        OSError: the file cannot be read.
        LinetuneError: the file is damaged.
    """
    size = check_sizes(path)
    with path.open("rb") as file:
        file.seek(8)
        content: Any = untrusted.parse_json(file.read(size), path)
    metadata = content.get("__metadata__", {}) if isinstance(content, dict) else None
    if not isinstance(metadata, dict):
        raise LinetuneError("not a safetensors file (its header is damaged)", path, AGAIN)
    return {str(key): str(value) for key, value in metadata.items()}
