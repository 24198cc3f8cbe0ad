"""The columns of image and text in tables, JSON lines and Parquet.

Nothing is guessed. The column of images has cells that lead to files. The column of texts has a name that
means text, or every other column has something else. If two columns are possible, the user must choose. The
same holds if there are boxes beside the texts, because an image may then be a whole photo.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

from linetune.core.errors import LinetuneError, did_you_mean
from linetune.core.image import SUFFIXES
from linetune.core.labelfile import spread
from linetune.data.importers import texts
from linetune.data.importers.column import (
    OF_A_BOX,
    PARSED,
    SHOWN,
    Column,
    is_coordinate,
    is_json,
    is_name,
    plain,
)
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
"""Names of columns in the form of :func:`plain`. They also count at the end of a longer name."""
_CLASS = {"label", "labels"}
"""Names that mean a text in some tables and a class in others."""
_VAGUE = _CLASS | {"caption", "suffix", "word", "words"}
"""Names that can mean something else than the text of the image."""
_PARTS = {"split", "set", "subset", "usage", "partition", "fold", "dataset"}
_SPLITS = {"train", "training", "val", "valid", "validation", "dev", "test", "testing", "eval"}
"""Names of columns with splits, and their values."""
_IMAGE_WORDS = IMAGE | {"images"}
_TEXT_WORDS = TEXT | {"texts", "labels"}
_TRIED = 20
"""Number of rows whose paths are tried."""
_ALIKE = 0.7
"""Least similarity, 0 to 1, of two versions of a text. One character of seven may differ, or two of ten."""
_LISTED = 12


@dataclass(frozen=True)
class Choice:
    """The columns of image and text."""

    image: int
    text: int
    files: Mapping[str, str] = field(default_factory=dict)
    """The names of images, by cells without the suffix."""

    def path(self, cell: str) -> str:
        """Return the path of the image in a cell."""
        return self.files.get(cell, cell)


def choose(
    source: Source,
    names: Sequence[str],
    rows: Sequence[Sequence[Any]],
    place: object,
    image: int | None = None,
    form: str = "csv",
) -> Choice:
    """Return the columns of image and text. Columns that the user asks for come first.

    Decisions that the names do not make clear become notes of the source.

    Args:
        source: has the columns that the user asks for, and the folders where paths start.
        names: one for each column. Without a header, its number from 1.
        rows: the cells, one for each name. None for a missing cell.
        place: the place of the header, for messages.
        image: the column of the images, if its type shows it.
        form: the name of this format for ``--format``.

    Raises:
        LinetuneError: a column that the user asks for does not exist, the columns are not clear, or there are
            boxes beside the texts.
    """
    columns = [Column(i, name, [row[i] for row in rows]) for i, name in enumerate(names)]
    if not source.asked and any('"original_width"' in str(cell) for c in columns for cell in c.cells[:1]):
        what = "a CSV of Label Studio does not say which text belongs to which box"
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
        raise LinetuneError(
            "image and text are the same column", place, "name the column of the images with --image-column"
        )
    if not source.asked:
        _refuse_boxes([column for column in columns if column.index not in (image, text)], place, form)
    for column in columns:
        if (
            plain(column.name) in _PARTS
            and len(column.texts) > 1
            and {text.lower() for text in column.texts} <= _SPLITS
        ):
            note = f"the crops of {', '.join(sorted(column.texts))} go into one label file"
            source.notes.append(f"{column.shown} is not looked at: {note}")
    return Choice(image, text, _suffixes(source, columns[image]))


def _asked(columns: list[Column], name: str, option: str) -> int:
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
        f"no column {name!r}", option, did_you_mean(name, [column.name[:SHOWN] for column in columns])
    )


def _leads(source: Source, column: Column, exactly: bool = False) -> bool:
    return any(source.leads(cell, exactly) for cell in spread(column.cells, _TRIED))


def _image(source: Source, columns: list[Column], leading: list[Column], place: object) -> Column:
    if len(leading) == 1:
        return leading[0]
    if leading:
        # The path of a photo may end like that of a crop.
        exact = [column for column in leading if _leads(source, column, exactly=True)]
        likely = exact if len(exact) == 1 else [column for column in leading if column.named(IMAGE)]
        # A photo is in the row of each of its crops.
        most = max(len(column.texts) for column in leading)
        if len(likely) != 1 or len(likely[0].texts) < most:
            what = f"several columns lead to files: {_list(leading)}"
            raise LinetuneError(what, place, "pass --image-column with the one of the images")
        source.notes.append(
            f"the images are in the column {likely[0].shown}; --image-column names another one"
        )
        return likely[0]
    known = stems(source.root)
    by_stem = [column for column in columns if _are_stems(column, known)]
    by_name = [column for column in columns if column.named(IMAGE, _IMAGE_WORDS)]
    by_suffix = [column for column in columns if any(map(is_name, column.cells[:_TRIED]))]
    for hits in (by_stem, by_suffix, by_name):
        if len(hits) == 1:
            return hits[0]
    what = f"no column leads to images: {_list(columns)}"
    raise LinetuneError(what, place, "pass --image-column, or --images DIR where the paths start")


def _suffixes(source: Source, column: Column) -> Mapping[str, str]:
    """Return the names of images by cells without the suffix. Add a note about it."""
    if _leads(source, column) or not _are_stems(column, known := stems(source.root)):
        return {}
    written = column.cells[0]
    source.notes.append(f"{column.shown} has no suffixes: {written!r} is {known[written]}")
    return known


def _are_stems(column: Column, known: Mapping[str, str]) -> bool:
    """Return whether every cell is the name of exactly one image, without its suffix."""
    return 0 < len(column.cells) == column.rows and all(
        isinstance(cell, str) and cell in known for cell in column.cells
    )


def stems(folder: Path) -> dict[str, str]:
    """Return the images of a folder by their stems, without stems that several images share."""
    images = texts.files(folder, *SUFFIXES) if folder.is_dir() else []
    counts = Counter(path.stem for path in images)
    return {path.stem: path.name for path in images if counts[path.stem] == 1}


def _refuse_boxes(columns: list[Column], place: object, form: str) -> None:
    """Refuse columns with boxes, besides image and text.

    Raises:
        LinetuneError: a column has boxes.
    """
    numbers = [c for c in columns if c.numeric and (c.name.isdecimal() or is_coordinate(c.name))]
    boxed = [column for column in columns if column.boxed]
    found = boxed or (numbers if len(numbers) >= OF_A_BOX else [])
    if found:
        raise LinetuneError(
            f"there are boxes beside the texts, so that an image may be a whole photo: {_list(found)}",
            place,
            texts.of_boxes(form),
        )


def _text(source: Source, columns: list[Column], place: object) -> Column:
    if not columns:
        raise LinetuneError("the only column is that of the images", place, "add a column of texts")
    named = [column for column in columns if column.named(TEXT, _TEXT_WORDS)]
    fitting = [column for column in columns if column.objection() is None]
    # A name that only means text comes before a name that can mean a class, or that has another word.
    likely = [column for column in named if column.named(TEXT - _CLASS)] or named or columns
    if fitting:
        likely = [column for column in likely if column in fitting]
    else:
        # Every crop may have the same text, if the column cannot be anything else.
        likely = [column for column in likely if column.constant and not is_json(column.cells[0])]
        likely = [column for column in likely if isinstance(column.cells[0], str)]
    # The last remaining column need not be a text: numbers can be counts, or a box.
    sure = bool(named) or len(columns) == 1 or any(column.variety for column in likely)
    # If a person corrected the readings of a program, the corrections are mostly in the other column.
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


def _are_versions(column: Column, other: Column) -> bool:
    """Return whether most cells of another column are nearly the same text, as after a correction."""
    pairs = [
        (a, b)
        for a, b in zip(column.full, other.full, strict=True)
        if isinstance(a, str) and isinstance(b, str) and a and b
    ]
    compared = spread(pairs, PARSED)
    alike = sum(SequenceMatcher(None, a, b).ratio() >= _ALIKE for a, b in compared)
    return 2 * alike > len(compared)


_WAY_OUT = "name the column of the texts with --text-column"


def _doubtful(column: Column, named: bool, fitting: list[Column]) -> bool:
    """Return whether a column named for texts has kinds of texts, and another column may have the text."""
    different = len(column.texts)
    if not named or different * 2 > column.rows:
        return False
    # Numbers do not compete with a name that only means text. They count and measure.
    certain = column.named(TEXT - _VAGUE)
    others = [other.variety if certain else len(other.texts) for other in fitting if other is not column]
    return any(count >= 2 * different for count in others)


def _told(column: Column, columns: list[Column]) -> str:
    others = [
        f"{other.shown} {why}" for other in columns if other is not column and (why := other.objection())
    ]
    because = f", since {', '.join(others[:_LISTED])}" if others else ""
    return f"the texts are in the column {column.shown}{because}; --text-column names another one"


def _list(columns: list[Column]) -> str:
    more = f" and {len(columns) - _LISTED} more" if len(columns) > _LISTED else ""
    twice = {name for name, count in Counter(column.name for column in columns).items() if count > 1}
    shown = [f"{c.index + 1} {c}" if c.name in twice else str(c) for c in columns[:_LISTED]]
    return ", ".join(shown) + more
