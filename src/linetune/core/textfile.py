"""Text files are UTF-8, with or without a byte order mark; what is not is told with its line."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from linetune.core import encodings
from linetune.core.errors import LinetuneError, did_you_mean

NOT_UTF8, GBK, UTF16 = "not UTF-8", "not UTF-8 but GBK", "not UTF-8 but UTF-16"
_MARK = "\ufeff"
_COMMON = (
    "utf-8", "utf-16", "gbk", "gb18030", "big5", "cp949", "euc-kr", "shift_jis", "cp932", "euc-jp", "cp1250",
    "cp1251", "cp1252", "cp1253", "cp1254", "cp1255", "cp1256", "cp874", "latin-1", "koi8-r",
)  # fmt: skip
"""Names of encodings to correct a mistyped one by; Python knows more."""


def read(path: Path, kind: str, missing: str | None = None) -> str:
    """A UTF-8 file's content.

    Args:
        path: the file.
        kind: what it is called in messages.
        missing: the way out where there is no such file.

    Raises:
        LinetuneError: the file is missing, cannot be read or is not UTF-8.
    """
    data = content(path, kind, missing)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise LinetuneError(NOT_UTF8, f"{path}:{line_of(error)}", "save the file as UTF-8") from None


def read_lines(path: Path, kind: str, convert: str) -> list[str | LinetuneError]:
    r"""A UTF-8 file's lines, as they stand between ``\n``, and what is wrong with those that are not UTF-8.

    Byte order marks at the beginning of lines are left out: they stay where files were joined.

    Args:
        path: the file.
        kind: what it is called in messages.
        convert: the command that reads other encodings and writes UTF-8.

    Raises:
        LinetuneError: the file is missing, cannot be read, or is UTF-16, in which a byte ends no line.
    """
    data = content(path, kind)
    if encodings.marked(data) in ("utf-16", "utf-32"):
        raise LinetuneError(UTF16, f"{path}:1", f"{convert} writes it as UTF-8")
    if name := encodings.wide(data):
        raise LinetuneError(UTF16, f"{path}:1", f"{convert} --encoding {name} writes it as UTF-8")
    with suppress(UnicodeDecodeError):
        # Not splitlines(): that would split a text at U+2028, U+0085 and others.
        return [line.removeprefix(_MARK) for line in data.decode("utf-8-sig").split("\n")]
    what, hint = _told(encodings.judge(data), convert)
    lines: list[str | LinetuneError] = []
    for number, line in enumerate(data.split(b"\n"), 1):
        try:
            lines.append(line.decode().removeprefix(_MARK))
        except UnicodeDecodeError:
            lines.append(LinetuneError(what, f"{path}:{number}", hint))
    return lines


def _told(judged: encodings.Judgement, convert: str) -> tuple[str, str]:
    """What is wrong with a file that is not UTF-8, and the way out."""
    if judged.lines:
        return f"{NOT_UTF8}, though line {judged.lines[0]} is", "save all lines as UTF-8"
    if judged.encoding:
        return GBK, f"{convert} writes it as UTF-8"
    if not judged.readings:
        return NOT_UTF8, "save the file as UTF-8"
    return NOT_UTF8, f"it reads {judged.shown()}; {convert} --encoding {_name(judged)} writes it as UTF-8"


def decode(
    data: bytes,
    where: object,
    encoding: str | None = None,
    judge: Callable[[bytes], encodings.Judgement] = encodings.judge,
) -> tuple[str, str]:
    """The text of bytes, and the name of the encoding they have.

    Without ``encoding`` they are UTF-8, UTF-16 with a byte order mark, or GBK where
    :func:`encodings.judge` is sure of it.

    Args:
        data: a file's content, or a text of one.
        where: the file, for messages; with the line where one is at fault.
        encoding: what a person says they are; a byte order mark in the bytes goes before it.
        judge: says what bytes that are not UTF-8 are.

    Raises:
        LinetuneError: they are none of these, or not what a person says.
    """
    mark = encodings.marked(data)
    name = mark or encoding or "utf-8"
    place = where
    try:
        if mark or encoding or not encodings.wide(data):
            return data.decode(name), name
    except UnicodeDecodeError as error:
        place = f"{where}:{line_of(error)}" if isinstance(where, Path) else where
    except UnicodeError:
        # What UTF-16 and UTF-32 say of bytes that begin with no mark.
        place = where
    if mark or encoding:
        hint = "its byte order mark says so" if mark else "another --encoding may be right"
        raise LinetuneError(f"not {name.removesuffix('-sig')}", place, hint)
    judged = judge(data)
    if judged.lines:
        utf8, other = judged.lines
        place = f"{where}:{other}" if isinstance(where, Path) else where
        raise LinetuneError(f"not UTF-8, though line {utf8} is", place, "save all lines as UTF-8")
    if judged.encoding:
        return data.decode(judged.encoding), judged.encoding
    if judged.readings:
        raise LinetuneError(NOT_UTF8, place, f"it reads {judged.shown()}; pass --encoding {_name(judged)}")
    damaged = "the rest is UTF-8, so that these bytes are damaged"
    way_out = damaged if judged.damaged else "save the file as UTF-8, or pass --encoding NAME"
    raise LinetuneError(NOT_UTF8, place, way_out)


def judged_together(paths: Iterable[Path]) -> encodings.Judgement:
    """What those of many files are that are not UTF-8, as far as they can be read."""
    others = []
    for path in paths:
        with suppress(LinetuneError):
            data = content(path, "file")
            try:
                data.decode()
            except UnicodeDecodeError:
                if not encodings.marked(data) and not encodings.wide(data):
                    others.append(data)
    return replace(encodings.judge(b"\n".join(others)), lines=None)


def is_utf8(data: bytes, other: str) -> bool:
    """Whether bytes that are said to have another encoding would be UTF-8, with characters beyond ASCII."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return not data.isascii() and codecs.lookup(other).name != "utf-8"


def lenient(data: bytes) -> str:
    """The text of bytes as far as they are UTF-8 or UTF-16, to see what kind of file it is."""
    return data.decode(encodings.marked(data) or encodings.wide(data) or "utf-8", "replace")


def check_encoding(name: str) -> None:
    """Whether there is an encoding of that name.

    Raises:
        LinetuneError: there is none.
    """
    try:
        b"".decode(name)
        "".encode(name)
    except (LookupError, ValueError):
        raise LinetuneError(f"no encoding {name!r}", "--encoding", did_you_mean(name, _COMMON)) from None


def line_of(error: UnicodeDecodeError) -> int:
    """The line, from 1, in which a file's content is not what it should be."""
    return error.object[: error.start].count(b"\n") + 1


def content(path: Path, kind: str, missing: str | None = None) -> bytes:
    """A file's bytes.

    Args:
        path: the file.
        kind: what it is called in messages.
        missing: the way out where there is no such file.

    Raises:
        LinetuneError: the file is missing or cannot be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise LinetuneError(f"{kind} not found", path, missing) from None
    except OSError as error:
        raise LinetuneError(f"{kind} cannot be read ({error.strerror})", path) from None


def _name(judged: encodings.Judgement) -> str:
    return next(iter(judged.readings)) if len(judged.readings) == 1 else "NAME"
