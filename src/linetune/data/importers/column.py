"""One column of a table: its cells, and what they can be."""

from __future__ import annotations

import json
import re
from collections.abc import Set
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from linetune.core.image import SUFFIXES
from linetune.data.importers import texts

_COORDINATE = re.compile(
    r"c?[xy]c?|[wh]|[xy](tl|br|min|max)|(ul|ur|ll|lr|tl|tr|bl|br|min|max)[xy]|left|top|right|bottom|width|height"
    r"|b?box|rect|coords?|coordinates?"
)
"""A word in the name of a column with a coordinate of a box."""
OF_A_BOX = 4
"""Number of numbers that make a box, and of columns of numbers."""
_KEYS = re.compile(
    r"""[\[{].*['"](x|xmin|left|all_points_x)['"]\s*:.*['"](y|ymin|top|all_points_y)['"]\s*:"""
    r"""|[\[{].*['"](bbox|box|points|polygon|vertices)['"]\s*:\s*[\[{]""",
    re.DOTALL,
)
"""The start of an object with a box."""
_INSIDE = re.compile(r"""[:,\[(]\s*['"]?-?\d+(?:\.\d+)?['"]?\s*(?=[,\]})])""")
"""A number in an object or a list."""
_NUMBERS = re.compile(rf"(?=[\s\d.,;()\[\]{{}}-]+$)[\s\[({{]*{texts.NUMBERS}")
"""The start of a list of numbers, with any separator."""
_BEGINNING = 500
"""Number of characters that are looked at in a cell."""
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[^\W\d_a-zA-Z]+")
PARSED = 100
"""Number of cells that are looked at."""
SHOWN = 30
"""Characters of a name or a cell in a message."""


@dataclass(frozen=True)
class Column:
    """A column."""

    index: int
    name: str
    full: list[Any]
    """The cell of each row."""

    @cached_property
    def cells(self) -> list[Any]:
        """The cells that are not empty."""
        return [cell for cell in self.full if cell not in (None, "")]

    @property
    def rows(self) -> int:
        return len(self.full)

    def named(self, names: Set[str], words: Set[str] = frozenset()) -> bool:
        """Return whether it has one of the names, or a name that ends in one of the words.

        Only the end of a name says what it is: ``plate_text`` is a text, and ``text_type`` is a type.
        """
        return plain(self.name) in names or (_WORD.findall(self.name) or [""])[-1].lower() in words

    def objection(self) -> str | None:
        """Return why this is hardly the column of texts. None if it can be."""
        if not self.cells:
            return "is empty"
        if not any(isinstance(cell, str) for cell in self.cells):
            kinds = {type(cell) for cell in self.cells}
            return "holds JSON" if kinds & {dict, list} else "holds numbers, perhaps of classes"
        if all(map(is_json, self.cells[:PARSED])):
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
        return 0 < len(self.cells) == self.rows and all(cell == self.cells[0] for cell in self.cells)

    @cached_property
    def texts(self) -> set[str]:
        """The different texts."""
        return {cell for cell in self.cells if isinstance(cell, str)}

    @cached_property
    def variety(self) -> int:
        """The number of different texts with letters."""
        return sum(re.search(r"[^\W\d_]", text) is not None for text in self.texts)

    @property
    def numeric(self) -> bool:
        """Whether all cells are numbers."""
        return bool(self.cells) and all(map(is_number, self.cells[:PARSED]))

    @property
    def boxed(self) -> bool:
        """Whether each cell is a box or a list of boxes."""
        return bool(self.cells) and all(map(is_box, self.cells[:PARSED]))

    @property
    def shown(self) -> str:
        """The name of the column in messages."""
        return repr(self.name[:SHOWN]) if self.name else str(self.index + 1)

    def __str__(self) -> str:
        return f"{self.shown} ({str(self.cells[0])[:SHOWN]!r})" if self.cells else self.shown


def plain(name: str) -> str:
    """Return the name of a column in small letters, without spaces, ``_`` and ``-``."""
    return re.sub(r"[\s_-]+", "", name).lower()


def is_name(cell: Any) -> bool:
    """Return whether a cell ends like the name of an image."""
    return isinstance(cell, str) and cell.lower().endswith(tuple(SUFFIXES))


def is_coordinate(name: str) -> bool:
    return any(_COORDINATE.fullmatch(word.lower()) for word in _WORD.findall(name))


def is_number(cell: Any) -> bool:
    try:
        float(cell)
    except (TypeError, ValueError):
        return False
    return True


def is_box(cell: Any) -> bool:
    beginning = str(cell).strip()[:_BEGINNING]
    inside = _INSIDE.findall(beginning) if beginning[:1] in ("[", "{") else []
    return len(inside) >= OF_A_BOX or bool(_KEYS.match(beginning) or _NUMBERS.match(beginning))


def is_json(cell: Any) -> bool:
    if not isinstance(cell, str):
        return isinstance(cell, (dict, list))
    if cell.lstrip()[:1] not in ("[", "{"):
        return False
    try:
        return isinstance(json.loads(cell), (dict, list))
    except (ValueError, RecursionError):
        return False
