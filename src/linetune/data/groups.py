"""Find the lines that have to stay in one split."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from linetune.core.errors import LinetuneError, many_errors
from linetune.core.labelfile import Line
from linetune.data.check.duplicates import CheckedLine, nearly_same, same_content
from linetune.data.check.images import CropSummary, summarise_all
from linetune.data.check.labels import Split


def group(
    lines: Sequence[Line],
    pattern: str | None = None,
    progress: Callable[[int], None] = lambda done: None,
    unreadable: list[LinetuneError] | None = None,
) -> list[list[int]]:
    """Return groups of line numbers. Every number from 0 is in one group.

    A group has the crops of one photo, equal images, and near-duplicates with the same label.

    Args:
        lines: all lines. An image that cannot be decoded is grouped only by its name.
        pattern: regular expression for each file's name, or for each path. Its first group names the photo.
            Without a pattern, each path is a photo of its own.
        progress: called with the number of images compared so far.
        unreadable: receives the errors of images that cannot be decoded.

    Raises:
        LinetuneError: the pattern is no regular expression or has no group. A ``ManyErrors`` with the lines
            that it does not match.
    """
    joined = _DisjointSets(len(lines))
    numbers_of: dict[str, int] = {}
    for number, photo in enumerate(_photos(lines, pattern)):
        joined.join(numbers_of.setdefault(photo, number), number)
    whole = Split("all", list(lines))
    checked = []
    for line, crop in zip(lines, summarise_all([line.image for line in lines], progress), strict=True):
        checked.append(CheckedLine(whole, line, crop if isinstance(crop, CropSummary) else None))
        if isinstance(crop, LinetuneError) and unreadable is not None:
            unreadable.append(LinetuneError(f"{crop.what}: {line.image}", line.source, crop.hint))
    numbers = {id(line): number for number, line in enumerate(checked)}
    for one, *others in same_content(checked):
        for other in others:
            joined.join(numbers[id(one)], numbers[id(other)])
    for one, other, _ in nearly_same(checked):
        # Serial numbers in the same print look nearly alike, but their labels differ.
        if one.line.text == other.line.text:
            joined.join(numbers[id(one)], numbers[id(other)])
    return joined.groups()


class _DisjointSets:
    """Sets of the numbers from 0 to ``count - 1`` (union-find). Each number starts in a set of its own."""

    def __init__(self, count: int) -> None:
        self._parents = list(range(count))

    def join(self, a: int, b: int) -> None:
        """Unite the sets of two numbers."""
        low, high = sorted((self._root(a), self._root(b)))
        self._parents[high] = low

    def groups(self) -> list[list[int]]:
        """Return the sets, ordered by their lowest number."""
        groups: dict[int, list[int]] = {}
        for number in range(len(self._parents)):
            groups.setdefault(self._root(number), []).append(number)
        return list(groups.values())

    def _root(self, number: int) -> int:
        while self._parents[number] != number:
            self._parents[number] = self._parents[self._parents[number]]
            number = self._parents[number]
        return number


def _photos(lines: Sequence[Line], pattern: str | None) -> list[str]:
    """Return the name of each line's photo."""
    if pattern is None:
        return [str(line.image) for line in lines]
    where = f"pattern {pattern}"
    try:
        expression = re.compile(pattern)
    except re.error as error:
        place = "" if error.pos is None else f" at position {error.pos}"
        raise LinetuneError(f"not a regular expression: {error.msg}{place}", where) from None
    if not expression.groups:
        hint = "put the part that names the photo in brackets: '^(.+)_crop'"
        raise LinetuneError("the pattern has no group", where, hint)
    # The folder may name the photo too.
    for names in ([line.image.name for line in lines], [line.image.as_posix() for line in lines]):
        keys = [found[1] for name in names if (found := expression.search(name)) and found[1] is not None]
        if len(keys) == len(lines):
            return keys
    errors = [
        LinetuneError(f"the pattern does not match {line.image.name}", line.source)
        for line in lines
        if not (found := expression.search(line.image.name)) or found[1] is None
    ]
    raise many_errors(errors, f"of {len(lines)} names do not match {where}")
