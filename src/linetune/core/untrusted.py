"""Read files of strangers: how large they may be, and JSON that cannot fill the memory.

Every reader of a whole file starts here. A file that is too large is refused before it is in memory.
"""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

from linetune.core.errors import LinetuneError

TEXT, IMAGE, MODEL = 2**26, 2**28, 3 * 2**27
"""Most bytes of a text file (64 MiB), an image (256 MiB) and a model (384 MiB).

A label file of a million lines has about 50 MB, a scan of 67 megapixels without compression 200 MB, and the
largest official weights have 220 MB.
"""
LINES, CELLS = 10**6, 5 * 10**6
"""Most lines of a text file, and cells of a table. A line takes about 550 bytes in memory, a cell 60."""
DEEPEST = 64
"""Most levels of nested JSON and YAML. Real files have fewer than ten. Python fails at about a thousand."""
_SCRIPTED = (("dev",), ("proc",))
"""Folders of the system's pipes, such as that of ``<(command)`` in a shell."""
_VALUES = 4 * 10**8
"""Most bytes that the values of a JSON text may take in memory. COCO-Text's 55 MB take 380 MB."""
_WEIGHTS = {"{": 120, "[": 56, ":": 80, ",": 32}
"""Bytes in memory for each of these characters: an object, a list, a key and a number."""
_MEND = "correct the file, or export it again"


def read(path: Path, most: int = TEXT, kind: str = "file") -> bytes:
    """Return the content of a file of at most ``most`` bytes.

    Args:
        path: the file.
        most: the limit in bytes.
        kind: the name of such files in messages.

    Raises:
        LinetuneError: the file is larger, or is a pipe or a socket.
        OSError: the file cannot be read.
        ValueError: the path has a null character.
    """
    size = check_size(path, most, kind)
    with path.open("rb", buffering=0) as file:
        # Devices, pipes and files of the system have the size 0.
        data = file.readall() if size else _drained(file, most)
    if len(data) > most:
        raise too_large(path, most, kind)
    return data


def check_size(path: Path, most: int, kind: str) -> int:
    """Return the size of a file in bytes, before a library opens it.

    Raises:
        LinetuneError: the file is larger than ``most`` bytes, or is a pipe or a socket.
        OSError: the file does not exist.
        ValueError: the path has a null character.
    """
    refuse_pipe(path, kind)
    size = path.stat().st_size
    if size > most:
        raise too_large(path, most, kind)
    return size


def refuse_pipe(path: Path, kind: str = "file") -> None:
    """Refuse a pipe. Reading it would block until another program writes into it.

    Raises:
        LinetuneError: the path is a pipe or a socket.
        OSError: the path does not exist.
        ValueError: the path has a null character.
    """
    mode = path.stat().st_mode
    if (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)) and path.parts[1:2] not in _SCRIPTED:
        raise LinetuneError(f"a pipe, not {kind if kind.startswith('an ') else f'a {kind}'}", path)


def too_large(where: object, most: int, kind: str) -> LinetuneError:
    """Return the error for a file of more than ``most`` bytes."""
    return LinetuneError(f"too large: the {kind} has more than {most >> 20} MiB", where, "make it smaller")


def check_lines(text: str, where: object, delimiter: str | None = None) -> None:
    """Check that a text is small enough to be taken apart into lines, and lines into cells.

    Args:
        text: the content of a file. Lines end with LF, or with CR alone.
        where: the file.
        delimiter: what separates the cells of a line, if it has any.

    Raises:
        LinetuneError: there are more than :data:`LINES` lines or :data:`CELLS` cells.
    """
    counts = [("lines", max(text.count("\n"), text.count("\r")), LINES)]
    if delimiter is not None:
        counts.append(("cells", text.count(delimiter), CELLS))
    for name, count, most in counts:
        if count > most:
            what = f"too large: {count:,} {name}, but linetune reads {most:,}"
            raise LinetuneError(what, where, "divide it into several files")


def parse_json(text: str | bytes, where: object, line: int = 1, hint: str | None = _MEND) -> Any:
    """Parse JSON that starts in a line of a file.

    Args:
        text: the JSON. Bytes are UTF-8.
        where: the file.
        line: the line in which the text starts, from 1.
        hint: how to fix a damaged text.

    Raises:
        LinetuneError: the text is not JSON, is nested too deeply, or has too many values.
    """
    try:
        plain = text.decode("utf-8-sig") if isinstance(text, bytes) else text
        if sum(plain.count(mark) * weight for mark, weight in _WEIGHTS.items()) > _VALUES:
            raise LinetuneError("too many values in one JSON text", f"{where}:{line}", "split it into files")
        tree = json.loads(plain)
        if deeper(tree, DEEPEST):
            raise RecursionError
    except json.JSONDecodeError as error:
        what = f"not valid JSON ({error.msg.removesuffix(' at')} at character {error.colno})"
        raise LinetuneError(what, f"{where}:{line + error.lineno - 1}", hint) from None
    except (RecursionError, ValueError) as error:
        # A ValueError means a number with thousands of digits, or bytes that are not UTF-8.
        reason = "nested too deeply" if isinstance(error, RecursionError) else error
        raise LinetuneError(f"not valid JSON ({reason})", f"{where}:{line}", hint) from None
    return tree


def deeper(tree: Any, levels: int) -> bool:
    """Return whether lists and objects are nested more than so many levels."""
    level = [tree] if isinstance(tree, (dict, list)) else []
    for _ in range(levels):
        members = (node.values() if isinstance(node, dict) else node for node in level)
        level = [value for values in members for value in values if isinstance(value, (dict, list))]
        if not level:
            return False
    return True


def _drained(file: Any, most: int) -> bytes:
    """Return what a pipe or a device gives, until it has given more than ``most`` bytes."""
    blocks: list[bytes] = []
    size = 0
    while size <= most and (block := file.read(1 << 20)):
        blocks.append(block)
        size += len(block)
    return b"".join(blocks[: most // (1 << 20) + 2])
