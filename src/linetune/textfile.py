"""Text files are UTF-8, with or without a byte order mark; what is not is told with its line."""

from __future__ import annotations

import codecs
from contextlib import suppress
from pathlib import Path

from linetune.errors import LinetuneError

NOT_UTF8, GBK = "not UTF-8", "not UTF-8 but GBK"


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
    data = _content(path, kind, missing)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        place = f"{path}:{line_of(error)}"
    what, hint = _told(data, gbk)
    raise LinetuneError(what, place, hint)


def read_lines(path: Path, kind: str, gbk: str | None = None) -> list[str | LinetuneError]:
    r"""A UTF-8 file's lines, as they stand between ``\n``, and what is wrong with those that are not UTF-8.

    Args:
        path: the file.
        kind: what it is called in messages.
        gbk: the way out where the file is GBK.

    Raises:
        LinetuneError: the file is missing, cannot be read, or is UTF-16, in which a byte ends no line.
    """
    data = _content(path, kind)
    with suppress(UnicodeDecodeError):
        # Not splitlines(): that would split a text at U+2028, U+0085 and others.
        return [*data.decode("utf-8-sig").split("\n")]
    what, hint = _told(data, gbk)
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise LinetuneError(what, f"{path}:1", hint)
    lines: list[str | LinetuneError] = []
    for number, line in enumerate(data.removeprefix(codecs.BOM_UTF8).split(b"\n"), 1):
        try:
            lines.append(line.decode())
        except UnicodeDecodeError:
            lines.append(LinetuneError(what, f"{path}:{number}", hint))
    return lines


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


def _content(path: Path, kind: str, missing: str | None = None) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise LinetuneError(f"{kind} not found", path, missing) from None
    except OSError as error:
        raise LinetuneError(f"{kind} cannot be read ({error.strerror})", path) from None


def _told(data: bytes, gbk: str | None) -> tuple[str, str]:
    """What is wrong with a file that is not UTF-8, and the way out."""
    return (GBK, gbk) if gbk and is_gbk(data) else (NOT_UTF8, "save the file as UTF-8")
