"""Labelled crops: decoded once, and kept in a file at the network's height."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import repeat
from typing import NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from linetune.core import image
from linetune.core.charset import Charset
from linetune.core.errors import LinetuneError, many_errors, place
from linetune.core.image import Crop
from linetune.core.labelfile import Line
from linetune.core.progress import Reporter
from linetune.data.check.images import CropSummary, in_threads, missing_image_hint, summarise
from linetune.data.packed import Packed

ROW = (image.HEIGHT, 3)
"""A pixel column of a crop: crops are packed along the line, so that they join and gather by columns."""
NOTHING = np.zeros((0, *ROW), np.uint8)


@dataclass(frozen=True)
class Dataset:
    """Crops at height 48 with their labels, in the order of the label files."""

    lines: list[Line]
    columns: Packed
    """Each crop as (width, 48, 3) uint8, BGR."""
    labels: list[list[int]]
    """CTC classes. Empty lists if the crops were loaded without a charset."""
    skipped: int = 0
    """Lines that were left out because they cannot be used."""

    def __len__(self) -> int:
        return len(self.lines)

    @property
    def texts(self) -> list[str]:
        """The labels as text."""
        return [line.text for line in self.lines]

    @property
    def crops(self) -> Sequence[Crop]:
        """The crops as images."""
        return PackedCrops(self.columns)

    def half_turned(self, which: NDArray[np.bool_]) -> Dataset:
        """Return the same crops and labels, with some crops rotated by 180 degrees. Only these are copied.

        Args:
            which: the crops to rotate, shape (crops,).
        """
        turned = np.flatnonzero(which)
        rotated = Packed.write((self.columns[i][::-1, ::-1] for i in turned.tolist()), ROW, np.uint8)
        order = np.arange(len(self))
        order[turned] = len(self) + np.arange(len(turned))
        return replace(self, columns=(self.columns + rotated).select(order))

    def __add__(self, other: Dataset) -> Dataset:
        return Dataset(
            self.lines + other.lines,
            self.columns + other.columns,
            self.labels + other.labels,
            self.skipped + other.skipped,
        )


class PackedCrops(Sequence[Crop]):
    """Packed columns as images (48, width, 3)."""

    def __init__(self, columns: Packed) -> None:
        self._columns = columns

    @property
    def sizes(self) -> list[tuple[int, int]]:
        """(height, width) of each crop, in px. No crop is read for it."""
        return [(image.HEIGHT, width) for width in self._columns.lengths.tolist()]

    def __len__(self) -> int:
        return len(self._columns)

    @overload
    def __getitem__(self, index: int) -> Crop: ...
    @overload
    def __getitem__(self, index: slice) -> list[Crop]: ...
    def __getitem__(self, index: int | slice) -> Crop | list[Crop]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        return np.ascontiguousarray(self._columns[index].transpose(1, 0, 2), np.uint8)


@dataclass(frozen=True)
class Decoded:
    """Labelled lines whose crops were decoded once."""

    lines: Sequence[Line]
    columns: Packed
    """Each crop as (width, 48, 3) uint8, BGR. Width 0 for a crop that cannot be used."""
    problems: list[LinetuneError | None]
    """What is wrong with each crop."""
    summaries: list[CropSummary | LinetuneError]
    """The summary of each crop for the check. Empty unless it was asked for."""

    def warn_of_photos(self, reporter: Reporter) -> None:
        """Tell which images seem to be whole photos. This needs summaries."""
        found = zip(self.lines, self.summaries, strict=True)
        photos = [line.image for line, crop in found if isinstance(crop, CropSummary) and crop.is_photo]
        if photos:
            reporter.say(image.photo_warning(photos, len(self.lines)))

    def dataset(self, lines: Sequence[Line], charset: Charset | None, skip_bad: bool = False) -> Dataset:
        """Encode the labels of some of the lines. Their crops are not copied.

        Args:
            lines: some of the decoded lines.
            charset: the characters to train on. None for crops that are only read and scored. A character
                that a model lacks is then a wrong reading, and not an unusable line.
            skip_bad: leave out lines that cannot be used instead of refusing them.

        Raises:
            LinetuneError: it lists the first ten lines that cannot be used, and their number.
        """
        good: list[tuple[Line, int, list[int]]] = []
        bad: list[LinetuneError] = []
        for line in lines:
            number = self._numbers[line]
            try:
                if problem := self.problems[number]:
                    raise problem
                label = _encoded(line, charset, int(self.columns.lengths[number]))
                good.append((line, number, label))
            except LinetuneError as error:
                bad.append(error)
        if bad and not (skip_bad and good):
            raise many_errors(
                bad,
                f"of {len(lines)} lines cannot be used",
                hint="nothing is left" if skip_bad else "correct them, or leave them out with --skip-bad",
            )
        columns = self.columns.select([number for _, number, _ in good])
        return Dataset([line for line, _, _ in good], columns, [label for _, _, label in good], len(bad))

    @cached_property
    def _numbers(self) -> dict[Line, int]:
        return {line: number for number, line in enumerate(self.lines)}


def decode_lines(
    lines: Sequence[Line],
    progress: Callable[[int], None] = lambda done: None,
    crops: Iterable[Crop] | None = None,
    inspected: bool = False,
    compared: bool = False,
) -> Decoded:
    """Decode the crop of each line once.

    Args:
        lines: lines of label files.
        progress: called with the number of lines done so far.
        crops: the images of the lines, in their order, if they are not files.
        inspected: keep what the check needs of each crop.
        compared: keep what finds near-duplicates as well.
    """
    problems: list[LinetuneError | None] = []
    summaries: list[CropSummary | LinetuneError] = []
    images: Iterable[Crop | None] = repeat(None) if crops is None else crops

    def columns() -> Iterator[NDArray[np.uint8]]:
        decode = partial(_decode, inspected or compared, compared)
        for found in in_threads(decode, zip(lines, images, strict=False), progress):
            problems.append(found.problem)
            if found.summary is not None:
                summaries.append(found.summary)
            yield NOTHING if found.crop is None else found.crop.transpose(1, 0, 2)

    packed = Packed.write(columns(), ROW, np.uint8)
    return Decoded(lines, packed, problems, summaries)


def load_dataset(
    lines: Sequence[Line],
    charset: Charset | None,
    skip_bad: bool = False,
    progress: Callable[[int], None] = lambda done: None,
    crops: Iterable[Crop] | None = None,
) -> Dataset:
    """Decode the crops of some lines and encode their labels: :func:`decode_lines`, then its ``dataset``."""
    return decode_lines(lines, progress, crops).dataset(lines, charset, skip_bad)


class _Found(NamedTuple):
    """The result of decoding one crop."""

    crop: Crop | None = None
    problem: LinetuneError | None = None
    summary: CropSummary | LinetuneError | None = None


def _decode(inspected: bool, compared: bool, labelled: tuple[Line, Crop | None]) -> _Found:
    """Decode the crop of a line, or resize the crop that comes with the line."""
    line, crop = labelled
    seen: CropSummary | LinetuneError | None = None
    try:
        if crop is None:
            data = image.content(line.image)
            crop = image.decode(data, line.image)
            seen = summarise(crop, data, compared) if inspected else None
        return _Found(image.resize(crop), None, seen)
    except LinetuneError as error:
        # A crop of a folder has no line of a file, and is itself the source.
        itself = line.source == str(line.image)
        what = error.what if itself else f"{error.what}: {place(line.image)}"
        problem = LinetuneError(what, line.source, missing_image_hint(line, error))
        return _Found(None, problem, (seen or error) if inspected else None)


def _encoded(line: Line, charset: Charset | None, width: int) -> list[int]:
    """Return the CTC classes of a label whose crop is ``width`` px wide at height 48."""
    if charset is None:
        return []
    try:
        label = charset.encode(line.text)
    except LinetuneError as error:
        raise LinetuneError(f"{error.what}: {line.text!r}", line.source) from None
    have, need = image.frames(image.input_width(width)), image.frames_needed(label)
    if need > have:
        raise LinetuneError(f"{line.text!r} needs {need} frames, the crop has {have}", line.source)
    return label
