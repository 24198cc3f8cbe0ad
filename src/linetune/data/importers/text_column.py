"""The column of texts: its name means text, or all other columns hold something else."""

from __future__ import annotations

from difflib import SequenceMatcher

from linetune.core.errors import LinetuneError
from linetune.core.labelfile import spread
from linetune.data.importers import texts
from linetune.data.importers.column import LISTED, SAMPLE, TEXT, Column, is_json, listed
from linetune.data.importers.source import Source

_TEXT_WORDS = TEXT | {"texts", "labels"}
"""Last words of longer names that mean text."""
_CLASS = {"label", "labels"}
"""Names of columns of texts in some tables, and of classes in others."""
_VAGUE = _CLASS | {"caption", "suffix", "word", "words"}
"""Names that may mean something else than the text in the image."""
_SIMILAR = 0.7
"""Least similarity, 0 to 1, of two versions of a text. One character of seven may differ, or two of ten."""
_HINT = "name the column of the texts with --text-column"


def text_column(source: Source, columns: list[Column], place: object) -> Column:
    """Return the column of texts.

    Args:
        source: gets a note if the name of the column is not clear.
        columns: the columns that may have the texts.
        place: the place of the header, for messages.

    Raises:
        LinetuneError: several columns may be that of the texts, or none.
    """
    if not columns:
        raise LinetuneError("the only column is that of the images", place, "add a column of texts")
    named = [column for column in columns if column.named(TEXT, _TEXT_WORDS)]
    fitting = [column for column in columns if column.objection() is None]
    # A name that always means text comes before one that may mean a class or contains other words.
    likely = [column for column in named if column.named(TEXT - _CLASS)] or named or columns
    if fitting:
        likely = [column for column in likely if column in fitting]
    else:
        # A column with the same text in all rows counts only if no other column can have the texts.
        likely = [column for column in likely if column.constant and not is_json(column.cells[0])]
        likely = [column for column in likely if isinstance(column.cells[0], str)]
    # The last possible column need not have the texts. It may have numbers of things, or parts of a box.
    sure = bool(named) or len(columns) == 1 or any(column.variety for column in likely)
    # Another column may hold the corrections of these texts.
    others = [column for column in columns if column not in likely]
    sure &= not any(texts.CORRECTED.search(column.name) for column in fitting if column in others)
    sure &= not any(_are_versions(column, other) for column in likely for other in others)
    if len(likely) == 1 and sure and not _doubtful(likely[0], bool(named), fitting):
        if likely != named:
            source.notes.append(_reason(likely[0], columns))
        return likely[0]
    if not likely and not fitting:
        reasons = "; ".join(f"{column} {column.objection()}" for column in (named or columns)[:LISTED])
        raise LinetuneError(f"no column of texts: {reasons}", place, _HINT)
    raise LinetuneError(f"it is not clear which column has the texts: {listed(columns)}", place, _HINT)


def _are_versions(column: Column, other: Column) -> bool:
    """Return whether most rows have nearly the same text in both columns, as after a correction."""
    pairs = [
        (a, b)
        for a, b in zip(column.values, other.values, strict=True)
        if isinstance(a, str) and isinstance(b, str) and a and b
    ]
    sample = spread(pairs, SAMPLE)
    similar = sum(SequenceMatcher(None, a, b).ratio() >= _SIMILAR for a, b in sample)
    return 2 * similar > len(sample)


def _doubtful(column: Column, named: bool, fitting: list[Column]) -> bool:
    """Return whether a column may hold classes, not texts: its cells repeat, and another column varies more.

    Args:
        column: the likely column of texts.
        named: whether its name means text.
        fitting: all columns that can have texts.
    """
    different = len(column.texts)
    if not named or different * 2 > column.rows:
        return False
    # Beside a name that always means text, a column of numbers has amounts or measures.
    certain = column.named(TEXT - _VAGUE)
    counts = [other.variety if certain else len(other.texts) for other in fitting if other is not column]
    return any(count >= 2 * different for count in counts)


def _reason(column: Column, columns: list[Column]) -> str:
    """Return a note that says why a column has the texts."""
    others = [
        f"{other.shown} {why}" for other in columns if other is not column and (why := other.objection())
    ]
    because = f", because {', '.join(others[:LISTED])}" if others else ""
    return f"the texts are in the column {column.shown}{because}; name another one with --text-column"
