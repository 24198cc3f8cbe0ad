"""Text files as people have them: encodings, line ends, JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from linetune.core import image, textfile
from linetune.core.errors import LinetuneError
from linetune.data.importers import WITH_BOXES

TABLES = (".csv", ".tsv")
"""How the names of tables end, in lower case."""
IMAGE_END = rf"\.(?:{'|'.join(suffix[1:] for suffix in sorted(image.SUFFIXES))})"
"""Expression for how the names of images end, in lower case."""
CORRECTED = re.compile(r"correct|truth|final|manual|gold|verif|human|revis|review", re.IGNORECASE)
"""Names of columns and fields that hold what a person made of a text in another one."""
_SHOWN, _SHOWN_OF_NAMES = 60, 200
"""Characters of a text and of a name that a message shows."""
_SNIFFED_BYTES = 1 << 16
_SNIFFED_ROWS = 20
_APART = r"[\s,;()\[\]{}]+"
NUMBERS = rf"(?:-?\d+(?:\.\d+)?{_APART}){{3,}}-?\d+(?:\.\d+)?(?:{_APART}|$)"
"""Expression for four or more numbers in a row, as the corners of boxes are."""
_BETWEEN = re.compile(r"[\s,:]*")


def of_boxes(form: str) -> str:
    """The way out where boxes stand beside texts in a format that reads none."""
    return f"--format {form} takes whole images all the same; boxes are cut out of {', '.join(WITH_BOXES)}"


def decode(path: Path) -> tuple[str, str]:
    """A file's content, and the encoding it has, as :func:`textfile.decode` tells.

    Raises:
        LinetuneError: it cannot be read, or is in no encoding that is certain.
    """
    return textfile.decode(textfile.content(path, "file"), path)


def head(path: Path) -> str:
    """The beginning of a file, as far as it is text; empty where it cannot be read."""
    try:
        with path.open("rb") as file:
            return textfile.lenient(file.read(_SNIFFED_BYTES))
    except OSError:
        return ""


def first_rows(path: Path) -> list[str]:
    """A file's first lines that are not blank."""
    return [row for _, row in islice(rows(head(path)), _SNIFFED_ROWS)]


def rows(text: str) -> Iterator[tuple[int, str]]:
    """Numbered lines without their ends, blank ones left out.

    So are byte order marks at the beginning of lines: they stay where files were joined. CR alone ends lines
    where nothing else does.
    """
    if "\n" not in text:
        text = text.replace("\r", "\n")
    # Not splitlines(): that would split a text at U+2028, U+0085 and others.
    for number, row in enumerate(text.split("\n"), 1):
        if row.strip("\ufeff").strip():
            yield number, row.removeprefix("\ufeff").rstrip("\r")


def mostly(path: Path, pattern: re.Pattern[str]) -> bool:
    """Whether most of a file's first lines begin as the pattern says."""
    shown = first_rows(path)
    return sum(bool(pattern.match(row)) for row in shown) * 2 > len(shown)


def begins(path: Path, pattern: re.Pattern[str]) -> bool:
    """Whether a file's content begins as the pattern says; not where it cannot be read."""
    try:
        # All of it: a list of thousands of images may stand before what tells.
        return bool(pattern.match(decode(path)[0]))
    except LinetuneError:
        return False


def having(path: Path, suffix: str, fits: Callable[[Path], bool]) -> list[Path]:
    """A path that is a file of that suffix and fits, or such files directly in a folder."""
    candidates = files(path, suffix) if path.is_dir() else [path]
    return [p for p in candidates if p.suffix.lower() == suffix and fits(p)]


def files(folder: Path, *suffixes: str) -> list[Path]:
    """Files directly in a folder by their suffix, hidden ones left out."""
    inside = sorted(folder.iterdir())
    return [p for p in inside if p.suffix.lower() in suffixes and p.name[0] != "." and p.is_file()]


def parse_json(text: str, path: Path, line: int = 1) -> Any:
    """JSON that starts in that line of a file.

    Raises:
        LinetuneError: with the line it breaks in.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        what = f"not valid JSON ({error.msg} at character {error.colno})"
        raise LinetuneError(what, f"{path}:{line + error.lineno - 1}") from None
    except RecursionError:
        raise LinetuneError("not valid JSON (nested too deep)", f"{path}:{line}") from None
    except ValueError as error:
        # A number of thousands of digits.
        raise LinetuneError(f"not valid JSON ({error})", f"{path}:{line}") from None


def entries(text: str, key: str, path: Path) -> list[tuple[int, Any]]:
    """The entries of a list that stands under ``key`` in a JSON object, each with its line.

    Raises:
        LinetuneError: the text is not JSON, or there is no such list.
    """
    whole = parse_json(text, path)
    if not isinstance(whole, dict) or not isinstance(whole.get(key), list):
        raise LinetuneError(f'no list "{key}"', path)
    return [(line, value) for line, _, value in members(text, path, key)]


def members(text: str, path: Path, key: str | None = None) -> list[tuple[int, str | int, Any]]:
    """What a JSON list or object holds, each with its line and with its name or its number from 1.

    Args:
        text: the file's content.
        path: the file.
        key: the list or object is what stands under that key; it is the whole content by default.

    Raises:
        LinetuneError: the text is not JSON, or there is no such list or object.
    """
    whole = parse_json(text, path)
    inner = whole.get(key) if isinstance(whole, dict) and key is not None else whole
    if not isinstance(inner, (list, dict)) or (key is not None and inner is whole):
        raise LinetuneError("no list" if key is None else f'no list "{key}"', path)
    # json tells no places, so the valid text is walked again, value by value.
    at = _skip(text, 0)
    if key is not None:
        # Of several equal keys json takes the last.
        at = [start for name, start, _ in _walk(text, at) if name == key][-1]
    found = []
    line, counted = 1, 0
    for number, (name, start, value) in enumerate(_walk(text, at), 1):
        line, counted = line + text.count("\n", counted, start), start
        found.append((line, number if name is None else name, value))
    return found


def _walk(text: str, at: int) -> Iterator[tuple[str | None, int, Any]]:
    """The members of the list or object that begins there: name, place and value."""
    decoder = json.JSONDecoder()
    named = text[at] == "{"
    at = _skip(text, at + 1)
    while text[at] not in "]}":
        name = None
        if named:
            name, at = decoder.raw_decode(text, at)
            at = _skip(text, at)
        start = at
        value, at = decoder.raw_decode(text, at)
        yield name, start, value
        at = _skip(text, at)


def _skip(text: str, at: int) -> int:
    gap = _BETWEEN.match(text, at)
    return gap.end() if gap else at


def shown(name: object) -> str:
    """A name of a source's own, for messages, which are one line; the beginning of a long one."""
    text = _short(str(name), _SHOWN_OF_NAMES)
    return text if text.isprintable() else repr(text)


def quoted(text: str) -> str:
    """A text in quotes, for messages; the beginning of a long one."""
    return repr(_short(text, _SHOWN))


def _short(text: str, length: int) -> str:
    return text if len(text) <= length else text[:length] + "…"
