"""Lines that must stay together when labels are divided."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from linetune.core.errors import LinetuneError, many_errors
from linetune.core.labelfile import Line
from linetune.data.check.duplicates import Entry, nearly_same, same_content
from linetune.data.check.images import Look, look_at_all
from linetune.data.check.labels import Split


def group(
    lines: Sequence[Line],
    pattern: str | None = None,
    progress: Callable[[int], None] = lambda done: None,
    unreadable: list[LinetuneError] | None = None,
) -> list[list[int]]:
    """Numbers of lines that belong together: crops of one photo, and images that are equal, or
    nearly so with one label.

    Args:
        lines: all there are; an image that cannot be decoded is grouped by its name alone.
        pattern: regular expression whose first group, found in each file's name or else in each path, names
            the photo; without one, every name stands for itself.
        progress: called with the number of images looked at so far.
        unreadable: gets what is wrong with images that cannot be decoded.

    Raises:
        LinetuneError: the pattern is no regular expression or has no group; an ``ManyErrors`` of the
            lines in whose names it is not found.
    """
    joined = _Joined(len(lines))
    earliest: dict[str, int] = {}
    for number, key in enumerate(_keys(lines, pattern)):
        joined.join(earliest.setdefault(key, number), number)
    whole = Split("all", list(lines))
    entries = []
    for line, crop in zip(lines, look_at_all([line.image for line in lines], progress), strict=True):
        entries.append(Entry(whole, line, crop if isinstance(crop, Look) else None))
        if isinstance(crop, LinetuneError) and unreadable is not None:
            unreadable.append(LinetuneError(f"{crop.what}: {line.image}", line.source, crop.hint))
    numbers = {id(entry): number for number, entry in enumerate(entries)}
    for one, *others in same_content(entries):
        for other in others:
            joined.join(numbers[id(one)], numbers[id(other)])
    for one, other, _ in nearly_same(entries):
        # Running numbers in one print look nearly alike.
        if one.line.text == other.line.text:
            joined.join(numbers[id(one)], numbers[id(other)])
    return joined.groups()


class _Joined:
    """Numbers from 0 that are joined two by two."""

    def __init__(self, count: int) -> None:
        self._above = list(range(count))

    def join(self, a: int, b: int) -> None:
        low, high = sorted((self._top(a), self._top(b)))
        self._above[high] = low

    def groups(self) -> list[list[int]]:
        """In the order of their first numbers."""
        found: dict[int, list[int]] = {}
        for number in range(len(self._above)):
            found.setdefault(self._top(number), []).append(number)
        return list(found.values())

    def _top(self, number: int) -> int:
        while self._above[number] != number:
            self._above[number] = self._above[self._above[number]]
            number = self._above[number]
        return number


def _keys(lines: Sequence[Line], pattern: str | None) -> list[str]:
    if pattern is None:
        return [str(line.image) for line in lines]
    where = f"pattern {pattern}"
    try:
        expression = re.compile(pattern)
    except re.error as error:
        place = "" if error.pos is None else f" at position {error.pos}"
        raise LinetuneError(f"{error.msg}{place}", where) from None
    if not expression.groups:
        raise LinetuneError("has no group", where, "put what names the photo in brackets: '^(.+)_crop'")
    # A photo may be named by a folder as well.
    for names in ([line.image.name for line in lines], [line.image.as_posix() for line in lines]):
        keys = [found[1] for name in names if (found := expression.search(name)) and found[1] is not None]
        if len(keys) == len(lines):
            return keys
    errors = [
        LinetuneError(f"the pattern is not found in {line.image.name}", line.source)
        for line in lines
        if not (found := expression.search(line.image.name)) or found[1] is None
    ]
    raise many_errors(errors, f"of {len(lines)} names do not follow {where}")
