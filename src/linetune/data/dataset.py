"""Labelled crops, decoded once and kept at the network's height."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from linetune import image
from linetune.charset import Charset
from linetune.errors import LinetuneError
from linetune.image import Crop
from linetune.records import Line, first


@dataclass(frozen=True)
class Dataset:
    """Crops at height 48 with their labels, in the order of the label files."""

    lines: list[Line]
    crops: list[Crop]
    labels: list[list[int]]
    """CTC classes; empty lists when the dataset was loaded without a charset."""
    skipped: int = 0
    """Lines left out because they could not be used."""

    def __len__(self) -> int:
        return len(self.lines)

    @property
    def texts(self) -> list[str]:
        """The labels as text."""
        return [line.text for line in self.lines]

    def __add__(self, other: Dataset) -> Dataset:
        return Dataset(
            self.lines + other.lines,
            self.crops + other.crops,
            self.labels + other.labels,
            self.skipped + other.skipped,
        )


def load_dataset(
    lines: Sequence[Line],
    charset: Charset | None,
    skip_bad: bool = False,
    progress: Callable[[int], None] = lambda done: None,
) -> Dataset:
    """Decode the crops and encode the labels.

    Args:
        lines: what to load.
        charset: the characters to train on; None for a set that is only read and scored, where a
            character the model lacks is a wrong reading rather than an unusable line.
        skip_bad: leave out lines that cannot be used instead of refusing them.
        progress: called with the number of lines done so far.

    Raises:
        LinetuneError: listing the first ten lines that cannot be used, and their number.
    """

    def prepare(line: Line) -> tuple[Crop, list[int]] | LinetuneError:
        try:
            return _prepare(line, charset)
        except LinetuneError as error:
            return error

    results = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for result in pool.map(prepare, lines):
            results.append(result)
            progress(len(results))
    bad = [result for result in results if isinstance(result, LinetuneError)]
    good = [(line, *result) for line, result in zip(lines, results, strict=True) if isinstance(result, tuple)]
    if bad and not (skip_bad and good):
        raise first(
            bad,
            f"of {len(lines)} lines cannot be used",
            hint="nothing is left" if skip_bad else "mend them, or pass --skip-bad to go on without them",
        )
    return Dataset([g[0] for g in good], [g[1] for g in good], [g[2] for g in good], len(bad))


def _prepare(line: Line, charset: Charset | None) -> tuple[Crop, list[int]]:
    try:
        crop = image.resize(image.read(line.image))
    except LinetuneError as error:
        raise LinetuneError(f"{error.what}: {line.image}", line.source) from None
    if charset is None:
        return crop, []
    try:
        label = charset.encode(line.text)
    except LinetuneError as error:
        raise LinetuneError(f"{error.what}: {line.text!r}", line.source) from None
    have, need = image.frames(image.input_width(crop.shape[1])), image.frames_needed(label)
    if need > have:
        raise LinetuneError(f"{line.text!r} needs {need} frames, the crop has {have}", line.source)
    return crop, label
