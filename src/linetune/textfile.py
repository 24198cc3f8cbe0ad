"""Text files are UTF-8, with or without a byte order mark; what is not is told with its line."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from linetune.errors import LinetuneError


def read(path: Path, kind: str, missing: str | None = None, gbk: str | None = None) -> str:
    """A UTF-8 file's content.

    Args:
        path: the file.
        kind: what it is called in messages.
        missing: the way out where there is no such file.
        gbk: the way out where the file is GBK.

    Raises:
        LinetuneError: the file is missing, cannot be read or is not UTF-8.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise LinetuneError(f"{kind} not found", path, missing) from None
    except OSError as error:
        raise LinetuneError(f"{kind} cannot be read ({error.strerror})", path) from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        place = f"{path}:{line_of(error)}"
    if gbk and is_gbk(data):
        raise LinetuneError("not UTF-8 but GBK", place, gbk)
    raise LinetuneError("not UTF-8", place, "save the file as UTF-8")


def line_of(error: UnicodeDecodeError) -> int:
    """The line, from 1, in which a file's content is not what it should be."""
    return error.object[: error.start].count(b"\n") + 1


def is_gbk(data: bytes) -> bool:
    """Whether what is not UTF-8 is GBK, and not merely damaged."""
    # A few broken bytes among many good characters: GBK often decodes that too, to nonsense.
    text = data.decode("utf-8", "replace")
    broken = text.count("\ufffd")
    if sum(character > "\x7f" for character in text) - broken > broken:
        return False
    with suppress(UnicodeDecodeError):
        data.decode("gbk")
        return True
    return False
