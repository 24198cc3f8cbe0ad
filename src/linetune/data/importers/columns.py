"""Which columns are the image and the text: of tables, of JSON lines and of Parquet alike.

Nothing is guessed. A column of images is known by cells that lead to files. One of texts is known by its
name, or because every other column holds something else. Where two could be meant, a person has to say, and
so where boxes stand beside the texts: an image may then be a whole photo.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from functools import cached_property
from pathlib import Path
from typing import Any

from linetune.core.errors import LinetuneError, did_you_mean
from linetune.core.image import SUFFIXES
from linetune.core.labelfile import spread
from linetune.data.importers import texts
from linetune.data.importers.source import Source

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
"""Names of columns as :func:`plain` gives them. At the end of a longer name they count too."""
_CLASS = {"label", "labels"}
"""Names of texts in some tables and of classes in others."""
_VAGUE = _CLASS | {"caption", "suffix", "word", "words"}
"""Names that may mean something else than the text on the image."""
_PARTS = {"split", "set", "subset", "usage", "partition", "fold", "dataset"}
_SPLITS = {"train", "training", "val", "valid", "validation", "dev", "test", "testing", "eval"}
"""Names of columns that divide the crops, and what stands there."""
_IMAGE_WORDS = IMAGE | {"images"}
_TEXT_WORDS = TEXT | {"texts", "labels"}
_COORDINATE = re.compile(
    r"c?[xy]c?|[wh]|[xy](tl|br|min|max)|(ul|ur|ll|lr|tl|tr|bl|br|min|max)[xy]|left|top|right|bottom|width|height"
    r"|b?box|rect|coords?|coordinates?"
)
"""A word that makes a column of numbers a part of a box."""
_OF_A_BOX = 4
"""Numbers that make a box, and columns of them."""
_KEYS = re.compile(
    r"""[\[{].*['"](x|xmin|left|all_points_x)['"]\s*:.*['"](y|ymin|top|all_points_y)['"]\s*:"""
    r"""|[\[{].*['"](bbox|box|points|polygon|vertices)['"]\s*:\s*[\[{]""",
    re.DOTALL,
)
"""How an object that holds a box begins."""
_INSIDE = re.compile(r"""[:,\[(]\s*['"]?-?\d+(?:\.\d+)?['"]?\s*(?=[,\]})])""")
"""A number in an object or a list."""
_NUMBERS = re.compile(rf"(?=[\s\d.,;()\[\]{{}}-]+$)[\s\[({{]*{texts.NUMBERS}")
"""How a list of numbers begins, whatever separates them."""
_BEGINNING = 500
"""Characters by which a cell is judged."""
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[^\W\d_a-zA-Z]+")
_TRIED = 20
"""Rows whose paths are tried."""
_PARSED = 100
_ALIKE = 0.7
"""Least similarity, 0 to 1, of two versions of one text: one character of seven may differ, or two of ten."""
_LISTED = 12
_SHOWN = 30


@dataclass(frozen=True)
class Choice:
    """Where image and text are."""

    image: int
    text: int
    files: Mapping[str, str] = field(default_factory=dict)
    """The images' names by cells that leave out the suffix."""

    def path(self, cell: str) -> str:
        """The path of the image that a cell names."""
        return self.files.get(cell, cell)


@dataclass(frozen=True)
class _Column:
    """One column."""

    index: int
    name: str
    full: list[Any]
    """What stands in each row."""

    @cached_property
    def cells(self) -> list[Any]:
        """Those that are not empty."""
        return [cell for cell in self.full if cell not in (None, "")]

    @property
    def rows(self) -> int:
        return len(self.full)

    def named(self, names: Set[str], words: Set[str] = frozenset()) -> bool:
        """Whether it has one of the names, or a name that ends in one of the words.

        What a name says before is no more than which: ``plate_text`` is a text, ``text_type`` a type.
        """
        return plain(self.name) in names or (_WORD.findall(self.name) or [""])[-1].lower() in words

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

    @cached_property
    def texts(self) -> set[str]:
        """Its different texts."""
        return {cell for cell in self.cells if isinstance(cell, str)}

    @cached_property
    def variety(self) -> int:
        """How many different texts with letters there are."""
        return sum(re.search(r"[^\W\d_]", text) is not None for text in self.texts)

    @property
    def numeric(self) -> bool:
        """Whether all of it is numbers."""
        return bool(self.cells) and all(map(_is_number, self.cells[:_PARSED]))

    @property
    def boxed(self) -> bool:
        """Whether each of its cells is a box or a list of them."""
        return bool(self.cells) and all(map(_is_box, self.cells[:_PARSED]))

    @property
    def shown(self) -> str:
        """Its name for messages."""
        return repr(self.name[:_SHOWN]) if self.name else str(self.index + 1)

    def __str__(self) -> str:
        return f"{self.shown} ({str(self.cells[0])[:_SHOWN]!r})" if self.cells else self.shown


def choose(
    source: Source,
    names: Sequence[str],
    rows: Sequence[Sequence[Any]],
    place: object,
    image: int | None = None,
    form: str = "csv",
) -> Choice:
    """The columns of image and text, those that the user names if any.

    What is not plain from the names is noted in the source.

    Args:
        source: says which columns are asked for, and where paths lead.
        names: one a column; its number from 1 where there is no header.
        rows: their cells, as many as there are names; ``None`` where there is none.
        place: of the header, for messages.
        image: the image's column where its type says it.
        form: what ``--format`` takes for these rows.

    Raises:
        LinetuneError: a column that is asked for does not exist, which are meant is not clear, or there are
            boxes beside the texts.
    """
    columns = [_Column(i, name, [row[i] for row in rows]) for i, name in enumerate(names)]
    if not source.asked and any('"original_width"' in str(cell) for c in columns for cell in c.cells[:1]):
        what = "boxes of Label Studio, whose texts a CSV does not match to them"
        raise LinetuneError(what, place, "export as JSON")
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
    if not source.asked:
        _refuse_boxes([column for column in columns if column.index not in (image, text)], place, form)
    for column in columns:
        if (
            plain(column.name) in _PARTS
            and len(column.texts) > 1
            and {text.lower() for text in column.texts} <= _SPLITS
        ):
            told = f"the crops of {', '.join(sorted(column.texts))} come into one file of labels"
            source.notes.append(f"{column.shown} is not looked at: {told}")
    return Choice(image, text, _suffixes(source, columns[image]))


def _asked(columns: list[_Column], name: str, option: str) -> int:
    for same in (str, plain):
        hits = [column for column in columns if same(column.name) == same(name)]
        if len(hits) > 1:
            numbers = " or ".join(str(column.index + 1) for column in hits)
            raise LinetuneError(
                f"{len(hits)} columns are named {name!r}", option, f"pass the number, {numbers}"
            )
        if hits:
            return hits[0].index
    if name.isdecimal() and 0 < int(name) <= len(columns):
        return int(name) - 1
    raise LinetuneError(
        f"no column {name!r}", option, did_you_mean(name, [column.name[:_SHOWN] for column in columns])
    )


def _leads(source: Source, column: _Column, exactly: bool = False) -> bool:
    return any(source.leads(cell, exactly) for cell in spread(column.cells, _TRIED))


def _image(source: Source, columns: list[_Column], leading: list[_Column], place: object) -> _Column:
    if len(leading) == 1:
        return leading[0]
    if leading:
        # A photo's path may end like a crop's.
        exact = [column for column in leading if _leads(source, column, exactly=True)]
        likely = exact if len(exact) == 1 else [column for column in leading if column.named(IMAGE)]
        # A photo stands beside each of its crops.
        most = max(len(column.texts) for column in leading)
        if len(likely) != 1 or len(likely[0].texts) < most:
            what = f"several columns lead to files: {_list(leading)}"
            raise LinetuneError(what, place, "pass --image-column with the one of the images")
        source.notes.append(
            f"the images are those of the column {likely[0].shown}; --image-column names another"
        )
        return likely[0]
    known = stems(source.root)
    by_stem = [column for column in columns if _are_stems(column, known)]
    by_name = [column for column in columns if column.named(IMAGE, _IMAGE_WORDS)]
    by_suffix = [column for column in columns if any(map(_is_name, column.cells[:_TRIED]))]
    for hits in (by_stem, by_suffix, by_name):
        if len(hits) == 1:
            return hits[0]
    what = f"no column leads to images: {_list(columns)}"
    raise LinetuneError(what, place, "pass --image-column, or --images DIR where the paths start")


def _suffixes(source: Source, column: _Column) -> Mapping[str, str]:
    """The images' names by cells of the column of images that leave out the suffix, which is noted."""
    if _leads(source, column) or not _are_stems(column, known := stems(source.root)):
        return {}
    written = column.cells[0]
    source.notes.append(f"{column.shown} leaves out the images' suffixes: {written!r} is {known[written]}")
    return known


def _are_stems(column: _Column, known: Mapping[str, str]) -> bool:
    """Whether every cell is the name of exactly one image but for its suffix."""
    return 0 < len(column.cells) == column.rows and all(
        isinstance(cell, str) and cell in known for cell in column.cells
    )


def stems(folder: Path) -> dict[str, str]:
    """The images of a folder by their names without the suffix, those alone that no other shares."""
    images = texts.files(folder, *SUFFIXES) if folder.is_dir() else []
    counts = Counter(path.stem for path in images)
    return {path.stem: path.name for path in images if counts[path.stem] == 1}


def _refuse_boxes(columns: list[_Column], place: object, form: str) -> None:
    """Whether no column beside image and text holds boxes.

    Raises:
        LinetuneError: one does.
    """
    numbers = [c for c in columns if c.numeric and (c.name.isdecimal() or _is_coordinate(c.name))]
    boxed = [column for column in columns if column.boxed]
    found = boxed or (numbers if len(numbers) >= _OF_A_BOX else [])
    if found:
        raise LinetuneError(
            f"boxes stand beside the texts, so that an image may be a whole photo: {_list(found)}",
            place,
            texts.of_boxes(form),
        )


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
    # Where a person corrected what a program read, that is most often in the other column.
    others = [column for column in columns if column not in likely]
    sure &= not any(texts.CORRECTED.search(column.name) for column in fitting if column in others)
    sure &= not any(_are_versions(column, other) for column in likely for other in others)
    if len(likely) == 1 and sure and not _doubtful(likely[0], bool(named), fitting):
        if likely != named:
            source.notes.append(_told(likely[0], columns))
        return likely[0]
    if not likely and not fitting:
        reasons = "; ".join(f"{column} {column.objection()}" for column in (named or columns)[:_LISTED])
        raise LinetuneError(f"no column of texts: {reasons}", place, _WAY_OUT)
    raise LinetuneError(f"which column is the text is not certain: {_list(columns)}", place, _WAY_OUT)


def _are_versions(column: _Column, other: _Column) -> bool:
    """Whether most of what stands in another column is nearly the text, as where one corrects the other."""
    pairs = [
        (a, b)
        for a, b in zip(column.full, other.full, strict=True)
        if isinstance(a, str) and isinstance(b, str) and a and b
    ]
    compared = spread(pairs, _PARSED)
    alike = sum(SequenceMatcher(None, a, b).ratio() >= _ALIKE for a, b in compared)
    return 2 * alike > len(compared)


_WAY_OUT = "pass --text-column with the one of the texts"


def _doubtful(column: _Column, named: bool, fitting: list[_Column]) -> bool:
    """Whether a column named for texts holds kinds of them, and the text may stand in another."""
    different = len(column.texts)
    if not named or different * 2 > column.rows:
        return False
    # Beside a name that says text and nothing else numbers are no rival: they count and measure.
    certain = column.named(TEXT - _VAGUE)
    others = [other.variety if certain else len(other.texts) for other in fitting if other is not column]
    return any(count >= 2 * different for count in others)


def _told(column: _Column, columns: list[_Column]) -> str:
    others = [
        f"{other.shown} {why}" for other in columns if other is not column and (why := other.objection())
    ]
    because = f", since {', '.join(others[:_LISTED])}" if others else ""
    return f"the texts are those of the column {column.shown}{because}; --text-column names another"


def _list(columns: list[_Column]) -> str:
    more = f" and {len(columns) - _LISTED} more" if len(columns) > _LISTED else ""
    twice = {name for name, count in Counter(column.name for column in columns).items() if count > 1}
    shown = [f"{c.index + 1} {c}" if c.name in twice else str(c) for c in columns[:_LISTED]]
    return ", ".join(shown) + more


def plain(name: str) -> str:
    """A column's name without what people vary."""
    return re.sub(r"[\s_-]+", "", name).lower()


def _is_name(cell: Any) -> bool:
    """Whether a cell ends as the name of an image does."""
    return isinstance(cell, str) and cell.lower().endswith(tuple(SUFFIXES))


def _is_coordinate(name: str) -> bool:
    return any(_COORDINATE.fullmatch(word.lower()) for word in _WORD.findall(name))


def _is_number(cell: Any) -> bool:
    try:
        float(cell)
    except (TypeError, ValueError):
        return False
    return True


def _is_box(cell: Any) -> bool:
    beginning = str(cell).strip()[:_BEGINNING]
    inside = _INSIDE.findall(beginning) if beginning[:1] in ("[", "{") else []
    return len(inside) >= _OF_A_BOX or bool(_KEYS.match(beginning) or _NUMBERS.match(beginning))


def _is_json(cell: Any) -> bool:
    if not isinstance(cell, str):
        return isinstance(cell, (dict, list))
    if cell.lstrip()[:1] not in ("[", "{"):
        return False
    try:
        return isinstance(json.loads(cell), (dict, list))
    except (ValueError, RecursionError):
        return False
