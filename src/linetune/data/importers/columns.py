"""The columns of images and texts in tables, JSON lines and Parquet.

linetune does not guess. The cells of the column of images lead to files. The column of texts has a name that
means text, or all other columns hold something else. If two columns are possible, the user has to choose. The
user also has to confirm a table with boxes, because its images may be whole photos.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from linetune.core.errors import LinetuneError, did_you_mean
from linetune.core.image import SUFFIXES
from linetune.core.labelfile import spread
from linetune.data.importers import texts
from linetune.data.importers.column import IMAGE, OF_A_BOX, SHOWN, TEXT, Column, is_image_name, listed, plain
from linetune.data.importers.source import Source
from linetune.data.importers.text_column import text_column

_SPLIT_COLUMNS = {"split", "set", "subset", "usage", "partition", "fold", "dataset"}
_SPLIT_NAMES = {"train", "training", "val", "valid", "validation", "dev", "test", "testing", "eval"}
"""Names of columns that say the split of a crop, and their values."""
_IMAGE_WORDS = IMAGE | {"images"}
"""Last words of longer names that mean image."""
_PATHS = 20
"""Cells of a column that are tried as paths."""
_IMAGE_HINT = "name the column of the images with --image-column"


@dataclass(frozen=True)
class Choice:
    """The columns of images and texts, as indices from 0."""

    image: int
    text: int
    files: Mapping[str, str] = field(default_factory=dict)
    """File names of images by their cells. Empty if the cells are paths."""

    def path(self, cell: str) -> str:
        """Return the path of the image that a cell names."""
        return self.files.get(cell, cell)


def choose(
    source: Source,
    names: Sequence[str],
    rows: Sequence[Sequence[Any]],
    place: object,
    image: int | None = None,
    form: str = "csv",
) -> Choice:
    """Return the columns of images and texts: those that the user names, or else those that are clear.

    Choices that do not follow from the names of the columns add a note to the source.

    Args:
        source: has the columns that the user names, if any, and the folders that paths start from.
        names: the names of the columns. Without a header, their numbers from 1.
        rows: the cells of each row, one for each column. None for a missing cell.
        place: the place of the header, for messages.
        image: the index of the column of images, if its type says so.
        form: the name of the format, for messages.

    Raises:
        LinetuneError: a column that the user names does not exist, the columns are not clear, or there are
            boxes beside the texts.
    """
    columns = [Column(i, name, [row[i] for row in rows]) for i, name in enumerate(names)]
    if not source.asked and any('"original_width"' in str(cell) for c in columns for cell in c.cells[:1]):
        what = "a CSV of Label Studio does not say which text belongs to which box"
        raise LinetuneError(what, place, "export as JSON")
    if source.image_column is not None:
        image = _named_by_user(columns, source.image_column, "--image-column")
    leading = [column for column in columns if column.index != image and _leads(source, column)]
    if image is None:
        image = _image_column(source, columns, leading, place).index
    if source.text_column is not None:
        text = _named_by_user(columns, source.text_column, "--text-column")
    else:
        others = [c for c in columns if c.index != image and (c not in leading or c.named(TEXT))]
        text = text_column(source, others, place).index
    if text == image:
        raise LinetuneError("image and text are the same column", place, _IMAGE_HINT)
    if not source.asked:
        _refuse_boxes([column for column in columns if column.index not in (image, text)], place, form)
    for column in columns:
        if _has_splits(column):
            splits = ", ".join(sorted(column.texts))
            source.notes.append(f"{column.shown} is ignored: the crops of {splits} go into one label file")
    return Choice(image, text, _files_without_suffix(source, columns[image]))


def _has_splits(column: Column) -> bool:
    """Return whether the column says the split of each crop."""
    named = plain(column.name) in _SPLIT_COLUMNS and len(column.texts) > 1
    return named and {text.lower() for text in column.texts} <= _SPLIT_NAMES


def _named_by_user(columns: list[Column], name: str, option: str) -> int:
    """Return the index of the column that an option names, by its name or its number from 1.

    Raises:
        LinetuneError: no column or several columns have the name.
    """
    for same in (str, plain):
        hits = [column for column in columns if same(column.name) == same(name)]
        if len(hits) > 1:
            numbers = " or ".join(str(column.index + 1) for column in hits)
            what = f"{len(hits)} columns are named {name!r}"
            raise LinetuneError(what, option, f"pass the number, {numbers}")
        if hits:
            return hits[0].index
    if name.isdecimal() and 0 < int(name) <= len(columns):
        return int(name) - 1
    known = [column.name[:SHOWN] for column in columns]
    raise LinetuneError(f"no column {name!r}", option, did_you_mean(name, known))


def _leads(source: Source, column: Column, exactly: bool = False) -> bool:
    """Return whether a cell of the column leads to a file, see :meth:`Source.leads`."""
    return any(source.leads(cell, exactly) for cell in spread(column.cells, _PATHS))


def _image_column(source: Source, columns: list[Column], leading: list[Column], place: object) -> Column:
    """Return the column of images.

    Args:
        source: where paths start.
        columns: all columns.
        leading: those whose cells lead to files.
        place: the place of the header, for messages.

    Raises:
        LinetuneError: several columns may be that of the images, or none.
    """
    if len(leading) == 1:
        return leading[0]
    if leading:
        # The path of a photo may end like that of a crop.
        exact = [column for column in leading if _leads(source, column, exactly=True)]
        likely = exact if len(exact) == 1 else [column for column in leading if column.named(IMAGE)]
        # A column of photos repeats a photo for each of its crops, so it has fewer different paths.
        most = max(len(column.texts) for column in leading)
        if len(likely) != 1 or len(likely[0].texts) < most:
            what = f"several columns lead to files: {listed(leading)}"
            raise LinetuneError(what, place, _IMAGE_HINT)
        source.notes.append(
            f"the images are in the column {likely[0].shown}; name another one with --image-column"
        )
        return likely[0]
    known = stems(source.root)
    by_stem = [column for column in columns if _are_stems(column, known)]
    by_name = [column for column in columns if column.named(IMAGE, _IMAGE_WORDS)]
    by_suffix = [column for column in columns if any(map(is_image_name, column.cells[:_PATHS]))]
    for hits in (by_stem, by_suffix, by_name):
        if len(hits) == 1:
            return hits[0]
    what = f"no column leads to images: {listed(columns)}"
    raise LinetuneError(
        what, place, "pass --image-column NAME, or --images DIR, the folder that the paths start from"
    )


def _files_without_suffix(source: Source, column: Column) -> Mapping[str, str]:
    """Return the file names of images by cells that have no suffix, with a note. Empty if cells have one."""
    if _leads(source, column) or not _are_stems(column, known := stems(source.root)):
        return {}
    example = column.cells[0]
    source.notes.append(f"{column.shown} has no suffixes: {example!r} is {known[example]}")
    return known


def _are_stems(column: Column, known: Mapping[str, str]) -> bool:
    """Return whether every cell is the stem of an image, and no cell is empty."""
    whole = 0 < len(column.cells) == column.rows
    return whole and all(isinstance(cell, str) and cell in known for cell in column.cells)


def stems(folder: Path) -> dict[str, str]:
    """Return the file names of the images in a folder, by stem. A stem of several images is left out."""
    images = texts.files(folder, *SUFFIXES) if folder.is_dir() else []
    counts = Counter(path.stem for path in images)
    return {path.stem: path.name for path in images if counts[path.stem] == 1}


def _refuse_boxes(columns: list[Column], place: object, form: str) -> None:
    """Check that no column holds boxes.

    Args:
        columns: all columns but those of images and texts.
        place: the place of the header, for messages.
        form: the name of the format, for messages.

    Raises:
        LinetuneError: a column holds boxes, or four columns hold coordinates.
    """
    numbers = [column for column in columns if column.coordinates]
    boxed = [column for column in columns if column.boxed]
    if boxes := boxed or (numbers if len(numbers) >= OF_A_BOX else []):
        what = f"there are boxes beside the texts, and an image may be a whole photo: {listed(boxes)}"
        raise LinetuneError(what, place, texts.of_boxes(form))
