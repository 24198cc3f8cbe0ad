"""Which columns are the image and the text: of tables, of JSON lines and of Parquet alike.

Nothing is guessed. A column of images is known by cells that lead to files. One of texts is known by its
name, or because every other column holds something else. Where two could be meant, a person has to say.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import Any

from linetune.data.importers.source import Source
from linetune.errors import LinetuneError, did_you_mean
from linetune.image import SUFFIXES
from linetune.records import spread

IMAGE = {"image", "path", "file", "filename", "imagepath", "filepath", "img", "imgpath", "imagefile"}
TEXT = {
    "text",
    "label",
    "transcription",
    "transcript",
    "words",
    "word",
    "groundtruth",
    "gt",
    "caption",
    "suffix",
}
"""Names of columns as :func:`plain` gives them; as words they count in longer names too."""
_CLASS = {"label", "labels"}
"""Names of texts in some tables and of classes in others."""
_IMAGE_WORDS = IMAGE | {"images"}
_TEXT_WORDS = TEXT | {"texts", "labels", "ocr"}
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[^\W\d_a-zA-Z]+")
_TRIED = 20
"""Rows whose paths are tried."""
_PARSED = 100
_LISTED = 12
_SHOWN = 30


@dataclass(frozen=True)
class Choice:
    """Where image and text are."""

    image: int
    text: int


@dataclass(frozen=True)
class _Column:
    """One column with its cells that are not empty."""

    index: int
    name: str
    cells: list[Any]
    rows: int

    def named(self, names: Set[str], words: Set[str] = frozenset()) -> bool:
        """Whether it has one of the names, or a name with one of the words in it."""
        return plain(self.name) in names or any(word.lower() in words for word in _WORD.findall(self.name))

    def objection(self) -> str | None:
        """Why this can hardly be the text."""
        if not self.cells:
            return "is empty"
        if not any(isinstance(cell, str) for cell in self.cells):
            kinds = {type(cell) for cell in self.cells}
            return "holds JSON" if kinds & {dict, list} else "holds numbers, perhaps of classes"
        if all(map(_is_json, self.cells[:_PARSED])):
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

    @property
    def variety(self) -> int:
        """How many different texts with letters there are."""
        return len({cell for cell in self.cells if isinstance(cell, str) and re.search(r"[^\W\d_]", cell)})

    def __str__(self) -> str:
        example = f" ({str(self.cells[0])[:_SHOWN]!r})" if self.cells else ""
        return f"{self.name!r}{example}" if self.name else f"{self.index + 1}{example}"


def choose(
    source: Source,
    names: Sequence[str],
    rows: Sequence[Sequence[Any]],
    place: object,
    image: int | None = None,
) -> Choice:
    """The columns of image and text, those that the user names if any.

    What is not plain from the names is noted in the source.

    Args:
        source: says which columns are asked for, and where paths lead.
        names: one a column; its number from 1 where there is no header.
        rows: their cells, as many as there are names; ``None`` where there is none.
        place: of the header, for messages.
        image: the image's column where its type says it.

    Raises:
        LinetuneError: a column that is asked for does not exist, or which are meant is not clear.
    """
    columns = [
        _Column(i, name, [row[i] for row in rows if row[i] not in (None, "")], len(rows))
        for i, name in enumerate(names)
    ]
    if source.image_column is not None:
        image = _asked(columns, source.image_column, "--image-column")
    leading = [column for column in columns if column.index != image and _leads(source, column)]
    if image is None:
        image = _image(source, columns, leading, place).index
    if source.text_column is not None:
        text = _asked(columns, source.text_column, "--text-column")
    else:
        others = [c for c in columns if c.index != image and (c not in leading or c.named(TEXT))]
        text = _text(source, others, place).index
    if text == image:
        raise LinetuneError("image and text are one column", place, "name the other with --image-column")
    return Choice(image, text)


def _asked(columns: list[_Column], name: str, option: str) -> int:
    for same in (str, plain):
        if hits := [column for column in columns if same(column.name) == same(name)]:
            return hits[0].index
    if name.isdecimal() and 0 < int(name) <= len(columns):
        return int(name) - 1
    raise LinetuneError(
        f"no column {name!r}", option, did_you_mean(name, [column.name for column in columns])
    )


def _leads(source: Source, column: _Column) -> bool:
    return any(source.leads(cell) for cell in spread(column.cells, _TRIED))


def _image(source: Source, columns: list[_Column], leading: list[_Column], place: object) -> _Column:
    if len(leading) == 1:
        return leading[0]
    if leading:
        by_name = [column for column in leading if column.named(IMAGE, _IMAGE_WORDS)]
        if len(by_name) != 1:
            what = f"several columns lead to files: {_list(leading)}"
            raise LinetuneError(what, place, "pass --image-column with the one of the images")
        source.notes.append(
            f"the images are those of the column {by_name[0].name!r}; --image-column names another"
        )
        return by_name[0]
    by_name = [column for column in columns if column.named(IMAGE, _IMAGE_WORDS)]
    by_suffix = [column for column in columns if any(map(_is_name, column.cells[:_TRIED]))]
    for likely in (by_suffix, by_name):
        if len(likely) == 1:
            return likely[0]
    what = f"no column leads to images: {_list(columns)}"
    raise LinetuneError(what, place, "pass --image-column, or --images DIR where the paths start")


def _text(source: Source, columns: list[_Column], place: object) -> _Column:
    if not columns:
        raise LinetuneError("no column beside the images", place, "a text has to stand beside each")
    named = [column for column in columns if column.named(TEXT, _TEXT_WORDS)]
    fitting = [column for column in columns if column.objection() is None]
    # A name that says text and nothing else goes before one that may say class, or has another word in it.
    likely = [column for column in named if column.named(TEXT - _CLASS)] or named or columns
    if fitting:
        likely = [column for column in likely if column in fitting]
    else:
        # Every crop may show the same text, where there is nothing else that it could be.
        likely = [column for column in likely if column.constant and not _is_json(column.cells[0])]
        likely = [column for column in likely if isinstance(column.cells[0], str)]
    # What is left where the others are no texts need not be one: numbers may be counts, or a box.
    sure = bool(named) or len(columns) == 1 or any(column.variety for column in likely)
    if len(likely) == 1 and sure and not _doubtful(likely[0], fitting):
        if likely != named:
            source.notes.append(_told(likely[0], columns))
        return likely[0]
    if not likely and not fitting:
        reasons = "; ".join(f"{column} {column.objection()}" for column in (named or columns)[:_LISTED])
        raise LinetuneError(f"no column of texts: {reasons}", place, _WAY_OUT)
    raise LinetuneError(f"which column is the text is not certain: {_list(columns)}", place, _WAY_OUT)


_WAY_OUT = "pass --text-column with the one of the texts"


def _doubtful(column: _Column, fitting: list[_Column]) -> bool:
    """Whether a column named for labels holds classes, and the text stands in another."""
    if plain(column.name) not in _CLASS or column.variety * 2 > column.rows:
        return False
    return any(other.variety > 2 * column.variety for other in fitting if other is not column)


def _told(column: _Column, columns: list[_Column]) -> str:
    others = [
        f"{other.name!r} {why}" for other in columns if other is not column and (why := other.objection())
    ]
    because = f", since {', '.join(others[:_LISTED])}" if others else ""
    return f"the texts are those of the column {column.name!r}{because}; --text-column names another"


def _list(columns: list[_Column]) -> str:
    more = f" and {len(columns) - _LISTED} more" if len(columns) > _LISTED else ""
    return ", ".join(map(str, columns[:_LISTED])) + more


def plain(name: str) -> str:
    """A column's name without what people vary."""
    return re.sub(r"[\s_-]+", "", name).lower()


def _is_name(cell: Any) -> bool:
    """Whether a cell ends as the name of an image does."""
    return isinstance(cell, str) and cell.lower().endswith(tuple(SUFFIXES))


def _is_json(cell: Any) -> bool:
    if not isinstance(cell, str):
        return isinstance(cell, (dict, list))
    if cell.lstrip()[:1] not in ("[", "{"):
        return False
    try:
        return isinstance(json.loads(cell), (dict, list))
    except (ValueError, RecursionError):
        return False
