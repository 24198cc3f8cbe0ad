"""Find the lines that have to stay in one split."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from linetune.core.errors import LinetuneError, many_errors, place
from linetune.core.labelfile import Line
from linetune.data.check.duplicates import CheckedLine, doubles
from linetune.data.check.images import summarise_all
from linetune.data.check.labels import Split

CROP_OF_PHOTO = r"^(.+)_crop_\d+"
"""Pattern for the names that PPOCRLabel and ``linetune import`` give to crops of photos."""


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
    groups = [[number] for number in range(len(lines))]

    def join(one: int, other: int) -> None:
        if groups[one] is not groups[other]:
            small, large = sorted((groups[one], groups[other]), key=len)
            large += small
            for number in small:
                groups[number] = large

    numbers_of: dict[str, int] = {}
    for number, photo in enumerate(_photos(lines, pattern)):
        join(numbers_of.setdefault(photo, number), number)
    whole = Split("all", list(lines))
    checked = []
    for line, crop in zip(lines, summarise_all([line.image for line in lines], progress), strict=True):
        checked.append(CheckedLine.of(whole, line, crop))
        if isinstance(crop, LinetuneError) and unreadable is not None:
            unreadable.append(LinetuneError(f"{crop.what}: {place(line.image)}", line.source, crop.hint))
    numbers = {id(line): number for number, line in enumerate(checked)}
    for one, other, nearly in doubles(checked):
        # Serial numbers in the same print look nearly alike, but their labels differ.
        if not nearly or one.line.text == other.line.text:
            join(numbers[id(one)], numbers[id(other)])
    return sorted({id(group): sorted(group) for group in groups}.values())


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
    by_name, by_path = (
        [match[1] if (match := expression.search(text)) else None for text in texts]
        for texts in ([line.image.name for line in lines], [line.image.as_posix() for line in lines])
    )
    for photos in (by_name, by_path):
        if len(named := [photo for photo in photos if photo is not None]) == len(lines):
            return named
    errors = [
        LinetuneError(f"the pattern does not match {line.image.name}", line.source)
        for line, photo in zip(lines, by_name, strict=True)
        if photo is None
    ]
    raise many_errors(
        errors, f"of {len(lines)} names do not match {where}", hint="change the pattern, or rename the files"
    )
