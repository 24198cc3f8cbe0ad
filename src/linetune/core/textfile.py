"""Read text files. They are UTF-8, with or without a byte order mark; errors name the line that is not."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from linetune.core import encodings, untrusted
from linetune.core.errors import LinetuneError, did_you_mean, os_errors

NOT_UTF8, GBK, UTF16 = "not UTF-8", "not UTF-8 but GBK", "not UTF-8 but UTF-16"
_IMAGES = (b"\x89PNG\r\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*")
"""The first bytes of PNG, JPEG, GIF and TIFF files. ``core.image`` knows more kinds, such as BMP, but a text
may begin like those."""
_BYTE_ORDER_MARK = "\ufeff"
_COMMON = (
    "utf-8", "utf-16", "gbk", "gb18030", "big5", "cp949", "euc-kr", "shift_jis", "cp932", "euc-jp", "cp1250",
    "cp1251", "cp1252", "cp1253", "cp1254", "cp1255", "cp1256", "cp874", "latin-1", "koi8-r",
)  # fmt: skip
"""Names of encodings that we suggest for a mistyped name. Python knows more."""


def read(path: Path, kind: str, missing: str | None = None) -> str:
    """Return the text of a UTF-8 file.

    Args:
        path: the file.
        kind: the name of such files in messages.
        missing: the hint if the file does not exist.

    Raises:
        LinetuneError: the file is missing, unreadable or not UTF-8.
    """
    data = content(path, kind, missing)
    _refuse_image(data, path, kind)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise LinetuneError(NOT_UTF8, f"{path}:{line_of(error)}", "save the file as UTF-8") from None


def read_lines(path: Path, kind: str, convert: str) -> list[str | LinetuneError]:
    r"""Return the lines of a UTF-8 file, split at ``\n``, and an error for each line that is not UTF-8.

    Byte order marks at the beginning of lines are removed. They are there where files were joined.

    Args:
        path: the file.
        kind: the name of such files in messages.
        convert: the command that reads other encodings and writes UTF-8.

    Raises:
        LinetuneError: the file is missing, unreadable, too large, or UTF-16, where a byte cannot end a line.
    """
    data = content(path, kind)
    _refuse_image(data, path, kind)
    if encodings.bom_encoding(data) in ("utf-16", "utf-32"):
        raise LinetuneError(UTF16, f"{path}:1", f"{convert} writes it as UTF-8")
    if name := encodings.unmarked_utf16(data):
        raise LinetuneError(UTF16, f"{path}:1", f"{convert} --encoding {name} writes it as UTF-8")
    untrusted.check_lines(data.decode("latin-1"), path)  # any bytes are Latin-1
    with suppress(UnicodeDecodeError):
        # splitlines() would also split a text at U+2028, U+0085 and others.
        return [line.removeprefix(_BYTE_ORDER_MARK) for line in data.decode("utf-8-sig").split("\n")]
    what, hint = _problem(encodings.judge(data), convert)
    lines: list[str | LinetuneError] = []
    for number, line in enumerate(data.split(b"\n"), 1):
        try:
            lines.append(line.decode().removeprefix(_BYTE_ORDER_MARK))
        except UnicodeDecodeError:
            lines.append(LinetuneError(what, f"{path}:{number}", hint))
    return lines


def _refuse_image(data: bytes, path: Path, kind: str) -> None:
    if data.startswith(_IMAGES) or (data.startswith(b"RIFF") and data[8:12] == b"WEBP"):
        raise LinetuneError(f"an image, where a {kind} should be", path)


def _problem(judged: encodings.Judgement, convert: str | None) -> tuple[str, str]:
    """Return what is wrong with bytes that are not UTF-8, and the hint.

    Args:
        judged: the possible encodings.
        convert: the command that writes UTF-8. None if the command that runs takes ``--encoding`` itself.
    """
    if judged.utf8_line:
        return f"{NOT_UTF8}, but line {judged.utf8_line} is", "save all lines as UTF-8"
    if judged.encoding:
        return GBK, f"{convert} writes it as UTF-8"
    if judged.damaged:
        return NOT_UTF8, "the rest is UTF-8, so these bytes are damaged: write their text again"
    name = next(iter(judged.readings)) if len(judged.readings) == 1 else "NAME"
    option = f"{convert} --encoding {name} writes it as UTF-8" if convert else f"pass --encoding {name}"
    readings = ", ".join(f"{text!r} as {name}" for name, text in judged.readings.items())
    return NOT_UTF8, f"it reads {readings}; {option}" if readings else f"save the file as UTF-8, or {option}"


def decode(
    data: bytes,
    where: object,
    encoding: str | None = None,
    judge: Callable[[bytes], encodings.Judgement] = encodings.judge,
) -> tuple[str, str]:
    """Return the text of bytes and the name of their encoding.

    Without ``encoding`` we accept UTF-8, UTF-16 with a byte order mark, and GBK if :func:`encodings.judge` is
    certain.

    Args:
        data: the content of a file, or one text from a file.
        where: the place for messages. For a path, the message adds the line.
        encoding: the encoding that the user names. A byte order mark in the bytes takes precedence.
        judge: returns the possible encodings of bytes that are not UTF-8.

    Raises:
        LinetuneError: the bytes have none of these encodings, or not the one that the user names.
    """
    mark = encodings.bom_encoding(data)
    name = mark or encoding or "utf-8"
    place = where
    try:
        if mark or encoding or not encodings.unmarked_utf16(data):
            return data.decode(name), name
    except UnicodeDecodeError as error:
        place = f"{where}:{line_of(error)}" if isinstance(where, Path) else where
    except UnicodeError:
        # Python's UTF-16 and UTF-32 codecs raise this for bytes without a mark. It names no place.
        pass
    if mark or encoding:
        hint = "its byte order mark names this encoding" if mark else "try another --encoding"
        raise LinetuneError(f"not {name.removesuffix('-sig')}", place, hint)
    judged = judge(data)
    if judged.encoding:
        return data.decode(judged.encoding), judged.encoding
    what, hint = _problem(judged, None)
    raise LinetuneError(what, place, hint)


def judged_together(paths: Iterable[Path]) -> encodings.Judgement:
    """Return one judgement on all files that are not UTF-8. Unreadable files are left out."""
    others = []
    for path in paths:
        with suppress(LinetuneError):
            data = content(path, "file")
            try:
                data.decode()
            except UnicodeDecodeError:
                if not encodings.bom_encoding(data) and not encodings.unmarked_utf16(data):
                    others.append(data)
    return replace(encodings.judge(b"\n".join(others)), utf8_line=None)


def is_utf8(data: bytes, other: str) -> bool:
    """Return whether bytes are UTF-8 beyond ASCII although the user says that they have another encoding."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return not data.isascii() and codecs.lookup(other).name != "utf-8"


