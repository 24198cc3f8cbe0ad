"""One column of a table: its name, its cells, and what they may be."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Set
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from linetune.core import untrusted
from linetune.core.errors import LinetuneError
from linetune.core.image import SUFFIXES
from linetune.data.importers import texts

IMAGE = {"image", "path", "file", "filename", "imagepath", "filepath", "img", "imgpath", "imagefile"}
"""Names of columns of images, in the form of :func:`plain`."""
TEXT = {
    "text", "label", "transcription", "transcript", "words", "word", "groundtruth", "gt", "caption", "suffix",
}  # fmt: skip
"""Names of columns of texts, in the form of :func:`plain`."""
_COORDINATE = re.compile(
    r"c?[xy]c?|[wh]|[xy](tl|br|min|max)|(ul|ur|ll|lr|tl|tr|bl|br|min|max)[xy]|left|top|right|bottom|width|height"
    r"|b?box|rect|coords?|coordinates?"
)
"""Words in the names of columns that hold a coordinate of a box."""
OF_A_BOX = 4
"""Least number of numbers in a cell, or of columns of coordinates, that make a box."""
_KEYS = re.compile(
    r"""[\[{].*['"](x|xmin|left|all_points_x)['"]\s*:.*['"](y|ymin|top|all_points_y)['"]\s*:"""
    r"""|[\[{].*['"](bbox|box|points|polygon|vertices)['"]\s*:\s*[\[{]""",
    re.DOTALL,
)
"""Start of an object that holds a box."""
_INSIDE = re.compile(r"""[:,\[(]\s*['"]?-?\d+(?:\.\d+)?['"]?\s*(?=[,\]})])""")
"""A number in an object or a list."""
_NUMBERS = re.compile(rf"(?=[\s\d.,;()\[\]{{}}-]+$)[\s\[({{]*{texts.NUMBERS}")
"""Start of a list of four or more numbers, with any separators."""
_LONGEST = 500
"""Characters of a cell that decide whether it is a box."""
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[^\W\d_a-zA-Z]+")
SAMPLE = 100
"""Cells that decide what a column holds."""
SHOWN = 30
"""Characters of a name or a cell in a message."""
LISTED = 12
"""Columns in a message."""


@dataclass(frozen=True)
class Column:
    """One column of a table."""

    index: int
    name: str
    values: list[Any]
    """The cell of each row, None or an empty text if it is empty."""

    @cached_property
    def cells(self) -> list[Any]:
        """The cells that are not empty."""
        return [cell for cell in self.values if cell not in (None, "")]

    @property
    def rows(self) -> int:
        return len(self.values)

    def named(self, names: Set[str], words: Set[str] = frozenset()) -> bool:
        """Return whether the column has one of the names, or a name whose last word is one of the words.

        The last word of a name says what the column holds: ``plate_text`` is a text, ``text_type`` a type.
        """
        return plain(self.name) in names or (_WORD.findall(self.name) or [""])[-1].lower() in words

    def objection(self) -> str | None:
        """Return why this can hardly be the column of texts, such as "is empty". None if it can be."""
        if not self.cells:
            return "is empty"
        if not any(isinstance(cell, str) for cell in self.cells):
            kinds = {type(cell) for cell in self.cells}
            return "holds JSON" if kinds & {dict, list} else "holds numbers, perhaps of classes"
        if self.every(is_json):
            return (
                "holds JSON of whole documents, as for Donut"
                if '"gt_parse' in str(self.cells[0])
                else "holds JSON"
            )
        if self.rows > 1 and self.constant:
            return "is the same in every row"
        return None

    @property
    def constant(self) -> bool:
        """Whether all rows have the same cell, which is not empty."""
        return 0 < len(self.cells) == self.rows and all(cell == self.cells[0] for cell in self.cells)

    @cached_property
    def texts(self) -> set[str]:
        """The cells that are texts, without repetitions."""
        return {cell for cell in self.cells if isinstance(cell, str)}

    @cached_property
    def variety(self) -> int:
        """Number of different texts that contain letters."""
        return sum(re.search(r"[^\W\d_]", text) is not None for text in self.texts)

    @property
    def boxed(self) -> bool:
        """Whether each cell is a box or a list of boxes."""
        return self.every(_is_box)

    @property
    def coordinates(self) -> bool:
        """Whether each cell is a number that may be a coordinate of a box, by the name of the column."""
        words = _WORD.findall(self.name)
        named = any(_COORDINATE.fullmatch(word.lower()) for word in words) or self.name.isdecimal()
        return named and self.every(_is_number)

    def every(self, test: Callable[[Any], bool]) -> bool:
        """Return whether the column has cells and the first of them pass a test."""
        return bool(self.cells) and all(map(test, self.cells[:SAMPLE]))

    @property
    def shown(self) -> str:
        """The name of the column in messages."""
        return repr(self.name[:SHOWN]) if self.name else str(self.index + 1)

    def __str__(self) -> str:
        return f"{self.shown} ({str(self.cells[0])[:SHOWN]!r})" if self.cells else self.shown


def plain(name: str) -> str:
    """Return the name of a column in small letters and without spaces, ``_`` and ``-``."""
    return re.sub(r"[\s_-]+", "", name).lower()


def is_image_name(cell: Any) -> bool:
    """Return whether a cell is a text that ends like the name of an image."""
    return isinstance(cell, str) and cell.strip().lower().endswith(tuple(SUFFIXES))


def _is_number(cell: Any) -> bool:
    """Return whether a cell is a number, or a text that is one."""
    try:
        float(cell)
    except (TypeError, ValueError):
        return False
    return True


def _is_box(cell: Any) -> bool:
    """Return whether a cell starts like a box: four numbers, or an object with the keys of a box."""
    beginning = str(cell).strip()[:_LONGEST]
    numbers = _INSIDE.findall(beginning) if beginning[:1] in ("[", "{") else []
    return len(numbers) >= OF_A_BOX or bool(_KEYS.match(beginning) or _NUMBERS.match(beginning))


def is_json(cell: Any) -> bool:
    """Return whether a cell is a JSON list or object, parsed or as a text."""
    if not isinstance(cell, str):
        return isinstance(cell, (dict, list))
    if cell.lstrip()[:1] not in ("[", "{"):
        return False
    try:
        return isinstance(untrusted.parse_json(cell, "cell"), (dict, list))
    except LinetuneError:
        return False


def listed(columns: list[Column]) -> str:
    """Return the first columns for a message, with their numbers if they share a name."""
    more = f" and {len(columns) - LISTED} more" if len(columns) > LISTED else ""
    twice = {name for name, count in Counter(column.name for column in columns).items() if count > 1}
    shown = [f"{c.index + 1} {c}" if c.name in twice else str(c) for c in columns[:LISTED]]
    return ", ".join(shown) + more