def lenient(data: bytes) -> str:
    """Decode bytes as UTF-8 or UTF-16 and replace what is neither, to see what kind of file it is."""
    name = encodings.bom_encoding(data) or encodings.unmarked_utf16(data) or "utf-8"
    return data.decode(name, "replace")


def check_encoding(name: str) -> None:
    """Check that Python knows an encoding.

    Raises:
        LinetuneError: Python does not know the encoding.
    """
    try:
        b"".decode(name)
        "".encode(name)
    except (LookupError, ValueError):
        raise LinetuneError(f"unknown encoding {name!r}", "--encoding", did_you_mean(name, _COMMON)) from None


def line_of(error: UnicodeDecodeError) -> int:
    """Return the number, from 1, of the line that cannot be decoded."""
    return error.object[: error.start].count(b"\n") + 1


def content(path: Path, kind: str, missing: str | None = None) -> bytes:
    """Return the bytes of a file.

    Args:
        path: the file.
        kind: the name of such files in messages.
        missing: the hint if the file does not exist.

    Raises:
        LinetuneError: the file is missing or unreadable.
    """
    with os_errors(f"{kind} cannot be read", path):
        try:
            return untrusted.read(path, untrusted.TEXT, kind)
        except FileNotFoundError:
            raise LinetuneError(f"{kind} not found", path, missing) from None
        except OSError:
            if not path.is_dir():
                raise
            inside = next(filter(Path.is_file, map(path.joinpath, ("linetune.yaml", "labels.txt"))), None)
            hint = f"do you mean {inside}?" if inside else missing
            raise LinetuneError(f"{kind} expected, but this is a folder", path, hint) from None
        except ValueError:
            what = f"{kind} cannot be read (a null character in its path)"
            raise LinetuneError(what, str(path)) from None
